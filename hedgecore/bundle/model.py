"""Weights in a bundle: written, read, checked against an architecture, and fingerprinted."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from hedgecore.bundle.canonical import dumps
from hedgecore.bundle.errors import BundleError
from hedgecore.registry import lookup

Layout = Mapping[str, tuple[str, tuple[int, ...]]]
"""Type ("float32") and shape of every tensor, by its name."""

Architectures = Mapping[str, Callable[..., Layout]]
"""Known architectures by name: the layout of each, as a function of its sizes."""

_LONGEST_HEADER = 1 << 20  # bytes; safetensors itself parses up to 100 MB


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """``tensors`` as safetensors; equal for equal tensors, whatever their order."""
    # Contiguous copies: safetensors stores no views. No metadata: its order would vary.
    return save({name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()})


def unpack(content: bytes) -> dict[str, Tensor]:
    """Tensors in ``content``, on the CPU, without copying and so possibly unaligned in memory.

    Raises:
        BundleError: ``content`` is not safetensors, or its header is too large.
    """
    header = int.from_bytes(content[:8], "little")
    if header > min(_LONGEST_HEADER, len(content) - 8):
        raise BundleError(
            f"the model is not safetensors: its header would have {header} bytes; "
            "seal the model again with hedgesweep"
        )
    try:
        return load(content)
    except (SafetensorError, KeyError):
        raise BundleError(
            "the model is not readable as safetensors; seal it again with hedgesweep"
        ) from None


def layout(name: str, sizes: Mapping[str, Any], architectures: Architectures) -> Layout:
    """Layout of the architecture ``name`` at ``sizes``.

    Raises:
        BundleError: it is not in ``architectures``, or does not accept these sizes.
    """
    try:
        return lookup(architectures, name, kind="architecture")(**sizes)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{error}; open the bundle with the program it was sealed by") from error


def check(tensors: Mapping[str, Tensor], expected: Layout) -> None:
    """Reject ``tensors`` that do not match the layout ``expected`` or are not finite.

    Raises:
        BundleError: a tensor is missing, extra, of another type or shape, infinite or NaN.
    """
    for name in sorted({*tensors, *expected}):
        target = _worded(*expected[name]) if name in expected else "absent"
        kind = _worded(*_kind(tensors[name])) if name in tensors else "absent"
        if kind != target:
            raise BundleError(
                f"{name} is {kind}, in its architecture {target}; seal the model that was trained"
            )
        if not torch.isfinite(tensors[name]).all():
            raise BundleError(f"{name} is not finite; seal a model whose training did not diverge")


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """sha256 (hex) of name, type, shape and little-endian bytes of ``tensors``, by name.

    It does not depend on the file format, so it changes only if the weights do.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        kind, shape = _kind(tensors[name])
        # The length of each part is hashed too, so that two models cannot yield the same text.
        digest.update(dumps([name, kind, shape]))
        flat = tensors[name].detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _kind(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)


def _worded(kind: str, shape: tuple[int, ...]) -> str:
    return f"{kind} {list(shape)}"
