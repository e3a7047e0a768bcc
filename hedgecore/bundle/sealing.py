"""Bundles: sealed with one private key, opened with its pinned public key.

seal(Path("bundle"), tensors, key=key, name="desk", architecture="mlp", sizes={"widths": [8, 1]},
     architectures=KNOWN, facts={"seed": 0})
tensors = unseal(Path("bundle"), pinned=[key.public_key()], architectures=KNOWN).tensors

Both sides know an architecture as a function from its sizes to the type and shape of every tensor.
Sealing requires a private key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from torch import Tensor

from hedgecore.bundle import dsse
from hedgecore.bundle.canonical import spelled
from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.folder import opened, write
from hedgecore.bundle.hpke import decrypt, encrypt, undecryptable
from hedgecore.bundle.keys import key_id
from hedgecore.bundle.manifest import (
    CARD,
    ENCRYPTED_MODEL,
    ENVELOPE,
    LIMIT,
    MANIFEST,
    MODEL,
    SCHEMA,
    Accepted,
    Encryption,
    File,
    Manifest,
)
from hedgecore.bundle.model import Architectures, check, fingerprint, layout, pack, unpack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """Verified model.

    Args:
        manifest: the signed metadata.
        model: the safetensors, decrypted.
        tensors: its tensors, on the CPU.
        card: description for readers; None without one.
    """

    manifest: Manifest
    model: bytes
    tensors: Mapping[str, Tensor]
    card: bytes | None = None


def seal(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    key: Ed25519PrivateKey,
    name: str,
    architecture: str,
    sizes: Mapping[str, Any],
    architectures: Architectures,
    facts: Mapping[str, Any],
    parent: Manifest | None = None,
    recipient: X25519PublicKey | None = None,
    card: bytes | None = None,
) -> Manifest:
    """Write ``tensors`` and ``facts`` as a bundle; return its manifest.

    Without a recipient, equal arguments give equal bytes.

    Args:
        folder: destination; must not exist, or be empty.
        tensors: weights, and the preprocessing constants the model needs.
        key: signing key; not written to the bundle.
        name: the line of models this one belongs to.
        architecture: one of ``architectures``.
        sizes: arguments of its layout; integers and lists of integers.
        architectures: the layouts known to readers.
        facts: plain data; values other than integers and text are written as text.
        parent: manifest of the version that this one replaces.
        recipient: key of the only reader of the model; None for an unencrypted model.
        card: description of the model for readers, which stays readable.
    Raises:
        BundleError: the model does not match the architecture or is not finite, the parent is of
            another line, or ``folder`` cannot be written.
    """
    check(tensors, layout(architecture, sizes, architectures))
    if parent is not None and parent.name != name:
        raise BundleError(
            f"the parent is a model {parent.name!r}, not {name!r}; give another name"
        )
    model = pack(tensors)
    signer = key_id(key.public_key())
    file, encryption = File.of(MODEL, model), None
    if recipient is not None:
        encryption = Encryption(recipient=key_id(recipient), plaintext=file)
        model = encrypt(model, recipient, info=_info(signer))
        file = File.of(ENCRYPTED_MODEL, model)
    manifest = Manifest(
        name=name,
        version=1 if parent is None else parent.version + 1,
        parent=None if parent is None else parent.sha256,
        key_id=signer,
        files=(file,) if card is None else (file, File.of(CARD, card)),
        encryption=encryption,
        architecture=architecture,
        sizes=spelled(sizes),
        weights_sha256=fingerprint(tensors),
        facts=spelled(facts),
    )
    content = manifest.content
    if len(content) > LIMIT:
        raise BundleError(f"the manifest has {len(content)} bytes, at most {LIMIT}; shorten facts")
    files = {MANIFEST: content, ENVELOPE: dsse.sign(content, key), file.path: model}
    write(folder, files if card is None else {**files, CARD: card})
    return manifest


def verify(
    folder: Path,
    *,
    pinned: Iterable[Ed25519PublicKey],
    architectures: Architectures,
    accepted: Mapping[str, Accepted] | None = None,
) -> Manifest:
    """Manifest of the bundle, after every check of :func:`unseal`.

    Of an encrypted model only the hash of the ciphertext is checked.

    Raises:
        BundleError: the bundle cannot be trusted.
    """
    manifest, contents = _authentic(folder, pinned)
    if manifest.encryption is None:
        _examined(contents[manifest.file.path], manifest, architectures)
    _not_older(manifest, accepted or {})
    return manifest


def unseal(
    folder: Path,
    *,
    pinned: Iterable[Ed25519PublicKey],
    architectures: Architectures,
    accepted: Mapping[str, Accepted] | None = None,
    recipient: X25519PrivateKey | None = None,
) -> Bundle:
    """Model in ``folder``, if all of it matches the signature of a pinned key.

    Checks, in order: signature, manifest, names in the folder, size and sha256 of its files, the
    header of the model, names, types, shapes and values of its tensors, their fingerprint, the
    version. Every file is read once, so the verified bytes are those loaded.

    Args:
        folder: the bundle.
        pinned: trusted public keys, obtained outside the bundle; removing one revokes it.
        architectures: known layouts, by name.
        accepted: last accepted version, by name of its line.
        recipient: key that decrypts the model; None if it is not encrypted.
    Raises:
        BundleError: the bundle cannot be trusted or decrypted.
    """
    manifest, contents = _authentic(folder, pinned)
    content = contents[manifest.file.path]
    model = content if manifest.encryption is None else _decrypted(content, manifest, recipient)
    tensors = _examined(model, manifest, architectures)
    _not_older(manifest, accepted or {})
    return Bundle(manifest=manifest, model=model, tensors=tensors, card=contents.get(CARD))


def read_manifest(folder: Path, *, pinned: Iterable[Ed25519PublicKey]) -> Manifest:
    """Manifest of the bundle in ``folder``; its model is not checked.

    Raises:
        BundleError: no ``pinned`` key signed it, or the folder's files are not those it lists.
    """
    return _authentic(folder, pinned)[0]


def _authentic(
    folder: Path, pinned: Iterable[Ed25519PublicKey]
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest, and the bytes of the files that it lists, by name."""
    with opened(folder) as files:
        content = files.read(MANIFEST, limit=LIMIT)
        signer = dsse.signer(content, files.read(ENVELOPE, limit=2 * LIMIT), pinned)
        manifest = Manifest.parse(content)
        if manifest.key_id != signer:
            raise BundleError(
                f"{MANIFEST} names key {manifest.key_id[:8]}, but {signer[:8]} signed it; "
                "seal the model again"
            )
        names = {MANIFEST, ENVELOPE, *(file.path for file in manifest.files)}
        entries = files.names()
        for name in sorted(names ^ entries):
            fault = "is missing" if name in names else "is not in the manifest"
            raise BundleError(f"{folder}/{name} {fault}; get the bundle again")
        contents = {file.path: files.read(file.path, limit=file.size) for file in manifest.files}
    for file in manifest.files:
        if not file.holds(contents[file.path]):
            raise BundleError(
                f"{folder}/{file.path} is not the file that was signed; get the bundle again"
            )
    return manifest, contents


def _decrypted(ciphertext: bytes, manifest: Manifest, recipient: X25519PrivateKey | None) -> bytes:
    encryption = manifest.encryption
    assert encryption is not None, "only an encrypted model is decrypted"
    if recipient is None or key_id(recipient.public_key()) != encryption.recipient:
        raise BundleError(
            f"the model is encrypted for key {encryption.recipient[:8]}; give that private key"
        )
    model = decrypt(ciphertext, recipient, info=_info(manifest.key_id))
    if not encryption.plaintext.holds(model):
        raise undecryptable()
    return model


def _examined(model: bytes, manifest: Manifest, architectures: Architectures) -> dict[str, Tensor]:
    tensors = unpack(model)
    check(tensors, layout(manifest.architecture, manifest.sizes, architectures))
    if fingerprint(tensors) != manifest.weights_sha256:
        raise BundleError(
            f"the weights differ from fingerprint {manifest.weights_sha256[:8]} of the manifest; "
            "seal the model again"
        )
    # Copies: tensors in a file may be unaligned in memory, on which sums may depend.
    return {name: value.clone() for name, value in tensors.items()}


def _not_older(manifest: Manifest, accepted: Mapping[str, Accepted]) -> None:
    last = accepted.get(manifest.name)
    if last is None or Accepted.of(manifest) == last or manifest.version > last.version:
        return
    which = "another bundle of" if manifest.version == last.version else "older than"
    raise BundleError(
        f"version {manifest.version} of {manifest.name!r} is {which} version {last.version}, "
        "which was accepted before; get the newest one"
    )


def _info(signer: str) -> str:
    """HPKE info that binds a ciphertext to this format and its signer."""
    return f"{SCHEMA} {signer}"
