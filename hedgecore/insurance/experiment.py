"""The experiment ``xnn``: everything that a sweep asks of it, in one place."""

from collections.abc import Collection, Mapping
from typing import Any

from hedgecore.config import ConfigError
from hedgecore.experiment import Direction, Experiment, Json, Run, Wording
from hedgecore.insurance import cost_model
from hedgecore.insurance.clusters.centroids import most_clusters
from hedgecore.insurance.columns import COLUMNS, TEST
from hedgecore.insurance.config import AXES, XnnStudy
from hedgecore.insurance.data.table import check_file
from hedgecore.insurance.deployment import deployed
from hedgecore.insurance.evaluation.assessment import VALIDATED
from hedgecore.insurance.evaluation.scores import scores
from hedgecore.insurance.preparation import XnnPreparation, assemble
from hedgecore.insurance.prepare import prepare, restore
from hedgecore.insurance.run import XnnRun
from hedgecore.insurance.xnn.network import probabilities
from hedgecore.insurance.xnn.train import DIRECTIONS


class _Xnn:
    """See :class:`hedgecore.experiment.Experiment` for every member."""

    study = XnnStudy
    axes: Mapping[str, str] = AXES
    directions: Mapping[str, Direction] = DIRECTIONS
    wording = Wording(
        prepared="data, boosted trees, theta_0, plain network, centroids",
        baseline="the plain network",
        baseline_lr="study.baseline.lr",
        data="rows",
        loss="validation loss",
        groups=("clusters", "adj_weight"),
        beside="lr",
    )
    model_file = "xnn.safetensors"
    columns = COLUMNS

    def objectives(self, study: XnnStudy) -> Mapping[str, Direction]:
        return {**DIRECTIONS, **dict.fromkeys(VALIDATED, "max")}

    def validated(self, study: XnnStudy) -> Collection[str]:
        return ()  # all that is measured on validation rows, every trial measures

    def tested(self, study: XnnStudy) -> Collection[str]:
        return {column.name for column in TEST}

    def advice(self, column: str) -> str:
        return "; rates of single groups are of the test" if "@" in column else ""

    def contends(self, config: Mapping[str, Any]) -> bool:
        # Every weight is a group of its own, and the controls of methods are methods.
        return True

    def matters(self, path: str, objectives: Collection[str]) -> bool:
        if path.startswith("evaluation."):
            return path == "evaluation.layer" and any(name in VALIDATED for name in objectives)
        if path.startswith("baseline."):
            held_against = "val_explanation_gain" in objectives
            return held_against and path in ("baseline.lr", "baseline.epochs")
        return True

    prepare = staticmethod(prepare)
    restore = staticmethod(restore)
    assemble = staticmethod(assemble)

    def doubt(self, study: XnnStudy, preparation: XnnPreparation) -> str | None:
        test = preparation.rows("test")
        metrics = scores(probabilities(preparation.theta_star, test.x), test.y.numpy())
        if metrics == preparation.baselines["plain"]:
            return None
        return "holds a theta_star that does not give the metrics of facts.json"

    def told(self, about: Json) -> str:
        plain, trees = (about["baselines"][name] for name in ("plain", "boosted_classes"))
        return (
            f"plain network has test cross-entropy {plain['cross_entropy']:.4f}, accuracy "
            f"{100 * plain['accuracy']:.1f} %; boosted trees {trees['cross_entropy']:.4f}, "
            f"{100 * trees['accuracy']:.1f} %"
        )

    def ending(self, row: Mapping[str, Any]) -> str:
        gain = row["explanation_gain"]
        return f"cross-entropy {row['cross_entropy']:.3f}, explanation gain {gain:+.2f}"

    def open_run(
        self,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: XnnPreparation,
        device: str,
    ) -> Run:
        return XnnRun(trial, checkpoint, preparation=preparation, device=device)

    deployed = staticmethod(deployed)

    def extent(self, study: XnnStudy) -> str:
        network = "-".join(map(str, study.network.hidden))
        about = "" if study.data.path is None else "about "
        return f"{about}{cost_model.rows(study.data)[0]} rows, network {network}"

    kind = staticmethod(cost_model.kind)
    epoch_work = staticmethod(cost_model.epoch_work)
    test_work = staticmethod(cost_model.test_work)
    setup_work = staticmethod(cost_model.setup_work)
    data_bytes = staticmethod(cost_model.data_bytes)
    stored_bytes = staticmethod(cost_model.stored_bytes)
    reduced = staticmethod(cost_model.reduced)

    def trained(self, study: XnnStudy) -> list[XnnStudy]:
        # The plain network for a base; others only add centroids.
        shared = study.shared_study()
        return [shared] if shared == study.base_study() else []

    def check_data(self, study: XnnStudy) -> None:
        if study.data.path is None:
            most = most_clusters(study.clustering, cost_model.rows(study.data)[0])
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

    def drawn_epochs(self, study: XnnStudy) -> int:
        return 0


XNN: Experiment[XnnStudy, XnnPreparation] = _Xnn()
