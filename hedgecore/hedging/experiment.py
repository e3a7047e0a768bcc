"""The experiment ``tickets``: everything that a sweep asks of it, in one place."""

from collections.abc import Collection, Mapping
from typing import Any

import torch

from hedgecore.experiment import Direction, Experiment, Json, Run, Wording
from hedgecore.hedging import cost_model
from hedgecore.hedging.columns import COLUMNS, TEST
from hedgecore.hedging.deployment import deployed
from hedgecore.hedging.evaluate import attacked_columns, evaluate
from hedgecore.hedging.markets import path_bytes
from hedgecore.hedging.preparation import Preparation, assemble
from hedgecore.hedging.prepare import prepare, restore
from hedgecore.hedging.problem import HedgingProblem
from hedgecore.hedging.run import TicketRun
from hedgecore.hedging.study import AXES, TicketStudy
from hedgecore.hedging.ticket import validation_columns
from hedgecore.hedging.train import DIRECTIONS

# What an attack is beside its name and budget, which stand in the name of its column.
_OF_ATTACKS = ("steps", "restarts", "variance_scale", "order", "attacked_paths")


class _Tickets:
    """See :class:`hedgecore.experiment.Experiment` for every member."""

    study = TicketStudy
    axes: Mapping[str, str] = AXES
    directions: Mapping[str, Direction] = DIRECTIONS
    wording = Wording(
        prepared="data, theta_0, dense baseline",
        baseline="the dense baseline",
        baseline_lr="study.dense.lr",
        data="paths",
        loss="validation risk",
        groups=("sparsity", "epsilon"),
        beside="lr",
    )
    model_file = "ticket.safetensors"
    columns = COLUMNS

    def objectives(self, study: TicketStudy) -> Mapping[str, Direction]:
        aims = ("sparsity_achieved", *self.validated(study))
        return {**DIRECTIONS, **dict.fromkeys(aims, "max")}

    def validated(self, study: TicketStudy) -> Collection[str]:
        return validation_columns(study)

    def tested(self, study: TicketStudy) -> Collection[str]:
        names = {column.name for column in TEST}
        return {*names, *attacked_columns(study.evaluation), "cvar_05_minus_dense"}

    def advice(self, column: str) -> str:
        if column.startswith("val_attacked_"):
            return "; attacks and budgets are those of study.evaluation, add this one there"
        return ""

    def contends(self, config: Mapping[str, Any]) -> bool:
        return config.get("ticket") in (None, "lottery")

    def matters(self, path: str, objectives: Collection[str]) -> bool:
        if path.startswith("evaluation."):
            attacked = any(name.startswith("val_attacked_") for name in objectives)
            return attacked and path.removeprefix("evaluation.") in _OF_ATTACKS
        return path != "market.test_paths"

    prepare = staticmethod(prepare)
    restore = staticmethod(restore)
    assemble = staticmethod(assemble)

    def doubt(self, study: TicketStudy, preparation: Preparation) -> str | None:
        problem = HedgingProblem.of(study.shared_study(), preparation.standardisation)
        metrics, pnl = evaluate(
            problem, preparation.theta_star, preparation.data, seed=preparation.seed
        )
        if metrics == preparation.dense.metrics and torch.equal(pnl, preparation.dense_pnl):
            return None
        return "holds a theta_star that does not give the metrics of facts.json"

    def told(self, about: Json) -> str:
        dense = about["dense"]
        return (
            f"dense baseline has validation risk {dense['val_loss']:.4f}, "
            f"test CVaR 5 % {dense['metrics']['cvar_05']:.3f} (minimum-variance delta "
            f"{dense['baselines']['minimum_variance']['cvar_05']:.3f})"
        )

    def ending(self, row: Mapping[str, Any]) -> str:
        return f"CVaR 5 % {row['cvar_05']:.3f}"

    def open_run(
        self,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: Preparation,
        device: str,
    ) -> Run:
        return TicketRun(trial, checkpoint, preparation=preparation, device=device)

    deployed = staticmethod(deployed)

    def extent(self, study: TicketStudy) -> str:
        network = "-".join(map(str, study.network.hidden))
        return f"{study.market.train_paths} paths, network {network}"

    kind = staticmethod(cost_model.kind)
    epoch_work = staticmethod(cost_model.epoch_work)
    test_work = staticmethod(cost_model.assessment_work)
    # Markets are simulated path by path.
    setup_work = staticmethod(path_bytes)
    data_bytes = staticmethod(path_bytes)
    stored_bytes = staticmethod(cost_model.stored_bytes)
    reduced = staticmethod(cost_model.reduced)

    def trained(self, study: TicketStudy) -> list[TicketStudy]:
        # The clean network for a base; to it a network under attack is added.
        return [study.shared_study()]

    def check_data(self, study: TicketStudy) -> None:
        """Nothing: paths are drawn."""

    def drawn_epochs(self, study: TicketStudy) -> int:
        return study.pruning.trained_rounds * study.shared_study().training.epochs


TICKETS: Experiment[TicketStudy, Preparation] = _Tickets()
