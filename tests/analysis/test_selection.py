"""Seeds that ASHA stopped independently: an easy seed must not carry its learning rate."""

import math

import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from printed import numbers
from rich.console import Console

from analysis import best_lr, max_efficient_sparsity, sparsity_passes, summary
from analysis.figures import convergence_speed, cvar_against_remaining, render
from analysis.tickets.efficiency_findings import efficient
from analysis.tickets.terminal_tables import overview
from analysis.wording import learning_rates, selections

FAST, SLOW, OTHER = 1e-2, 1e-3, 1e-4


def run(lr, seed, *, val_loss=3.0, loss=0.0, status="completed", sparsity=0.8, **more):
    """One trial that loses ``loss`` of CVaR to its seed's dense network, if it completed."""
    row = {"sparsity": sparsity, "lr": lr, "seed": seed, "status": status, "val_loss": val_loss}
    return row | ({"cvar_05": -3.0 - loss} if status == "completed" else {}) | more


def easy_and_hard():
    """Seed 0 is easy and FAST completes there; at the hard seed 1 it is stopped."""
    return [
        run(FAST, 0, val_loss=2.5, loss=0.0),
        run(SLOW, 0, status="stopped"),
        run(FAST, 1, status="stopped"),
        run(SLOW, 1, val_loss=4.5, loss=0.6),
    ]


@pytest.fixture
def crossed(table):
    return table(*easy_and_hard())


def test_a_configuration_that_completed_at_every_seed_beats_a_partial_mean(table):
    rows = [run(FAST, 0, val_loss=2.0), run(FAST, 1, status="stopped")]
    rows += [run(SLOW, seed, val_loss=3.0, loss=0.1) for seed in (0, 1)]
    row = summary(table(*rows)).iloc[0]
    assert (row["lr"], row["selection"], row["seeds"]) == (SLOW, "one configuration", 2)
    assert row["cvar_05"] == pytest.approx(-3.1)


def test_without_a_whole_configuration_every_seed_gives_its_own_best(crossed):
    row = summary(crossed).iloc[0]
    assert row["selection"] == "per seed"
    assert math.isnan(row["lr"])
    assert (row["seeds"], row["seeds_awaited"], row["provisional"]) == (2, 0, False)
    assert row["val_loss"] == pytest.approx((2.5 + 4.5) / 2)
    assert row["cvar_05"] == pytest.approx((-3.0 - 3.6) / 2)


def test_a_seed_counts_once_however_many_of_its_trials_completed(table):
    rows = [
        *easy_and_hard(),
        run(OTHER, 0, val_loss=2.6, loss=0.1),
        run(OTHER, 1, status="stopped"),
    ]
    assert summary(table(*rows)).iloc[0]["cvar_05"] == pytest.approx((-3.0 - 3.6) / 2)


def test_within_a_seed_the_lowest_validation_risk_is_chosen_and_not_the_best_test(table):
    rows = [*easy_and_hard(), run(OTHER, 0, val_loss=2.6, loss=-9.0)]
    assert summary(table(*rows)).iloc[0]["cvar_05"] == pytest.approx((-3.0 - 3.6) / 2)


def test_a_parameter_that_all_seeds_share_is_kept(crossed):
    row = summary(crossed.assign(**{"config/study.batch": 64})).iloc[0]
    assert row["study.batch"] == 64


def test_a_decision_uses_all_seeds_and_not_the_easy_one_alone(crossed):
    # At seed 0 nothing is lost; the mean over both seeds loses 0.3, twice what is allowed.
    row = sparsity_passes(crossed).iloc[0]
    assert row["cvar_05_minus_dense"] == pytest.approx(-0.3)
    assert pd.isna(row["passes"])


def test_the_best_of_stopped_configurations_at_every_seed_decides_nothing(table):
    rows = [
        row | {"seed": row["seed"] + 2 * i} | ({"cvar_05": -3.0 - 0.001 * i} if done else {})
        for i in range(3)
        for row in easy_and_hard()
        for done in [row["status"] == "completed"]
    ]
    answer = max_efficient_sparsity(table(*rows))
    assert answer["max_efficient_sparsity"].isna().tolist() == [True]
    assert answer[["limited_by", "limit_seeds", "limit_seeds_lacking"]].values.tolist() == [
        ["undecided", 6, 0]
    ]


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_seed_that_may_still_give_a_result_leaves_the_decision_open(table, status):
    rows = easy_and_hard()
    rows[3] = run(SLOW, 1, status=status)
    trials = table(*rows)
    row = sparsity_passes(trials).iloc[0]
    assert pd.isna(row["passes"])
    assert (row["seeds"], row["seeds_awaited"], row["provisional"]) == (1, 1, True)
    answer = max_efficient_sparsity(trials)
    assert answer["limited_by"].tolist() == ["undecided"]
    said = efficient(answer, tolerance=0.05, confidence=0.95)
    assert numbers(said[0].partition("undecided")[2])[:2] == [1, 2], "seeds without one, of all"


def test_a_failed_rival_at_a_seed_with_a_result_leaves_nothing_open(table):
    rows = [
        row | {"seed": row["seed"] + 2 * i, "status": "failed" if row["seed"] else row["status"]}
        for i in range(3)
        for row in easy_and_hard()[:3]
    ]
    rows += [run(SLOW, 1 + 2 * i, val_loss=4.5, loss=0.601 + 0.001 * i) for i in range(3)]
    rows += [run(SLOW, 2 * i, val_loss=4.5, loss=0.6) for i in range(3)]
    for i, row in enumerate(rows):
        row |= {"cvar_05": -3.6 - 0.001 * i} if row["status"] == "completed" else {}
    row = sparsity_passes(table(*rows)).iloc[0]
    assert row["selection"] == "per seed"
    assert (row["seeds_lacking"], row["provisional"]) == (0, False)
    assert pd.isna(row["passes"])


def test_a_seed_whose_trials_were_all_stopped_is_not_waited_for_but_marked(table):
    row = sparsity_passes(table(run(FAST, 0), run(FAST, 1, status="stopped"))).iloc[0]
    assert (row["seeds_lacking"], row["seeds_awaited"], row["provisional"]) == (1, 0, True)
    assert pd.isna(row["passes"])


def test_random_rates_drawn_anew_for_every_seed_are_chosen_seed_by_seed(table):
    rows = [run(FAST, 0, val_loss=2.0), run(SLOW, 0), run(OTHER, 1, val_loss=5.0, loss=0.2)]
    row = summary(table(*rows)).iloc[0]
    assert (row["selection"], row["seeds"]) == ("per seed", 2)
    assert row["cvar_05"] == pytest.approx(-3.1)


def test_the_fastest_rate_must_have_completed_at_every_seed_of_the_group(table):
    rows = [run(FAST, 0, epochs_to_95pct=1)]
    rows += [run(SLOW, seed, epochs_to_95pct=9) for seed in (0, 1)]
    best = best_lr(table(*rows)).iloc[0]
    assert (best["lr"], best["epochs_to_95pct"]) == (SLOW, 9.0)


def test_where_no_rate_is_whole_none_is_called_the_fastest(crossed):
    best = best_lr(crossed)
    row = best.iloc[0]
    assert (row["selection"], row["converged"]) == ("per seed", False)
    assert math.isnan(row["lr"])
    assert math.isnan(row["epochs_to_95pct"])
    (said,) = learning_rates(best)
    assert numbers(said) == [80, 0], "sparsity and epsilon, and neither rate nor epochs"
    assert "none can be" in said


def test_the_report_shows_the_rate_as_per_seed_and_says_why(crossed):
    rows = summary(crossed)
    console = Console(width=120)
    with console.capture() as captured:
        console.print(overview(rows, width=120))
    assert "per seed" in captured.get()
    (why,) = selections(rows)
    assert numbers(why) == [1], "rows"
    assert selections(rows.assign(selection="one configuration")) == []


def test_the_bars_name_no_best_and_partial_means_are_hollow(crossed):
    ax, twin = render(lambda ax: convergence_speed(crossed, ax, sparsity=0.8, epsilon=0.0)).axes
    said = "\n".join(t.get_text() for t in ax.texts)
    assert "none is the" in said
    assert "fastest" not in said
    assert "Hollow" in said
    (points,) = [c.lines[0] for c in twin.containers]
    assert to_rgba(points.get_markerfacecolor()) == to_rgba("white")


def test_the_caption_says_at_how_many_points_the_rate_is_of_each_seed(table):
    rows = [*easy_and_hard(), *(run(SLOW, seed, sparsity=0.5) for seed in (0, 1))]
    ax = render(lambda ax: cvar_against_remaining(table(*rows), ax)).axes[0]
    said = "\n".join(t.get_text() for t in ax.texts)
    assert numbers(said.partition("of each seed")[2])[:3] == [1, 2, 2], "points, of all, seeds"
