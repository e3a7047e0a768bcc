"""Compiled kernel of hedgecore, for the processors of this architecture.

Optional: where no C compiler is found the installation succeeds, and training takes the slower
path by autograd. Everything else is in pyproject.toml.
"""

import platform
from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("hedgecore/kernel")
FLAGS = (KERNEL / "flags.txt").read_text().split()
# Every build is the same code; which one runs is decided at run time.
BUILDS = {
    "x86_64": {
        "avx512": ["-mavx512f", "-mprefer-vector-width=512", "-mfma"],
        "avx2": ["-mavx2", "-mfma"],
    },
    "aarch64": {"neon": []},
}
MACHINES = {"AMD64": "x86_64", "arm64": "aarch64"}

machine = platform.machine()
setup(
    ext_modules=[
        Extension(
            f"hedgecore.kernel._{name}",
            sorted(str(source) for source in KERNEL.glob("*.c")),
            depends=sorted(str(header) for header in KERNEL.glob("*.h")),
            extra_compile_args=[*FLAGS, *flags],
            libraries=["m"],
            optional=True,
        )
        for name, flags in BUILDS.get(MACHINES.get(machine, machine), {}).items()
    ]
)
