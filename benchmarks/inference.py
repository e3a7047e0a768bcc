"""Latency of one hedge by the exported evaluator, by sparsity, and of torch's module on one state.

Run as ``python -m benchmarks inference``.
"""

import torch
from torch import nn

from benchmarks.figure import Figure, alternated, figure
from benchmarks.kernel import SMALL, WIDE, Step, problem
from hedgecore.hedging.compact import compact
from hedgecore.hedging.network import initialise
from hedgecore.kernel.inference import compact_positions, kernel_network
from hedgecore.kernel.shared_library import library
from hedgecore.rng import stream
from hedgecore.threads import one_thread

STATES, MICROSECONDS = 1000, 1e3
TARGETS = {0.9: 2.0, 0.98: 8.0}
OF_MODULE = {"dense": 4.0, "90 % sparse": 10.0}


def hedge(hidden: tuple[int, ...], *, sparsity: float, states: int = STATES) -> Step:
    """Positions of ``states`` states, one after another, by a randomly pruned network."""
    kernel = library()
    assert kernel is not None, "the figure needs the compiled kernel"
    generator = stream(0, "inference")
    theta = {
        name: value * (torch.rand(value.shape, generator=generator) >= sparsity)
        if value.ndim == 2 and len(value) > 1
        else value + 0.1
        for name, value in initialise(hidden, generator=generator).items()
    }
    network = compact(problem(hidden, 64, {}).network, theta)
    evaluator = kernel_network(network.arrays, limit=network.position_limit)
    features = torch.randn(states, 8, generator=generator)
    return lambda: compact_positions(kernel, evaluator, features)


def module(hidden: tuple[int, ...], *, states: int = STATES) -> Step:
    """The same number of calls of a plain module, a state each."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng():
        for a, b in zip((8, *hidden), hidden, strict=False):
            layers += [nn.Linear(a, b), nn.ReLU()]
        network = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))
    state = torch.zeros(1, 8)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(states):
                network(state)

    return run


def measure(*, rounds: int = 9, small: bool = False) -> dict[str, Figure]:
    """All figures, in microseconds a hedge; ``small`` to try the benchmark itself."""
    one_thread()
    figures: dict[str, Figure] = {}
    for hidden in (SMALL, WIDE) if not small else ((8, 8),):
        contestants = {f"{100 * s:.0f} % sparse": hedge(hidden, sparsity=s) for s in TARGETS}
        contestants |= {"dense": hedge(hidden, sparsity=0), "torch's module": module(hidden)}
        times = alternated(contestants, rounds=rounds, least=0.01 if small else 0.2)
        hedges = {
            name: [value * MICROSECONDS / STATES for value in values]
            for name, values in times.items()
        }
        name = "-".join(map(str, hidden))
        for sparsity, target in TARGETS.items():
            one = f"{100 * sparsity:.0f} % sparse"
            figures[f"hedge {name}, {one} against dense"] = figure(
                hedges[one], hedges["dense"], unit="µs", target=target
            )
        for one, target in OF_MODULE.items():
            figures[f"hedge {name}, {one} against torch's module"] = figure(
                hedges[one], hedges["torch's module"], unit="µs", target=target
            )
    return figures
