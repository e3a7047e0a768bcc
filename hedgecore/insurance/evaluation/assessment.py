"""Assessment of a trained network, on rows that neither it nor a fit has seen."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hedgecore.insurance.config import EvaluationConfig, XnnStudy
from hedgecore.insurance.evaluation.column_importance import columns, importance
from hedgecore.insurance.evaluation.controls import gains, node_pair, regressions
from hedgecore.insurance.evaluation.distance_classifier import logistic_probabilities
from hedgecore.insurance.evaluation.fairness import RATES, fairness, grouped
from hedgecore.insurance.evaluation.faithfulness import ablation, surrogate
from hedgecore.insurance.evaluation.node_regression import (
    Explanation,
    Regression,
    explain,
    regress,
)
from hedgecore.insurance.evaluation.portrait import concepts, probes
from hedgecore.insurance.evaluation.scores import (
    confusion,
    defined_mean,
    kappa_difference_error,
    log_losses,
    scores,
    standard_error,
)
from hedgecore.insurance.evaluation.surrogate_controls import surrogate_controls
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.xnn.network import divided, probabilities
from hedgecore.rng import numpy_stream

COMPARED = (
    "selection_rate_ratio",
    "selection_rate_difference",
    "true_positive_rate_difference",
    "false_positive_rate_difference",
    "kappa_difference",
)
ENDS = ("", "_low", "_high")

VALIDATED = {"val_explanation_gain": "explanation_gain", "val_r2_mean": "r2_mean"}
"""Columns available for selection, where the test metric would be a leak."""


def assess(
    study: XnnStudy, preparation: XnnPreparation, theta: Mapping[str, Tensor]
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """All test metrics of ``theta`` (on the CPU), NaN where undefined, and supporting arrays."""
    layer, evaluation = study.explained, study.evaluation
    label = preparation.inputs["test.y"].numpy()
    probability = probabilities(theta, preparation.inputs["test.x"])
    predicted = probability.argmax(axis=1)

    nodes = node_pair(preparation, theta, layer=layer, split="test")
    distances = preparation.distances("test")
    explanation = explain(nodes[0], preparation.distances("train"), nodes[1], distances)
    controls = regressions(preparation, nodes, layer=layer, split="test")
    head = _Head(theta, layer)
    cost = ablation(
        head, nodes[1], distances, label, owner=explanation.owner, mean=nodes[0].mean(axis=0)
    )
    # With fewer, p times the number of centroids could not fall below 5 %.
    random_concepts = max(evaluation.concepts, 20 * len(preparation.points))
    score, p_value = concepts(preparation, theta, layer=layer, random_concepts=random_concepts)
    plain_nodes = node_pair(preparation, preparation.theta_star, layer=layer, split="test")[1]
    plain = _Head(preparation.theta_star, layer)
    rivals = surrogate_controls(
        predicted,
        label,
        plain=surrogate(plain, plain_nodes, distances, label, fit=controls["plain"].fit),
        logistic=logistic_probabilities(preparation.files["clusters"], distances),
    )
    between, by_group = _by_group(evaluation, preparation, label, predicted)
    row = {
        **scores(probability, label),
        **_row_errors(preparation, probability, label),
        **explanation.summary(),
        **gains(explanation, controls),
        "selectivity": cost.selectivity,
        **surrogate(head, nodes[1], distances, label, fit=explanation.fit),
        **rivals,
        "concept_score": defined_mean(score),
        # Bonferroni: one test per centroid.
        "concept_p": float(np.minimum(1, len(p_value) * np.fmin.reduce(p_value))),
        **between,
    }
    evidence = {
        **_explained(explanation, controls["plain"]),
        "test.confusion": confusion(label, predicted),
        "ablation.own": cost.cluster,
        "ablation.others": cost.others,
        "concepts.score": score,
        "concepts.p_value": p_value,
    }
    arrays = {name: np.ascontiguousarray(value) for name, value in evidence.items()}
    portrait = probes(preparation, theta, layer=layer, points=evaluation.points)
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    rise, error = importance(
        theta,
        preparation.inputs["test.x"],
        preparation.inputs["test.y"],
        list(columns(preparation.about["encoding"]["names"]).values()),
        generator=numpy_stream(preparation.seed, "column_importance"),
    )
    portrait |= {"importance.rise": rise, "importance.se": error}
    return {**row, **by_group}, {**tensors, **portrait}


def validate(
    study: XnnStudy, preparation: XnnPreparation, theta: Mapping[str, Tensor]
) -> dict[str, float]:
    """Every entry of ``VALIDATED`` for ``theta`` (on the CPU), measured on validation rows."""
    layer = study.explained
    nodes = node_pair(preparation, theta, layer=layer, split="val")
    regression = regress(
        nodes[0], preparation.distances("train"), nodes[1], preparation.distances("val")
    )
    controls = regressions(preparation, nodes, layer=layer, split="val")
    metrics = {"r2_mean": float(regression.r2.mean()), **gains(regression, controls)}
    return {name: metrics[metric] for name, metric in VALIDATED.items()}


class _Head:
    """The network above a layer: class probabilities from its nodes."""

    def __init__(self, theta: Mapping[str, Tensor], layer: int) -> None:
        _, self._above = divided(theta, layer)

    def __call__(self, nodes: Float[np.ndarray, "rows nodes"]) -> Float[np.ndarray, "rows 8"]:
        return probabilities(self._above, torch.from_numpy(nodes).relu())


def _row_errors(
    preparation: XnnPreparation,
    probability: Float[np.ndarray, "rows 8"],
    label: Int[np.ndarray, " rows"],
) -> dict[str, float]:
    """Standard errors over test rows of differences to the baselines of the seed."""
    rivals = preparation.files["predictions"]
    losses = log_losses(probability.astype(np.float64), label)
    plain, boosted = (rivals[name].numpy() for name in ("plain", "classes"))
    classes = [p.argmax(axis=1) for p in (probability, plain)]
    hit, plain_hit = ((likely == label).astype(np.float64) for likely in classes)
    return {
        f"cross_entropy_minus_{name}_se": standard_error(
            losses - log_losses(rival.astype(np.float64), label)
        )
        for name, rival in (("plain", plain), ("boosted", boosted))
    } | {
        "accuracy_minus_plain_se": standard_error(hit - plain_hit),
        "kappa_minus_plain_se": kappa_difference_error(label, *classes),
    }


def _by_group(
    evaluation: EvaluationConfig,
    preparation: XnnPreparation,
    label: Int[np.ndarray, " rows"],
    predicted: Int[np.ndarray, " rows"],
) -> tuple[dict[str, float], dict[str, float]]:
    """Rates between groups, and per group."""
    name = evaluation.group
    try:
        groups = grouped(preparation.column(name), bins=evaluation.bins)
    except ValueError:  # a table too small for two groups is still valid for training
        nothing = dict.fromkeys((c + end for c in COMPARED for end in ENDS), np.nan)
        return {**nothing, "groups": 0}, {}
    comparison = fairness(
        label,
        predicted,
        groups,
        generator=numpy_stream(preparation.seed, "fairness"),
        resamples=evaluation.resamples,
    )
    summary = comparison.summary()
    between = {c + end: summary[c + end] for c in COMPARED for end in ENDS}
    between["groups"] = len(groups.names)
    by_group = {
        f"{rate}{end}@{name}:{group}": float(values[i])
        for rate in RATES
        for interval in [comparison.by_group[rate]]
        for end, values in zip(ENDS, (interval.value, interval.low, interval.high), strict=True)
        for i, group in enumerate(groups.names)
    }
    return between, by_group


def _explained(explanation: Explanation, plain: Regression) -> dict[str, np.ndarray]:
    """Correlation of every node with every distance, for this and the plain network."""
    return {
        "explanation.beta": explanation.fit.beta,
        "explanation.coefficients": explanation.fit.coefficients,
        "explanation.intercept": explanation.fit.intercept,
        "explanation.inflation": explanation.fit.inflation,
        "explanation.r2": explanation.r2,
        "explanation.rho": explanation.rho,
        "explanation.information": explanation.information,
        "explanation.dead": explanation.dead,
        "explanation.members": explanation.members,
        "explanation.plain_beta": plain.fit.beta,
        "explanation.plain_coefficients": plain.fit.coefficients,
        "explanation.plain_r2": plain.r2,
    }
