import pandas as pd
import pytest

from analysis.xnn import cells, pareto


def table(*points, seeds=3):
    costs, gains = zip(*points, strict=True) if points else ((), ())
    frame = pd.DataFrame({"cross_entropy_minus_plain": costs, "explanation_gain": gains})
    return frame.astype("float64").assign(seeds=seeds, reference=False)


POINTS = ((0.05, 0.3), (0.0, 0.0), (0.02, 0.1), (0.01, 0.2))


def test_the_front_is_what_no_cell_beats_in_both_by_rising_cost():
    assert list(pareto(table(*POINTS)).rows.index) == [1, 3, 0]


def test_the_hypervolume_is_the_area_below_the_front():
    # Layers of gain, each from its cost up to 0.1 nat.
    area = (0.1 - 0.01) * 0.2 + (0.1 - 0.05) * 0.1
    assert pareto(table(*POINTS)).hypervolume == pytest.approx(area)


def test_costs_beyond_the_corner_and_gains_below_0_hold_no_area():
    assert pareto(table((0.0, -0.1), (0.2, 0.9))).hypervolume == 0.0


def test_the_knee_is_farthest_above_the_line_between_the_ends():
    points = ((0.0, 0.0), (0.01, 0.2), (0.02, 0.25), (0.1, 0.4))
    # Scaled to the ends, 0.5 - 0.1 is less than 0.625 - 0.2.
    assert pareto(table(*points)).knee == 2


def test_a_front_that_bends_the_other_way_has_no_knee():
    assert pareto(table((0.0, 0.0), (0.05, 0.1), (0.1, 0.4))).knee is None


def test_two_bargains_have_no_knee():
    assert pareto(table((0.0, 0.0), (0.1, 0.4))).knee is None


def test_of_equal_costs_the_larger_gain_is_the_bargain():
    assert list(pareto(table((0.0, 0.1), (0.0, 0.2))).rows.index) == [1]


def test_cells_with_fewer_seeds_are_no_bargains():
    assert list(pareto(table(*POINTS, seeds=[1, 3, 3, 3])).rows.index) == [1, 3]


def test_no_cells_have_an_empty_front():
    found = pareto(table())
    assert (len(found.rows), found.knee, found.hypervolume) == (0, None, 0.0)


def test_the_front_of_a_sweep_holds_its_cheapest_and_its_most_explained_cell(sweep):
    rows = pareto(cells(sweep())).rows
    assert (rows.iloc[0]["adj_weight"], rows.iloc[0]["clusters"]) == (0.0, 6)
    assert (rows.iloc[-1]["adj_weight"], rows.iloc[-1]["clusters"]) == (0.3, 2)
