"""Cost of an epoch of every explanation method, in plain epochs, and of the distances.

``python -m benchmarks.xnn_cost [ROUNDS]``: each round trains one epoch of every method, on one
thread; medians of the ratio of CPU times within a round, on 38,004 generated training rows at
batches of 256.
"""

import statistics
import sys
import time
from collections.abc import Iterator

import torch

from hedgecore.insurance.clusters.centroids import find_centroids
from hedgecore.insurance.config import (
    ClusteringConfig,
    DataConfig,
    ExplanationConfig,
    TrainingConfig,
    XnnStudy,
)
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.prepare import initial
from hedgecore.insurance.xnn.alignment import Landmarks
from hedgecore.insurance.xnn.train import Rows, train

SIDES = {
    "plain": ExplanationConfig(method="none"),
    "alignment, one layer": ExplanationConfig(adj_weight=0.1, layer=1),
    "alignment, both": ExplanationConfig(adj_weight=0.1),
    "double_step": ExplanationConfig(method="double_step", adj_weight=1.0),
    "multiplier": ExplanationConfig(method="multiplier", adj_weight=1.0),
    "multiplier, one layer": ExplanationConfig(method="multiplier", adj_weight=1.0, layer=1),
    "multiplier_published": ExplanationConfig(method="multiplier_published", adj_weight=3.0),
}


def seconds(training: Iterator[object]) -> float:
    """CPU seconds of the next epoch."""
    began = time.process_time()
    next(training)
    return time.process_time() - began


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    torch.set_num_threads(1)
    for data in (DataConfig(), DataConfig(encoding="published")):
        study = XnnStudy(data=data, clustering=ClusteringConfig(axes=10))
        inputs = Applicants.of(data, seed=0).inputs()
        x = inputs["train.x"]
        centroids = find_centroids(study.clustering, x, seed=0)
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            distances = centroids.distances(x)
            times.append(time.perf_counter() - began)
        size = f"{data.encoding}, {x.shape[1]} inputs"
        print(
            f"{size}: distances of {len(x)} rows to {len(distances.T)} centroids "
            f"{1e3 * statistics.median(times):.1f} ms"
        )
        theta_0 = initial(study, inputs, seed=0)
        landmarks = Landmarks.of(centroids.points, distances)
        training = TrainingConfig(batch_size=256, epochs=rounds + 2, patience=rounds + 2)
        runs = {}
        for side, explanation in SIDES.items():
            runs[side] = train(
                theta_0,
                train_rows=Rows(x=x, y=inputs["train.y"]),
                val_rows=Rows(x=inputs["val.x"], y=inputs["val.y"]),
                landmarks=landmarks,
                training=training,
                explanation=explanation,
                seed=0,
            )
            next(runs[side])
        durations: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, run in runs.items():
                durations[side].append(seconds(run))
        plain = durations.pop("plain")
        print(f"{size}: plain epoch {statistics.median(plain):.2f} s")
        for side, samples in durations.items():
            ratio = statistics.median(a / b for a, b in zip(samples, plain, strict=True))
            print(f"{size}: {side:22s} {ratio:5.2f} plain epochs")


if __name__ == "__main__":
    main()
