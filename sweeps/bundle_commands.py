"""Commands on bundles: ``keys``, ``seal``, ``open``, and ``verify`` for bundles."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from hedgecore.bundle.errors import BundleError
from sweeps.errors import UsageError
from sweeps.journal import bounds, files
from sweeps.options import storage_argument
from sweeps.text import echo, echo_all, printable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from hedgecore.bundle.manifest import Accepted, Manifest

K = TypeVar("K")

PASSPHRASE = "HEDGESWEEP_PASSPHRASE"

_file = click.Path(readable=False, path_type=Path)
key_option = click.option(
    "--key",
    "keys",
    multiple=True,
    type=_file,
    metavar="PUBLIC",
    help="Public key that a bundle must be signed by, pinned beforehand. Repeatable.",
)
accepted_option = click.option(
    "--accepted",
    type=_file,
    metavar="FILE",
    help="Versions that were opened before; an older one is refused.",
)


@click.command("keys")
@click.option("--out", required=True, type=_file, help="Folder for private.pem and public.pem.")
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["signing", "receiving"]),
    default="signing",
    show_default=True,
    help="To seal bundles, or to open encrypted ones.",
)
@click.option("--unencrypted", is_flag=True, help="Write the private key in the clear.")
def keys_command(out: Path, purpose: str, unencrypted: bool) -> None:
    """Make a pair of keys; the private one is encrypted under a passphrase."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from hedgecore.bundle.keys import key_id, private_pem, public_pem

    kind = Ed25519PrivateKey if purpose == "signing" else X25519PrivateKey
    key = kind.generate()
    passphrase = None if unencrypted else _passphrase(out / "private.pem", new=True)
    files = {
        out / "private.pem": (private_pem(key, passphrase=passphrase), 0o600),
        out / "public.pem": (public_pem(key.public_key()), 0o644),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, (pem, mode) in files.items():
            # Losing a private key loses every line of models that it signs.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(os.open(path, flags, mode), "wb") as stream:
                stream.write(pem)
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be written ({error.strerror}); give another --out"
        ) from error
    echo(f"key {key_id(key.public_key())}")
    echo(f"share {out}/public.pem, keep {out}/private.pem secret")


@click.command("seal")
@storage_argument
@click.argument("trial_id")
@click.option("--key", required=True, type=_file, metavar="PRIVATE", help="Key to sign with.")
@click.option("--out", required=True, type=_file, help="Folder of the bundle, a new one.")
@click.option("--name", help="Line of models that it belongs to; the sweep's name if not given.")
@click.option("--parent", type=_file, metavar="BUNDLE", help="The version that it replaces.")
@click.option(
    "--parent-key", type=_file, metavar="PUBLIC", help="Key of the parent, if it is another."
)
@click.option(
    "--recipient", type=_file, metavar="PUBLIC", help="Encrypt the model for this key alone."
)
def seal_command(
    storage: Path,
    trial_id: str,
    key: Path,
    out: Path,
    name: str | None,
    parent: Path | None,
    parent_key: Path | None,
    recipient: Path | None,
) -> None:
    """Sign the model of one trial of STORAGE and its facts, as a bundle."""
    from hedgecore.bundle.keys import encryption_key, signing_key, verifying_key
    from hedgecore.bundle.sealing import read_manifest
    from sweeps.sealing import seal_trial

    private = _private(key, signing_key)
    pinned = _public(parent_key, verifying_key) if parent_key else private.public_key()
    manifest = seal_trial(
        storage,
        trial_id,
        key=private,
        folder=out,
        name=name,
        parent=read_manifest(parent, pinned=[pinned]) if parent else None,
        recipient=_public(recipient, encryption_key) if recipient else None,
    )
    echo_all(_lines(manifest))
    verify = f"hedgesweep verify {shlex.quote(str(out))} --key public.pem"
    echo(f"sealed in {out}: next, {verify}")


@click.command("open")
@click.argument("bundle", type=_file)
@key_option
@click.option("--out", required=True, type=_file, help="Folder for model and manifest, a new one.")
@click.option(
    "--private-key", type=_file, metavar="PRIVATE", help="Key that the model is encrypted for."
)
@accepted_option
def open_command(
    bundle: Path,
    keys: tuple[Path, ...],
    out: Path,
    private_key: Path | None,
    accepted: Path | None,
) -> None:
    """Extract model and manifest from BUNDLE after verifying it with a pinned key."""
    from hedgecore.bundle.folder import write
    from hedgecore.bundle.keys import decryption_key
    from hedgecore.bundle.manifest import MANIFEST, MODEL
    from hedgecore.bundle.sealing import unseal
    from sweeps.sealing import ARCHITECTURES

    before = _accepted(accepted)
    opened = unseal(
        bundle,
        pinned=_pinned(keys),
        architectures=ARCHITECTURES,
        accepted=before,
        recipient=_private(private_key, decryption_key) if private_key else None,
    )
    write(out, {MANIFEST: opened.manifest.content, MODEL: opened.model})
    if accepted:
        _accept(accepted, before, opened.manifest)
    echo_all(_lines(opened.manifest))
    echo(f"opened in {out}")


def is_bundle(path: Path) -> bool:
    """True if ``path`` is a bundle, which has an envelope, unlike a storage."""
    from hedgecore.bundle.manifest import ENVELOPE

    return os.path.lexists(path / ENVELOPE)


def verify_bundle(bundle: Path, keys: tuple[Path, ...], accepted: Path | None) -> Iterator[str]:
    """Lines on ``bundle``, verified by one of the public ``keys`` and newer than ``accepted``.

    Raises:
        BundleError: the bundle cannot be trusted.
        UsageError: a file cannot be read.
    """
    from hedgecore.bundle.sealing import verify
    from sweeps.sealing import ARCHITECTURES

    manifest = verify(
        bundle, pinned=_pinned(keys), architectures=ARCHITECTURES, accepted=_accepted(accepted)
    )
    return _lines(manifest)


def _lines(manifest: "Manifest") -> Iterator[str]:
    encryption = manifest.encryption
    sizes = ", ".join(f"{name} {value}" for name, value in sorted(manifest.sizes.items()))
    model = f"{manifest.architecture} ({sizes}), weights {manifest.weights_sha256[:8]}"
    parent = f"after {manifest.parent[:8]}" if manifest.parent else "the first"
    yield f"signature   ok: key {manifest.key_id}"
    yield f"model       ok: {model}"
    if encryption:
        yield f"encryption  ok: for key {encryption.recipient}"
    yield f"version     ok: {manifest.version} of {manifest.name}, {parent}"


def _pinned(paths: tuple[Path, ...]) -> list["Ed25519PublicKey"]:
    from hedgecore.bundle.keys import verifying_key

    if not paths:
        raise UsageError(
            "a bundle cannot vouch for itself; give --key with its maker's public key"
        )
    return [_public(path, verifying_key) for path in paths]


def _public(path: Path, read: Callable[[bytes], K]) -> K:
    try:
        return read(_content(path))
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _private(path: Path, read: Callable[..., K]) -> K:
    from hedgecore.bundle.keys import is_encrypted

    pem = _content(path)
    passphrase = _passphrase(path) if is_encrypted(pem) else None
    try:
        return read(pem, passphrase=passphrase)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _passphrase(path: Path, *, new: bool = False) -> str:
    """Passphrase from the environment, or from a prompt on the terminal."""
    if passphrase := os.environ.get(PASSPHRASE):
        return passphrase
    if not sys.stdin.isatty():
        raise UsageError(f"{path} needs a passphrase; set {PASSPHRASE}, or use a terminal")
    answer: str = click.prompt(
        f"Passphrase of {printable(path)}", hide_input=True, confirmation_prompt=new
    )
    return answer


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:  # or a pipe, so that a key need not be on disk
            return stream.read(bounds.KEY)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); "
            "give the file of a key"
        ) from error


def _accepted(path: Path | None) -> dict[str, "Accepted"]:
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


def _accept(path: Path, before: dict[str, "Accepted"], manifest: "Manifest") -> None:
    from dataclasses import asdict

    from hedgecore.bundle.manifest import Accepted
    from sweeps.journal.storage import replace

    now = {**before, manifest.name: Accepted.of(manifest)}
    entries = {name: asdict(entry) for name, entry in sorted(now.items())}
    replace(path, json.dumps(entries, indent=1).encode())
