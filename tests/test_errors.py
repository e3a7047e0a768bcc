"""Trees of errors: every public one has a root, whose docstring shows the tree as it is."""

import importlib
import pkgutil
import re
from importlib.util import find_spec

import pytest

import analysis
import hedgecore
import search_spaces
import sweeps

ROOTS = {sweeps.HedgesweepError, analysis.AnalysisError}
PACKAGES = (hedgecore, search_spaces, sweeps, analysis)


@pytest.fixture(scope="module")
def errors() -> set[type]:
    """Every public exception that a module of ours defines."""
    found = set()
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # A build of the kernel is no module of Python.
            if module.name.endswith("__main__") or not _is_source(module.name):
                continue
            names = vars(importlib.import_module(module.name)).values()
            classes = [c for c in names if isinstance(c, type) and issubclass(c, Exception)]
            found |= {c for c in classes if c.__module__ == module.name}
    return {error for error in found if not error.__name__.startswith("_")}


def _is_source(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and str(spec.origin).endswith(".py")


def test_every_public_error_has_a_root(errors):
    assert [e for e in errors if not issubclass(e, tuple(ROOTS))] == []
    assert len(errors) > 15


def drawn(error: type, depth: int = 0) -> list[str]:
    builtin = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins"]
    of = f" ({builtin[0]})" if builtin and builtin != ["Exception"] else ""
    below = sorted(error.__subclasses__(), key=lambda e: e.__name__)
    heirs = [line for heir in below for line in drawn(heir, depth + 1)]
    return [f"{'    ' * depth}{error.__name__}{of}", *heirs]


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.__name__)
@pytest.mark.usefixtures("errors")
def test_the_docstring_of_a_root_shows_its_tree(root):
    lines = root.__doc__.partition("::\n\n")[2].rstrip().split("\n")
    assert [re.match(r" {8}( *\w+( \(\w+\))?)", line)[1] for line in lines] == drawn(root)


def test_an_error_of_ours_is_caught_by_the_root_and_by_its_builtin():
    for catch in (sweeps.HedgesweepError, ValueError):
        with pytest.raises(catch, match="no such file"):
            sweeps.plan("nothing_of_the_kind")
