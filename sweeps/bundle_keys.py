"""Keys of bundles and accepted versions, read from files."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from hedgecore.bundle.errors import BundleError
from sweeps.errors import UsageError
from sweeps.journal import bounds, files
from sweeps.text import printable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from hedgecore.bundle.manifest import Accepted

K = TypeVar("K")

PASSPHRASE = "HEDGESWEEP_PASSPHRASE"  # noqa: S105 - the name of a variable


def pinned_keys(paths: Iterable[Path]) -> list["Ed25519PublicKey"]:
    """Public keys that a bundle must be signed by.

    Raises:
        UsageError: there is none, or a file cannot be read.
        BundleError: a file is not such a key.
    """
    from hedgecore.bundle.keys import verifying_key

    keys = [read_public(path, verifying_key) for path in paths]
    if not keys:
        raise UsageError(
            "a bundle cannot vouch for itself; give --key with its maker's public key"
        )
    return keys


def read_public(path: Path, read: Callable[[bytes], K]) -> K:
    """Public key in the file at ``path``, by one of the readers of ``hedgecore.bundle.keys``."""
    try:
        return read(_content(path))
    except BundleError as error:
        raise BundleError(f"{path}: {error}{_purpose(read)}") from error


def read_private(path: Path, read: Callable[..., K]) -> K:
    """Private key in the file at ``path``, decrypted if necessary; see :func:`read_public`."""
    from hedgecore.bundle.keys import is_encrypted

    pem = _content(path)
    secret = passphrase(path) if is_encrypted(pem) else None
    try:
        return read(pem, passphrase=secret)
    except BundleError as error:
        raise BundleError(f"{path}: {error}{_purpose(read)}") from error


def passphrase(path: Path, *, new: bool = False) -> str:
    """Passphrase from the environment, or from a prompt on the terminal."""
    if secret := os.environ.get(PASSPHRASE):
        return secret
    if not sys.stdin.isatty():
        raise UsageError(f"{path} needs a passphrase; set {PASSPHRASE}, or use a terminal")
    answer: str = click.prompt(
        f"Passphrase of {printable(path)}", hide_input=True, confirmation_prompt=new
    )
    return answer


def accepted_versions(path: Path | None) -> dict[str, "Accepted"]:
    """Last opened version of every line of models; empty before the first."""
    from hedgecore.bundle.manifest import Accepted
    from hedgecore.config import from_mapping

    if path is None:
        return {}
    try:
        entries = files.read_json(path, most=bounds.JSON)
        return {name: from_mapping(Accepted, entry) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); give the file of accepted versions"
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is damaged; restore it from a copy") from error


def _purpose(read: Callable[..., object]) -> str:
    """Option of ``hedgesweep keys``, with which a message ends, for the keys of ``read``."""
    from hedgecore.bundle.keys import decryption_key, encryption_key, model_signing_key

    options: dict[Callable[..., object], str] = {
        model_signing_key: "model-signing",
        decryption_key: "receiving",
        encryption_key: "receiving",
    }
    return f" --for {options[read]}" if read in options else ""


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:  # or a pipe, so that a key need not be on disk
            return stream.read(bounds.KEY)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); "
            "give the file of a key"
        ) from error
