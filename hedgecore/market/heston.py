"""Paths of spot and variance under Heston's model."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore import rng
from hedgecore.market.noise import Noise
from hedgecore.market.params import HestonParams as HestonParams
from hedgecore.market.paths import MarketPaths
from hedgecore.market.schemes import SCHEMES as SCHEMES
from hedgecore.market.schemes import DeterministicVariance, Scheme, Step
from hedgecore.registry import lookup

# Paths are computed in chunks that fit in the cache, each from its own stream; another chunk size
# would give different, equally valid paths. Below 32,768 torch does not split an operation, so
# that threads can take whole chunks.
CHUNK = 25_000
# Number of dates of a chunk that are buffered before they are transposed into the result.
_BLOCK = 64


def simulate(
    params: HestonParams,
    *,
    paths: int,
    steps: int,
    maturity: float,
    scheme: str = "qe_m",
    generator: torch.Generator,
    substeps: int | None = None,
) -> MarketPaths:
    """Float64 paths of spot and variance at ``steps + 1`` even dates from 0 to ``maturity`` years.

    The chunks of paths are shared among torch's threads; the numbers depend on ``generator`` only.
    Where ``params.xi`` is 0 every scheme is the exact one. One 63-bit number is taken from
    ``generator``.

    Args:
        params: the model.
        paths: number of paths.
        steps: number of recorded steps.
        maturity: time of the last date, in years.
        scheme: ``qe_m``, ``exact_bk`` or ``full_truncation``.
        generator: source of randomness, on the CPU.
        substeps: internal steps per recorded step; by default the scheme's choice.
    Raises:
        ValueError: unknown scheme, a count below 1, or a maturity that is not positive.
    """
    for name, count in (("paths", paths), ("steps", steps), ("substeps", substeps)):
        if count is not None and (isinstance(count, bool) or count != int(count) or count < 1):
            raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
    if not (maturity > 0 and math.isfinite(maturity)):
        raise ValueError(f"maturity must be positive and finite, got {maturity}; it is in years")
    chosen = lookup(SCHEMES, scheme, kind="scheme")
    if params.deterministic_variance:
        chosen = Scheme(DeterministicVariance, lambda params, maturity, steps: 1)
    substeps = substeps or chosen.substeps(params, maturity, steps)

    # NumPy backs large arrays with huge pages, which halves the cost of touching them first.
    spot, variance = (np.empty((paths, steps + 1)) for _ in range(2))
    key = int(torch.randint(2**63 - 1, (), generator=generator))
    starts = range(0, paths, CHUNK)
    workers = min(torch.get_num_threads(), len(starts))

    def work(worker: int) -> None:
        rows = torch.from_numpy(np.empty((2, min(_BLOCK, steps + 1) * min(CHUNK, paths))))
        for start in starts[worker::workers]:
            size = min(CHUNK, paths - start)
            noise = Noise(size, rng.stream(key, "heston", str(start)))
            step = chosen.step(params, maturity / (steps * substeps), noise)
            for dates, x, v in _march(params, step, steps, substeps, rows, size):
                for row in x:
                    # ln S to S by exp2, which is three times as fast as exp.
                    row.mul_(math.log2(math.e)).exp2_().mul_(params.spot)
                spot[start : start + size, dates] = x.numpy().T
                variance[start : start + size, dates] = v.numpy().T

    if workers == 1:
        work(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
    return MarketPaths(
        spot=torch.from_numpy(spot), variance=torch.from_numpy(variance), maturity=maturity
    )


def _march(
    params: HestonParams, step: Step, steps: int, substeps: int, rows: Tensor, size: int
) -> Iterator[tuple[slice, Float[Tensor, "dates size"], Float[Tensor, "dates size"]]]:
    """Log spot and variance of one chunk, a block of dates at a time."""
    x = torch.zeros(size, dtype=torch.float64)
    v = torch.full((size,), float(params.v0), dtype=torch.float64)
    between = torch.empty((2, 2, size), dtype=torch.float64)
    for first in range(0, steps + 1, _BLOCK):
        count = min(_BLOCK, steps + 1 - first)
        xs, vs = (row[: count * size].view(count, size) for row in rows)
        for i in range(count):
            if first + i == 0:
                xs[0], vs[0] = x, v
            else:
                for j in range(substeps - 1):
                    step(x, v, *between[j % 2])
                    x, v = between[j % 2]
                step(x, v, xs[i], vs[i])
            x, v = xs[i], vs[i]
        # The caller turns the block into prices in place, and Euler's step carries variances below
        # 0.
        x, v = x.clone(), v.clone()
        for row in vs:
            row.clamp_(min=0.0)
        yield slice(first, first + count), xs, vs
