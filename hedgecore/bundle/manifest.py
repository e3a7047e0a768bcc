"""Signed manifest of a bundle: its files, their meaning, and their origin."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from hedgecore.bundle.canonical import dumps, loads
from hedgecore.bundle.errors import BundleError
from hedgecore.bundle.hpke import SUITE
from hedgecore.config import ConfigError, from_mapping

MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse.json"
MODEL, ENCRYPTED_MODEL = "model.safetensors", "model.safetensors.hpke"
CARD = "README.md"
"""Optional description of the model for readers; not encrypted."""

SCHEMA: Final = "hedgesweep.bundle.v1"
LIMIT = 1 << 20
"""Maximum size of a manifest in bytes."""

_MAPPINGS = ("sizes", "facts")  # free-form content, so without an annotation
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """File of a bundle: name, sha256 (hex), and size in bytes."""

    path: str
    sha256: str
    size: int

    @classmethod
    def of(cls, path: str, content: bytes) -> "File":
        """Entry for a file with this ``content``."""
        return cls(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def holds(self, content: bytes) -> bool:
        """True if ``content`` has this size and sha256."""
        return File.of(self.path, content) == self

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.path):
            raise BundleError(f"path must be a plain name without folders, got {self.path!r}")
        _check_sha256("sha256", self.sha256)
        if self.size < 0:
            raise BundleError(f"size must be at least 0, got {self.size}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """Recipient of an encrypted model, and the model's decrypted form.

    Args:
        suite: HPKE cipher suite.
        recipient: id of the X25519 key that can decrypt it.
        plaintext: the decrypted model.
    """

    suite: Literal["X25519, HKDF-SHA256, AES-256-GCM"] = SUITE
    recipient: str
    plaintext: File

    def __post_init__(self) -> None:
        _check_sha256("recipient", self.recipient)
        if self.plaintext.path != MODEL:
            raise BundleError(f"plaintext must be {MODEL}, got {self.plaintext.path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Signed content of a bundle.

    Args:
        schema: format version.
        name: the line of models this one belongs to; a later version replaces an earlier one.
        version: position in that line, from 1.
        parent: sha256 (hex) of the previous version's manifest; None for the first.
        key_id: sha256 (hex) of the signing key's public key.
        files: every file of the folder except the manifest and its envelope.
        encryption: None if the model is not encrypted.
        architecture: name of the layout, known to readers.
        sizes: arguments of the layout; integers and lists of integers.
        weights_sha256: fingerprint of the tensors; see ``model.fingerprint``.
        facts: other metadata: configuration, seeds, data, metrics, versions.
    """

    schema: Literal["hedgesweep.bundle.v1"] = SCHEMA
    name: str
    version: int
    parent: str | None = None
    key_id: str
    files: tuple[File, ...]
    encryption: Encryption | None = None
    architecture: str
    sizes: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BundleError(
                f"name must be letters, digits, '.', '_' and '-', at most 64, got {self.name!r}; "
                "give another"
            )
        if self.version < 1 or (self.version == 1) != (self.parent is None):
            raise BundleError(
                f"version must be 1 without a parent and above 1 with one, got {self.version}"
            )
        _check_sha256("key_id", self.key_id)
        _check_sha256("weights_sha256", self.weights_sha256)
        if self.parent is not None:
            _check_sha256("parent", self.parent)
        path = MODEL if self.encryption is None else ENCRYPTED_MODEL
        if (names := [file.path for file in self.files]) not in ([path], [path, CARD]):
            raise BundleError(f"files must be {path} alone or with {CARD}, got {names}")

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """The manifest in ``content``.

        Raises:
            BundleError: it is not canonical, or of another schema.
        """
        document = loads(content, name=MANIFEST)
        try:
            if not isinstance(document, dict):
                raise ValueError("is not a mapping")
            mappings = {name: document.pop(name, None) for name in _MAPPINGS}
            for name, value in mappings.items():
                if not isinstance(value, dict):
                    raise ConfigError(name, f"expected a mapping, got {value!r}")
            manifest = replace(from_mapping(cls, document), **mappings)
        except ValueError as error:
            raise BundleError(
                f"{MANIFEST} {error}; open the bundle with the version it was sealed by"
            ) from error
        if manifest.content != content:
            raise BundleError(f"{MANIFEST} lacks a field; seal the model again")
        return manifest

    @property
    def content(self) -> bytes:
        """Bytes of the manifest as signed and stored.

        Raises:
            BundleError: ``sizes`` or ``facts`` hold values other than integers and text; see
                ``spelled``.
        """
        # Canonical JSON has no null.
        return dumps({name: value for name, value in asdict(self).items() if value is not None})

    @property
    def sha256(self) -> str:
        """sha256 (hex) of the manifest, and so the identity of all signed content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def file(self) -> File:
        """Entry of the model's file in the folder."""
        return self.files[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Last accepted version of a line of models; older versions are rejected from then on."""

    version: int
    manifest_sha256: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Accepted":
        """Record of ``manifest`` as the last accepted version."""
        return cls(version=manifest.version, manifest_sha256=manifest.sha256)


def _check_sha256(name: str, value: str) -> None:
    if not _SHA256.fullmatch(value):
        raise BundleError(f"{name} must be 64 digits of lower-case hex, got {value!r}")
