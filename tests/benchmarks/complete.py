"""Form of the figures of a benchmark."""

import math

FIELDS = {"ratio", "target", "ours", "other", "unit", "runs"}


def assert_complete(figures, *names, runs=1):
    """Every figure has all fields, finite numbers and as many runs; ``names`` are among them."""
    assert set(names) <= figures.keys()
    assert figures
    for figure in figures.values():
        assert figure.keys() == FIELDS
        numbers = [figure[n] for n in ("ratio", "target", "ours", "other")]
        assert all(map(math.isfinite, numbers))
        assert figure["runs"] == runs
