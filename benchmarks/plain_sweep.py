"""The shipped sweep of tickets as one plain script: the peer of :mod:`benchmarks.whole_sweep`.

It uses PyTorch and Ray Tune only, as a user without this project writes it. The dense network is
trained once. Then ``tune`` runs a Tune trial per configuration, which simulates its own paths,
with Tune's default loggers, and ``asha`` the same under ``ASHAScheduler``; ``loop`` trains one
configuration after another on the same paths, as a notebook does.

The problem is that of the space. The differences are in favour of this script: no model or
checkpoint is stored, feature importance and hedges without training are not computed, and the
dense network is not tested. Its paths are other draws of the same market, by QE without martingale
correction, and features of the hedge's own past are not standardised.
"""

import copy
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from benchmarks.plain_hedge import Hedge, Paths, Sizes, simulate, test, train

DENSE_LR = 5e-3
SPARSITIES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98)
EPSILONS = (0.0, 0.1)
GRACE, REDUCTION = 6, 4
PARTS = {"train": 0, "val": 1, "test": 2}


def simulated(sizes: Sizes) -> dict[str, Paths]:
    """Paths of training, validation and test."""
    return {name: simulate(getattr(sizes, name), seed) for name, seed in PARTS.items()}


def dense(data: dict[str, Paths], sizes: Sizes) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Initial and trained parameters of the dense network."""
    hedge = Hedge(sizes.hidden, data["train"], 0)
    start = copy.deepcopy(hedge.state_dict())
    for _ in train(hedge, data, DENSE_LR, 0.0, sizes, 0):
        pass
    return start, hedge.state_dict()


def ticket(
    config: dict[str, float],
    start: dict[str, Tensor],
    trained: dict[str, Tensor],
    sizes: Sizes,
    data: dict[str, Paths],
) -> Iterator[dict[str, float]]:
    """Metrics of every epoch of one configuration; the last has those of the test."""
    hedge = Hedge(sizes.hidden, data["train"], 0)
    hedge.load_state_dict(start)
    hedge.prune(trained, config["sparsity"])
    losses = train(hedge, data, config["lr"], config["epsilon"], sizes, 0)
    for epoch, loss in enumerate(losses, 1):
        tested = test(hedge, data["test"], 0) if epoch == sizes.epochs else {}
        yield {"val_loss": loss, **tested}


def run_tune(sizes: Sizes, rates: Sequence[float], *, asha: bool) -> list[Any]:
    """Validation losses of the dense tickets, by Ray Tune."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    start, trained = dense(simulated(sizes), sizes)

    def trial(config: dict[str, float], start: Any, trained: Any) -> None:
        for metrics in ticket(config, start, trained, sizes, simulated(sizes)):
            tune.report(metrics)

    rule = (
        ASHAScheduler(max_t=sizes.epochs, grace_period=GRACE, reduction_factor=REDUCTION)
        if asha
        else None
    )
    ray.init(address="local")
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_parameters(trial, start=start, trained=trained),
            param_space={
                "sparsity": tune.grid_search(list(SPARSITIES)),
                "epsilon": tune.grid_search(list(EPSILONS)),
                "lr": tune.grid_search(list(rates)),
            },
            tune_config=tune.TuneConfig(metric="val_loss", mode="min", scheduler=rule),
            run_config=tune.RunConfig(storage_path=folder),
        ).fit()
        frames = [(r.config, r.metrics_dataframe) for r in results]
    return [
        float(frame["val_loss"].min())
        for config, frame in frames
        if config["sparsity"] == config["epsilon"] == 0
    ]


def run_loop(sizes: Sizes, rates: Sequence[float]) -> list[float]:
    """Validation losses of the dense tickets, one configuration after another."""
    data = simulated(sizes)
    start, trained = dense(data, sizes)
    losses = []
    for sparsity, epsilon, lr in product(SPARSITIES, EPSILONS, rates):
        config = {"sparsity": sparsity, "epsilon": epsilon, "lr": lr}
        epochs = list(ticket(config, start, trained, sizes, data))
        if sparsity == epsilon == 0:
            losses.append(min(epoch["val_loss"] for epoch in epochs))
    return losses


if __name__ == "__main__":
    torch.set_num_threads(1)  # as fast for small matrices, and faster where cores are shared
    side, arguments = sys.argv[1], json.loads(sys.argv[2])
    chosen = Sizes(**arguments["sizes"])
    if side == "loop":
        dense_losses = run_loop(chosen, arguments["rates"])
    else:
        dense_losses = run_tune(chosen, arguments["rates"], asha=side == "asha")
    print(json.dumps({"dense_losses": dense_losses}))
