"""Commands on bundles: ``keys``, ``seal``, ``open``, and ``verify`` for bundles."""

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.bundle_keys import (
    accepted_versions,
    passphrase,
    pinned_keys,
    read_private,
    read_public,
)
from sweeps.errors import UsageError
from sweeps.options import storage_argument, trial_argument
from sweeps.text import echo, echo_all

if TYPE_CHECKING:
    from hedgecore.bundle.manifest import Accepted, Manifest

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
    type=click.Choice(["signing", "receiving", "model-signing"]),
    default="signing",
    show_default=True,
    help="To seal bundles, to open encrypted ones, or for export --model-signing.",
)
@click.option("--unencrypted", is_flag=True, help="Write the private key in the clear.")
def keys_command(out: Path, purpose: str, unencrypted: bool) -> None:
    """Make a pair of keys; the private one is encrypted under a passphrase.

    Example: hedgesweep keys --out keys
    """
    from hedgecore.bundle.keys import generate, key_id, private_pem, public_pem

    key = generate(purpose)
    secret = None if unencrypted else passphrase(out / "private.pem", new=True)
    files = {
        out / "private.pem": (private_pem(key, passphrase=secret), 0o600),
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
@trial_argument()
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
    """Sign the model of one trial of STORAGE, its facts and its model card, as a bundle.

    Example: hedgesweep seal results/tickets 1f3a --key keys/private.pem --out desk-1
    """
    from hedgecore.bundle.keys import encryption_key, signing_key, verifying_key
    from hedgecore.bundle.sealing import read_manifest
    from sweeps.analysis_process import model_card
    from sweeps.sealing import seal_trial

    private = read_private(key, signing_key)
    pinned = read_public(parent_key, verifying_key) if parent_key else private.public_key()
    manifest = seal_trial(
        storage,
        trial_id,
        key=private,
        folder=out,
        name=name,
        parent=read_manifest(parent, pinned=[pinned]) if parent else None,
        recipient=read_public(recipient, encryption_key) if recipient else None,
        card=lambda trial: model_card(storage, trial),
    )
    echo_all(bundle_lines(manifest))
    public = key.with_name("public.pem")  # as hedgesweep keys calls it
    words = ["verify", str(out), "--key", str(public) if public.is_file() else "PUBLIC"]
    echo(f"sealed in {out}: next, hedgesweep {shlex.join(words)}")


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
    """Extract model, manifest and card from BUNDLE after verifying it with a pinned key.

    Example: hedgesweep open desk-1 --key keys/public.pem --out opened
    """
    from hedgecore.bundle.folder import write
    from hedgecore.bundle.keys import decryption_key
    from hedgecore.bundle.manifest import CARD, MANIFEST, MODEL
    from hedgecore.bundle.sealing import unseal
    from sweeps.sealing import ARCHITECTURES

    before = accepted_versions(accepted)
    opened = unseal(
        bundle,
        pinned=pinned_keys(keys),
        architectures=ARCHITECTURES,
        accepted=before,
        recipient=read_private(private_key, decryption_key) if private_key else None,
    )
    files = {MANIFEST: opened.manifest.content, MODEL: opened.model}
    write(out, files if opened.card is None else {**files, CARD: opened.card})
    if accepted:
        _accept(accepted, before, opened.manifest)
    echo_all(bundle_lines(opened.manifest))
    echo(f"opened in {out}")


def is_bundle(path: Path) -> bool:
    """True if ``path`` is a bundle, which has an envelope, unlike a storage."""
    from hedgecore.bundle.manifest import ENVELOPE

    return os.path.lexists(Path(path) / ENVELOPE)


def verify_bundle(bundle: Path, keys: tuple[Path, ...], accepted: Path | None) -> Iterator[str]:
    """Lines on ``bundle``, verified by one of the public ``keys`` and newer than ``accepted``.

    Raises:
        BundleError: the bundle cannot be trusted.
        UsageError: a file cannot be read.
    """
    from hedgecore.bundle.sealing import verify
    from sweeps.sealing import ARCHITECTURES

    manifest = verify(
        bundle,
        pinned=pinned_keys(keys),
        architectures=ARCHITECTURES,
        accepted=accepted_versions(accepted),
    )
    return bundle_lines(manifest)


def bundle_lines(manifest: "Manifest") -> Iterator[str]:
    """Lines on a verified bundle: signature, model, encryption, version."""
    encryption = manifest.encryption
    sizes = ", ".join(f"{name} {value}" for name, value in sorted(manifest.sizes.items()))
    model = f"{manifest.architecture} ({sizes}), weights {manifest.weights_sha256[:8]}"
    parent = f"after {manifest.parent[:8]}" if manifest.parent else "the first"
    yield f"signature   ok: key {manifest.key_id}"
    yield f"model       ok: {model}"
    if encryption:
        yield f"encryption  ok: for key {encryption.recipient}"
    yield f"version     ok: {manifest.version} of {manifest.name}, {parent}"


def _accept(path: Path, before: dict[str, "Accepted"], manifest: "Manifest") -> None:
    from dataclasses import asdict

    from hedgecore.bundle.manifest import Accepted
    from sweeps.journal.storage import replace

    now = {**before, manifest.name: Accepted.of(manifest)}
    entries = {name: asdict(entry) for name, entry in sorted(now.items())}
    replace(path, json.dumps(entries, indent=1).encode())
