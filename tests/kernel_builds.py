"""Builds of the kernel by the compilers of this machine."""

import ast
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "hedgecore" / "kernel"
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


def instruction_sets():
    """Flags of every build, by architecture and name, as in setup.py."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    (builds,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "BUILDS"
    )
    return ast.literal_eval(builds)


def flags(name):
    """Those of the build ``name``, without those of all builds."""
    return next(found[name] for found in instruction_sets().values() if name in found)


def compiled(folder, compiler, name, *more):
    """Path of the build ``name`` by ``compiler``, with ``more`` flags."""
    target = folder / f"kernel_{compiler}_{name}.so"
    common = (SOURCES / "flags.txt").read_text().split()
    sources = sorted(map(str, SOURCES.glob("*.c")))
    subprocess.run(
        [
            *(compiler, *common, *flags(name), *more, "-Wall", "-Wextra", "-Werror"),
            *("-fPIC", "-shared", *sources, "-lm", "-o", str(target)),
        ],
        check=True,
    )
    return str(target)
