"""Texts, frames and colours of figures at their printed size."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.lines import Line2D

from analysis.figures import cvar_against_remaining, render
from analysis.figures.palette import LINES
from analysis.figures.rendering import panels, svg_text
from analysis.figures.style import framed
from analysis.figures.tickets.boosting import _heading
from analysis.figures.tickets.heat_map import size_of_map, sparsity_and_epsilon
from analysis.figures.tickets.profiles import pnl_histogram
from analysis.figures.tickets.seeds import seeds_figure
from analysis.figures.tickets.speeds import convergence_speeds
from analysis.figures.xnn import clusters
from analysis.sweep import Sweep
from analysis.tickets.profiles import DENSE, TICKET, Profile
from analysis.tickets.robustness import robustness_table

LONG = (
    "Every panel has an axis of its own, which leaves out the epochs with the highest risk. " * 2
)


def seeded(*rows, number=3):
    """``rows`` at several seeds, around their CVaR by 0.001."""
    return [
        row | {"seed": seed, "cvar_05": row.get("cvar_05", -3.0) + 0.001 * seed}
        for row in rows
        for seed in range(number)
    ]


def problem(trials):
    return Sweep(trials=trials, manifest={}, files=None).problems[0]


@pytest.mark.parametrize("width", [4.0, 6.8, 12.0])
def test_a_note_is_folded_to_the_width_of_its_figure(width):
    figure = panels(lambda f: framed(f, "Title", [LONG]) or f.add_subplot(), size=(width, 5.0))
    figure.draw_without_rendering()
    box = figure._supxlabel.get_window_extent()
    assert 0.0 <= box.x0 < box.x1 <= figure.bbox.width
    assert " ".join(figure.get_supxlabel().split()) == LONG.strip()


def test_the_frame_of_the_magnified_part_and_its_inset_are_joined_without_crossing(table):
    losses = {0.0: 0.0, 0.5: 0.02, 0.9: 0.04, 0.98: 3.0}
    rows = seeded(*({"sparsity": s, "cvar_05": -3.0 - loss} for s, loss in losses.items()))
    figure = render(lambda ax: cvar_against_remaining(table(*rows), ax))
    figure.draw_without_rendering()
    (ax,) = figure.axes[:1]
    joints = [text for text in ax.texts if text.arrow_patch is not None]
    tails = [ax.transData.transform(text.xyann)[0] for text in joints]
    heads = [text.xycoords.transform(text.xy)[0] for text in joints]
    assert len(joints) == 2
    assert np.argsort(tails).tolist() == np.argsort(heads).tolist()


def test_a_caption_tells_of_no_ring_and_no_band_that_is_not_drawn(table):
    rows = [{"sparsity": s, "cvar_05": -3.6} for s in (0.5, 0.9)]
    ax = render(lambda ax: cvar_against_remaining(table(*rows), ax)).axes[0]
    (text,) = [t.get_text() for t in ax.texts if t.get_label() == "caption"]
    assert "No ring" in text
    assert "band" not in text


@pytest.mark.parametrize("ticket", [-3.2, -2.8])
def test_the_names_of_both_cvars_stand_beside_their_lines_and_not_on_them(ticket):
    edges = np.linspace(-6.0, 0.0, 61)
    counts = np.exp(-0.5 * ((edges[:-1] + 2.0) / 0.6) ** 2) * 1000
    one = Profile(
        name="recommended ticket",
        trial_id="t",
        seed=0,
        paths=1000,
        date=0.04,
        maturity=0.08,
        strike=100.0,
        band=(98.0, 102.0),
        cvar={TICKET: ticket, DENSE: -3.0},
        edges=edges,
        counts={TICKET: counts, DENSE: counts},
        by_spot={},
        by_variance={},
    )
    figure = panels(lambda f: pnl_histogram([one], f), size=(11.5, 4.9))
    figure.draw_without_rendering()
    tail = figure.axes[1]
    left = tail.transData.transform((min(ticket, -3.0), 0.0))[0]
    for text in tail.texts:
        assert text.get_window_extent().x1 < left
        assert text.get_window_extent().x0 > tail.bbox.x0


def test_the_labels_of_configurations_do_not_touch(table):
    rows = [
        {"sparsity": s, "lr": lr, "epsilon": e, "cvar_05": -3.0 - s / 100, "val_loss": 3.0 + lr}
        for s in (0.5, 0.8, 0.9)
        for lr in (0.001, 0.01)
        for e in (0.0, 0.1)
    ]
    trials = table(*seeded(*rows))
    figure = panels(lambda f: seeds_figure(trials, f), size=(8.8, 7.4))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert len(boxes) == 12
    ordered = sorted(boxes, key=lambda box: -box.y0)
    assert all(above.y0 > below.y1 for above, below in pairwise(ordered))


def test_a_bar_has_the_colour_of_its_epsilon_and_the_legend_only_what_is_drawn(table):
    rows = [{"sparsity": s, "epsilon": e} for s in (0.5, 0.9) for e in (0.0, 0.1)]
    trials = problem(table(*rows))
    figure = panels(lambda f: convergence_speeds(trials, f), size=(12.5, 8.9))
    panel = {ax.get_title(loc="left"): ax for ax in figure.axes[1:]}
    for epsilon, color in zip(("0", "0.1"), LINES, strict=False):
        bars = panel[f"sparsity 50 %, ε = {epsilon}"].patches
        assert all(same_color(bar.get_facecolor(), color) for bar in bars)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["best learning rate"]
    assert not [line for line in legend.get_lines() if isinstance(line, Line2D)]


def test_the_names_of_a_small_heat_map_end_within_the_figure(table):
    attacked = {"attacked_cvar_05@distribution_wbpgd:0.1": -3.2}
    rows = [{"sparsity": s, "epsilon": e, **attacked} for s in (0.5, 0.9) for e in (0.0, 0.1)]
    drawn = robustness_table(table(*rows))
    figure = panels(
        lambda f: sparsity_and_epsilon(drawn, f, recommended=[]), size=size_of_map(drawn)
    )
    figure.draw_without_rendering()
    for ax in figure.axes:
        for text in (ax._left_title, ax.xaxis.label, ax.yaxis.label):
            box = text.get_window_extent()
            assert box.x0 >= 0.0
            assert box.x1 <= figure.bbox.width
            assert box.y1 <= figure.bbox.height


def test_the_rows_of_an_xnn_are_pixels_of_the_page_and_no_elements():
    generator = np.random.default_rng(0)
    samples = generator.normal(size=(2000, 3)), generator.integers(0, 8, 2000)
    arrays = dict(zip(clusters.sample(1), (*samples, np.eye(3)), strict=True))
    figure = panels(lambda f: clusters.components(arrays, f, subject="K = 3"), size=(13.0, 4.9))
    assert svg_text(figure).count("<use") < 200


def test_the_heading_of_a_race_has_words_for_parameters_on_lines_as_wide_as_a_panel():
    race = {"dense.lr": 0.002, "lr": 0.01, "sparsity": 0.8, "training.batch_size": 64}
    heading = _heading(race)
    assert "batch size 64" in heading.replace("\n", " ")
    assert all(len(line) <= 38 for line in heading.splitlines())
