"""A trained ticket of a storage as a bundle, with everything that its sweep knows of it."""

import hashlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from hedgecore.bundle.manifest import Manifest
from hedgecore.bundle.model import Architectures, Layout
from hedgecore.bundle.sealing import seal
from hedgecore.config import to_mapping
from hedgecore.hedging.features import FEATURE_NAMES
from sweeps.errors import UsageError
from sweeps.record.recorded import Recorded

# Evidence, and what only a training needs, stay in the storage.
_DEPLOYED = ("layers.", "mask.", "standardisation.")


def seal_trial(
    storage: str | Path,
    trial: str,
    *,
    key: Ed25519PrivateKey,
    folder: Path,
    name: str | None = None,
    parent: Manifest | None = None,
    recipient: X25519PublicKey | None = None,
) -> Manifest:
    """Seal the model of a ``trial`` of ``storage``; what the bundle vouches for.

    Args:
        storage: the sweep's directory; nothing in it is changed.
        trial: the beginning of the trial's id, long enough to be the only one.
        key: signs.
        folder: where to; must not exist, or be empty.
        name: the line of models that it belongs to; the name of the sweep if None.
        parent: the version that it replaces.
        recipient: the only reader of the model; None for everybody.
    Raises:
        UsageError: there is no such trial, or no model of it that is as the log says.
        BundleError: the bundle cannot be made.
    """
    recorded = Recorded.read(Path(storage))
    known, core = recorded.find(trial)
    log = recorded.books[core].trials[known]
    study = recorded.plan(log).study
    sha256 = str((log.end or {}).get("model", ""))
    tensors = _model(recorded, known, sha256)
    manifest = recorded.manifest
    row = {"trial_id": known, **log.row(live=False)}
    return seal(
        folder,
        tensors,
        key=key,
        name=name or (parent.name if parent else manifest["name"]),
        architecture="hedging_network",
        sizes={
            "widths": [len(FEATURE_NAMES), *study.hidden, 1],
            "masks": sum(tensor.startswith("mask.") for tensor in tensors),
        },
        architectures=ARCHITECTURES,
        facts={
            "experiment": manifest["experiment"],
            "sweep": manifest["name"],
            "inputs": FEATURE_NAMES,
            "trial": {column: value for column, value in row.items() if value is not None},
            "study": to_mapping(study),
            "model_sha256": sha256,
            "core_sha256": core,
            "git": manifest["git"],
            "versions": {**manifest["versions"], "python": manifest["python"]},
            "platform": manifest["platform"],
        },
        parent=parent,
        recipient=recipient,
    )


def hedging_network(*, widths: list[int], masks: int) -> Layout:
    """What is deployed of a ticket: weights, masks, mean and sd of the features.

    Args:
        widths: inputs, hidden units of every layer, outputs.
        masks: how many layers have one, from the first.
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


def _model(recorded: Recorded, trial_id: str, sha256: str) -> Mapping[str, Tensor]:
    """What is deployed of a trained model, which must be the one that the log names."""
    if not sha256:
        raise UsageError(
            f"trial {trial_id} has no model: it was stopped, failed or goes on; "
            "seal one that is completed"
        )
    path = recorded.storage / "models" / trial_id / "ticket.safetensors"
    try:
        content = path.read_bytes()
        tensors = load(content)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} cannot be read; restore it from a copy") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UsageError(f"{path} is not the model that the log names; restore it from a copy")
    return {name: value for name, value in tensors.items() if name.startswith(_DEPLOYED)}


ARCHITECTURES: Architectures = {"hedging_network": hedging_network}
"""What may be in a bundle that hedgesweep opens."""
