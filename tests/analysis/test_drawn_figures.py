import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from printed import numbers

from analysis.figures import (
    NothingToDraw,
    convergence_speed,
    cvar_against_remaining,
    render,
    save,
    sharpe_against_remaining,
)
from analysis.figures.style import short, spread
from analysis.figures.tickets.speeds import convergence_speeds
from analysis.wording import percent


def speed(trials, *, sparsity=0.8, epsilon=0.0):
    """The Axes of the bars and its twin."""
    figure = render(lambda ax: convergence_speed(trials, ax, sparsity=sparsity, epsilon=epsilon))
    return figure.axes


def texts(ax):
    return [t.get_text() for t in ax.texts]


def lines(ax, style):
    return [line for line in ax.get_lines() if line.get_linestyle() == style]


def rates(*epochs, **more):
    return [
        {
            "sparsity": 0.8,
            "lr": lr,
            "converged": n is not None,
            "epochs_to_95pct": n,
            **more,
        }
        for lr, n in zip([1e-4, 5e-4, 1e-3], epochs, strict=False)
    ]


def test_a_bar_is_as_high_as_the_epochs_to_the_criterion(table):
    ax, _ = speed(table(*rates(12, 7, 9)))
    assert [c.patches[0].get_height() for c in ax.containers] == [12, 7, 9]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1e−4", "5e−4", "1e−3"]


def test_not_converged_is_a_hatched_gap_labelled_nc_and_has_no_bar(table):
    ax, _ = speed(table(*rates(None, 7, 9)))
    assert [c.patches[0].get_height() for c in ax.containers] == [7, 9]
    hatched = [p for p in ax.patches if p.get_hatch()]
    assert len(hatched) == 1
    assert hatched[0].get_x() + hatched[0].get_width() / 2 == pytest.approx(0.0)
    assert "NC" in texts(ax)


def test_a_seed_that_did_not_converge_takes_the_bar_away(table):
    rows = rates(7, 9) + [r | {"seed": 1} for r in rates(None, 11)]
    ax, _ = speed(table(*rows))
    assert [c.patches[0].get_height() for c in ax.containers] == [10]
    assert [numbers(t) for t in texts(ax) if t.startswith("NC")] == [[1, 2]]


@pytest.mark.parametrize(
    ("status", "label"),
    [("stopped", "stopped"), ("failed", "failed"), ("running", "running")],
)
def test_a_trial_that_is_no_result_says_why_and_is_counted_below(table, status, label):
    rows = rates(12, 7)
    rows[0]["status"] = status
    ax, twin = speed(table(*rows))
    assert label in texts(ax)
    assert "NC" not in texts(ax)
    assert "of 2." in texts(ax)[-1]
    assert len(twin.containers[0].lines[0].get_xdata()) == 1


def test_the_best_learning_rate_is_named_dark_and_bold(table):
    ax, _ = speed(table(*rates(12, 7, 9)))
    assert "7\nfastest" in texts(ax)
    colors = [c.patches[0].get_facecolor() for c in ax.containers]
    assert colors[0] == colors[2] != colors[1]
    weights = [t.get_fontweight() for t in ax.get_xticklabels()]
    assert weights == ["normal", "bold", "normal"]


def test_a_learning_rate_has_one_bar_where_other_parameters_vary_that_of_the_fastest(table):
    trials = table(*rates(20, 21, 22), *rates(12, 7, None))
    ax, _ = speed(trials.assign(**{"config/training.batch_size": [64] * 3 + [32] * 3}))
    assert [c.patches[0].get_height() for c in ax.containers] == [12, 7, 22]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1e−4", "5e−4", "1e−3"]
    assert any("training.batch_size" in t for t in texts(ax))


def test_where_none_converged_the_mark_says_lowest_validation_risk(table):
    rows = rates(None, None)
    rows[1]["val_loss"] = 2.0
    ax, _ = speed(table(*rows))
    marked = [t for t in texts(ax) if t.startswith("NC")]
    assert ["lowest" in t for t in marked] == [False, True]
    assert not ax.containers


def test_cvar_and_its_student_interval_stand_on_the_second_axis(table):
    _, twin = speed(table(*seeds(rates(12, 7, cvar_05=-3.1))))
    points, _, (reach,) = twin.containers[0].lines
    assert points.get_ydata() == pytest.approx([-3.1, -3.1])
    low, high = reach.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((-3.1 - REACH, -3.1 + REACH))


def test_the_cvar_of_one_seed_has_no_interval(table):
    _, twin = speed(table(*rates(12, 7, cvar_05=-3.1, cvar_05_se=0.02)))
    _, _, (reach,) = twin.containers[0].lines
    low, high = reach.get_segments()[0][:, 1]
    assert low == high


def test_the_dense_network_is_a_dashed_line_and_a_tick_with_its_name(table):
    _, twin = speed(table(*rates(12, 7, cvar_05=-3.2)))
    (dashed,) = lines(twin, "--")
    assert dashed.get_ydata() == pytest.approx([-3.0, -3.0])
    assert "dense −3.00" in [t.get_text() for t in twin.get_yticklabels()]


def test_the_dense_speed_is_a_dotted_line(table):
    ax, _ = speed(table(*rates(12, 7, dense_epochs_to_95pct=20)))
    (dotted,) = lines(ax, ":")
    assert dotted.get_ydata() == pytest.approx([20, 20])


def test_the_bars_and_cvar_never_cross(table):
    ax, twin = speed(table(*rates(12, 7, 9, cvar_05=-3.2)))
    bars_top = 12 / ax.get_ylim()[1]
    low, high = twin.get_ylim()
    cvar_bottom = (-3.2 - 1.96 * 0.02 - low) / (high - low)
    assert bars_top < cvar_bottom


def test_many_learning_rates_of_a_random_search_thin_out_their_labels(table):
    rows = [
        {"sparsity": 0.8, "lr": lr, "epochs_to_95pct": 5 + i}
        for i, lr in enumerate(np.geomspace(1e-4, 1e-2, 30))
    ]
    ax, _ = speed(table(*rows))
    assert len(ax.containers) == 30
    assert len(ax.get_xticklabels()) <= 9
    (fastest,) = (t for t in texts(ax) if "fastest" in t)
    assert "1e−4" in fastest
    assert "5 epochs" in fastest


def test_a_space_without_epsilon_is_drawn_with_none(table):
    trials = table(*rates(12, 7)).drop(columns=["config/epsilon"])
    ax, _ = speed(trials, epsilon=None)
    assert "ε" not in ax.get_title(loc="left")


def test_a_group_without_a_completed_trial_is_not_drawn(table):
    with pytest.raises(NothingToDraw, match="no trial has completed"):
        speed(table(*rates(12, 7, status="running")))


def tail(trials):
    return render(lambda ax: cvar_against_remaining(trials, ax)).axes[0]


def ladder(losses, **more):
    return [{"sparsity": s, "cvar_05": -3.0 - loss, **more} for s, loss in losses.items()]


# Student's quantile at 2 degrees of freedom times the standard error of ``seeds``.
REACH = 4.302653 * 0.001 / math.sqrt(3.0)
ERRORS = ("cvar_05_se", "dense_cvar_05_se", "cvar_05_minus_dense_se")


def seeds(rows, *, dense=False):
    """``rows`` of three seeds around their CVaR, or that of the dense network, by 0.001."""
    metric = "dense_cvar_05" if dense else "cvar_05"
    small = dict.fromkeys(ERRORS, 1e-4)
    return [
        row | small | {"seed": seed, metric: row.get(metric, -3.0) + step}
        for row in rows
        for seed, step in enumerate((-0.001, 0.0, 0.001))
    ]


LOSSES = {0.0: 0.0, 0.5: 0.02, 0.9: 0.3, 0.95: 0.05}


def test_cvar_runs_from_the_dense_hundred_percent_down_to_few_weights(table):
    ax = tail(table(*ladder(LOSSES)))
    (line,) = lines(ax, "-")
    assert line.get_xdata() == pytest.approx([100.0, 50.0, 10.0, 5.0])
    assert line.get_ydata() == pytest.approx([-3.0, -3.02, -3.3, -3.05])
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    assert left > 100.0 > 5.0 > right


def test_every_epsilon_has_a_line_and_a_name(table):
    rows = ladder(LOSSES, epsilon=0.0) + ladder(LOSSES, epsilon=0.1)
    ax = tail(table(*seeds(rows)))
    assert len(lines(ax, "-")) == 2
    assert [numbers(t) for t in texts(ax) if t.startswith("ε")] == [[0, 50], [0.1, 50]]


def test_the_dense_baseline_is_dashed_with_a_band_and_the_tolerance_is_shaded(table):
    ax = tail(table(*seeds(ladder(LOSSES), dense=True)))
    (dashed,) = lines(ax, "--")
    assert dashed.get_ydata() == pytest.approx([-3.0, -3.0])
    spans = sorted((p.get_y(), p.get_y() + p.get_height()) for p in ax.patches)
    assert spans[0] == pytest.approx((-3.15, -3.0))
    assert spans[1] == pytest.approx((-3.0 - REACH, -3.0 + REACH))


def test_the_ring_marks_the_max_efficient_sparsity_and_not_a_later_pass(table):
    ax = tail(table(*seeds(ladder(LOSSES))))
    (ring,) = [line for line in ax.get_lines() if line.get_markersize() > 10]
    assert ring.get_xdata() == pytest.approx([50.0])


def test_where_none_is_efficient_the_label_says_so(table):
    ax = tail(table(*seeds(ladder({0.5: 0.5, 0.9: 0.6}))))
    (label,) = (t for t in texts(ax) if t.startswith("ε"))
    assert numbers(label) == [0]
    assert "none" in label


def spans(ax, *, width):
    """Lower and upper ends of the vertical lines that are ``width`` points wide."""
    found = [c for c in ax.collections if isinstance(c, LineCollection)]
    segments = [s for c in found if c.get_linewidth()[0] == width for s in c.get_segments()]
    return [tuple(segment[:, 1]) for segment in segments if len(segment)]


def test_seeds_are_drawn_as_their_mean_with_their_range_beneath_every_point(table):
    rows = ladder({0.5: 0.0, 0.8: 0.1}) + ladder({0.5: 0.2, 0.8: 0.3}, seed=1)
    ax = tail(table(*rows))
    (line,) = lines(ax, "-")
    assert line.get_ydata() == pytest.approx([-3.1, -3.2])
    assert spans(ax, width=7.0) == [pytest.approx((-3.2, -3.0)), pytest.approx((-3.3, -3.1))]
    # Nothing between the points, where nothing was trained.
    assert not [c for c in ax.collections if isinstance(c, PolyCollection)]


def test_the_points_near_the_dense_network_are_magnified_where_others_collapsed(table):
    rows = seeds(ladder({0.0: 0.0, 0.5: 0.02, 0.9: 0.04, 0.98: 3.0}))
    ax = tail(table(*rows))
    (magnified,) = ax.child_axes
    low, high = magnified.get_ylim()
    assert low < -3.15 < -3.0 < high
    drawn = lines(magnified, "-")[0].get_xydata()
    assert drawn == pytest.approx(lines(ax, "-")[0].get_xydata())
    left, right = sorted(magnified.get_xlim())
    assert left < 10.0 < 100.0 < right


def test_without_a_collapse_nothing_is_magnified(table):
    assert tail(table(*seeds(ladder({0.0: 0.0, 0.5: 0.02, 0.9: 0.1})))).child_axes == []


def test_the_sharpe_ratio_has_its_student_interval(table):
    rows = [r | {"sharpe_ratio": r["cvar_05"]} for r in seeds(ladder({0.0: 0.0, 0.9: 0.1}))]
    ax = render(lambda ax: sharpe_against_remaining(table(*rows), ax)).axes[0]
    assert spans(ax, width=1.3) == [pytest.approx((y - REACH, y + REACH)) for y in (-3.0, -3.1)]


def test_a_caption_has_the_range_of_the_seeds_of_its_points(table):
    rows = [
        {"sparsity": sparsity, "seed": seed, "lr": lr, "val_loss": 3.0}
        for sparsity, seeds_here in ((0.0, 4), (0.9, 2))
        for lr in (0.1, 0.2)
        for seed in range(seeds_here)
    ]
    rows += [{"sparsity": 0.9, "seed": s, "status": "failed"} for s in (2, 3)]
    shown = " ".join(t.get_text() for t in tail(table(*rows)).figure.findobj(Text))
    assert "mean over 2 to 4 seeds" in " ".join(shown.split())


def test_without_a_finite_speed_the_labels_have_room_and_no_mean_is_promised(table):
    rows = [
        {"lr": lr, "seed": s, "status": "completed" if s else "failed", "epochs": 24}
        for lr in (0.1, 0.2)
        for s in range(3)
    ]
    figure = Figure(figsize=(8.0, 6.0))
    convergence_speeds(table(*rows), figure)
    panel = figure.axes[1]
    assert panel.get_ylim()[1] > 1.3 * max(bar.get_height() for bar in panel.patches)
    assert "means over" not in " ".join(t.get_text() for t in figure.findobj(Text))


def test_a_search_of_many_rates_draws_some_with_the_best_and_says_how_many(table):
    epochs = dict.fromkeys(range(400), 20.0) | {133: 5.0}
    rows = [
        {"lr": 1e-3 * 1.01**i, "epochs_to_95pct": e, "val_loss": 3.0 + (e > 5.0)}
        for i, e in epochs.items()
    ]
    figure = Figure(figsize=(8.0, 6.0))
    convergence_speeds(table(*rows), figure)
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert 100 <= len(heights) <= 101
    assert min(heights) == 5.0
    (note,) = (t.get_text() for t in figure.findobj(Text) if "400" in t.get_text())
    assert numbers(note)[-2:] == [len(heights), 400]


def test_an_unfinished_sweep_says_so_under_the_figure(table):
    rows = seeds(ladder({0.5: 0.0, 0.8: 0.0}))
    ax = tail(table(*rows, {"sparsity": 0.9, "status": "running"}))
    (label,) = (t for t in texts(ax) if t.startswith("ε"))
    assert numbers(label) == [0, 80]
    assert "at least" in label
    (below,) = (t for t in texts(ax) if "Provisional" in t)
    assert numbers(below.partition("Provisional")[2])[:2] == [1, 7]


def test_where_one_seed_decides_nothing_the_label_says_so_and_there_is_no_ring(table):
    ax = tail(table(*ladder({0.5: 0.0, 0.9: 0.6})))
    (label,) = (t for t in texts(ax) if t.startswith("ε"))
    assert "undecided" in label
    assert "none" not in label
    (ring,) = [line for line in ax.get_lines() if line.get_markersize() > 10]
    assert len(ring.get_xdata()) == 0


def test_a_single_sparsity_is_drawn_as_a_point(table):
    ax = tail(table(*seeds(ladder({0.8: 0.1}))).drop(columns=["config/epsilon"]))
    assert [numbers(t) for t in texts(ax) if t.startswith("efficient to")] == [[80]]
    assert all(math.isfinite(x) for x in ax.get_xlim())


def test_the_sharpe_figure_says_that_it_selects_nothing(table):
    trials = table(*ladder(LOSSES, sharpe_ratio=-2.2))
    ax = render(lambda ax: sharpe_against_remaining(trials, ax)).axes[0]
    (line,) = lines(ax, "-")
    assert line.get_ydata() == pytest.approx([-2.2] * 4)
    (dashed,) = lines(ax, "--")
    assert dashed.get_ydata() == pytest.approx([-2.3, -2.3])
    assert any("selection criterion" in t for t in texts(ax))
    assert "selection criterion" in ax.get_title(loc="left")


def test_more_epsilons_than_colours_are_refused_rather_than_confused(table):
    rows = [{"epsilon": e, "sparsity": 0.5} for e in np.linspace(0.0, 0.6, 7)]
    with pytest.raises(NothingToDraw, match="7 values of epsilon are more than 6 lines"):
        tail(table(*rows))


@pytest.mark.parametrize("draw", [cvar_against_remaining, sharpe_against_remaining])
def test_an_empty_table_is_not_drawn(table, draw):
    with pytest.raises(NothingToDraw, match="no trial has completed"):
        render(lambda ax: draw(table({}).iloc[:0], ax))


def test_labels_that_would_overlap_are_moved_apart_and_keep_their_order():
    placed = spread([0.50, 0.52, 0.10], gap=0.1)
    assert placed == pytest.approx([0.46, 0.56, 0.10])
    assert spread([0.2, 0.8], gap=0.1) == [0.2, 0.8]


def test_numbers_are_written_as_a_reader_writes_them():
    assert [short(v) for v in (1e-3, 5e-5, 2.5e-4, 0.1)] == ["1e−3", "5e−5", "2.5e−4", "0.1"]
    assert [percent(v) for v in (0.0, 0.9, 0.995)] == ["0 %", "90 %", "99.5 %"]


def test_saving_twice_gives_equal_bytes_and_touches_no_global_setting(table, tmp_path):
    settings = dict(mpl.rcParams)
    trials = table(*seeds(ladder({0.5: 0.0, 0.8: 0.1})))
    one, two = save(tmp_path / "a", trials), save(tmp_path / "b", trials)
    assert [p.name for p in one.written] == [p.name for p in two.written]
    assert [p.read_bytes() for p in one.written] == [p.read_bytes() for p in two.written]
    assert dict(mpl.rcParams) == settings
    names = {p.name for p in one.written}
    assert {"cvar_against_remaining.png", "sharpe_against_remaining.pdf"} <= names
    assert "convergence_speed.png" in names
    files = (tmp_path / "a/figures").rglob("*.p*")
    assert sorted(p.name for p in files if p.is_file()) == sorted(names)


def test_figures_without_data_are_skipped_with_the_reason(table, tmp_path):
    saved = save(tmp_path, table({"status": "failed"}))
    assert saved.written == ()
    assert len(saved.skipped) == 3
    assert all("completed" in line for line in saved.skipped)
