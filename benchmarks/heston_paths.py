"""Heston paths by QE-M in double precision, against pfhedge's generator in both precisions.

``python -m benchmarks heston_paths``: microseconds of CPU time for a path of 30 steps, on one
thread, in two markets. All contestants alternate in one process.
"""

import warnings

import torch

from benchmarks.figure import Figure, Runs, alternated, figure, print_figures
from hedgecore.market.heston import HestonParams, simulate
from hedgecore.rng import stream
from hedgecore.threads import one_thread

MARKETS = {
    "the notebook's market": (
        HestonParams(100.0, 0.0175, 1.5768, 0.0398, 0.5751, -0.5711),
        0.0833,
    ),
    "the market of Buehler et al.": (
        HestonParams(100.0, 0.04, 1.0, 0.04, 2.0, -0.7),
        30 / 365,
    ),
}
PATHS, STEPS = 100_000, 30
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def contestants(params: HestonParams, maturity: float, paths: int) -> Runs:
    """Generators of ``paths`` paths, ours first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pfhedge.stochastic import generate_heston

    def peer(dtype: torch.dtype) -> object:
        with torch.random.fork_rng():
            return generate_heston(
                n_paths=paths,
                n_steps=STEPS + 1,
                init_state=(params.spot, params.v0),
                kappa=params.kappa,
                theta=params.v_bar,
                sigma=params.xi,
                rho=params.rho,
                dt=maturity / STEPS,
                dtype=dtype,
            )

    def ours() -> object:
        generator = stream(0, "benchmark")
        return simulate(params, paths=paths, steps=STEPS, maturity=maturity, generator=generator)

    peers = {name: (lambda dtype=dtype: peer(dtype)) for name, dtype in PRECISIONS.items()}
    return {"ours": ours, **peers}


def heston_paths(*, paths: int = PATHS, rounds: int = 7) -> dict[str, Figure]:
    """Microseconds of a path in every market, by name."""
    one_thread()
    figures = {}
    for market, (params, maturity) in MARKETS.items():
        times = alternated(contestants(params, maturity, paths), rounds=rounds)
        micro = {name: [1000 * ms / paths for ms in values] for name, values in times.items()}
        for name in PRECISIONS:
            figures[f"path in {market}, pfhedge in {name}"] = figure(
                micro["ours"], micro[name], unit="us"
            )
    return figures


if __name__ == "__main__":
    print_figures(heston_paths())
