"""The shared library of the kernel: built optionally at installation, chosen by the processor."""

import ctypes
import os
from functools import cache
from importlib.util import find_spec

import torch

from hedgecore.config import ConfigError
from hedgecore.kernel.structures import CompactNetwork, Hedge, Nodes, Scene, Training, Weights

SWITCH = "HEDGESWEEP_KERNEL"
"""Environment variable that chooses a build: avx512, avx2, neon, the path of another, or off."""
OFF = "off"

# The fastest first, with the capability of the processor that torch reports for it.
_BUILDS = {
    "avx512": ("AVX512",),
    "avx2": ("AVX512", "AVX2"),
    "neon": ("DEFAULT", "SVE256"),
}


class Library(ctypes.CDLL):
    """The kernel's functions, which release the GIL while they run."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        pointer = ctypes.POINTER
        array = ctypes.c_void_p
        self.evaluate_bytes.argtypes = (pointer(Hedge), pointer(Scene))
        self.evaluate_bytes.restype = ctypes.c_long
        self.evaluate.argtypes = (pointer(Hedge), pointer(Scene), array)
        self.evaluate.restype = None
        self.train_bytes.argtypes = (pointer(Training),)
        self.train_bytes.restype = ctypes.c_long
        self.train.argtypes = (pointer(Training), ctypes.c_int, *[array] * 6)
        self.train.restype = None
        layer, number = pointer(Nodes), ctypes.c_float
        self.alignment.argtypes = (layer, array, array, number, array, array)
        self.alignment.restype = number
        self.multiplier.argtypes = (layer, pointer(Weights), array, array, number, array, array)
        self.multiplier.restype = None
        self.compact_positions.argtypes = (pointer(CompactNetwork), ctypes.c_long, *[array] * 3)
        self.compact_positions.restype = None


def builds() -> dict[str, str]:
    """Path of every build that was compiled at installation and runs here, the fastest first."""
    capability = torch.backends.cpu.get_cpu_capability()
    specs = {
        name: find_spec(f"{__package__}._{name}")
        for name, capabilities in _BUILDS.items()
        if capability in capabilities
    }
    return {name: spec.origin for name, spec in specs.items() if spec and spec.origin}


def library() -> Library | None:
    """The fastest build, or the one of ``HEDGESWEEP_KERNEL``; None without one."""
    return _loaded(os.environ.get(SWITCH, ""))


@cache
def _loaded(switch: str) -> Library | None:
    if os.sep in switch:
        return Library(switch)
    available = builds()
    if switch == OFF or not (switch or available):
        return None
    if not switch:
        return Library(next(iter(available.values())))
    if switch not in available:
        choices = ", ".join([*available, OFF])
        raise ConfigError(SWITCH, f"must be one of {choices}, got {switch!r}; or unset it")
    return Library(available[switch])
