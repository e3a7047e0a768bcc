import io

import numpy as np
import pytest
from faked_networks import ROBUST, network, networks
from matplotlib.colors import to_hex

from analysis.figures import NothingToDraw, panels
from analysis.figures.palette import BLUE, MUTED, VERMILION
from analysis.figures.tickets.mask_overlap import mask_overlap
from analysis.figures.tickets.weights import weight_distribution
from analysis.tickets.masks import overlaps
from analysis.tickets.networks import STANDARD, Model

SIZE = (8.0, 5.0)


def drawn(draw):
    """The figure, laid out and rendered as when saved."""
    figure = panels(draw, size=SIZE)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def caption(figure):
    return figure.get_supxlabel()


def test_histogram_and_distribution_function_hold_every_kept_weight():
    of = {"layers.0.weight": np.array([[0.1, -0.2, 0.3, -0.4]])}
    mask = {"layers.0.weight": np.array([[0, 1, 1, 1]], dtype=bool)}
    model = Model(kind=STANDARD, seed=0, weights=of, masks=mask, importance={})
    figure = drawn(lambda f: weight_distribution([model], f))
    histogram, distribution, box = figure.axes
    heights, edges, _ = histogram.patches[0].get_data()
    # All except those beyond the axis, which ends just below the largest.
    assert np.sum(heights * np.diff(edges)) == pytest.approx(2 / 3)
    (line,) = distribution.get_lines()
    assert line.get_xdata() == pytest.approx([0.2, 0.3, 0.4])
    assert line.get_ydata() == pytest.approx([100 / 3, 200 / 3, 100.0])
    assert box.get_yticklabels()[0].get_text() == "standard\n3"


def test_every_kind_has_its_colour_in_the_histogram():
    figure = drawn(lambda f: weight_distribution(networks(), f))
    found = [to_hex(p.get_edgecolor()).upper() for p in figure.axes[0].patches]
    assert found == [MUTED.upper(), BLUE.upper(), VERMILION.upper()]


def test_a_diamond_stands_at_the_mean_overlap_and_a_bar_at_chance():
    models = [
        network(kind, s, keep=keep)
        for kind, keep in ((STANDARD, 0.25), (ROBUST, 0.2))
        for s in range(3)
    ]
    found = overlaps(models)
    figure = drawn(lambda f: mask_overlap(found, f))
    ax = figure.axes[0]
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[0] == f"standard and {ROBUST},\none seed"
    means_ = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "D"]
    whole = found[found["layer"].eq("all")]
    assert means_[0] == pytest.approx(whole.loc[whole["same_seed"], "overlap"].mean())
    bar = ax.collections[0].get_segments()[0]
    assert bar[0][0] == pytest.approx(whole.loc[whole["same_seed"], "chance"].mean())
    assert "ratio of expectations" in caption(figure)


def test_where_the_tickets_of_a_seed_have_one_mask_two_seeds_are_drawn_once_near_chance():
    models = [network(kind, s) for kind in (STANDARD, ROBUST) for s in range(4)]
    figure = drawn(lambda f: mask_overlap(overlaps(models), f))
    dots = [line for line in figure.axes[0].get_lines() if line.get_marker() == "D"]
    bars = figure.axes[0].collections
    assert len(dots) == 1
    assert dots[0].get_xdata()[0] == pytest.approx(bars[0].get_segments()[0][0][0], abs=0.03)
    assert "same mask" in caption(figure)


def test_one_mask_of_one_seed_is_nothing_to_draw():
    models = [network(kind, 0) for kind in (STANDARD, ROBUST)]
    with pytest.raises(NothingToDraw, match="the same mask"):
        drawn(lambda f: mask_overlap(overlaps(models), f))


def test_a_lone_ticket_has_no_overlap_to_draw():
    with pytest.raises(NothingToDraw, match="no standard ticket beside another of its seed"):
        drawn(lambda f: mask_overlap(overlaps([network(STANDARD, 0)]), f))
