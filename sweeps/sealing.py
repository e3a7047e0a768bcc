"""Bundle of a trained model of a storage, with the facts of its sweep."""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from hedgecore.bundle.manifest import Manifest
from hedgecore.bundle.model import Architectures
from hedgecore.bundle.sealing import seal
from hedgecore.config import to_mapping
from hedgecore.hedging.deployment import hedging_network
from hedgecore.insurance.deployment import explained_classifier
from sweeps.errors import UsageError
from sweeps.inspection.models import completed_advice, read_model
from sweeps.journal.stored_sweep import StoredSweep


def seal_trial(
    storage: str | Path,
    trial: str,
    *,
    key: Ed25519PrivateKey,
    folder: Path,
    name: str | None = None,
    parent: Manifest | None = None,
    recipient: X25519PublicKey | None = None,
    card: Callable[[str], bytes] | None = None,
) -> Manifest:
    """Manifest of a new bundle with the model of a ``trial`` of ``storage``, signed by ``key``.

    Args:
        trial: a unique prefix of the trial's id.
        folder: of the bundle; must be missing or empty.
        name: the line of models that it belongs to; the name of the sweep if None.
        parent: the version that it replaces.
        recipient: the only reader of the model; None for an unencrypted bundle.
        card: gives the model card of a trial by its id; None for a bundle without one.
    Raises:
        UsageError: there is no such trial, or its model does not match the log.
        BundleError: the bundle cannot be made.
    """
    sweep = StoredSweep.read(storage)
    trial_id, core = sweep.find(trial)
    state = sweep.states[core].trials[trial_id]
    if state.ended == "failed":
        assert state.end is not None, "a failure is an end"
        raise UsageError(
            f"trial {trial_id} failed ({state.end.error}) and cannot be sealed; "
            f"{completed_advice(sweep)}"
        )
    plan = sweep.plan(state)
    study = plan.study
    manifest, deploy = sweep.manifest, sweep.experiment.deployed
    if deploy is None:
        raise UsageError(
            f"models of experiment {manifest['experiment']!r} cannot be sealed: it does not say "
            "what of them is deployed; give its Experiment a deployed"
        )
    row = {"trial_id": trial_id, **state.row(live=False)}
    baselines = manifest["preparations"].get(plan.preparation, {}).get("baselines", {})
    if reason := sweep.experiment.objection(row, baselines):
        raise UsageError(f"trial {trial_id} cannot be sealed: {reason}; seal another")
    # Evidence, and tensors that only training needs, stay in the storage.
    tensors, about = read_model(sweep, state)
    deployed = deploy(study, tensors, about)
    return seal(
        folder,
        deployed.tensors,
        key=key,
        name=name or (parent.name if parent else manifest["name"]),
        architecture=deployed.architecture,
        sizes=deployed.sizes,
        architectures=ARCHITECTURES,
        facts={
            "experiment": manifest["experiment"],
            "sweep": manifest["name"],
            **deployed.facts,
            "trial": {column: value for column, value in row.items() if value is not None},
            "study": to_mapping(study),
            "model_sha256": state.end.model if state.end else None,
            "core_sha256": core,
            "git": manifest["git"],
            "versions": {**manifest["versions"], "python": manifest["python"]},
            "platform": manifest["platform"],
        },
        parent=parent,
        recipient=recipient,
        card=card(trial_id) if card else None,
    )


ARCHITECTURES: Architectures = {
    "hedging_network": hedging_network,
    "explained_classifier": explained_classifier,
}
"""Architectures of the bundles that hedgesweep opens."""
