"""Origin of our packages: all of them lie in one folder, or none of them runs.

Python takes the first match on its path, so a file of the same name on PYTHONPATH, or in the
current directory, would run in place of ours. Importing this module is the check: it comes before
every other import of ours, and looks packages up without running them.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PYTHON = (sys.executable, "-P")
"""Start of every command that runs Python: no current directory on its path."""


def check(*packages: str) -> None:
    """Make sure that ``packages`` come from the folder of this one.

    Raises:
        ImportError: they do not; with the place and the cure.
    """
    for name in packages:
        place = _place(name)
        if place is None or _home(place) != _ROOT:
            raise ImportError(
                f"{name} comes from {place or 'nowhere'}, not from {_ROOT}, and is not run; "
                "rename that, take it off PYTHONPATH, start hedgesweep elsewhere, or install it "
                "again"
            )


def checkout() -> list[str]:
    """The folder of our packages if Python does not look there by itself, as in site-packages."""
    return [] if _ROOT.name in {"site-packages", "dist-packages"} else [str(_ROOT)]


def _place(name: str) -> str | None:
    """File or folder from which the package ``name`` would be imported."""
    spec = find_spec(name)
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), None)


def _home(file: str) -> Path:
    """The folder that holds the package of ``file``."""
    folder = Path(file).resolve().parent.parent
    # Ray unpacks every package that travels to a cluster into a folder of its own.
    return folder.parent if folder.name.startswith("_ray_pkg_") else folder


_ROOT = _home(__file__)

try:
    check("hedgecore", "search_spaces")
except ImportError as _error:
    if Path(sys.argv[0]).name not in {"hedgesweep", "-m"}:  # -m: while `python -m sweeps` starts
        raise
    print(f"error: {_error}", file=sys.stderr)
    sys.exit(2)
