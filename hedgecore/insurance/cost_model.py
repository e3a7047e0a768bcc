"""Cost model: multiply-adds and bytes of a study, used to scale measured epoch times."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hedgecore.experiment import Cost
from hedgecore.insurance.config import (
    BaselineConfig,
    DataConfig,
    EvaluationConfig,
    ExplanationConfig,
    TrainingConfig,
    XnnStudy,
)
from hedgecore.insurance.data.schema import CLASSES, FEATURES, ROWS

# Inputs of a network; for the sound encoding approximate, as rare levels vary.
_INPUTS = {"sound": 280, "published": 10}
_SHARES = {"held_out": (0.64, 0.16, 0.2), "published": (0.8, 0.2, 0.2)}
# Cost of a step independent of its batch size, and its factor with an alignment method.
_STEP, _PULLED = 2e6, 1.3
# Cost of a test per training row: standardising nodes, and probes; and per centroid.
_MEASURED, _EXPLAINED = 1e5, 5e3
# Cost of a preparation per row: reading, encoding and clustering, in trees of the regression.
_ENCODED = 400


def timing_key(study: XnnStudy) -> XnnStudy:
    """``study`` with settings that do not affect its time at their defaults.

    Trials with equal keys have equal times per epoch.
    """
    explanation, evaluation, baseline = study.explanation, study.evaluation, study.baseline
    reference = ExplanationConfig(
        method=explanation.method,
        adj_weight=1.0,
        layer=explanation.layer,
        target=explanation.target,
        beta=float(explanation.beta > 0),
    )
    return replace(
        study,
        training=TrainingConfig(batch_size=study.training.batch_size),
        baseline=BaselineConfig(
            rounds=baseline.rounds,
            classifier_rounds=baseline.classifier_rounds,
            folds=baseline.folds,
        ),
        explanation=ExplanationConfig() if explanation.applied == "none" else reference,
        evaluation=EvaluationConfig(
            layer=evaluation.layer,
            resamples=evaluation.resamples,
            concepts=evaluation.concepts,
            points=evaluation.points,
        ),
    )


def rows(data: DataConfig) -> tuple[int, int, int]:
    """Training, validation and test rows; a file is assumed to have the usual number."""
    total = data.rows if data.path is None else ROWS
    train, validation, test = (round(share * total) for share in _SHARES[data.split])
    return train, validation, test


def epoch_work(study: XnnStudy) -> float:
    """Multiply-adds of one epoch: training rows forward and backward, validation forward only."""
    train, validation, _ = rows(study.data)
    factor = 1.0 if study.explanation.applied == "none" else _PULLED
    steps = -(-train // study.training.batch_size)
    return factor * (3 * train * _weights(study) + steps * _STEP) + validation * _weights(study)


def test_work(study: XnnStudy) -> float:
    """Multiply-adds of an assessment: three networks on all rows, and regressions on distances."""
    train, _, test = rows(study.data)
    row_work = 3 * _weights(study) + _MEASURED + _EXPLAINED * study.clustering.clusters
    return (train + test) * row_work


def setup_work(study: XnnStudy) -> float:
    """Trees times rows of a preparation, with encoding and clustering in the same unit."""
    baseline = study.baseline
    trees = baseline.rounds * (1 + baseline.folds) + CLASSES * baseline.classifier_rounds
    return float(rows(study.data)[0] * (trees + _ENCODED))


def data_bytes(study: XnnStudy) -> int:
    """Bytes of the encoded rows and labels of all splits."""
    return sum(rows(study.data)) * (4 * _INPUTS[study.data.encoding] + 8)


def stored_bytes(study: XnnStudy) -> int:
    """Bytes of one preparation in the object store, excluding those of its base."""
    inputs = _INPUTS[study.data.encoding]
    distances = 3 * study.clustering.clusters * sum(rows(study.data))
    clusters = 4 * (distances + (study.clustering.axes or inputs) * inputs)
    if study.shared_study() != study.base_study():
        return clusters
    test = rows(study.data)[2]
    predictions = 4 * (2 + 2 * CLASSES) + 8
    raw = 4 * len(FEATURES)
    return data_bytes(study) + clusters + test * (predictions + raw) + 8 * _weights(study)


def reduced(keys: Sequence[XnnStudy], *, most: float) -> list[XnnStudy]:
    """Reduced timing keys of one preparation; see :class:`hedgecore.experiment.Cost`.

    Batches keep their size, which determines the speed of a step. Trees are few, as their time is
    linear.
    """
    data, baseline = keys[0].data, keys[0].baseline
    share = most / max(map(epoch_work, keys))
    if share < 1 and data.path is None:
        full = max(key.training.batch_size for key in keys)
        floor = round(2 * full / _SHARES[data.split][0])
        data = replace(data, rows=min(data.rows, max(100, floor, int(share * data.rows))))
    few = BaselineConfig(
        epochs=1,
        rounds=min(baseline.rounds, 20),
        classifier_rounds=min(baseline.classifier_rounds, 5),
        folds=2,
    )
    return [replace(key, data=data, baseline=few) for key in keys]


def trained(study: XnnStudy) -> list[XnnStudy]:
    """The plain network of a base; other preparations only add centroids."""
    shared = study.shared_study()
    return [shared] if shared == study.base_study() else []


def _weights(study: XnnStudy) -> int:
    widths = (_INPUTS[study.data.encoding], *study.network.hidden, CLASSES)
    return sum(inputs * outputs for inputs, outputs in pairwise(widths))


COST = Cost(
    timing_key=timing_key,
    epoch_work=epoch_work,
    test_work=test_work,
    setup_work=setup_work,
    data_bytes=data_bytes,
    stored_bytes=stored_bytes,
    trained=trained,
    reduced=reduced,
)
