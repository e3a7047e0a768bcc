from dataclasses import replace

import faked_networks as faked
import pandas as pd
import pytest
from click.testing import CliRunner
from faked_networks import ROBUST, network

from analysis.__main__ import main
from analysis.figures import save_ticket_figures
from analysis.figures.tickets.save import ticket_plans
from analysis.tensors import SweepFiles
from analysis.tickets.network_comparison import sentences, tables, tickets
from analysis.tickets.networks import DENSE, STANDARD

pytestmark = pytest.mark.usefixtures("drawn_small")


def compared(folder, trials):
    return tickets(SweepFiles.of(folder, trials), trials)


@pytest.fixture
def storage(table, write, tmp_path):
    """A finished sweep: one sparsity, clean and one budget, a planted shift."""

    def build(*, interpreted=True, seeds=3, **more):
        rows = [
            {"sparsity": 0.7, "epsilon": e, "seed": s} for e in (0.0, 0.1) for s in range(seeds)
        ]
        trials = table(*rows)
        for name, values in more.items():
            trials[name] = values
        write(tmp_path, trials)
        for _, row in trials.iterrows():
            seed, robust = int(row["config/seed"]), row["config/epsilon"] > 0.0
            kind = ROBUST if robust else STANDARD
            model = network(kind, seed, shift=0.1 * robust)
            own = {n.removeprefix("importance_"): v for n, v in model.importance.items()}
            faked.file_ticket(
                tmp_path,
                row["trial_id"],
                model.weights,
                model.masks,
                importance=own if interpreted else None,
                preparation=f"seed-{seed}-ab",
            )
            faked.file_dense(
                tmp_path,
                f"seed-{seed}-ab",
                model.weights,
                importance=own if interpreted else None,
            )
        return tmp_path, trials

    return build


def names(one):
    """Names of the planned figures of networks."""
    return {name for name, *_ in ticket_plans(one)}


def test_the_pattern_pairs_the_standard_ticket_with_the_most_robust_of_its_seed(storage):
    (one,) = compared(*storage())
    more = [network("robust (ε = 0.3)", seed) for seed in (1, 2)]
    pair = replace(one, models=[*one.models, *more]).pair()
    assert [(m.kind, m.seed) for m in pair] == [(STANDARD, 0), (ROBUST, 0)]
    later = [m for m in (*one.models, *more) if m.seed > 0]
    pair = replace(one, models=later).pair()
    assert [(m.kind, m.seed) for m in pair] == [(STANDARD, 1), ("robust (ε = 0.3)", 1)]


def test_without_a_rival_of_its_seed_a_ticket_is_drawn_alone(storage):
    (one,) = compared(*storage())
    dense, standard = network(DENSE, 0), network(STANDARD, 1)
    assert replace(one, models=[dense, standard, network(ROBUST, 2)]).pair() == [standard]
    assert replace(one, models=[dense]).pair() == []


def test_models_without_interpretation_skip_the_figures_of_it_and_say_why(storage):
    folder, trials = storage(interpreted=False)
    (one,) = compared(folder, trials)
    saved = save_ticket_figures(folder, [one])
    skipped = dict(line.split(": ", 1) for line in saved.skipped)
    assert set(skipped) == {name for name in names(one) if name.startswith("importance")}
    assert {p.stem for p in saved.written} == names(one) - set(skipped)
    assert "no interpretation" in skipped["importance"]


def test_a_sweep_whose_models_are_elsewhere_is_one_line(table, tmp_path):
    found = compared(tmp_path, table({"sparsity": 0.8}))
    saved = save_ticket_figures(tmp_path, found)
    assert saved.written == ()
    (line,) = saved.skipped
    assert "networks" in line


def test_every_problem_has_its_figures_in_a_folder_and_its_name_in_the_tables(storage):
    folder, trials = storage(interpreted=False, **{"config/market.xi": [0.1, 0.1, 0.5] * 2})
    found = compared(folder, trials)
    assert [one.problem for one in found] == ["market.xi 0.1", "market.xi 0.5"]
    assert {p.parent.name for p in save_ticket_figures(folder, found).written} == {
        "market.xi_0.1",
        "market.xi_0.5",
    }
    assert set(tables(found)["ticket_weights"]["problem"]) == {"market.xi 0.1", "market.xi 0.5"}


def test_the_report_has_the_sentences_the_tables_and_the_figures(storage):
    folder, trials = storage(seeds=4)
    result = CliRunner().invoke(main, ["report", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0
    said = result.output
    assert "volatility (+0.1" in said
    for name in ("importance", "importance_shift", "mask_overlap", "ticket_weights"):
        assert len(pd.read_csv(folder / "report" / f"{name}.csv")) > 0
    skipped = said.partition("Skipped figures")[2].partition("\n\n")[0]
    without = {line.split(":")[0].strip() for line in skipped.strip().splitlines()}
    # Made from the models, and from epochs that this storage lacks.
    assert without == {"pnl_histogram", "hedge_ratio", "learning_curves"}
    (one,) = compared(folder, trials)
    for name in names(one):
        path = folder / "report" / "figures" / f"{name}.png"
        assert str(path) in said
        assert path.stat().st_size > 0


def test_the_report_of_older_models_says_how_to_get_an_interpretation(storage):
    interpreted = sentences(compared(*storage()))
    *_, line = sentences(compared(*storage(interpreted=False)))
    assert line not in interpreted
    assert line.startswith("No interpretation")
    assert "run it again" in line
