"""Sampling of configurations by a search that does not learn from outcomes."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from hedgecore.rng import numpy_stream
from search_spaces import Domain, Grid, SearchSpace

MOST_TRIALS = 1_000_000
"""Trials of a sweep, or proposals times seeds."""


def check_count(space: SearchSpace, prepared: Sequence[str]) -> None:
    """Refuse more than ``MOST_TRIALS`` trials before they are listed.

    A search that learns prepares every combination of the axes ``prepared``.

    Raises:
        SpaceError: more than ``MOST_TRIALS``.
    """
    search = space.search
    draws = _draws(space)
    grid = list(prepared) if search.adaptive else [a for a in space.space if a not in draws]
    cells = math.prod(len(space.space[axis].ends()) for axis in grid)
    samples = 1 if search.num_samples is None else search.num_samples
    if cells * samples <= MOST_TRIALS:
        return
    problem = f"{cells * samples:,} trials are more than {MOST_TRIALS:,}"
    if search.num_samples is None or cells > MOST_TRIALS:
        axis = max(grid, key=lambda a: len(space.space[a].ends()))
        values = list(space.space[axis].ends())
        problem += "; give fewer values, or draw them"
        first_values = values[: max(1, len(values) * MOST_TRIALS // cells)]
        kind = type(space.space[axis]).__name__.lower()
        raise space.places.error(f"space.{axis}", problem, write={kind: first_values})
    raise space.places.error("search.num_samples", problem, write=MOST_TRIALS // cells)


def configurations(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Grid axes crossed in file order, the others drawn once per sample.

    Every cell of the grid gets the same draws, so that cells differ only in what the grid varies.
    """
    draws = _draws(space)
    grid = {name: domain.ends() for name, domain in space.space.items() if name not in draws}
    for point in _points(space, list(draws)):
        sample = {name: draws[name].at(u) for name, u in point.items()}
        for cell in itertools.product(*grid.values()):
            config = {**dict(zip(grid, cell, strict=True)), **sample}
            yield space.present({name: config[name] for name in space.space})


def _draws(space: SearchSpace) -> dict[str, Domain]:
    """The axes of which values are drawn."""
    if space.search.algorithm == "grid":
        return {}
    return {name: d for name, d in space.space.items() if not isinstance(d, Grid)}


def _points(space: SearchSpace, axes: list[str]) -> Iterator[dict[str, float]]:
    """Points of the unit cube, a coordinate in [0, 1) for each of ``axes``."""
    search = space.search
    samples = search.num_samples or 1
    if not axes:
        yield {}
    elif search.algorithm == "quasirandom":
        from scipy.stats import qmc  # takes a second to import, which other searches avoid

        sobol = qmc.Sobol(len(axes), rng=numpy_stream(search.seed, "search", "sobol"))
        # Whole powers of two are balanced; a longer search begins with a shorter one.
        for point in sobol.random_base2((samples - 1).bit_length())[:samples].tolist():
            yield dict(zip(axes, point, strict=True))
    else:
        streams = {name: numpy_stream(search.seed, "search", name) for name in axes}
        for _ in range(samples):
            yield {name: float(stream.random()) for name, stream in streams.items()}
