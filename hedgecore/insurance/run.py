"""Run of one trial of an X-NN sweep, from theta_0 to the metrics of its network."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.data.encoding import PUBLISHED_NAMES
from hedgecore.insurance.evaluation.assessment import assess, validate
from hedgecore.insurance.evaluation.column_importance import columns as columns_of
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.xnn import train as xnn
from hedgecore.training.run import Assessment, Training


def train(
    study: XnnStudy,
    preparation: XnnPreparation,
    *,
    device: str,
    resume: Mapping[str, Tensor] | None,
) -> Training:
    """Train the network of ``study`` on ``device``; its assessment is on the CPU."""
    has_landmarks = study.explanation.applied != "none"
    epochs = xnn.train(
        {name: value.to(device) for name, value in preparation.theta_0.items()},
        train_rows=preparation.rows("train", device=device),
        val_rows=preparation.rows("val", device=device),
        landmarks=preparation.landmarks(device=device) if has_landmarks else None,
        training=study.training,
        explanation=study.explanation,
        seed=preparation.seed,
        resume=resume,
    )
    return Training(
        epochs=epochs,
        facts={"centroids": len(preparation.points)},
        assess=partial(_assess, study, preparation),
    )


def _assess(
    study: XnnStudy, preparation: XnnPreparation, best: Mapping[str, Any], columns: Sequence[str]
) -> Assessment:
    """All metrics of a network; its file also contains the encoding of its inputs."""
    assert not columns, "all columns that a search may request are computed anyway"
    # Copies: tensors read from a file may be unaligned.
    theta = {name: value.to("cpu", copy=True) for name, value in best.items()}
    test_columns, evidence = assess(study, preparation, theta)
    clusters, encoding = preparation.files["clusters"], preparation.about["encoding"]
    return Assessment(
        columns={**test_columns, **validate(study, preparation, theta)},
        model={
            **theta,
            **{n: t for n, t in preparation.inputs.items() if n.startswith("encoding.")},
            **{f"centroids.{n}": clusters[n] for n in ("points", "mean", "inverse_root")},
            **evidence,
        },
        about={
            "inputs": encoding["names"],
            "encoding": encoding,
            "centroid_rows": preparation.about["clustering"]["sizes"],
            "importance": {
                "columns": list(columns_of(encoding["names"])),
                "boosted": list(PUBLISHED_NAMES),
            },
        },
    )
