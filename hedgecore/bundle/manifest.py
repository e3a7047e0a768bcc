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

SCHEMA: Final = "hedgesweep.bundle.v1"
LIMIT = 1 << 20
"""Bytes of the longest manifest."""

_MAPPINGS = ("sizes", "facts")  # of free content, which no annotation describes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the bundle: its name, sha256 (hex), and size in bytes."""

    path: str
    sha256: str
    size: int

    @classmethod
    def of(cls, path: str, content: bytes) -> "File":
        """The file that holds ``content``."""
        return cls(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    def holds(self, content: bytes) -> bool:
        """Whether this is the file of ``content``."""
        return File.of(self.path, content) == self

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.path):
            raise BundleError(f"path must be a plain name without folders, got {self.path!r}")
        _check_sha256("sha256", self.sha256)
        if self.size < 0:
            raise BundleError(f"size must be at least 0, got {self.size}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """For whom the model is encrypted, and what it is in the clear.

    Args:
        suite: of HPKE.
        recipient: id of the X25519 key that can decrypt it.
        plaintext: the model as it comes out.
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
    """All that a signature vouches for.

    Args:
        schema: version of this format.
        name: the line of models that this one belongs to; a later one replaces an earlier one.
        version: place in that line, from 1.
        parent: sha256 (hex) of the manifest of the version before; None for the first.
        key_id: sha256 (hex) of the public key that signs.
        files: everything in the folder but the manifest and its envelope.
        encryption: None if the model lies in the clear.
        architecture: what the model is, a name that its readers know.
        sizes: what the layout of the architecture depends on; integers and lists of integers.
        weights_sha256: fingerprint of the tensors; see ``model.fingerprint``.
        facts: whatever else is known: configuration, seeds, data, metrics, versions.
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
        if [file.path for file in self.files] != [path]:
            raise BundleError(f"files must be {path} alone, got {[f.path for f in self.files]}")

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """The manifest in ``content``.

        Raises:
            BundleError: it is not canonical, or not of this schema.
        """
        document = loads(content, name=MANIFEST)
        try:
            if not isinstance(document, dict):
                raise ValueError("holds no mapping")
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
            raise BundleError(f"{MANIFEST} leaves out a field; seal the model again")
        return manifest

    @property
    def content(self) -> bytes:
        """The manifest as it is signed and filed.

        Raises:
            BundleError: ``sizes`` or ``facts`` hold more than integers and text; see ``spelled``.
        """
        # Canonical JSON has no null.
        return dumps({name: value for name, value in asdict(self).items() if value is not None})

    @property
    def sha256(self) -> str:
        """Identity (hex) of the manifest, and so of all that it vouches for."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def file(self) -> File:
        """The model as it lies in the folder."""
        return self.files[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The last version of a line of models that was put to use; nothing older is to follow it."""

    version: int
    manifest_sha256: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Accepted":
        """``manifest`` as the last one."""
        return cls(version=manifest.version, manifest_sha256=manifest.sha256)


def _check_sha256(name: str, value: str) -> None:
    if not _SHA256.fullmatch(value):
        raise BundleError(f"{name} must be 64 digits of lower-case hex, got {value!r}")
