"""Cost of a training step under an attack of k steps, in clean steps.

``python -m benchmarks attack_cost``: each round trains one epoch of every variant, on one thread,
in CPU time. The limit is k + 1 clean steps: k gradients and the step itself. Attacks on the
distribution of paths are left out: they take autograd, and clean steps the compiled kernel.
"""

import time
from collections.abc import Iterator

from benchmarks.figure import Figure, figure, print_figures
from hedgecore.hedging.preparation import Preparation
from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import draw_ticket, train_ticket
from hedgecore.threads import one_thread

SIZES = {"32-32, batch 256": ([32, 32], 256), "64-64, batch 512": ([64, 64], 512)}
ATTACKS = {"path_fgsm": (1,), "path_pgd": (1, 3, 7)}
CLEAN = "clean"


def seconds(training: Iterator[object]) -> float:
    """CPU seconds of the next epoch."""
    began = time.process_time()
    next(training)
    return time.process_time() - began


def attack_cost(*, paths: int = 8192, rounds: int = 7) -> dict[str, Figure]:
    """CPU milliseconds of an epoch under every attack, beside k + 1 clean ones, by name."""
    one_thread()
    figures = {}
    for size, (hidden, batch) in SIZES.items():
        times: dict[tuple[str, int], list[float]] = {}
        trainings = _trainings(hidden, batch, paths=paths, epochs=rounds + 1)
        for training in trainings.values():
            next(training)
        for _ in range(rounds):
            for side, training in trainings.items():
                times.setdefault(side, []).append(1000 * seconds(training))
        clean = times.pop((CLEAN, 0))
        for (name, k), durations in times.items():
            limit = [(k + 1) * one for one in clean]
            figures[f"epoch at {size}, {name} {k}, against {k + 1} clean ones"] = figure(
                durations, limit, unit="ms"
            )
    return figures


def _trainings(
    hidden: list[int], batch: int, *, paths: int, epochs: int
) -> dict[tuple[str, int], Iterator[object]]:
    """Training of a ticket, clean and under every attack, by attack and steps."""
    study = TicketStudy().with_axes(
        {
            "network.hidden": hidden,
            "training.batch_size": batch,
            "training.epochs": epochs,
            "dense.epochs": 1,
            "market.train_paths": paths,
            # An epoch ends with a validation, whose time does not depend on the attack.
            "market.val_paths": 100,
        }
    )
    preparation = prepare(study, seed=0)
    variants = {(CLEAN, 0): study}
    for name, steps in ATTACKS.items():
        for k in steps:
            axes = {"epsilon": 0.1, "attack.name": name, "attack.steps": k}
            variants[name, k] = study.with_axes(axes)
    return {side: _training(variant, preparation) for side, variant in variants.items()}


def _training(study: TicketStudy, preparation: Preparation) -> Iterator[object]:
    return train_ticket(study, preparation, draw_ticket(study, preparation))


if __name__ == "__main__":
    print_figures(attack_cost())
