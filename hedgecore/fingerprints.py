"""Fingerprints of tensors: equal for equal values, independent of file and memory layout."""

import hashlib
from collections.abc import Iterable

from torch import Tensor


def tensor_sha256(tensors: Iterable[Tensor]) -> str:
    """sha256 (hex) of the bytes of ``tensors``, in order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
