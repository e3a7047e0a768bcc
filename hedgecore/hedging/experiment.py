"""The experiment ``tickets``: its implementation of the interface used by a sweep."""

from collections.abc import Collection

from hedgecore.experiment import Experiment, Search, Wording
from hedgecore.hedging.baseline_hedges import baselines
from hedgecore.hedging.c_source import c_source
from hedgecore.hedging.columns import COLUMNS, TEST
from hedgecore.hedging.cost_model import COST
from hedgecore.hedging.deployment import deployed, objection
from hedgecore.hedging.description import describe, improbable
from hedgecore.hedging.evaluate import attacked_columns
from hedgecore.hedging.graph import graph
from hedgecore.hedging.hedge import Hedge
from hedgecore.hedging.latency import latencies
from hedgecore.hedging.preparation import Preparation, assemble
from hedgecore.hedging.prepare import mismatch, prepare, reproduced, restore
from hedgecore.hedging.profile import profile
from hedgecore.hedging.run import train
from hedgecore.hedging.study import AXES, TicketStudy
from hedgecore.hedging.ticket import validation_columns
from hedgecore.hedging.train import DIRECTIONS
from hedgecore.kernel.shared_library import SWITCH, library
from hedgecore.protocols import Json
from hedgecore.training.run import Trainer

# Settings of an attack besides its name and budget, which are in its column's name.
_OF_ATTACKS = ("steps", "restarts", "variance_scale", "order", "attacked_paths")


def _advice(column: str) -> str:
    if column.startswith("val_attacked_"):
        return "; attacks and budgets are those of study.evaluation, add this one there"
    return ""


def _affects(path: str, objectives: Collection[str]) -> bool:
    if path.startswith("evaluation."):
        attacked = any(name.startswith("val_attacked_") for name in objectives)
        return attacked and path.removeprefix("evaluation.") in _OF_ATTACKS
    return path != "market.test_paths"


def _describe_preparation(about: Json) -> str:
    dense = about["dense"]
    if reason := dense.get("diverged") or about.get("mask_diverged"):
        return f"dense baseline diverged, so its trials fail: {reason}"
    return (
        f"dense baseline has validation risk {dense['val_loss']:.4f}, "
        f"test CVaR 5 % {dense['metrics']['cvar_05']:.3f}"
    )


def _machine_warnings() -> list[str]:
    if library() is not None:
        return []
    return [
        "no compiled kernel, so training takes 5 to 20 times as long: install a C compiler and "
        f"reinstall hedgesweep, or unset {SWITCH}; it needs a processor with AVX2 or NEON"
    ]


def _describe_epoch(study: TicketStudy) -> str:
    network = "-".join(map(str, study.network.hidden))
    return f"{study.market.train_paths} paths, network {network}"


TICKETS: Experiment[TicketStudy, Preparation] = Experiment(
    name="tickets",
    study=TicketStudy,
    trainer=Trainer(
        prepare=prepare,
        train=train,
        baselines=baselines,
        restore=restore,
        assemble=assemble,
        mismatch=mismatch,
        reproduced=reproduced,
        diverged=lambda preparation: preparation.diverged,
    ),
    columns=COLUMNS,
    search=Search(
        axes=AXES,
        directions=DIRECTIONS,
        maximised=lambda study: ("sparsity_achieved", *validation_columns(study)),
        validated=validation_columns,
        tested=lambda study: {
            *(column.name for column in TEST),
            *attacked_columns(study.evaluation),
            "cvar_05_minus_dense",
        },
        advice=_advice,
        is_candidate=lambda config: config.get("ticket") in (None, "lottery"),
        affects=_affects,
    ),
    cost=COST,
    wording=Wording(
        prepared="data, theta_0, dense baseline",
        baseline="the dense baseline",
        baseline_lr="study.dense.lr",
        data="paths",
        loss="validation risk",
        groups=("sparsity", "epsilon"),
        companion_axis="lr",
        describe_preparation=_describe_preparation,
        machine_warnings=_machine_warnings,
        describe_epoch=_describe_epoch,
        describe_result=lambda row: f"CVaR 5 % {row['cvar_05']:.3f}",
        describe_study=describe,
        improbable=improbable,
    ),
    model_file="ticket.safetensors",
    deployed=deployed,
    objection=objection,
    load=lambda study, tensors, about: Hedge.of(study, tensors),
    c_source=c_source,
    graph=graph,
    latencies=latencies,
    profile=profile,
)
