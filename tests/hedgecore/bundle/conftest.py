"""A small model, its keys, and the one who holds them and makes mistakes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hedgecore.bundle import dsse
from hedgecore.bundle.manifest import ENVELOPE, MANIFEST, Manifest
from hedgecore.bundle.sealing import Bundle, seal, unseal
from hedgecore.rng import stream

WIDTHS = [3, 2]


def linear(*, widths):
    inputs, outputs = widths
    return {
        "weight": ("float32", (outputs, inputs)),
        "bias": ("float32", (outputs,)),
        "kept": ("bool", (outputs, inputs)),
        "scale": ("float64", ()),
    }


@pytest.fixture
def architectures():
    return {"linear": linear}


@pytest.fixture
def tensors():
    weight = torch.randn(2, 3, generator=stream(0, "weight"))
    return {
        "weight": weight,
        "bias": torch.tensor([-0.0, 1e-40]),
        "kept": weight > 0,
        "scale": torch.tensor(0.1, dtype=torch.float64),
    }


@pytest.fixture
def key():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def stranger():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@pytest.fixture
def reader():
    return X25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


@pytest.fixture
def sealed(tmp_path, key, tensors, architectures) -> Callable[..., Path]:
    """Seals the model; what is given takes the place of what is usual."""
    count = iter(range(99))

    def make(**given: Any) -> Path:
        folder = tmp_path / f"bundle-{next(count)}"
        usual = {
            "tensors": tensors,
            "key": key,
            "name": "dispatcher",
            "architecture": "linear",
            "sizes": {"widths": WIDTHS},
            "architectures": architectures,
            "facts": {"seed": 0, "cvar_05": -1.5},
        }
        seal(folder, **{**usual, **given})
        return folder

    return make


@pytest.fixture
def trusted(key, architectures) -> Callable[..., Bundle]:
    """Unseals a folder with the key that is pinned."""

    def take(folder: Path, **given: Any) -> Bundle:
        usual = {"pinned": [key.public_key()], "architectures": architectures}
        return unseal(folder, **{**usual, **given})

    return take


@pytest.fixture
def resign(key) -> Callable[..., None]:
    """The holder of the key signs a folder again, with another model or manifest in it."""

    def again(
        folder: Path,
        *,
        model: bytes | None = None,
        fields: Mapping[str, Any] | None = None,
        text: Callable[[str], str] = str,
        signer: Ed25519PrivateKey = key,
    ) -> None:
        document = json.loads((folder / MANIFEST).read_bytes())
        (entry,) = document["files"]
        if model is not None:
            (folder / entry["path"]).write_bytes(model)
        held = (folder / entry["path"]).read_bytes()
        entry |= {"sha256": hashlib.sha256(held).hexdigest(), "size": len(held)}
        document |= fields or {}
        content = json.dumps(document, sort_keys=True, separators=(",", ":"))
        content = text(content).encode()
        (folder / MANIFEST).write_bytes(content)
        (folder / ENVELOPE).write_bytes(dsse.sign(content, signer))

    return again


@pytest.fixture
def manifest_of() -> Callable[[Path], Manifest]:
    return lambda folder: Manifest.parse((folder / MANIFEST).read_bytes())
