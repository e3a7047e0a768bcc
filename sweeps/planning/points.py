"""Which configurations a search tries that does not learn from outcomes."""

import itertools
from collections.abc import Iterator
from typing import Any

from hedgecore.rng import numpy_stream
from search_spaces import Grid, SearchSpace


def configurations(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Grid axes crossed in file order, the others drawn once a sample.

    Every cell of the grid gets the same draws, so that cells differ only in what the grid varies.
    """
    drawn = {
        name: domain
        for name, domain in space.space.items()
        if space.search.algorithm != "grid" and not isinstance(domain, Grid)
    }
    crossed = {name: domain.ends() for name, domain in space.space.items() if name not in drawn}
    for point in _points(space, list(drawn)):
        sample = {name: drawn[name].at(u) for name, u in point.items()}
        for cell in itertools.product(*crossed.values()):
            config = {**dict(zip(crossed, cell, strict=True)), **sample}
            yield space.present({name: config[name] for name in space.space})


def _points(space: SearchSpace, axes: list[str]) -> Iterator[dict[str, float]]:
    """Points of the unit cube, a coordinate in [0, 1) for each of ``axes``."""
    search = space.search
    samples = search.num_samples or 1
    if not axes:
        yield {}
    elif search.algorithm == "quasirandom":
        from scipy.stats import qmc  # a second to import, which other searches need not wait for

        sobol = qmc.Sobol(len(axes), rng=numpy_stream(search.seed, "search", "sobol"))
        # Whole powers of two are balanced; a longer search begins with a shorter one.
        for point in sobol.random_base2((samples - 1).bit_length())[:samples].tolist():
            yield dict(zip(axes, point, strict=True))
    else:
        streams = {name: numpy_stream(search.seed, "search", name) for name in axes}
        for _ in range(samples):
            yield {name: float(stream.random()) for name, stream in streams.items()}
