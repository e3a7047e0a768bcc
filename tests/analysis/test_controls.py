import itertools
import json
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
import scipy
from click.testing import CliRunner
from printed import numbers, section
from rich.console import Console

import analysis
from analysis import controls, holm
from analysis.__main__ import main
from analysis.configurations import LOTTERY, kinds, of_kind
from analysis.contrast import BETTER, EQUIVALENT, NO_INTERVAL, OPEN, WORSE, bracketed
from analysis.figures import (
    NothingToDraw,
    controls_beside_ticket,
    convergence_speed,
    cvar_against_remaining,
    panels,
    render,
    seeds_compared,
)
from analysis.figures.tickets.panels import kind_name
from analysis.tickets import terminal_tables
from analysis.tickets.attack_checks import attack_checks
from analysis.tickets.control_findings import controls as said_of
from analysis.tickets.control_findings import lessons
from analysis.tickets.controls import KINDS, RETRAINED
from analysis.tickets.networks import choose

PGD = "attacked_cvar_05@path_pgd:0.1"
BEHIND: Mapping[str, float] = {
    "random_mask": 0.2,
    "shuffled_mask": 0.1,
    "random_reinit": 0.05,
    "small_dense": 0.4,
}
"""Difference of each control to the ticket."""

# Noise of a seed: shared by all its networks, and far larger than any difference between them.
_LUCK = (0.0, 2.0, -1.0, 0.5, 1.0, -2.0)
# Noise of the controls, without a mean over six seeds, since equal networks have no test.
_NOISE = (-0.002, 0.001, -0.001, 0.001, 0.002, -0.001)


def networks(
    behind: Mapping[str, float] = BEHIND,
    *,
    seeds: int = 6,
    sparsities: tuple[float, ...] = (0.9,),
    retrained: float | None = None,
    axis: str = "config/ticket",
):
    """Rows of the ticket at -3 and of controls ``behind`` it, by up to 10 % more or less.

    Under attack all CVaRs are twice as large.
    """
    rows = [
        {"sparsity": sparsity, "seed": seed, axis: kind}
        | _cvar(-3.0 + _LUCK[seed] - by * (0.9 + 0.04 * seed) + (kind != LOTTERY) * _NOISE[seed])
        for sparsity in sparsities
        for kind, by in {LOTTERY: 0.0, **behind}.items()
        for seed in range(seeds)
    ]
    if retrained is not None:
        rows += [
            {"sparsity": 0.0, "seed": s, axis: None}
            | _cvar(-3.0 + _LUCK[s] - retrained + _NOISE[s])
            for s in range(seeds)
        ]
    return rows


def _cvar(cvar):
    return {"cvar_05": cvar, "val_loss": -cvar, PGD: 2.0 * cvar}


@pytest.fixture
def trials(table):
    def make(rows, axis="config/ticket", *, attacked=False):
        own = [{k: v for k, v in row.items() if k != axis} for row in rows]
        kind = pd.array([row[axis] for row in rows], dtype="string")
        return table(*own).assign(**{axis: kind}).drop(columns=[] if attacked else PGD)

    return make


def of(rows, kind, metric="cvar_05"):
    (found,) = [r for _, r in rows.iterrows() if (r["kind"], r["metric"]) == (kind, metric)]
    return found


# Controls are not candidates.

AHEAD = dict.fromkeys(BEHIND, -1.0)


def rates():
    """Tickets of two rates and epsilons with controls that are better than all of them.

    Standard tickets have a null for their kind, robust ones its name.
    """
    rows = []
    for lr, epsilon in itertools.product((1e-3, 5e-3), (0.0, 0.1)):
        null = {} if epsilon else {LOTTERY: None}
        rows += [
            r | {"lr": lr, "epsilon": epsilon, "config/ticket": null.get(kind, kind)}
            for r in networks(AHEAD, seeds=2)
            for kind in [r["config/ticket"]]
        ]
    rows[-1] |= {"status": "running", "cvar_05": None, PGD: None}
    return rows


def drawn(function, trials, **given):
    axes = render(lambda ax: function(trials, ax, **given)).axes
    return pd.DataFrame(
        np.concatenate([line.get_xydata() for a in axes for line in a.get_lines()])
    )


REPORTED = {
    "best_lr": analysis.best_lr,
    "summary": analysis.summary,
    "max_efficient_sparsity": analysis.max_efficient_sparsity,
    "compare": analysis.compare,
    "robustness_table": analysis.robustness_table,
    "robust_against_standard": analysis.robust_against_standard,
    "attack_checks": lambda t: pd.DataFrame([str(c) for c in attack_checks(t, {})]),
    "choose": lambda t: pd.DataFrame([(k.name, *k.trials.values()) for k in choose(t).kinds]),
    "cvar_against_remaining": lambda t: drawn(cvar_against_remaining, t),
    "convergence_speed": lambda t: drawn(convergence_speed, t, sparsity=0.9, epsilon=0.0),
    "seeds_compared": lambda t: drawn(seeds_compared, t),
}


@pytest.mark.parametrize("report", REPORTED.values(), ids=list(REPORTED))
def test_a_better_control_changes_nothing_that_is_said_of_tickets(trials, report):
    mixed = trials(rates(), attacked=True)
    alone = mixed[~mixed["config/ticket"].isin(BEHIND)].drop(columns="config/ticket")
    pd.testing.assert_frame_equal(report(mixed), report(alone))


@pytest.mark.parametrize("name", ["best_lr", "summary", "compare", "choose"])
def test_without_the_axis_controls_are_refused_as_second_results_of_tickets(trials, name):
    mixed = trials(rates(), attacked=True)
    with pytest.raises(analysis.ColumnError, match="two different results"):
        REPORTED[name](mixed.drop(columns="config/ticket"))


def test_a_kind_may_have_its_long_name(trials):
    rows = networks(axis="config/pruning.ticket")
    frame = trials(rows, "config/pruning.ticket")
    assert kinds(frame).value_counts().to_dict() == dict.fromkeys([LOTTERY, *BEHIND], 6)
    assert not [c for c in of_kind(frame).columns if "ticket" in c]


def test_without_such_an_axis_all_are_tickets(table):
    frame = table({"sparsity": 0.9}, {"sparsity": 0.5})
    assert kinds(frame).tolist() == [LOTTERY, LOTTERY]
    pd.testing.assert_frame_equal(of_kind(frame), frame)


# The table.


def test_the_planted_distances_come_back_with_their_signs(trials):
    rows = controls(trials(networks()))
    found = {kind: of(rows, kind)["difference"] for kind in BEHIND}
    assert found == pytest.approx(dict(BEHIND))


def test_the_ticket_comes_first_and_has_no_distance_to_itself(trials):
    rows = controls(trials(networks()))
    assert rows["kind"].tolist()[:5] == [k for k in KINDS if k != RETRAINED]
    ticket = rows.iloc[0]
    assert ticket["mean"] == pytest.approx(-3.0 + np.mean(_LUCK))
    assert ticket["low"] < ticket["mean"] < ticket["high"]
    assert ticket[["pairs", "difference", "difference_low", "p", "p_holm"]].isna().all()


def test_pairing_by_seed_takes_the_luck_of_the_seeds_out(trials):
    row = of(controls(trials(networks())), "random_mask")
    assert 0.17 < row["difference_low"] < 0.2 < row["difference_high"] < 0.23
    # The same networks with seeds permuted: the noise of the seeds swamps the difference.
    frame = trials(networks())
    other = frame["config/ticket"].eq("random_mask")
    frame.loc[other, "config/seed"] = 5 - frame.loc[other, "config/seed"]
    assert of(controls(frame), "random_mask")["difference_low"] < -1.0


def test_only_seeds_that_have_both_are_paired(trials):
    frame = trials(networks())
    lost = frame["config/ticket"].eq("small_dense") & frame["config/seed"].ge(4)
    frame.loc[lost, "status"] = "stopped"
    frame.loc[lost, "cvar_05"] = math.nan
    row = of(controls(frame), "small_dense")
    assert (row["seeds"], row["pairs"]) == (4, 4)
    assert of(controls(frame), "random_mask")["pairs"] == 6


def test_p_is_students_and_holm_counts_every_row_of_the_table(trials):
    frame = trials(networks())
    by_kind = frame.pivot(index="config/seed", columns="config/ticket", values="cvar_05")
    p = {k: scipy.stats.ttest_rel(by_kind[LOTTERY], by_kind[k]).pvalue for k in BEHIND}
    rows = controls(frame)
    assert {kind: of(rows, kind)["p"] for kind in BEHIND} == pytest.approx(p)
    assert sorted(rows["p_holm"].dropna()) == pytest.approx(sorted(holm(list(p.values()))))


def test_a_seed_of_a_control_that_was_stopped_leaves_it_without_a_verdict(trials):
    frame = trials(networks())
    frame.loc[frame["config/ticket"].eq("small_dense") & frame["config/seed"].eq(4), "status"] = (
        "stopped"
    )
    row = of(controls(frame), "small_dense")
    assert (row["pairs"], row["lacking"], row["verdict"]) == (5, 1, OPEN)
    assert row[["difference_low", "p", "p_holm"]].isna().all()
    assert of(controls(frame), "random_mask")["verdict"] == BETTER


def test_the_dense_network_retrained_has_no_verdict_where_a_formula_beats_the_dense_one(trials):
    frame = trials(networks(retrained=0.1))
    manifest = {
        "preparations": {
            f"p{seed}": {
                "data_sha256": f"{seed:064x}",
                "baselines": {"static": {"cvar_05": -2.0 + 0.001 * seed}},
            }
            for seed in range(6)
        }
    }
    rows = controls(frame, manifest)
    row = of(rows, RETRAINED)
    assert row["not_judged"] == "static"
    assert row[["verdict", "p"]].isna().all()
    assert of(rows, "random_mask")["verdict"] == BETTER


def test_validation_that_chose_from_unequal_numbers_is_paid_for(trials):
    lottery = [r | {"lr": 0.5, "val_loss": 9.0} for r in networks({})]
    one, several = (of(controls(trials(rows)), "random_mask") for rows in (
        networks(), [*networks(), *lottery],
    ))  # fmt: skip
    assert several["p"] == pytest.approx(2.0 * one["p"])


def test_the_dense_network_retrained_is_sparsity_zero_at_the_same_epsilon(trials):
    rows = [r | {"epsilon": e} for e in (0.0, 0.5) for r in networks(retrained=0.3 + e)]
    found = controls(trials(rows))
    dense = found[found["kind"].eq(RETRAINED) & found["metric"].eq("cvar_05")]
    assert dense["sparsity"].tolist() == [0.9, 0.9]
    assert dense.set_index("epsilon")["difference"].to_dict() == pytest.approx(
        {0.0: 0.3, 0.5: 0.8}
    )
    assert dense["weights_kept"].tolist() == [1000, 1000]


def test_each_kind_is_chosen_by_its_own_validation_risk(trials):
    lucky = [r | {"lr": 0.5, "val_loss": 99.0, "cvar_05": 50.0} for r in networks()]
    best = [r | {"lr": 0.1, "val_loss": -99.0} for r in networks() if r["config/ticket"] in BEHIND]
    rows = controls(trials([*networks(), *lucky, *best]))
    assert of(rows, LOTTERY)["lr"] == 1e-3
    assert of(rows, "random_mask")["lr"] == 0.1
    assert of(rows, "random_mask")["difference"] == pytest.approx(0.2)


def test_the_attack_is_the_nearest_to_that_of_training(trials):
    frame = trials([r | {"epsilon": 0.5} for r in networks(seeds=2)], attacked=True)
    seen, path = "attacked_cvar_05@observation_pgd:0.5", "attacked_cvar_05@path_pgd:0.4"
    frame = frame.assign(**{seen: -5.0, path: -7.0, "attacked_cvar_05@path_noise:0.5": -3.0})
    assert set(controls(frame)["metric"]) == {"cvar_05", path}
    manifest = {"study": {"attack": {"name": "observation_fgsm"}}}
    assert set(controls(frame, manifest)["metric"]) == {"cvar_05", seen}


def test_without_a_search_there_are_rows_of_clean_paths_alone(trials):
    assert set(controls(trials(networks()))["metric"]) == {"cvar_05"}
    assert set(controls(trials(networks(), attacked=True))["metric"]) == {"cvar_05", PGD}


def test_every_market_is_compared_by_itself(trials):
    calm = trials(networks({"random_mask": 0.2})).assign(**{"config/market.xi": 0.1})
    wild = trials(networks({"random_mask": 0.7})).assign(**{"config/market.xi": 0.5})
    rows = controls(pd.concat([calm, wild], ignore_index=True))
    found = rows[rows["kind"].eq("random_mask")]
    by_market = found.set_index("market.xi")["difference"].to_dict()
    assert by_market == pytest.approx({0.1: 0.2, 0.5: 0.7})
    assert sorted(found["p_holm"]) == pytest.approx(sorted(holm(found["p"].tolist())))
    markets = [numbers(line)[2] for line in said_of(rows) if "market.xi" in line]
    assert markets == [0.1, 0.5]


@pytest.mark.parametrize("kept", ["no control", "no ticket at it", "nothing"])
def test_where_no_control_has_completed_there_is_no_row(trials, kept):
    rows = networks({} if kept == "no control" else BEHIND, retrained=0.3)
    frame = trials(rows)
    if kept == "no ticket at it":
        frame.loc[frame["config/ticket"].isin(BEHIND), "status"] = "running"
    if kept == "nothing":
        frame = frame.iloc[:0]
    assert controls(frame).empty
    assert said_of(controls(frame)) == []


def test_a_space_without_seeds_pairs_the_one_of_each(trials):
    frame = trials(networks(seeds=1)).drop(columns="config/seed")
    row = of(controls(frame), "random_mask")
    assert row["difference"] == pytest.approx(0.2 * 0.9 - _NOISE[0])
    assert math.isnan(row["difference_low"])


# The sentences.


def said(trials, behind, **more):
    return said_of(controls(trials(networks(behind, **more))))


def test_tickets_beat_equal_or_fall_behind_each_control_by_its_verdict(trials):
    planted = {"random_mask": 0.2, "shuffled_mask": 0.0, "small_dense": -0.3}
    rows = networks(planted)
    rows += [
        r | {"config/ticket": "random_reinit", "cvar_05": r["cvar_05"] + 0.4 * (r["seed"] - 2.4)}
        for r in rows
        if r["config/ticket"] == LOTTERY
    ]
    table = controls(trials(rows, attacked=True))
    clean = table[table["metric"].eq("cvar_05") & table["difference"].notna()]
    verdicts = dict(zip(clean["kind"], clean["verdict"], strict=True))
    assert verdicts == {
        "random_mask": BETTER,
        "shuffled_mask": EQUIVALENT,
        "random_reinit": OPEN,
        "small_dense": WORSE,
    }
    assert lessons(clean) == ["layer sizes", "better small network"]
    first, lesson, attacked, test = said_of(table)
    assert numbers(first)[:4] == [90, 0, 5, 6], "sparsity, epsilon, tail of CVaR, seeds"
    ordered = ["random_mask", "shuffled_mask", "small_dense", "random_reinit"]
    for part, kind in zip(first.split("; "), ordered, strict=True):
        assert f"{kind} ({bracketed(of(clean, kind), 'difference', signed=True)})" in part
    assert numbers(first.split("; ")[1])[:2] == [5, 0.146], "the margin"
    assert [part.split()[-2] for part in attacked.split("; ")[:3]] == ordered[:3]
    assert numbers(test)[:2] == [5, 7], "level, comparisons with a spread"
    assert lesson.count(";") == 1


LEVEL = 0.0
LESSONS = [
    ({"shuffled_mask": LEVEL, "random_mask": 0.2}, ["layer sizes"]),
    ({"shuffled_mask": LEVEL, "random_mask": LEVEL}, ["any mask"]),
    ({"random_mask": -0.2}, ["better any mask"]),
    ({"random_mask": 0.2, "random_reinit": LEVEL}, ["mask, not weights"]),
    ({"random_mask": LEVEL, "random_reinit": LEVEL}, ["any mask", "no weights"]),
    (
        {"shuffled_mask": LEVEL, "random_mask": 0.2, "random_reinit": LEVEL},
        ["layer sizes", "no weights"],
    ),
    ({"random_reinit": LEVEL}, ["no weights"]),
    ({"small_dense": LEVEL}, ["small network"]),
    (BEHIND, ["ticket"]),
]


def test_nothing_is_learnt_from_differences_that_are_not_shown(trials):
    frame = trials(networks(dict.fromkeys(BEHIND, 0.0)))
    control = frame["config/ticket"].ne(LOTTERY)
    frame.loc[control, "cvar_05"] += 200.0 * (frame["cvar_05"] % 0.01)
    table = controls(frame)
    assert set(table["verdict"].dropna()) == {OPEN}
    assert lessons(table[table["difference"].notna()]) == []


@pytest.mark.parametrize(("behind", "lesson"), LESSONS)
def test_the_lesson_follows_from_the_verdicts(trials, behind, lesson):
    table = controls(trials(networks(behind, retrained=0.1)))
    assert lessons(table[table["difference"].notna()]) == lesson
    assert said_of(table)[1].count(";") == len(lesson) - 1


def test_the_dense_network_retrained_teaches_nothing_by_itself(trials):
    rows = networks(retrained=0.1)
    rows = [r for r in rows if r["config/ticket"] in (None, LOTTERY) or r["seed"] < 2]
    first, *_ = said_of(controls(trials(rows)))
    assert first.count("[") == 1
    assert all(kind in first for kind in BEHIND)


@pytest.mark.parametrize(("seeds", "over"), [(1, "over 1 seed,"), (2, "over 2 seeds,")])
def test_few_seeds_are_given_without_a_claim(trials, seeds, over):
    (line,) = said(trials, {"random_mask": 0.2}, seeds=seeds)
    assert over in line
    assert "random_mask (+0.1" in line
    assert NO_INTERVAL in line
    assert "[" not in line
    assert "beat" not in line


def test_controls_without_a_ticket_are_named(trials):
    rows = [r for r in networks(retrained=0.1) if r["config/ticket"] != LOTTERY]
    (line,) = said_of(controls(trials(rows)))
    assert numbers(line) == [90, 0]
    assert all(kind in line for kind in (*BEHIND, "dense network retrained"))


def test_enough_seeds_are_put_to_the_test(trials):
    *_, line = said_of(controls(trials(networks({"random_mask": 0.2}))))
    assert numbers(line) == [5, 1, 1, 95], "level, comparisons, better, coverage of intervals"


# The figure.


def figure(rows):
    return panels(lambda f: controls_beside_ticket(rows, f), size=(9.6, 5.4))


def marks(ax):
    """Every mean that is drawn: height and whether its marker is filled."""
    return {
        float(line.get_ydata()[0]): line.get_markerfacecolor() != "white"
        for line in ax.get_lines()
        if line.get_marker() in ("o", "s", "D", "P", "X")
    }


def test_every_mean_has_a_mark_and_those_not_told_apart_are_hollow(trials):
    rows = controls(trials(networks({"random_mask": 0.2, "shuffled_mask": 0.0}))).iloc[:3]
    rows.loc[1, ["mean", "difference_low", "difference_high"]] = [-3.01, 0.1, 0.2]
    rows.loc[1, "verdict"] = OPEN
    (ax,) = figure(rows).axes
    expected = {rows["mean"][0]: True, -3.01: False, rows["mean"][2]: True}
    assert marks(ax) == pytest.approx(expected)


def test_of_several_sparsities_a_line_runs_to_fewer_weights(trials):
    rows = controls(trials(networks(sparsities=(0.8, 0.95), retrained=0.1)))
    (ax,) = figure(rows).axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["20", "5"]
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names[0] == "lottery ticket"
    assert names[-1] == kind_name(RETRAINED)
    (dashed,) = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert dashed.get_ydata()[0] == pytest.approx(of(rows[rows["sparsity"].eq(0.8)], RETRAINED)
                                                  ["mean"])  # fmt: skip


def test_of_a_single_sparsity_the_kinds_stand_side_by_side(trials):
    (ax,) = figure(controls(trials(networks()))).axes
    names = [t.get_text() for t in ax.get_xticklabels()]
    assert names == [
        "lottery ticket", "shuffled mask", "random mask",
        "random\nreinitialisation", "small dense\nnetwork",
    ]  # fmt: skip
    assert ax.get_xlabel() == "sparsity 90 %"


def test_a_panel_is_drawn_for_every_training_epsilon(trials):
    rows = [r | {"epsilon": e} for e in (0.0, 0.1, 0.5, 0.7) for r in networks(seeds=2)]
    drawn = figure(controls(trials(rows)))
    titles = [numbers(ax.get_title(loc="left")) for ax in drawn.axes]
    assert titles == [[0.0], [0.1], [0.5]]
    assert numbers(drawn.get_supxlabel())[-2:] == [4, 3], "values, and those drawn"
    assert NO_INTERVAL in drawn.get_supxlabel().replace("\n", " ")


def test_a_collapsed_network_is_an_arrow_and_does_not_compress_the_axis(trials):
    rows = controls(trials(networks({"random_mask": 60.0, "small_dense": 0.2}, seeds=1)))
    drawn = figure(rows)
    (ax,) = drawn.axes
    assert ax.get_ylim()[0] > -4.0
    (arrow,) = [line for line in ax.get_lines() if line.get_marker() == "v"]
    assert arrow.get_ydata()[0] == ax.get_ylim()[0]
    assert "Arrows" in drawn.get_supxlabel()
    assert "Arrows" not in figure(controls(trials(networks(seeds=1)))).get_supxlabel()


def test_what_cannot_be_drawn_says_why(trials):
    with pytest.raises(NothingToDraw, match="no control of the lottery has completed"):
        figure(controls(trials(networks({}))))
    frame = trials(networks(seeds=2)).assign(**{"config/market.xi": 0.1})
    other = frame.assign(**{"config/market.xi": 0.5})
    with pytest.raises(NothingToDraw, match=r"2 problems, .*; draw one at a time"):
        figure(controls(pd.concat([frame, other], ignore_index=True)))


# The report.


@pytest.mark.parametrize(("width", "attacked"), [(80, False), (120, True)])
def test_the_table_fits_and_has_a_row_a_kind(trials, capsys, width, attacked):
    frame = trials(networks(sparsities=(0.8, 0.9), retrained=0.1), attacked=True)
    rows = controls(frame)
    Console(width=width).print(terminal_tables.controls(rows, width=width))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert [text.count(f" {kind} ") for kind in KINDS] == [2] * len(KINDS)
    assert ("path_pgd" in text) is attacked
    assert text.count("[+") == (20 if attacked else 10)


def test_of_few_seeds_the_table_claims_no_interval(trials, capsys):
    Console().print(terminal_tables.controls(controls(trials(networks(seeds=2))), width=80))
    assert "[" not in capsys.readouterr().out


@pytest.mark.usefixtures("drawn_small")
def test_the_report_holds_the_ticket_against_its_controls(trials, write, tmp_path):
    storage = write(tmp_path, trials(networks(AHEAD, retrained=0.1), attacked=True))
    (storage / "manifest.json").write_text(json.dumps({"name": "n"}))
    result = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False)
    assert result.exit_code == 0
    first, *_ = section(result.output, "The ticket beside")
    assert "shuffled_mask (-1.000 [" in first.partition("fall behind")[2]
    folder = storage / "report"
    assert len(pd.read_csv(folder / "controls.csv")) == 12
    assert pd.read_csv(folder / "summary.csv")["cvar_05"].max() < -2.9
    assert (folder / "figures" / "controls.png").stat().st_size > 0


@pytest.mark.usefixtures("drawn_small")
def test_a_sweep_of_controls_alone_is_reported_without_a_best(trials, write, tmp_path):
    rows = [r for r in networks(seeds=2) if r["config/ticket"] != LOTTERY]
    storage = write(tmp_path, trials(rows))
    result = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False)
    assert result.exit_code == 0
    line, *_ = section(result.output, "The ticket beside")
    assert all(kind in line for kind in BEHIND)
    assert "Best learning" not in result.output
    assert "Seeds (" not in result.output
