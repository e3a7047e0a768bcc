"""Refusal of sweep files of other tools, with their axes as a space."""

import re
from collections.abc import Mapping
from typing import NoReturn

from search_spaces import experiments, synonyms
from search_spaces.domains import DOMAINS, mended
from search_spaces.edits import EXTENDS
from search_spaces.foreign_tools import ForeignSweep, has_range, recognised
from search_spaces.messages import SpaceError
from search_spaces.search import ADAPTIVE, ALGORITHMS
from search_spaces.yaml_text import as_yaml, show

_LONGEST = 2000
"""Characters of a translation."""
_NAMED = 5
"""Untranslated axes that are named."""
_SAMPLES = 20
_MOST_SAMPLES = 100_000
_AXES = {
    "lr": "lr learningrate",
    "seed": "seed randomseed randomstate",
    "training.batch_size": "batchsize trainbatchsize",
    "training.epochs": "epochs epoch numepochs maxepochs nepochs",
}


def refuse(tree: Mapping[str, object], place: str) -> None:
    """Refuse a file that is a sweep of another tool; a space passes.

    Raises:
        SpaceError: it names the tool and ends with a space of the same axes.
    """
    if "space" in tree or EXTENDS in tree or experiments.is_experiment(tree.get("experiment")):
        return
    if sweep := recognised(tree):
        _refuse(sweep, place)


def _refuse(sweep: ForeignSweep, place: str) -> NoReturn:
    axes, left = _translated(sweep)
    problem = f"{place}: a sweep of {sweep.tool}, not a space"
    while axes and len(_space(sweep, axes)) > _LONGEST:
        left = [axes.popitem()[0], *left]
    if left:
        names = ", ".join(show(name) for name in left[:_NAMED])
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        problem += f"; without an equivalent here: {names}{more}"
    if not axes:
        raise SpaceError(f"{problem}; write the blocks experiment and space")
    raise SpaceError(f"{problem}; the same axes as a space file: write {_space(sweep, axes)}")


def _translated(sweep: ForeignSweep) -> tuple[dict[str, object], list[str]]:
    """Domains by axis, and the names of those without an equivalent; fixed values are neither."""
    axes: dict[str, object] = {}
    left: list[str] = []
    for name, written in sweep.axes.items():
        inner = written.get("", written) if isinstance(written, Mapping) else written
        domain = mended(inner) if inner is not None and has_range(inner) else None
        axis = _axis(name)
        if not isinstance(domain, Mapping) or axis in axes or not axis:
            left.append(name)
        elif (axis != "seed" or "grid" in domain) and len(next(iter(domain.values()))) > 1:
            axes[axis] = domain
    return axes, left


def _axis(name: str) -> str:
    """Name of an axis of a space that ``name`` stands for; "" if there is none."""
    plain = re.sub("[^a-z0-9]", "", name.rpartition(".")[2].lower())
    known = next((axis for axis, names in _AXES.items() if plain in names.split()), None)
    if known:
        return known
    clean = re.sub(r"\.+", ".", re.sub(r"[^A-Za-z0-9_.-]+", "_", name)).strip("_-.")
    # The name of a domain cannot be that of an axis.
    last = clean.rpartition(".")[2]
    return clean if re.match("[A-Za-z_]", clean) and last not in (*DOMAINS, "when") else ""


def _space(sweep: ForeignSweep, axes: Mapping[str, object]) -> str:
    """Space file in one line."""
    listed = all(isinstance(d, Mapping) and "grid" in d for d in axes.values())
    algorithm = synonyms.choice("algorithm", sweep.algorithm, ALGORITHMS)
    if algorithm is None or (algorithm == "grid" and not listed):
        algorithm = "grid" if listed else "random"
    if algorithm in ADAPTIVE and set(axes) == {"seed"}:
        algorithm = "grid"
    search: dict[str, object] = {"algorithm": algorithm}
    if algorithm != "grid":
        count = sweep.count
        fits = type(count) is int and 0 < count <= _MOST_SAMPLES
        search["num_samples"] = count if fits else _SAMPLES
    tree = {"experiment": experiments.BUILT_IN[0], "space": axes, "search": search}
    return as_yaml(tree, plain=True)
