"""Figures of seeds and of the audit: drawn values equal those of the tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from printed import numbers

from analysis import compare
from analysis.figures import NothingToDraw, early_stopping_audit, render, save, seeds_compared
from analysis.figures.palette import BLUE, VERMILION


def texts(ax):
    return [t.get_text() for t in ax.texts]


def rates(number, *, seeds=8, step=0.1):
    """``number`` learning rates, each worse by ``step`` at every seed."""
    luck = 0.01 * np.random.default_rng(0).normal(size=(number, seeds))
    return [
        {
            "sparsity": 0.8,
            "lr": 1e-3 * (i + 1),
            "seed": s,
            "cvar_05": -3.0 - step * i + luck[i, s],
            "val_loss": 3.0 + step * i,
        }
        for i in range(number)
        for s in range(seeds)
    ]


def by_seed(trials):
    return render(lambda ax: seeds_compared(trials, ax)).axes[0]


def test_every_seed_has_a_dot_and_every_configuration_its_mean_best_on_top(table):
    trials = table(*rates(3))
    ax = by_seed(trials)
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert len(dots) == 8
    seed = trials[trials["config/seed"] == 0]["cvar_05"].tolist()
    assert dots[0].get_xdata() == pytest.approx(seed)
    means = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "D"]
    assert means == pytest.approx(compare(trials)["mean"].tolist())
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        f"learning rate {lr}" for lr in (0.001, 0.002, 0.003)
    ]
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_the_reference_is_blue_and_a_worse_configuration_red_with_its_difference(table):
    trials = table(*rates(2))
    ax = by_seed(trials)
    marks = [line for line in ax.get_lines() if line.get_marker() == "D"]
    assert [to_rgba(m.get_color()) for m in marks] == [to_rgba(BLUE), to_rgba(VERMILION)]
    assert "best by validation" in texts(ax)
    (lost,) = compare(trials)["difference"].dropna()
    assert any(t.startswith(f"−{-lost:.3f} (−") and t.endswith("\nworse") for t in texts(ax))


def test_seeds_that_cannot_reach_a_verdict_give_none_and_the_caption_says_so(table):
    ax = by_seed(table(*rates(2, seeds=2)))
    assert not any("told apart" in t for t in texts(ax))
    (caption,) = (t for t in texts(ax) if "No verdicts" in t)
    assert numbers(caption.partition("No verdicts")[2])[0] == 2


def test_the_best_twelve_and_the_reference_are_shown_and_the_rest_counted(table):
    rows = rates(15, seeds=2)
    rows[-1]["val_loss"] = rows[-2]["val_loss"] = 0.0
    ax = by_seed(table(*rows, {"sparsity": 0.8, "lr": 0.5, "seed": 0, "status": "stopped"}))
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert len(names) == 13
    assert names[-1] == "learning rate 0.015"
    assert "2 with a" in texts(ax)[-1]
    assert "1 that did" in texts(ax)[-1]


def test_a_long_name_is_folded_and_what_all_share_is_left_out(table):
    trials = table(*({"lr": lr, "seed": seed} for lr in (0.01, 0.001) for seed in (0, 1)))
    axes = {"training.epochs": 25, "training.warmup": 2, "pruning.rewind_step": 100}
    ranks = trials["config/lr"].eq(0.001).astype(int)
    more = {f"config/{name}": first + ranks for name, first in axes.items()}
    names = [t.get_text() for t in by_seed(trials.assign(**more)).get_yticklabels()]
    assert all(name.count("\n") == 1 and "sparsity" not in name for name in names)
    assert [0.01, 25, 2, 100] in [numbers(name) for name in names]


def test_a_configuration_that_lacks_a_seed_lends_its_dots_to_no_other(table):
    # Except for the learning rate, which all whole ones share, it is like one of them.
    rows = [
        {"sparsity": s, "lr": 1e-3, "seed": seed, "cvar_05": -3.0 - s}
        for s in (0.5, 0.8)
        for seed in (0, 1)
    ]
    rows += [{"sparsity": 0.5, "lr": 9.0, "seed": 0, "cvar_05": -99.0}]
    rows += [{"sparsity": 0.5, "lr": 9.0, "seed": 1, "status": "failed"}]
    dots = [line for line in by_seed(table(*rows)).get_lines() if line.get_marker() == "o"]
    assert min(min(line.get_xdata()) for line in dots) == pytest.approx(-3.8)


def test_a_space_without_epsilon_is_drawn(table):
    trials = table(*rates(2)).drop(columns=["config/epsilon"])
    assert len([line for line in by_seed(trials).get_lines() if line.get_marker() == "o"]) == 8


def test_one_whole_configuration_is_no_comparison(table):
    with pytest.raises(NothingToDraw, match="no two configurations completed at every seed"):
        by_seed(table(*rates(1)))


def units(*rows):
    names = ["unit", "stratum", "outcome", "stopped_at", "rung", "at_rung", "final", "best"]
    frame = pd.DataFrame([(i, *row) for i, row in enumerate(rows)], columns=names)
    frame = frame.assign(worst=frame["best"] + 1.0, weight=1.0, metric="val_loss")
    return frame.astype({"stopped_at": "Int64", "rung": "Int64", "best": "float64"})


def drawn(rows):
    return render(lambda ax: early_stopping_audit(rows, ax)).axes[0]


EXAMPLE = (
    ("sparsity 0.5", "completed", None, 8, 3.0, 2.0, 2.0),
    ("sparsity 0.5", "completed", None, 8, 3.2, 2.3, 2.0),
    ("sparsity 0.5", "audited", 8, 8, 3.1, 1.9, 2.0),
    ("sparsity 0.9", "completed", None, 8, 13.0, 12.0, 12.0),
    ("sparsity 0.9", "audited", 8, 8, 13.5, 12.4, 12.0),
)


def test_every_point_is_drawn_less_the_winner_of_its_stratum(table):
    ax = drawn(units(*EXAMPLE))
    hollow, filled = (line for line in ax.get_lines() if line.get_linestyle() == "None")
    assert hollow.get_xdata() == pytest.approx([0.0, 0.2, 0.0])
    assert hollow.get_ydata() == pytest.approx([0.0, 0.3, 0.0])
    assert filled.get_xdata() == pytest.approx([0.1, 0.5])
    assert filled.get_ydata() == pytest.approx([-0.1, 0.4])
    assert hollow.get_markerfacecolor() == "none"


def test_both_axes_of_an_audit_have_the_unit_of_the_risk():
    ax = drawn(units(*EXAMPLE).assign(metric="val_cvar_05"))
    assert all("currency per option" in text for text in (ax.get_xlabel(), ax.get_ylabel()))
    assert ax.get_xlabel().startswith("negated validation CVaR 5 % at the rung")


def test_the_caption_counts_false_stops_and_names_their_strata():
    (said,) = [t for t in texts(drawn(units(*EXAMPLE))) if "False stops" in t]
    rates, _, regret = said.partition("False stops")[2].partition("Regret")
    assert numbers(rates)[:2] == [1, 2]
    assert numbers(regret)[:2] == [0.05, 2]
    assert numbers(regret)[-1] == 0.5, "sparsity of the false stop"


def test_the_zone_of_false_stops_is_seen_where_there_are_none():
    ax = drawn(units(*EXAMPLE[3:]))
    bottom, top = ax.get_ylim()
    assert bottom < -0.1 * top
    assert not any("Falsely" in t for t in texts(ax))


def test_every_rung_has_a_colour_and_a_name():
    later = ("sparsity 0.5", "completed", None, 16, 2.5, 2.0, 2.0)
    more = (*EXAMPLE, later, ("sparsity 0.5", "audited", 16, 16, 2.6, 2.2, 2.0))
    legend = drawn(units(*more)).get_legend()
    completed, *rungs = [t.get_text() for t in legend.get_texts()]
    assert completed == "completed"
    assert [numbers(rung) for rung in rungs] == [[8], [16]]


def test_an_audit_without_a_finisher_is_not_drawn():
    with pytest.raises(NothingToDraw, match="no audited trial has a finisher in its stratum"):
        drawn(units(("sparsity 0.5", "audited", 8, 8, 3.0, 2.0, None)))


def test_both_are_saved_where_there_are_seeds_and_an_audit(table, tmp_path):
    saved = save(tmp_path, table(*rates(2, seeds=2)), audited=units(*EXAMPLE))
    names = {path.name for path in saved.written}
    assert {"seeds.png", "seeds.pdf", "early_stopping_audit.png"} <= names
    neither = save(tmp_path, table({"seed": 0, "status": "failed"}))
    assert not any("seeds" in line or "audit" in line for line in neither.skipped)
