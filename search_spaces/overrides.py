"""Changes to a space file from the command line (``--set``) or from Python."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches

import numpy as np

from .domains import DOMAINS
from .messages import Places, SpaceError, nearest, show, too_large
from .schedulers import SCHEDULERS
from .search import Search
from .space import Resources
from .yaml_source import parse

BLOCKS = ("experiment", "space", "study", "search", "scheduler", "resources")
# What the mapping of an axis may hold.
BELOW_AN_AXIS = (*DOMAINS, "when")
_DEEPEST = 40
_FIXED = (
    "experiment",
    *(f"search.{f.name}" for f in fields(Search)),
    *(f"scheduler.{name}.{f.name}" for name, rule in SCHEDULERS.items() for f in fields(rule)),
    *(f"resources.{f.name}" for f in fields(Resources)),
)

Overrides = Mapping[str, object] | Iterable[str]


def apply(
    tree: Mapping[str, object], places: Places, overrides: Overrides
) -> tuple[dict[str, object], Places]:
    """The tree and the places of a space file after ``overrides``, applied in their order.

    A value replaces whatever the key held, a mapping too; missing parents are made. Below
    ``space`` the key is an axis, or an axis and the kind of its domain, which leaves its
    condition as it is, or an axis and ``when``, which leaves its domain.

    Args:
        tree: blocks by name.
        places: where their keys were written.
        overrides: "KEY=VALUE" texts with values in YAML, or Python values by dotted key.
    Raises:
        SpaceError: an override that cannot be read or has nowhere to go.
    """
    changed = copy.deepcopy(dict(tree))
    marks = dict(places.marks)
    for key, value in _pairs(overrides, marks):
        path = _path(key, value, changed)
        if path[0] == "space" and len(path) == 3:
            value = _axis(changed, path, value)
            path = path[:2]
        node = changed
        for depth, part in enumerate(path[:-1], start=1):
            child = node.get(part)
            if child is None:
                child = node[part] = {}
                marks[".".join(path[:depth])] = "--set"
            if not isinstance(child, dict):
                parent = ".".join(path[:depth])
                raise _error(
                    key, f"{parent} is {show(child)}, which has no keys; set {parent}=... whole"
                )
            node = child
        node[path[-1]] = value
        dotted = ".".join(path)
        for mark in [mark for mark in marks if mark.startswith(f"{dotted}.")]:
            del marks[mark]
        marks[dotted] = "--set"
    return changed, Places(origin=places.origin, marks=marks)


def _pairs(overrides: Overrides, known: Iterable[str]) -> Iterator[tuple[str, object]]:
    """Keys and plain values, each key with a known block."""
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            if not isinstance(key, str):
                raise SpaceError(f"--set {show(key)}: a key must be text, such as 'search.seed'")
            yield _checked(key), _plain(key, value, depth=0)
        return
    for text in [overrides] if isinstance(overrides, str) else overrides:
        if not isinstance(text, str):
            raise SpaceError(f"--set {show(text)}: an override is text such as 'search.seed=1'")
        key, equals, written = text.partition("=")
        if not equals:
            near = get_close_matches(text.strip(), {*_FIXED, *known}, n=1)
            cure = f"did you mean {near[0]}=VALUE?" if near else "write KEY=VALUE"
            raise SpaceError(f"--set {text}: there is no '=' in it; {cure}")
        key = _checked(key)
        if not written.strip():
            raise _error(key, f"there is no value after '='; write {key}=VALUE, or null for none")
        yield key, parse(written, file=None, key=(key,)).tree


def _checked(key: str) -> str:
    key = key.strip()
    block, *rest = (part.strip() for part in key.split("."))
    if not key:
        blocks = ", ".join(BLOCKS)
        raise SpaceError(f"--set: the key is empty; write BLOCK.KEY=VALUE, blocks: {blocks}")
    if block not in BLOCKS:
        raise _error(key, f"unknown block {block!r}; {nearest(block, BLOCKS)}")
    if not all(rest):
        raise _error(key, "a part of the key is empty; write BLOCK.KEY with single dots")
    return ".".join((block, *rest))


def _path(key: str, value: object, tree: Mapping[str, object]) -> tuple[str, ...]:
    block, *rest = key.split(".")
    if block != "space" or not rest:
        return (block, *rest)
    # An axis may hold dots itself, so what the file calls an axis decides first.
    axes = tree.get("space")
    known = axes if isinstance(axes, Mapping) else {}
    axis = ".".join(rest)
    if axis in known:
        return (block, axis)
    if rest[-1] in BELOW_AN_AXIS and len(rest) > 1:
        return (block, ".".join(rest[:-1]), rest[-1])
    for cut in range(len(rest) - 1, 0, -1):
        parent, below = ".".join(rest[:cut]), rest[cut]
        if parent not in known:
            continue
        if below in BELOW_AN_AXIS:
            whole = "{AXIS: [...]}" if below == "when" else "[...]"
            raise _error(key, f"{below} has no keys; set space.{parent}.{below}={whole} whole")
        if not isinstance(value, Mapping):
            raise _error(key, f"unknown kind {below!r}; {nearest(below, DOMAINS)}")
    return (block, axis)


def _axis(tree: Mapping[str, object], path: tuple[str, ...], value: object) -> dict[str, object]:
    """The mapping of the axis that ``path`` leads to, with one of its keys replaced."""
    axes = tree.get("space")
    before = axes.get(path[1]) if isinstance(axes, Mapping) else None
    kept = before if isinstance(before, Mapping) else {}
    of_condition = path[-1] == "when"
    return {
        **{name: item for name, item in kept.items() if (name != "when") == of_condition},
        path[-1]: value,
    }


def _plain(key: str, value: object, *, depth: int) -> object:
    """``value`` as nested dicts, lists and Python scalars."""
    if depth > _DEEPEST:
        raise _error(key, f"nested deeper than {_DEEPEST} levels")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if too_large(value):
            raise _error(key, f"numbers must be finite and below 2**63, got {show(value)}")
        return value
    if isinstance(value, list | tuple):
        return [_plain(key, item, depth=depth + 1) for item in value]
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or not name.strip():
                raise _error(key, f"a key must be text, got {show(name)}")
        return {name: _plain(key, item, depth=depth + 1) for name, item in value.items()}
    cure = "; write .tolist() after it" if isinstance(value, np.ndarray) else ""
    raise _error(
        key,
        "expected numbers, text, booleans, None, lists and dicts, "
        f"got {type(value).__name__}{cure}",
    )


def _error(key: str, message: str) -> SpaceError:
    return SpaceError(f"--set {key}: {message}")
