"""Check that all packages of this project come from one folder, before any of them runs.

Python takes the first match on its path, so a file of the same name on PYTHONPATH, or in the
current directory, would run instead. Importing this module runs the check; it precedes all other
imports of this project and locates packages without running them.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PYTHON = (sys.executable, "-P")
"""Start of every command that runs Python: no current directory on its path."""


def check(*packages: str) -> None:
    """Check that ``packages`` come from the same folder as this one.

    Raises:
        ImportError: one does not; the message has its place and the cure.
    """
    for name in packages:
        place = _place(name)
        if place is None or _home(place) != ROOT:
            raise ImportError(
                f"{name} comes from {place or 'nowhere'}, not from {ROOT}, and is not run; "
                "rename that, take it off PYTHONPATH, start hedgesweep elsewhere, or install it "
                "again"
            )


def checkout() -> list[str]:
    """Folder of these packages unless it is site-packages, which Python searches anyway."""
    return [] if ROOT.name in {"site-packages", "dist-packages"} else [str(ROOT)]


def _place(name: str) -> str | None:
    """File or folder from which the package ``name`` would be imported."""
    spec = find_spec(name)
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), None)


def _home(file: str) -> Path:
    """The folder that holds the package of ``file``."""
    folder = Path(file).resolve().parent.parent
    # Ray unpacks every package for the workers of a cluster into its own folder.
    return folder.parent if folder.parent.name == "py_modules_files" else folder


ROOT = _home(__file__)
"""Folder of these packages."""

try:
    check("hedgecore", "search_spaces")
except ImportError as _error:
    if Path(sys.argv[0]).name not in {"hedgesweep", "-m"}:  # -m: while `python -m sweeps` starts
        raise
    print(f"error: {_error}", file=sys.stderr)
    sys.exit(2)
