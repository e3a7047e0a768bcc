"""Preparation of a seed: encode rows, cluster, boost trees, train the plain network."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hedgecore.insurance.clusters.centroids import Centroids, find_centroids, nearest_means
from hedgecore.insurance.clusters.control_points import all_distances
from hedgecore.insurance.clusters.picture import pictured
from hedgecore.insurance.clusters.stability import cluster_stability
from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.insurance.config import ClusteringConfig, XnnStudy
from hedgecore.insurance.data.applicants import SPLITS, Applicants
from hedgecore.insurance.data.schema import CLASSES
from hedgecore.insurance.evaluation.boosted_trees import (
    gain_shares,
    regression,
    rounded,
    softprob,
    with_offsets,
)
from hedgecore.insurance.evaluation.distance_classifier import fit_logistic
from hedgecore.insurance.evaluation.scores import kappa_difference_error, scores
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.xnn.network import initialise, probabilities
from hedgecore.insurance.xnn.train import train
from hedgecore.protocols import Json, Tensors
from hedgecore.rng import numpy_stream, stream
from hedgecore.threads import one_thread

# Bootstrap samples for the stability of clusters.
_RESAMPLES = 5
# Seed of trees that all seeds share.
_OF_ALL_SEEDS = 0


def prepare(
    study: XnnStudy,
    *,
    seed: int,
    base: XnnPreparation | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> XnnPreparation:
    """Encode the rows, compute the clusters, and train the baselines.

    Args:
        study: only its ``shared_study()`` matters.
        seed: seed of every random stream.
        base: the preparation of ``study.base_study()``, if available: then only the clusters are
            replaced.
        contents: see :meth:`.data.applicants.Applicants.of`.
    Raises:
        DivergedError: training of the plain network diverged; lower ``baseline.lr``.
        ValueError: the table is unavailable, or cannot be clustered as configured.
    """
    one_thread()
    shared = study.shared_study()
    if base is not None:
        if shared == shared.base_study():
            return base
        return _with_clusters(shared, base.inputs, base.about, base.files, seed)
    applicants = Applicants.of(shared.data, seed=seed, contents=contents)
    inputs = applicants.inputs()
    theta_0 = initial(shared, inputs, seed=seed)
    # Clusters first: they are cheapest, and a study may request too many.
    preparation = _with_clusters(shared, inputs, applicants.about(), {"theta_0": theta_0}, seed)
    *_, last = epochs = list(
        train(
            theta_0,
            train_rows=preparation.rows("train"),
            val_rows=preparation.rows("val"),
            landmarks=None,
            training=shared.training,
            explanation=shared.explanation,
            seed=seed,
        )
    )
    # The published split is that of every seed, and so are its trees.
    trees_seed = _OF_ALL_SEEDS if shared.data.split == "published" else seed
    facts, predictions, gain = _rivals(shared, applicants, last.theta, inputs, seed=trees_seed)
    facts["plain"] = {
        "val_loss": min(epoch.val_loss for epoch in epochs),
        "epochs": len(epochs),
        **facts["baselines"]["plain"],
    }
    files = {"theta_0": theta_0, "theta_star": dict(last.theta), "predictions": predictions}
    files["importance"] = {"boosted_gain": gain}
    return replace(
        preparation,
        about={**preparation.about, **facts},
        files={**files, "clusters": preparation.files["clusters"]},
    )


def restore(
    study: XnnStudy,
    *,
    seed: int,
    about: Json,
    files: Mapping[str, Tensors],
    base: XnnPreparation | None = None,
    contents: Mapping[str, bytes] | None = None,
) -> XnnPreparation:
    """Result of :func:`prepare`, restored with re-encoded rows and recomputed distances.

    Raises:
        ValueError: the table is unavailable.
    """
    one_thread()
    if base is None:
        inputs: Tensors = Applicants.of(study.data, seed=seed, contents=contents).inputs()
    else:
        inputs = base.inputs
    clusters = files["clusters"]
    return XnnPreparation(
        seed=seed,
        about=about,
        files={**(files if base is None else base.files), "clusters": clusters},
        inputs={**inputs, **_distances(clusters, inputs, seed)},
    )


def mismatch(study: XnnStudy, preparation: XnnPreparation) -> str | None:
    """Part of a restored preparation that is not reproduced; None if all parts are."""
    test = preparation.rows("test")
    metrics = scores(probabilities(preparation.theta_star, test.x), test.y.numpy())
    if metrics == preparation.baselines["plain"]:
        return None
    return "holds a theta_star that does not reproduce the metrics of facts.json"


def initial(study: XnnStudy, inputs: Tensors, *, seed: int) -> dict[str, Tensor]:
    """theta_0 for the given inputs."""
    features = inputs["train.x"].shape[1]
    return initialise(features, study.network.hidden, generator=stream(seed, "theta_0"))


def _with_clusters(
    study: XnnStudy, inputs: Tensors, about: Json, files: Mapping[str, Tensors], seed: int
) -> XnnPreparation:
    """Preparation with its clusters replaced by those of ``study``."""
    x = inputs["train.x"]
    centroids = find_centroids(study.clustering, x, seed=seed)
    whitening, count = centroids.whitening, len(centroids.points)
    shuffle = numpy_stream(seed, "clustering", "picture").permutation(len(x))
    clusters = {
        "points": centroids.points,
        "mean": whitening.mean,
        "inverse_root": whitening.inverse_root,
    }
    distances = _distances(clusters, inputs, seed)
    nearest = distances["train.distances"].argmin(dim=1)
    order = torch.from_numpy(shuffle)
    clusters |= {
        "members": torch.bincount(nearest, minlength=count),
        **fit_logistic(distances["train.distances"].numpy(), inputs["train.y"].numpy()),
        **pictured(x, inputs["train.y"], centroids.points, order=order),
    }
    facts = {
        "centroids": count,
        "sizes": centroids.sizes.tolist(),
        "undersized": list(centroids.undersized),
        "shrinkage": whitening.shrinkage,
        "stability": _stability(study.clustering, centroids, x, seed),
    }
    return XnnPreparation(
        seed=seed,
        about={**about, "clustering": facts},
        files={**files, "clusters": clusters},
        inputs={**inputs, **distances},
    )


def _stability(
    config: ClusteringConfig, centroids: Centroids, x: Tensor, seed: int
) -> float | None:
    """See :func:`cluster_stability`; None for random points or a single cluster.

    Resampled rows are clustered in the metric of all rows.
    """
    if config.method == "random_points" or len(centroids.points) < 2:
        return None
    white = centroids.whitening(x).double().numpy()
    try:
        return cluster_stability(
            lambda sample: nearest_means(config, white, sample, seed=seed),
            len(white),
            generator=numpy_stream(seed, "clustering", "resamples"),
            resamples=_RESAMPLES,
        )
    except ValueError:  # a sample of noise only has no clusters to compare
        return None


def _distances(clusters: Tensors, inputs: Tensors, seed: int) -> dict[str, Tensor]:
    """Distances of the rows of every split to the centroids and to their controls."""
    # Shrinkage is included in the root.
    mean, root = clusters["mean"], clusters["inverse_root"]
    whitening = Whitening(mean=mean, inverse_root=root, shrinkage=0.0)
    splits = {split: inputs[f"{split}.x"] for split in SPLITS}
    return all_distances(clusters["points"], whitening, splits, seed=seed)


def _rivals(
    study: XnnStudy, applicants: Applicants, theta_star: Tensors, inputs: Tensors, *, seed: int
) -> tuple[Json, dict[str, Tensor], Tensor]:
    """Metrics of every baseline, predictions on test rows, and the classifier's shares of gain."""
    features, labels = applicants.for_boosting()
    baseline, test = study.baseline, labels["test"]
    plain = probabilities(theta_star, inputs["test.x"])
    fitted = regression(features, labels, seed=seed, rounds=baseline.rounds)
    offset = with_offsets(fitted, features, labels, seed=seed, folds=baseline.folds)
    classes = softprob(features, labels, seed=seed, rounds=baseline.classifier_rounds)
    share = np.bincount(labels["train"], minlength=CLASSES) / len(labels["train"])
    error = kappa_difference_error(test, rounded(offset.prediction["test"]), plain.argmax(axis=1))
    prior = scores(np.tile(share, (len(test), 1)), test)
    baselines: dict[str, Any] = {
        "plain": scores(plain, test),
        "boosted": fitted.scores["test"],
        "boosted_train": fitted.scores["train"],
        "boosted_offsets": {**offset.scores["test"], "kappa_minus_plain_se": error},
        "boosted_offsets_out_of_fold": offset.scores["out_of_fold"],
        "boosted_offsets_in_sample": offset.scores["in_sample"],
        "boosted_classes": classes.scores["test"],
        "prior": {name: prior[name] for name in ("cross_entropy", "accuracy")},
    }
    predictions = {
        "label": test,
        "boosted": fitted.prediction["test"],
        "shifted": offset.prediction["test"],
        "classes": classes.prediction["test"],
        "plain": plain,
    }
    facts = {"baselines": baselines, "offsets": list(offset.offsets)}
    gain = torch.from_numpy(gain_shares(classes.model, features["train"].shape[1]))
    return facts, {name: torch.from_numpy(array) for name, array in predictions.items()}, gain
