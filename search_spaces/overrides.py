"""Overrides of a space file from the command line (``--set``) or from Python."""

import copy
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import NoReturn

from hedgecore.registry import nearest, suggestion
from search_spaces import characters, foreign_spellings, synonyms
from search_spaces.domains import DOMAINS
from search_spaces.edits import BLOCKS, EXTENDS
from search_spaces.messages import OVERRIDES, SET, Cure, Places, SpaceError
from search_spaces.plain_data import plain
from search_spaces.schedulers import SCHEDULERS
from search_spaces.search import Search
from search_spaces.space import Resources
from search_spaces.yaml_source import parse
from search_spaces.yaml_text import show

# Allowed keys in the mapping of an axis.
BELOW_AN_AXIS = (*DOMAINS, "when")
_FIXED = (
    "experiment",
    *(f"search.{f.name}" for f in fields(Search)),
    *(f"scheduler.{name}.{f.name}" for name, rule in SCHEDULERS.items() for f in fields(rule)),
    *(f"resources.{f.name}" for f in fields(Resources)),
)

Overrides = Mapping[str, object] | Iterable[str]


def listed(overrides: Overrides | None) -> dict[str, object] | list[str]:
    """``overrides`` as a reusable collection.

    Raises:
        TypeError: they are neither texts nor a mapping.
        SpaceError: a value is not plain data, or contains itself.
    """
    if isinstance(overrides, Mapping):
        # Checked first, so that no message has to print a value that contains itself.
        return {key: plain(OVERRIDES, str(key), value) for key, value in overrides.items()}
    if isinstance(overrides, str):
        return [overrides]
    if isinstance(overrides, bytes) or not isinstance(overrides, Iterable | None):
        cure = 'write {"search.seed": 1} or ["search.seed=1"]'
        problem = "overrides must be a mapping or a list of strings"
        raise TypeError(f"{problem}, got {show(overrides)}; {cure}")
    return [] if overrides is None else list(overrides)


def apply(
    tree: Mapping[str, object], places: Places, overrides: Overrides
) -> tuple[dict[str, object], Places]:
    """Tree and places of a space file after ``overrides``, applied in order.

    A value replaces the previous one, even a mapping; missing parents are created. Below ``space``
    the key is an axis, or an axis and the kind of its domain, which keeps its condition, or an
    axis and ``when``, which keeps its domain.

    Args:
        tree: blocks by name.
        places: where their keys were written.
        overrides: "KEY=VALUE" texts with values in YAML, or Python values by dotted key.
    Raises:
        SpaceError: an override that cannot be parsed or whose key does not exist.
    """
    result = copy.deepcopy(dict(tree))
    marks = dict(places.marks)
    settings = dict(places.overrides)
    place = OVERRIDES if isinstance(overrides, Mapping) else SET
    for key, value in _pairs(overrides, result, marks):
        path = _path(place, key, value, result)
        if path[0] == "space" and len(path) == 3:
            value = _axis(result, path, value)
            path = path[:2]
        node = result
        for depth, part in enumerate(path[:-1], start=1):
            child = node.get(part)
            if child is None:
                child = node[part] = {}
                marks[".".join(path[:depth])] = place
            if not isinstance(child, dict):
                parent = ".".join(path[:depth])
                problem = f"{parent} is {show(child)}, which has no keys; set its whole value"
                raise SpaceError.at(place, key, problem, write=value, target=parent)
            node = child
        node[path[-1]] = value
        dotted = ".".join(path)
        for mark in [mark for mark in {*marks, *settings} if mark.startswith(f"{dotted}.")]:
            marks.pop(mark, None)
            settings.pop(mark, None)
        marks[dotted] = marks[key] = place
        settings[key] = value
    return result, Places(origin=places.origin, marks=marks, overrides=settings)


def _pairs(
    overrides: Overrides, tree: Mapping[str, object], marks: Iterable[str]
) -> Iterator[tuple[str, object]]:
    """Keys and plain values, each key with a block of the tree."""
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            if not isinstance(key, str):
                problem = f"a key must be text, such as 'search.seed', got {show(key)}"
                raise SpaceError.at(OVERRIDES, "", problem)
            yield _checked(OVERRIDES, key, None, tree), value
        return
    for text in overrides:
        if not isinstance(text, str):
            problem = f"{show(text)}: an override is text such as 'search.seed=1'"
            raise SpaceError(f"{SET} {problem}")
        key, equals, written = text.partition("=")
        if not equals:
            closest = suggestion(text.strip(), {*_FIXED, *marks})
            cure = f"did you mean {closest}=VALUE?" if closest else "write KEY=VALUE"
            raise SpaceError(f"{SET} {show(text)[1:-1]}: '=' is missing; {cure}")
        key = _checked(SET, key, written, tree)
        if not written.strip():
            cure = f"write {key}=VALUE, or null for none"
            raise SpaceError.at(SET, key, f"the value after '=' is missing; {cure}")
        yield key, parse(written, file=None, key=(key,)).tree


def _checked(place: str, key: str, written: str | None, tree: Mapping[str, object]) -> str:
    key = key.strip()
    block, *parts = (part.strip() for part in key.split("."))
    if not key:
        blocks = ", ".join(BLOCKS)
        raise SpaceError(f"{place}: the key is empty; write BLOCK.KEY=VALUE, blocks: {blocks}")
    if (at := next(characters.unlike_ascii(key), None)) is not None:
        name, clean = characters.named(key[at]), "".join(map(characters.meant, key))
        clean = clean.replace(" ", "")
        return _not_a_key(place, key, f"the key contains {name}", clean, written)
    if block == EXTENDS:
        raise SpaceError.at(place, key, "is written in a file; give that file as the space")
    if block not in BLOCKS:
        problem = f"unknown block {show(block)}; {nearest(block, BLOCKS)}"
        return _not_a_key(place, key, problem, _with_block(block, parts, tree), written)
    if not all(parts):
        problem = "a part of the key is empty; write BLOCK.KEY with single dots"
        whole = ".".join((block, *filter(None, parts)))
        return _not_a_key(place, key, problem, whole if any(parts) else None, written)
    return ".".join((block, *parts))


def _not_a_key(
    place: str, key: str, problem: str, instead: str | None, written: str | None
) -> NoReturn:
    """Error on a ``key``, with an override of the key ``instead`` as its cure."""
    if instead is None:
        raise SpaceError.at(place, key, problem, write=Cure.REMOVE)
    cure = repr(instead)
    if written is not None:
        cure = f"{SET} {shlex.quote(f'{instead}={written.strip()}')}"
    raise SpaceError.at(place, key, f"{problem}; write {cure}")


def _with_block(block: str, parts: list[str], tree: Mapping[str, object]) -> str | None:
    """Key that ``block`` and ``parts`` stand for with a missing or misspelt block."""
    whole = ".".join((block, *parts))
    axes = tree.get("space")
    prefixes = [".".join((block, *parts[:n])) for n in range(len(parts) + 1)]
    if isinstance(axes, Mapping) and any(name in axes for name in prefixes):
        return f"space.{whole}"
    name = synonyms.key("", block, BLOCKS)
    if name and (parts or "." in name):
        return ".".join((name, *parts))
    return f"study.{whole}" if parts and not name else None


def _path(place: str, key: str, value: object, tree: Mapping[str, object]) -> tuple[str, ...]:
    block, *parts = key.split(".")
    if block != "space" or not parts:
        return (block, *parts)
    # An axis may contain dots, so axes of the file take precedence.
    axes = tree.get("space")
    domains = axes if isinstance(axes, Mapping) else {}
    axis = ".".join(parts)
    if axis in domains:
        return (block, axis)
    if parts[-1] in BELOW_AN_AXIS and len(parts) > 1:
        return (block, ".".join(parts[:-1]), parts[-1])
    for cut in range(len(parts) - 1, 0, -1):
        parent, below = ".".join(parts[:cut]), parts[cut]
        if parent not in domains:
            continue
        target = f"space.{parent}"
        if below in BELOW_AN_AXIS:
            listed = foreign_spellings.values(value)
            whole = {".".join(parts[cut + 1 :]): listed} if below == "when" else listed
            problem = f"{below} has no keys; set its whole value"
            write: object = whole if listed else Cure.REMOVE
            raise SpaceError.at(place, key, problem, write=write, target=f"{target}.{below}")
        if not isinstance(value, Mapping):
            problem = f"unknown kind {show(below)}; {nearest(below, DOMAINS)}"
            write = foreign_spellings.suggestion({below: value}) or Cure.REMOVE
            raise SpaceError.at(place, key, problem, write=write, target=target)
    return (block, axis)


def _axis(tree: Mapping[str, object], path: tuple[str, ...], value: object) -> dict[str, object]:
    """Mapping of the axis at ``path``, with one of its keys replaced."""
    axes = tree.get("space")
    before = axes.get(path[1]) if isinstance(axes, Mapping) else None
    entries = before if isinstance(before, Mapping) else {}
    of_condition = path[-1] == "when"
    return {
        **{name: item for name, item in entries.items() if (name != "when") == of_condition},
        path[-1]: value,
    }
