"""The experiment ``xnn``: its implementation of the interface used by a sweep."""

from collections.abc import Collection, Mapping
from typing import Any

from hedgecore.config import ConfigError
from hedgecore.experiment import Experiment, Search, Wording
from hedgecore.insurance.classifier import Classifier
from hedgecore.insurance.clusters.centroids import most_clusters
from hedgecore.insurance.columns import COLUMNS, TEST
from hedgecore.insurance.config import AXES, XnnStudy
from hedgecore.insurance.cost_model import COST, rows
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.data.duplicates import warnings
from hedgecore.insurance.data.table import check_file
from hedgecore.insurance.deployment import deployed
from hedgecore.insurance.description import describe, improbable
from hedgecore.insurance.evaluation.assessment import VALIDATED
from hedgecore.insurance.graph import graph
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.prepare import mismatch, prepare, restore
from hedgecore.insurance.run import train
from hedgecore.insurance.xnn.train import DIRECTIONS
from hedgecore.protocols import Json
from hedgecore.training.run import Trainer


def _check_data(study: XnnStudy) -> None:
    if study.data.path is None:
        most = most_clusters(study.clustering, rows(study.data)[0])
        if study.clustering.clusters > most:
            problem = f"clusters must not exceed the {most} that the training rows allow"
            raise ConfigError(
                AXES["clusters"],
                f"{problem}, got {study.clustering.clusters}; lower it, or raise data.rows",
                write=(most,),
            )
        return
    try:
        check_file(study.data.path)
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError("data.path", str(error), write=(None,)) from error


def _data_files(study: XnnStudy) -> tuple[str, ...]:
    return () if study.data.path is None else (study.data.path,)


def _warnings(about: Json) -> list[str]:
    table = about["table"]
    return list(warnings(table.get("duplicates", {}), table["rows"]))


def _data_warnings(study: XnnStudy, seed: int) -> list[str]:
    """Warnings on a file, which is read wholly; generated rows need none."""
    if study.data.path is None:
        return []
    try:
        return _warnings(Applicants.of(study.data, seed=seed).about())
    except ValueError as error:
        raise ConfigError("data.path", str(error), write=(None,)) from error


def _affects(path: str, objectives: Collection[str]) -> bool:
    if path.startswith("evaluation."):
        return path == "evaluation.layer" and any(name in VALIDATED for name in objectives)
    if path.startswith("baseline."):
        compared = "val_explanation_gain" in objectives
        return compared and path in ("baseline.lr", "baseline.epochs")
    return True


def _describe_preparation(about: Json) -> str:
    plain, trees = (about["baselines"][name] for name in ("plain", "boosted_classes"))
    return (
        f"plain network has test cross-entropy {plain['cross_entropy']:.4f}, accuracy "
        f"{100 * plain['accuracy']:.1f} %; boosted trees {trees['cross_entropy']:.4f}, "
        f"{100 * trees['accuracy']:.1f} %"
    )


def _describe_epoch(study: XnnStudy) -> str:
    network = "-".join(map(str, study.network.hidden))
    about = "" if study.data.path is None else "about "
    return f"{about}{rows(study.data)[0]} rows, network {network}"


def _describe_result(row: Mapping[str, Any]) -> str:
    gain = row["explanation_gain"]
    return f"cross-entropy {row['cross_entropy']:.3f}, explanation gain {gain:+.2f}"


XNN: Experiment[XnnStudy, XnnPreparation] = Experiment(
    name="xnn",
    study=XnnStudy,
    trainer=Trainer(
        prepare=prepare,
        train=train,
        restore=restore,
        assemble=XnnPreparation,
        check_data=_check_data,
        mismatch=mismatch,
        reproduced=lambda study, preparation: mismatch(study, preparation) is None,
    ),
    data_files=_data_files,
    columns=COLUMNS,
    # Every trial computes all validation columns; every weight is its own group, and the controls
    # of methods are methods.
    search=Search(
        axes=AXES,
        directions=DIRECTIONS,
        maximised=lambda study: VALIDATED,
        tested=lambda study: {column.name for column in TEST},
        advice=lambda column: "; rates of single groups are of the test" if "@" in column else "",
        affects=_affects,
    ),
    cost=COST,
    wording=Wording(
        prepared="data, boosted trees, theta_0, plain network, centroids",
        baseline="the plain network",
        baseline_lr="study.baseline.lr",
        data="rows",
        groups=("clusters", "adj_weight"),
        companion_axis="lr",
        describe_preparation=_describe_preparation,
        warnings=_warnings,
        data_warnings=_data_warnings,
        describe_epoch=_describe_epoch,
        describe_result=_describe_result,
        describe_study=describe,
        improbable=improbable,
    ),
    model_file="xnn.safetensors",
    deployed=deployed,
    load=lambda study, tensors, about: Classifier.of(tensors, about["encoding"]),
    graph=graph,
)
