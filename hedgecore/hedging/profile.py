"""Profile of a trained hedge: P&L on the test paths, and positions beside the Heston deltas."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from hedgecore.hedging.hedge import Hedge
from hedgecore.hedging.markets import simulated
from hedgecore.market.greeks import HestonGreeks
from hedgecore.market.paths import MarketPaths
from hedgecore.protocols import Json
from hedgecore.risk import cvar

Array = NDArray[np.floating]

_TAIL = 0.05
_BINS, _CUT = 120, 0.0005
_MOST, _FEWEST = 24, 40  # bins, and paths in each
_BAND = 0.02  # of the strike: spots of the bins by variance


def profile(hedge: Hedge, dense: Mapping[str, Tensor], *, seed: int) -> Json:
    """P&L and positions of ``hedge`` and the dense network of its seed on the test paths.

    ``pnl`` has the ``edges`` of a histogram, whose end bins hold what lies beyond them, with the
    counts of both; ``cvar_05`` the mean of the worst 5 % of both, in currency. ``by_spot`` and
    ``by_variance`` have bins of equally many paths at the middle trading date (``date``, in years
    of ``maturity``): mean spot or annual variance ``at``, median position of the ticket with its 5
    and 95 % quantiles ``low`` and ``high``, and medians of the dense network, of the Heston delta
    and of the minimum-variance delta on the same paths. By variance, only paths with a spot in the
    ``band`` around the strike count.

    Args:
        dense: parameters of the dense network.
        seed: seed of the test paths.
    Raises:
        ValueError: P&L is not finite.
    """
    study = hedge.study
    market = study.market
    paths = simulated(study, market.heston, market.test_paths, seed, "test")
    own = replace(hedge, theta={n: v for n, v in dense.items() if n.startswith("layers.")})
    hedges = {"ticket": hedge, "dense": own}
    pnl = {name: one.problem.outcomes(one.theta, paths).pnl for name, one in hedges.items()}
    if not all(bool(sample.isfinite().all()) for sample in pnl.values()):
        raise ValueError("its P&L is not finite on some test path")
    date = market.steps // 2
    positions = {name: _numbers(one, paths)[:, date] for name, one in hedges.items()}
    positions |= _deltas(hedge, paths, date)
    spot, variance = (x[:, date].double().numpy() for x in (paths.spot, paths.variance))
    strike = study.option.strike
    near = np.abs(spot / strike - 1.0) <= _BAND
    return {
        "paths": market.test_paths,
        "date": date * market.dt,
        "maturity": market.maturity,
        "strike": strike,
        "pnl": _histogram({name: sample.double().numpy() for name, sample in pnl.items()}),
        "cvar_05": {n: float(cvar(sample.double(), tail=_TAIL)) for n, sample in pnl.items()},
        "by_spot": _binned(spot, positions),
        "by_variance": _binned(variance[near], {n: p[near] for n, p in positions.items()}),
        "band": [strike * (1.0 - _BAND), strike * (1.0 + _BAND)],
    }


def _numbers(hedge: Hedge, paths: MarketPaths) -> Array:
    return hedge.positions(paths.spot, paths.variance).double().numpy()


def _deltas(hedge: Hedge, paths: MarketPaths, date: int) -> dict[str, Array]:
    """Heston delta and minimum-variance delta of every path at ``date``, in shares."""
    study, now = hedge.study, slice(date, date + 1)
    market = study.market
    greeks = HestonGreeks(  # of the one date: tables of all of them take seconds
        market.heston,
        strike=study.option.strike,
        maturity=market.maturity - date * market.dt,
        steps=1,
        largest_variance=float(paths.variance[:, now].max()),
    )
    on_paths = greeks.at(paths.spot[:, now].double(), paths.variance[:, now].double())
    deltas = {"heston": on_paths.delta, "minimum_variance": on_paths.minimum_variance}
    return {name: value[:, 0].numpy() for name, value in deltas.items()}


def _histogram(pnl: Mapping[str, Float[Array, " paths"]]) -> dict[str, list[Any]]:
    every = np.concatenate(list(pnl.values()))
    low, high = (float(np.quantile(every, share)) for share in (_CUT, 1.0 - _CUT))
    edges = np.linspace(low, max(high, low + 1e-9), _BINS + 1)
    counts = {
        name: np.histogram(np.clip(sample, edges[0], edges[-1]), edges)[0].tolist()
        for name, sample in pnl.items()
    }
    return {"edges": edges.tolist(), **counts}


def _binned(
    at: Float[Array, " paths"], positions: Mapping[str, Float[Array, " paths"]]
) -> dict[str, list[float]]:
    """Statistics of ``positions`` in bins of equally many paths by ``at``; empty with few."""
    number = min(_MOST, len(at) // _FEWEST)
    if number < 2 or math.isclose(float(at.min()), float(at.max()), rel_tol=1e-9):
        return {}
    bins = np.array_split(np.argsort(at, kind="stable"), number)
    columns = {name: [float(np.median(p[i])) for i in bins] for name, p in positions.items()}
    for name, share in (("low", 0.05), ("high", 0.95)):
        columns[name] = [float(np.quantile(positions["ticket"][i], share)) for i in bins]
    return {"at": [float(at[i].mean()) for i in bins], **columns}
