"""Parameters of a test of which some are quick; the others are ``slow``, and run in CI."""

from collections.abc import Iterable
from typing import Any

import pytest


def quick_of(values: Iterable[Any], *, every: int) -> list[Any]:
    """``values`` of which the first is quick, and every ``every``-th from there.

    A tuple has the values of several parameters.
    """
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=pytest.mark.slow if number % every else (),
        )
        for number, value in enumerate(values)
    ]
