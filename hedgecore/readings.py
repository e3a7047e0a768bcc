"""Likely intended values for a value that a configuration rejects."""

import contextlib
import math
from typing import Any


def readings(value: Any) -> list[Any]:
    """Values that ``value`` may stand for, most likely first.

    The number in a text, the whole number next to a real one, the only item of a list, a list of
    one item.
    """
    if isinstance(value, list | tuple):
        return [*value[:1], [(_plain_readings(item) or [item])[0] for item in value]]
    candidates = _plain_readings(value)
    return [*candidates, *([reading] for reading in candidates), [value]]


def _plain_readings(value: Any) -> list[Any]:
    if isinstance(value, float) and math.isfinite(value):
        return [round(value)]
    if not isinstance(value, str):
        return []
    word = value.strip().lower()[:400]
    candidates: list[Any] = []
    if word in ("true", "yes", "on", "false", "no", "off"):
        candidates.append(word in ("true", "yes", "on"))
    for kind in (int, float):
        with contextlib.suppress(ValueError, OverflowError):
            candidates.append(kind(word))
    return [*candidates, word]
