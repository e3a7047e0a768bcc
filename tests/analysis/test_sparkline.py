"""Sequences of numbers as bars."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sparkline import BARS, sparkline

FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([3.0], "▁"), ([2.0, 2.0], "▁▁"), ([0.0, 1.0], "▁█"), (range(8), BARS)],
)
def test_the_lowest_value_has_the_lowest_bar_and_the_highest_the_highest(values, bars):
    assert sparkline(list(values)) == bars


@given(st.lists(FINITE, min_size=1, max_size=200))
def test_bars_are_ordered_as_the_values_and_no_more_than_the_width(values):
    line = sparkline(values, most=20)
    assert len(line) == min(len(values), 20)
    if len(values) <= 20:
        heights = [BARS.index(bar) for bar in line]
        assert all(
            heights[i] <= heights[j]
            for i in range(len(values))
            for j in range(len(values))
            if values[i] <= values[j]
        )


def test_first_and_last_value_are_among_the_bars_of_a_long_sequence():
    line = sparkline([5.0] + [0.0] * 998 + [10.0], most=10)
    assert (line[0], line[-1]) == ("▅", "█")
