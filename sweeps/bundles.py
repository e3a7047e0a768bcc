"""Models of sealed bundles, verified and ready for use."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hedgecore.bundle.keys import decryption_key
from hedgecore.bundle.sealing import unseal
from hedgecore.config import ConfigError, from_mapping
from sweeps.bundle_keys import accepted_versions, pinned_keys, read_private
from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.sealing import ARCHITECTURES

if TYPE_CHECKING:
    from hedgecore.bundle.sealing import Bundle

Location = str | Path


def load_bundle(
    bundle: Location,
    *,
    key: Location | Sequence[Location],
    private_key: Location | None = None,
    accepted: Location | None = None,
) -> Any:
    """Model of a sealed bundle, for use on new data, after its signature is verified.

    The same objects as of :func:`sweeps.load_model`.

    Args:
        bundle: folder of the bundle.
        key: public key of its maker, or several, as received from them.
        private_key: key that decrypts the model, if it is encrypted; a passphrase is read from
            HEDGESWEEP_PASSPHRASE or the terminal.
        accepted: versions that were opened before; an older one is refused.
    Raises:
        BundleError: the bundle cannot be trusted or decrypted.
        UsageError: a file cannot be read, or there is no such experiment here.
    """
    keys = [key] if isinstance(key, str | Path) else key
    return model(opened_bundle(bundle, keys=keys, private_key=private_key, accepted=accepted))


def opened_bundle(
    bundle: Location,
    *,
    keys: Sequence[Location],
    private_key: Location | None,
    accepted: Location | None,
) -> "Bundle":
    """Content of a verified bundle; see :func:`load_bundle`."""
    return unseal(
        Path(bundle),
        pinned=pinned_keys(map(Path, keys)),
        architectures=ARCHITECTURES,
        accepted=accepted_versions(Path(accepted) if accepted else None),
        recipient=read_private(Path(private_key), decryption_key) if private_key else None,
    )


def model(opened: "Bundle") -> Any:
    """Model of an ``opened`` bundle.

    Raises:
        UsageError: its experiment is not installed, or its study is of another version.
    """
    facts = opened.manifest.facts
    try:
        swept = experiment(facts["experiment"])
        study = from_mapping(swept.study, _plain(facts["study"]))
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise UsageError(
            f"the bundle was sealed by another version of hedgesweep ({error}); use that one"
        ) from error
    if swept.load is None:
        raise UsageError(
            f"models of experiment {swept.name!r} cannot be loaded; give its Experiment a load"
        )
    return swept.load(study, opened.tensors, dict(facts))


def _plain(value: Any) -> Any:
    """Plain data of a manifest's study, in which everything but integers is text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if value in _WORDS:
        return _WORDS[value]
    try:
        return float(value)
    except ValueError:
        return value


_WORDS = {"true": True, "false": False, "null": None}
