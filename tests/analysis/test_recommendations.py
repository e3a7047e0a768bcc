"""Recommended networks: one per problem and training epsilon, chosen on validation."""

import json
import math

import pytest
from click.testing import CliRunner

from analysis import recommendations
from analysis.__main__ import main
from analysis.attacks import spoken
from analysis.recommendations import sentence

SEEDS = range(6)
PGD = "attacked_cvar_05@path_pgd:0.1"


def tickets(table, *, falls, risks, epsilon=0.0, **more):
    """Trials of sparsities with a CVaR ``falls`` below the dense network's, by seed."""
    return table(
        *(
            {
                "sparsity": sparsity,
                "epsilon": epsilon,
                "seed": seed,
                "val_loss": risks[sparsity] + 0.001 * ((seed + 4) % 6),  # least at seed 2
                "cvar_05": -3.0 - fall + 0.001 * (seed - 2.5),
                "cvar_05_minus_dense_se": 0.001,
                PGD: -3.5 - fall,
                **more,
            }
            for sparsity, fall in falls.items()
            for seed in SEEDS
        )
    )


def test_the_sparsest_ticket_that_is_shown_to_lose_little_is_recommended(table):
    falls = {0.5: 0.0, 0.9: 0.02, 0.98: 1.0}
    trials = tickets(table, falls=falls, risks={0.5: 2.9, 0.9: 3.0, 0.98: 4.0})
    (one,) = recommendations(trials)
    assert one.configuration["sparsity"] == 0.9
    assert "shown to lose at most 5 %" in one.criterion
    assert (one.metric, one.seeds) == ("cvar_05", 6)
    assert one.mean == pytest.approx(-3.02)
    assert one.interval.low < -3.02 < one.interval.high
    row = trials.set_index("trial_id").loc[one.trial_id]
    assert (row["config/sparsity"], row["config/seed"]) == (0.9, 2)


def test_without_such_a_sparsity_it_is_the_lowest_validation_risk(table):
    falls = {0.5: 1.0, 0.9: 0.9}
    (one,) = recommendations(tickets(table, falls=falls, risks={0.5: 2.9, 0.9: 2.8}))
    assert (one.configuration["sparsity"], "validation risk" in one.criterion) == (0.9, True)


def test_one_seed_has_no_interval_and_is_not_shown_to_pass(table):
    trials = tickets(table, falls={0.5: 0.0, 0.9: 0.0}, risks={0.5: 2.8, 0.9: 2.9})
    (one,) = recommendations(trials[trials["config/seed"].eq(0)])
    assert (one.seeds, one.configuration["sparsity"]) == (1, 0.5)
    assert math.isnan(one.interval.low)


def test_every_training_epsilon_and_problem_has_its_own(table):
    import pandas as pd

    options = {"falls": {0.5: 0.0}, "risks": {0.5: 2.9}}
    parts = []
    for epsilon in (0.0, 0.1):
        for xi in (0.1, 0.5):
            part = tickets(table, epsilon=epsilon, **options)
            parts.append(part.assign(**{"config/market.xi": xi}))
    trials = pd.concat(parts, ignore_index=True)
    trials["trial_id"] = [f"t{i:04d}" for i in range(len(trials))]
    found = recommendations(trials)
    assert [(one.problem["market.xi"], one.configuration["epsilon"]) for one in found] == [
        (0.1, 0.0), (0.1, 0.1), (0.5, 0.0), (0.5, 0.1),
    ]  # fmt: skip


def test_the_weak_point_is_the_attack_with_the_lowest_mean(table):
    worse = "attacked_cvar_05@transfer:0.1"
    trials = tickets(table, falls={0.5: 0.0}, risks={0.5: 2.9}, **{worse: -3.25})
    (one,) = recommendations(trials)
    assert "-3.500" in one.weakness
    assert spoken("path_pgd") in one.weakness
    assert "lowest of 2" in one.weakness


def test_an_attack_without_a_finite_result_is_the_weak_point(table):
    trials = tickets(table, falls={0.5: 0.0}, risks={0.5: 2.9})
    trials = trials.assign(**{"attacked_cvar_05@transfer:0.1": -9.0})
    trials.loc[trials["config/seed"].lt(2), PGD] = math.nan
    (one,) = recommendations(trials)
    assert "-9" not in one.weakness
    assert f"{spoken('path_pgd')}, ε = 0.1 at 2 of 6 seeds" in one.weakness


@pytest.mark.parametrize("missing", [2, 6])
def test_a_mean_counts_only_the_seeds_that_it_is_of(table, missing):
    trials = tickets(table, falls={0.5: 0.0}, risks={0.5: 2.9})
    trials.loc[trials["config/seed"].lt(missing), "cvar_05"] = math.nan
    (one,) = recommendations(trials)
    assert (one.seeds, one.measured) == (6, 6 - missing)
    assert math.isnan(one.interval.low)
    if one.measured:
        assert one.mean == pytest.approx(-3.0 + 0.001)
        assert f"{one.measured} of 6 seeds" in sentence(one)
    else:
        assert math.isnan(one.mean)
        assert "not shown" in sentence(one)


def test_tickets_without_attacks_say_so(table):
    trials = tickets(table, falls={0.5: 0.0}, risks={0.5: 2.9}).drop(columns=PGD)
    (one,) = recommendations(trials)
    assert "not tested under attacks" in one.weakness


@pytest.mark.parametrize("status", ["stopped", "failed", "running"])
def test_without_a_completed_trial_none_is_recommended(table, status):
    assert recommendations(table({"status": status})) == []


def test_a_configuration_that_lacks_a_seed_is_not_recommended(table):
    trials = table(
        {"sparsity": 0.5, "seed": 0, "val_loss": 2.0},
        {"sparsity": 0.5, "seed": 1, "status": "stopped"},
        {"sparsity": 0.9, "seed": 0, "val_loss": 3.0},
        {"sparsity": 0.9, "seed": 1, "val_loss": 3.0},
    )
    assert [one.configuration["sparsity"] for one in recommendations(trials)] == [0.9]


def run(storage, *options):
    return CliRunner().invoke(main, ["best", *options, str(storage)], catch_exceptions=False)


@pytest.fixture(name="storage")
def _storage(table, write, tmp_path):
    trials = tickets(table, falls={0.9: 0.02}, risks={0.9: 3.0})
    return write(tmp_path / "sweep", trials)


def test_best_prints_code_that_names_the_storage_and_the_trial(storage):
    lines = [line.strip() for line in run(storage).output.splitlines()]
    assert f"hedge = sweeps.load_model({str(storage)!r}, 't0002')" in lines
    code = "\n".join(lines[lines.index("import sweeps") :][:3])
    compile(code, "best", "exec")


def test_best_as_json(storage):
    (row,) = json.loads(run(storage, "--json").output)
    assert (row["trial_id"], row["configuration"]["sparsity"]) == ("t0002", 0.9)


def test_best_of_an_unfinished_sweep_says_that_it_may_change(table, write, tmp_path):
    storage = write(tmp_path / "out", table({"seed": 0}, {"lr": 0.1, "status": "running"}))
    (storage / "manifest.json").write_text(json.dumps({"experiment": "tickets", "trials": 5}))
    output = run(storage).output
    assert "3 of 5 planned trials have not started" in output
    assert "1 of 2 trials is unfinished" in output


def test_best_of_nothing(table, write, tmp_path):
    storage = write(tmp_path / "sweep", table({"status": "failed"}))
    assert "none is recommended" in run(storage).output
    assert json.loads(run(storage, "--json").output) == []


def test_the_attack_of_training_is_in_words(table):
    trials = tickets(table, falls={0.5: 0.0}, risks={0.5: 2.9})
    (one,) = recommendations(trials.assign(**{"config/attack.name": "path_pgd"}))
    assert spoken("path_pgd") in sentence(one)
    assert one.configuration["attack.name"] == "path_pgd"
