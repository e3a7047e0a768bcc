"""Epochs of the explained networks, in plain epochs, as ``search_spaces/xnn.yaml`` trains.

``python -m benchmarks xnn_epochs``: each run trains one epoch of every method in turn, in one
process and on one thread; medians of CPU time.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import search_spaces
from benchmarks.figure import Figure, figure, print_figures
from hedgecore.config import from_mapping
from hedgecore.insurance.clusters.centroids import find_centroids
from hedgecore.insurance.config import ExplanationConfig, XnnStudy
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.prepare import initial
from hedgecore.insurance.xnn.alignment import Landmarks
from hedgecore.insurance.xnn.train import Rows, train
from hedgecore.threads import one_thread

SPACE = Path(search_spaces.__file__).parent / "xnn.yaml"
PLAIN = ExplanationConfig(method="none")
METHODS = {
    # The layer that the space aligns, and all layers.
    "alignment": (ExplanationConfig(adj_weight=0.1, layer=1), 1.1),
    "alignment of both layers": (ExplanationConfig(adj_weight=0.1), 1.25),
    "double_step": (ExplanationConfig(method="double_step", adj_weight=1.0), 1.25),
    "multiplier": (ExplanationConfig(method="multiplier", adj_weight=1.0), 1.5),
    "multiplier of one layer": (
        ExplanationConfig(method="multiplier", adj_weight=1.0, layer=1),
        1.25,
    ),
    "multiplier_published": (
        ExplanationConfig(method="multiplier_published", adj_weight=3.0),
        3.0,
    ),
}
"""Explanations, and the most plain epochs that an epoch may take."""


def shipped() -> XnnStudy:
    """The study of the space, on generated rows."""
    return from_mapping(XnnStudy, search_spaces.load(SPACE).study)


def trainings(study: XnnStudy, *, epochs: int) -> dict[str, Iterator[object]]:
    """Trainings of the plain network and of every method, from the same theta_0."""
    inputs = Applicants.of(study.data, seed=0).inputs()
    x = inputs["train.x"]
    centroids = find_centroids(study.clustering, x, seed=0)
    landmarks = Landmarks.of(centroids.points, centroids.distances(x))
    return {
        name: train(
            initial(study, inputs, seed=0),
            train_rows=Rows(x=x, y=inputs["train.y"]),
            val_rows=Rows(x=inputs["val.x"], y=inputs["val.y"]),
            landmarks=landmarks,
            training=replace(study.training, epochs=epochs, patience=epochs),
            explanation=explanation,
            seed=0,
        )
        for name, (explanation, _) in {"plain": (PLAIN, 1.0), **METHODS}.items()
    }


def seconds(training: Iterator[object]) -> float:
    """CPU seconds of the next epoch."""
    began = time.process_time()
    next(training)
    return time.process_time() - began


def measure(study: XnnStudy | None = None, *, runs: int = 15) -> dict[str, Figure]:
    """Epochs of every method beside the plain one, in CPU seconds."""
    one_thread()
    contestants = trainings(study or shipped(), epochs=runs + 1)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for run in range(runs + 1):
        for name, training in contestants.items():
            duration = seconds(training)
            if run:  # the first warms up
                times[name].append(duration)
    return {
        f"epoch of the X-NN, {name} against plain": figure(
            times[name], times["plain"], unit="s", target=1 / largest
        )
        for name, (_, largest) in METHODS.items()
    }


if __name__ == "__main__":
    print_figures(measure())
