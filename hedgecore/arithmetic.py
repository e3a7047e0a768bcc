"""Identity of this process's arithmetic: equal identities compute equal bits from equal inputs.

Libraries choose their kernels by processor and environment, and the kernel determines the order of
a sum and so its last bits. The same code, seed and versions therefore give different numbers on an
older processor, or on the same one under ``MKL_CBWR=AVX2``.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from threadpoolctl import threadpool_info
from torch import Tensor

from hedgecore.kernel.fingerprint import fingerprint

# Environment variables that choose kernels in addition to the processor.
_SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)
_FEATURES = 37
_UNITS = 64
_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Settings that the last bits of this process's numbers depend on.

    Args:
        cpu: instruction set that torch's kernels use, such as "AVX512".
        blas: linear algebra libraries, each with version and kernel.
        switches: the environment variables that choose kernels and are set.
        threads: number of threads torch uses for one operation.
        kernel: fingerprint of the compiled kernel; "none" without one.
        sample: sha256 (hex) of the result of a fixed computation.
    """

    cpu: str
    blas: str
    switches: str
    threads: int
    kernel: str
    sample: str

    @property
    def id(self) -> str:
        """Eight hexadecimal digits; equal for equal arithmetic."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def about(self) -> dict[str, str]:
        """The id and every field as text."""
        return {"id": self.id, **{name: str(value) for name, value in asdict(self).items()}}


def arithmetic() -> Arithmetic:
    """Current arithmetic of this process, including its thread limit."""
    return _measured(torch.get_num_threads(), fingerprint())


def difference(current: Mapping[str, str], reference: Mapping[str, str]) -> str:
    """Fields in which two results of :meth:`Arithmetic.about` differ, with both values.

    The sample is reported only where no other field explains why it differs.
    """
    names = [name for name in current if name not in ("id", "sample")]
    # Records of older versions lack the later fields.
    parts = [name for name in names if current[name] != reference.get(name, "")]
    return "; ".join(
        f"{name} here {current[name][:80] or 'none'}, "
        f"recorded {reference.get(name, '')[:80] or 'none'}"
        for name in parts or ["sample"]
    )


@cache
def _measured(threads: int, kernel: str) -> Arithmetic:
    return Arithmetic(
        cpu=torch.backends.cpu.get_cpu_capability(),
        blas=_blas(),
        switches=" ".join(
            f"{name}={os.environ[name]}" for name in _SWITCHES if name in os.environ
        ),
        threads=threads,
        kernel=kernel,
        sample=_sample(),
    )


def _blas() -> str:
    # torch links its library statically; NumPy and SciPy use shared ones and are imported here so
    # that every process has loaded them.
    libraries: list[dict[str, Any]] = [i for i in threadpool_info() if i["user_api"] == "blas"]
    kernels = {
        f"{i['internal_api']} {i['version']} {i.get('architecture') or ''}".rstrip()
        for i in libraries
    }
    mkl = "mkl" if torch.backends.mkl.is_available() else "no mkl"
    return "; ".join([f"torch {torch.__version__} with {mkl}", *sorted(kernels)])


def _sample() -> str:
    digest = hashlib.sha256()
    for tensor in _computed():
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _computed() -> Iterator[Tensor]:
    """Results of a training step of a small network and related operations, in both precisions."""
    for dtype in (torch.float32, torch.float64):
        x = _numbers(_ROWS * _FEATURES).reshape(_ROWS, _FEATURES).to(dtype)
        first = (_numbers(_FEATURES * _UNITS).reshape(_FEATURES, _UNITS)).to(dtype)
        second = _numbers(_UNITS * _UNITS).reshape(_UNITS, _UNITS).to(dtype)
        first.requires_grad_()
        hidden = torch.tanh(x @ first)
        output = torch.nn.functional.silu(hidden @ second).sum(dim=1)
        loss = torch.logsumexp(output, dim=0) + output.square().mean() + torch.erf(output).std()
        (gradient,) = torch.autograd.grad(loss, first)
        yield from (hidden, output, loss, gradient)
        yield torch.exp(x).log1p().cumsum(dim=0).sqrt().softmax(dim=1)
    a = _numbers(_UNITS * _UNITS).reshape(_UNITS, _UNITS).numpy()
    gram = a @ a.T + np.eye(_UNITS)
    yield torch.from_numpy(gram)
    yield torch.from_numpy(np.linalg.svd(a, compute_uv=False))
    yield torch.from_numpy(scipy.linalg.solve(gram, a[:, 0], assume_a="pos"))


def _numbers(count: int) -> Float[Tensor, " count"]:
    """Numbers in [-0.5, 0.5), the same on every machine: whole numbers, scaled exactly."""
    integers = torch.arange(1, count + 1, dtype=torch.int64) * 2654435761 % 2**32
    return integers.to(torch.float64) / 2**32 - 0.5
