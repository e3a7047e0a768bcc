"""Cost of a training step under PGD-k, in clean steps.

``python -m benchmarks.attack_cost [ROUNDS]``: each round trains one epoch of every variant, on one
thread; medians of the ratio within a round. k gradients and the step itself would be k + 1.
"""

import statistics
import sys
import time
from collections.abc import Iterator

import torch

from hedgecore.hedging.preparation import Preparation
from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import draw_ticket, train_ticket

SIZES = {"32x32, batch 256": ([32, 32], 256), "64x64, batch 512": ([64, 64], 512)}
ATTACKS = {"path_fgsm": [1], "path_pgd": [1, 3, 7], "distribution_wpgd": [3]}


def trained(study: TicketStudy, preparation: Preparation) -> Iterator[object]:
    """Training that has completed its first epoch."""
    training = train_ticket(study, preparation, draw_ticket(study, preparation))
    next(training)
    return training


def seconds(training: Iterator[object]) -> float:
    """Seconds of the next epoch."""
    began = time.perf_counter()
    next(training)
    return time.perf_counter() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    torch.set_num_threads(1)
    for size, (hidden, batch) in SIZES.items():
        study = TicketStudy().with_axes(
            {
                "network.hidden": hidden,
                "training.batch_size": batch,
                "training.epochs": rounds + 2,
                "dense.epochs": 1,
                "market.train_paths": 8192,
                # An epoch ends with a validation, whose time does not depend on the attack.
                "market.val_paths": 100,
            }
        )
        preparation = prepare(study, seed=0)
        sides = {"clean": trained(study, preparation)}
        for name, steps in ATTACKS.items():
            for k in steps:
                attacked = study.with_axes(
                    {"epsilon": 0.1, "attack.name": name, "attack.steps": k}
                )
                sides[f"{name}-{k}"] = trained(attacked, preparation)
        times: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, run in sides.items():
                times[side].append(seconds(run))
        for side, durations in list(times.items())[1:]:
            k = int(side.rpartition("-")[2])
            ratio = statistics.median(
                a / c for a, c in zip(durations, times["clean"], strict=True)
            )
            print(f"{size}: {side:22s} {ratio:5.2f} clean steps, k + {ratio - k:.2f}")


if __name__ == "__main__":
    main()
