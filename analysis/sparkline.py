"""Sequences of numbers as a row of bars in one line of text."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
"""Bars from the lowest to the highest value."""
_MOST = 48


def sparkline(values: Sequence[float], *, most: int = _MOST) -> str:
    """A bar for each of ``values``, which are finite; of more than ``most``, evenly spaced ones.

    The lowest value has the lowest bar and the highest the highest; equal values have the lowest.
    """
    if len(values) > most:
        last = len(values) - 1
        values = [values[round(i * last / (most - 1))] for i in range(most)]
    if not values:
        return ""
    low, high = min(values), max(values)
    if not high > low:
        return BARS[0] * len(values)
    top = len(BARS) - 1
    return "".join(BARS[round(top * ((value - low) / (high - low)))] for value in values)
