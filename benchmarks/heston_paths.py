"""Heston paths per second: hedgesweep in float64 and pfhedge's generator in both precisions.

All alternate in one process, so that changes of the machine's load affect all equally. Run it as
``python -m benchmarks.heston_paths`` from the root of the repository.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import torch

from hedgecore import rng
from hedgecore.market.heston import HestonParams, simulate

MARKETS = {
    "notebook": (HestonParams(100.0, 0.0175, 1.5768, 0.0398, 0.5751, -0.5711), 0.0833),
    "buehler": (HestonParams(100.0, 0.04, 1.0, 0.04, 2.0, -0.7), 30 / 365),
}


def contestants(
    params: HestonParams, *, maturity: float, paths: int, steps: int
) -> dict[str, Callable[[], object]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pfhedge.stochastic import generate_heston

    def theirs(dtype: torch.dtype) -> object:
        return generate_heston(
            n_paths=paths,
            n_steps=steps + 1,
            init_state=(params.spot, params.v0),
            kappa=params.kappa,
            theta=params.v_bar,
            sigma=params.xi,
            rho=params.rho,
            dt=maturity / steps,
            dtype=dtype,
        )

    def ours() -> object:
        generator = rng.stream(0, "benchmark")
        return simulate(params, paths=paths, steps=steps, maturity=maturity, generator=generator)

    return {
        "hedgesweep qe_m, float64": ours,
        "pfhedge, float32": lambda: theirs(torch.float32),
        "pfhedge, float64": lambda: theirs(torch.float64),
    }


def medians(runs: dict[str, Callable[[], object]], *, repeats: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            time.sleep(0.05)  # threads of the previous run may still spin on their cores
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, torch.get_num_threads()])
    options = parser.parse_args()
    try:
        import pfhedge  # noqa: F401
    except ImportError as error:
        print(
            f"pfhedge is not installed here ({error}), and hedgesweep does not depend on it.\n"
            "For this comparison: pip install --no-deps pfhedge==0.23.0 tqdm",
            file=sys.stderr,
        )
        return 2
    print(f"{options.paths:,} paths of {options.steps} steps, medians of {options.repeats} rounds")
    for threads in sorted(set(options.threads)):
        torch.set_num_threads(threads)
        for market, (params, maturity) in MARKETS.items():
            runs = contestants(params, maturity=maturity, paths=options.paths, steps=options.steps)
            result = medians(runs, repeats=options.repeats)
            ours = next(iter(result.values()))
            print(f"\n{market}, {threads} thread{'s' * (threads > 1)}")
            for name, median in result.items():
                ratio = (
                    f"   hedgesweep is {median / ours:.2f} times as fast" if median != ours else ""
                )
                speed = f"{median * 1e3:9.1f} ms{options.paths / median:14,.0f} paths/s"
                print(f"  {name:<26}{speed}{ratio}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
