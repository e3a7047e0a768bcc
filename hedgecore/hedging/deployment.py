"""Deployed part of a trained ticket: weights, masks, and the scale of its features."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from hedgecore.experiment import Deployed, Json, Tensors
from hedgecore.hedging.features import FEATURE_NAMES
from hedgecore.hedging.study import TicketStudy

_PREFIXES = ("layers.", "mask.", "standardisation.")


def deployed(study: TicketStudy, tensors: Tensors, trial: Json) -> Deployed:
    """Weights of a trained model; see :class:`hedgecore.experiment.Experiment`."""
    return Deployed(
        architecture="hedging_network",
        sizes={
            "widths": [len(FEATURE_NAMES), *study.hidden, 1],
            "masks": sum(name.startswith("mask.") for name in tensors),
        },
        tensors={name: value for name, value in tensors.items() if name.startswith(_PREFIXES)},
        facts={
            "inputs": list(FEATURE_NAMES),
            "position_limit": study.network.position_limit,
        },
    )


def objection(row: Mapping[str, Any], baselines: Mapping[str, Any]) -> str | None:
    """Reason not to deploy the trained ticket of ``row``: it loses more than no hedge on the test.

    Its status does not tell, since that is decided on validation paths only.
    """
    hedged, unhedged = row.get("cvar_05"), baselines.get("no_hedge", {}).get("cvar_05")
    if hedged is None or unhedged is None or hedged >= unhedged:
        return None
    return f"its test CVaR 5 % {hedged:.6g} is worse than {unhedged:.6g} without a hedge"


def hedging_network(*, widths: list[int], masks: int) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every deployed tensor.

    Args:
        widths: inputs, hidden units of every layer, outputs.
        masks: number of layers with a mask, from the first.
    """
    layout: dict[str, tuple[str, tuple[int, ...]]] = {
        f"standardisation.{moment}": ("float32", (widths[0],)) for moment in ("mean", "sd")
    }
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layout[f"layers.{i}.weight"] = "float32", (outputs, inputs)
        layout[f"layers.{i}.bias"] = "float32", (outputs,)
        if i < masks:
            layout[f"mask.layers.{i}.weight"] = "bool", (outputs, inputs)
    return layout
