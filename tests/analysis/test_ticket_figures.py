import io

import faked_networks as faked
import numpy as np
import pytest
from faked_networks import ROBUST, network, networks
from matplotlib.colors import to_rgb
from printed import numbers

from analysis.contrast import NO_INTERVAL
from analysis.figures import NothingToDraw, panels
from analysis.figures.palette import BLUE, INK, MUTED, VERMILION
from analysis.figures.style import headed
from analysis.figures.tickets.importance import (
    importance_bars,
    importance_correlation,
    importance_shift,
)
from analysis.figures.tickets.mask_patterns import mask_patterns, size_of_patterns
from analysis.figures.tickets.panels import colors
from analysis.tickets.importance import MEASURES, importances, means, shifts
from analysis.tickets.networks import DENSE, STANDARD, Model

SIZE = (8.0, 5.0)


def drawn(draw):
    """The figure, laid out and rendered as when saved."""
    figure = panels(draw, size=SIZE)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def caption(figure):
    return figure.get_supxlabel()


def test_the_dense_network_is_grey_and_the_standard_ticket_blue():
    assert colors([DENSE, STANDARD, ROBUST]) == {DENSE: MUTED, STANDARD: BLUE, ROBUST: VERMILION}


def test_more_kinds_than_colours_are_refused_rather_than_confused():
    with pytest.raises(NothingToDraw, match="6 kinds of ticket are more than 5 colours"):
        colors([DENSE, *(f"robust (ε = {e})" for e in range(6))])


def test_no_networks_have_no_colours():
    with pytest.raises(NothingToDraw, match="no trained network can be read"):
        colors([])


def small(kind, *rows):
    mask = {"layers.0.weight": np.array(rows, dtype=bool)}
    of = {"layers.0.weight": np.ones((2, 8))}
    return Model(kind=kind, seed=4, weights=of, masks=mask, importance={})


STANDARD_MASK = ([1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0])
ROBUST_MASK = ([1, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1])


def test_a_pixel_is_an_input_and_a_unit_and_coloured_where_the_weight_is_kept():
    pair = [small(STANDARD, *STANDARD_MASK), small(ROBUST, *ROBUST_MASK)]
    figure = drawn(lambda f: mask_patterns(pair, f))
    first, second, both = (np.asarray(ax.images[0].get_array()) for ax in figure.axes)
    assert first.shape == (8, 2, 3)
    assert first[1, 0] == pytest.approx(to_rgb(BLUE))
    assert first[2, 0] == pytest.approx((1.0, 1.0, 1.0))
    assert second[7, 1] == pytest.approx(to_rgb(VERMILION))
    assert both[0, 0] == pytest.approx(to_rgb(INK))
    assert both[1, 0] == pytest.approx(to_rgb(BLUE))
    assert both[2, 0] == pytest.approx(to_rgb(VERMILION))


def test_the_patterns_name_the_seed_the_inputs_and_the_kept_shares():
    pair = [small(STANDARD, *STANDARD_MASK), small(ROBUST, *ROBUST_MASK)]
    figure = drawn(lambda f: mask_patterns(pair, f))
    assert numbers(figure.get_suptitle()) == [4], "the seed"
    titles = [numbers(ax.get_title(loc="left")) for ax in figure.axes]
    assert titles == [[12.5, 2, 16], [18.8, 3, 16], [0.25, 0.08]], "kept shares, and IoU"
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels[-2:] == ["cumulative P&L", "trading volume"]


def test_one_ticket_alone_is_drawn_without_a_comparison():
    figure = drawn(lambda f: mask_patterns([small(STANDARD, *STANDARD_MASK)], f))
    assert len(figure.axes) == 1
    assert "IoU" not in caption(figure)


def test_a_pruned_output_layer_is_one_row_of_pixels():
    mask = {"layers.2.weight": np.ones((1, 5), dtype=bool)}
    of = {f"layers.{i}.weight": np.ones((5, 8 if i == 0 else 5)) for i in range(2)}
    of["layers.2.weight"] = np.ones((1, 5))
    model = Model(kind=STANDARD, seed=0, weights=of, masks=mask, importance={})
    (ax,) = drawn(lambda f: mask_patterns([model], f)).axes
    assert np.asarray(ax.images[0].get_array()).shape == (1, 5, 3)
    assert ax.get_ylabel().startswith("layer 3\n")


def test_patterns_of_deeper_networks_are_taller():
    shallow = network(STANDARD, 0)
    deep = faked.weights(np.random.default_rng(0), (16,) * 4)
    masks = faked.largest(deep, keep=0.3)
    deep = Model(kind=STANDARD, seed=0, weights=deep, masks=masks, importance={})
    assert size_of_patterns([deep])[1] > size_of_patterns([shallow])[1]
    other = Model(
        kind=ROBUST, seed=0, weights={}, masks={n: ~m for n, m in masks.items()}, importance={}
    )
    assert size_of_patterns([deep, other])[0] > size_of_patterns([deep])[0]


def test_one_mask_of_two_tickets_is_drawn_once_and_said_to_be_that_of_both():
    both = [small(kind, *STANDARD_MASK) for kind in (STANDARD, ROBUST)]
    figure = drawn(lambda f: mask_patterns(both, f))
    assert len(figure.axes) == 1
    assert "same mask" in caption(figure)
    assert size_of_patterns(both) == size_of_patterns(both[:1])


def test_dense_networks_have_no_pattern():
    with pytest.raises(NothingToDraw, match="no ticket has a mask"):
        drawn(lambda f: mask_patterns([network(DENSE, 0)], f))


def test_a_bar_is_as_long_as_the_mean_and_there_is_a_panel_a_measure():
    averages = means(importances(networks()))
    figure = drawn(lambda f: importance_bars(averages, f))
    assert len(figure.axes) == 4
    for ax, measure in zip(figure.axes, MEASURES, strict=True):
        for bars, kind in zip(ax.containers, (DENSE, STANDARD, ROBUST), strict=True):
            rows = averages[averages["measure"].eq(measure) & averages["model"].eq(kind)]
            assert [b.get_width() for b in bars] == pytest.approx(rows["mean"].tolist())


def test_measures_that_were_not_recorded_have_no_panel():
    models = [network(STANDARD, s, measures=["importance_gradients"]) for s in (0, 1)]
    figure = drawn(lambda f: importance_bars(means(importances(models)), f))
    (ax,) = figure.axes
    assert ax.get_title(loc="left") == "integrated gradients"


@pytest.mark.parametrize("measure", MEASURES)
def test_permutation_is_explained_where_it_is_drawn(measure):
    models = [network(STANDARD, s, measures=[measure]) for s in (0, 1)]
    figure = drawn(lambda f: importance_bars(means(importances(models)), f))
    assert ("Permutation: " in caption(figure)) == (measure == "importance_permutation")


def test_the_correlation_of_alike_networks_is_one_in_every_block():
    same = [network(STANDARD, 0), network(ROBUST, 0)]
    same = [
        Model(
            kind=m.kind,
            seed=0,
            weights={},
            masks={},
            importance=same[0].importance,
        )
        for m in same
    ]
    values = importances(same)
    figure = drawn(lambda f: importance_correlation(values, means(values), f))
    assert [t.get_text() for t in figure.axes[0].texts] == ["1.00", "1.00"]


def test_a_block_tells_networks_of_one_seed_from_those_of_two():
    up, down = np.arange(8.0), np.arange(8.0)[::-1]
    models = [
        Model(kind=k, seed=s, weights={}, masks={}, importance={"importance_scaled": v})
        for k in (STANDARD, ROBUST)
        for s, v in enumerate((up, down))
    ]
    values = importances(models)
    figure = drawn(lambda f: importance_correlation(values, means(values), f))
    within, between = "−1.00", "1.00 | −1.00"
    assert [t.get_text() for t in figure.axes[0].texts] == [within, between, between, within]


def test_the_scatter_says_r_its_interval_and_how_few_features_it_is_of():
    values = importances(networks())
    figure = drawn(lambda f: importance_correlation(values, means(values), f))
    title = figure.axes[1].get_title(loc="left")
    assert title.startswith("r = ")
    r, low, high, features = numbers(title)
    assert low < r < high
    assert features == 8
    assert 8 in numbers(caption(figure))


def test_without_robust_tickets_there_is_no_scatter():
    values = importances([network(kind, s) for kind in (DENSE, STANDARD) for s in (0, 1)])
    figure = drawn(lambda f: importance_correlation(values, means(values), f))
    assert [ax.get_label() for ax in figure.axes][1:] == ["<colorbar>"]
    assert "Right" not in caption(figure)


def test_negative_correlations_are_told_from_none_by_colour():
    up, down = np.arange(8.0), np.arange(8.0)[::-1]
    models = [
        Model(kind=STANDARD, seed=s, weights={}, masks={}, importance={"importance_scaled": v})
        for s, v in enumerate((up, down))
    ]
    values = importances(models)
    figure = drawn(lambda f: importance_correlation(values, means(values), f))
    assert figure.axes[0].images[0].get_clim() == (-1.0, 1.0)


def test_a_single_network_has_nothing_to_correlate_with():
    values = importances([network(STANDARD, 0)])
    with pytest.raises(NothingToDraw, match="one network alone"):
        drawn(lambda f: importance_correlation(values, means(values), f))


def shift_axes(models):
    return drawn(lambda f: importance_shift(shifts(importances(models)), f))


def test_a_planted_shift_stands_first_dark_and_bold_and_the_others_are_pale():
    ax = shift_axes(networks(seeds=6)).axes[0]
    labels = ax.get_yticklabels()
    assert labels[0].get_text() == "volatility"
    assert labels[0].get_fontweight() == "bold"
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert dots[0].get_alpha() == 1.0
    assert dots[0].get_xdata()[0] == pytest.approx(0.1 * (1 + 0.05 * 2.5), abs=0.01)


def test_where_every_interval_covers_zero_all_is_pale_and_the_caption_says_none():
    draw = np.random.default_rng(3)
    models = [
        Model(
            kind=kind,
            seed=seed,
            weights={},
            masks={},
            importance={"importance_scaled": 0.125 + 0.01 * sign * np.array([1.0, -1.0] * 4)},
        )
        for seed in range(6)
        for kind, sign in ((STANDARD, draw.choice([-1, 1])), (ROBUST, (-1) ** seed))
    ]
    figure = shift_axes(models)
    (ax,) = figure.axes
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert len(dots) == 8
    assert {line.get_alpha() for line in dots} == {0.35}
    assert caption(figure).endswith("none is.")


def test_one_seed_is_drawn_pale_and_says_why():
    figure = shift_axes(networks(seeds=1))
    assert NO_INTERVAL in caption(figure)


def test_of_several_budgets_the_largest_is_drawn():
    more = [network("robust (ε = 0.3)", s, shift=0.2) for s in range(3)]
    figure = shift_axes([*networks(), *more])
    assert numbers(figure.get_suptitle())[-1] == 0.3


def test_a_shift_needs_both_kinds():
    with pytest.raises(NothingToDraw, match="it takes standard and robust tickets of one seed"):
        shift_axes([network(STANDARD, s) for s in (0, 1)])


def test_a_heading_takes_the_place_of_another():
    figure = panels(lambda f: headed(f, "one"), size=SIZE)
    headed(figure, "two")
    assert figure.get_suptitle() == "two"
