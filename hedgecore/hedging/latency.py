"""Latency of hedges: time of one position by the compact network, in nanoseconds.

States are computed one after another, each after the position of the one before, with the network
in the caches: the time from the features of a date to its position.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch

from hedgecore.hedging.compact import CompactNetwork, compact
from hedgecore.hedging.features import FEATURE_NAMES, Standardisation
from hedgecore.hedging.hedge import Hedge
from hedgecore.hedging.network import HedgingNetwork, initialise
from hedgecore.kernel.inference import compact_positions, kernel_network
from hedgecore.kernel.shared_library import Library, library
from hedgecore.rng import stream

_STATES, _WARMING = 1000, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Size and latency of a compact network, and latency of the same network with all weights."""

    weights: int
    units: int
    nanoseconds: float
    dense_nanoseconds: float


def latencies(hedges: Sequence[Hedge], *, rounds: int = 21) -> list[Latency] | None:
    """Latency of every hedge, medians of alternated ``rounds``; None without the kernel."""
    kernel = library()
    if kernel is None:
        return None
    networks = [compact(hedge.problem.network, hedge.theta) for hedge in hedges]
    dense = {hedge.study.network.hidden: _dense(hedge) for hedge in hedges}
    nanoseconds = _nanoseconds(kernel, [*networks, *dense.values()], rounds=rounds)
    of_dense = dict(zip(dense, nanoseconds[len(hedges) :], strict=True))
    return [
        Latency(
            weights=network.weights,
            units=network.units,
            nanoseconds=time_of_one,
            dense_nanoseconds=of_dense[hedge.study.network.hidden],
        )
        for hedge, network, time_of_one in zip(hedges, networks, nanoseconds, strict=False)
    ]


def _dense(hedge: Hedge) -> CompactNetwork:
    """The network of the study with all its weights."""
    study, network = hedge.study, hedge.problem.network
    theta = initialise(study.network.hidden, generator=stream(0, "latency"))
    scales = Standardisation(mean=network.mean, sd=network.sd)
    limit = study.network.position_limit
    return compact(HedgingNetwork(study.network.hidden, scales, position_limit=limit), theta)


def _nanoseconds(
    kernel: Library, networks: Sequence[CompactNetwork], *, rounds: int
) -> list[float]:
    """CPU time of a position of every network."""
    features = torch.randn(_STATES, len(FEATURE_NAMES), generator=stream(0, "latency"))
    kernel_networks = [kernel_network(one.arrays, limit=one.position_limit) for one in networks]
    times: list[list[int]] = [[] for _ in networks]
    for _ in range(rounds):
        for network, measured in zip(kernel_networks, times, strict=True):
            compact_positions(kernel, network, features[:_WARMING])
            begin = time.process_time_ns()
            compact_positions(kernel, network, features)
            measured.append(time.process_time_ns() - begin)
    return [median(measured) / _STATES for measured in times]
