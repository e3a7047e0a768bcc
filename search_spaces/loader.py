"""Loader of a validated ``SearchSpace`` from YAML text and overrides."""

import os
import re
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from hedgecore.registry import nearest
from search_spaces import blocks, lineage
from search_spaces.blame import blamed
from search_spaces.conditions import read as read_conditions
from search_spaces.domains import Domain, Value, read
from search_spaces.edits import BLOCKS, EXTENDS
from search_spaces.messages import Cure, Places, SpaceError
from search_spaces.space import EXAMPLE, MOST_AXES, SearchSpace
from search_spaces.written import written as written_text
from search_spaces.yaml_text import show

from . import overrides as changes

T = TypeVar("T")

_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


def load(
    path: str | os.PathLike[str], *, overrides: changes.Overrides | None = None
) -> SearchSpace:
    """Space in the file at ``path``, after ``overrides``.

    If the file does not exist, its name selects a shipped space, with or without suffix, so
    "search_spaces/tickets.yaml" and "tickets" work from every directory.

    Args:
        path: a YAML file, or the name of a shipped space.
        overrides: texts such as "space.lr.grid=[1e-3]", or Python values by dotted key, such as
            {"study.training.epochs": 20}; applied in order.
    Raises:
        SpaceError: the file cannot be read or is invalid; one line with place, key and cure.
        TypeError: ``path`` is not a path, or ``overrides`` are neither texts nor a mapping.
    """
    return checked(path, overrides=overrides, check=lambda space: space)


def build(
    blocks: Mapping[str, object],
    *,
    name: str = "space",
    overrides: changes.Overrides | None = None,
) -> SearchSpace:
    """Space of ``blocks``, a mapping as a YAML file would give it.

    >>> build({"extends": "tickets", "space": {"seed": {"grid": [0, 1]}}})

    Args:
        blocks: experiment, space and the others by name; ``extends`` is relative to the current
            directory.
        name: name of the space, as of a file without its suffix.
        overrides: see :func:`load`.
    Raises:
        SpaceError: the blocks are invalid; one line with key and cure.
        TypeError: ``blocks`` is not a mapping, or ``name`` not a text.
    """
    if not isinstance(blocks, Mapping):
        cure = 'write {"experiment": "tickets", "space": {"lr": {"grid": [1e-3]}}}'
        raise TypeError(f"blocks must be a mapping, got {show(blocks)}; {cure}")
    if not isinstance(name, str) or not name.strip():
        raise TypeError(f"name must be a text such as 'tickets', got {show(name)}")
    return checked(blocks, name=name, overrides=overrides, check=lambda space: space)


def checked(
    space: str | os.PathLike[str] | Mapping[str, object],
    *,
    name: str = "space",
    overrides: changes.Overrides | None = None,
    check: Callable[[SearchSpace], T],
) -> T:
    """Result of ``check`` on a space, whose errors are at the line or override that causes them.

    Args:
        space: a file, see :func:`load`, or blocks, see :func:`build`.
        name: name of a space of blocks.
        overrides: see :func:`load`.
        check: function of the loaded space.
    Raises:
        SpaceError: ``space`` is invalid, or ``check`` raised it.
        TypeError: see :func:`load`.
    """
    settings = changes.listed(overrides)
    if isinstance(space, Mapping):
        files = lineage.of_mapping(space, name=name)
    else:
        files = lineage.of_file(space)

    def attempt(some: changes.Overrides, edits: int | None = None) -> T:
        tree, places = changes.apply(*files.merged(edits), some)
        # A storage keeps the text, which must have the same trials without the overrides.
        text = written_text(tree, comment=f"{files.name}, after --set") if some else files.text
        return check(_build(tree, places, name=files.name, text=text))

    try:
        return attempt(settings)
    except SpaceError as error:
        cause = blamed(error, settings, attempt)
        raise files.blamed(cause, lambda edits: attempt(settings, edits)) from None


def _build(tree: Mapping[str, object], places: Places, *, name: str, text: str) -> SearchSpace:
    for block, value in tree.items():
        if block not in BLOCKS:
            keys = (*BLOCKS, EXTENDS)
            write, target = blocks.renamed("", block, value, dict.fromkeys(keys), tree)
            problem = f"unknown block; {nearest(block, keys)}"
            raise places.error(block, problem, write=write, target=target)
    for block, example in (("experiment", "tickets"), ("space", EXAMPLE)):
        if block not in tree:
            raise places.error(block, "is missing", write=example)
    study = blocks.mapping("study", tree.get("study"), places)
    _check_names("study", study, places)
    axes, when = _axes(blocks.mapping("space", tree["space"], places), places)
    search = blocks.search(tree, places)
    return SearchSpace(
        # SearchSpace itself rejects every other value.
        experiment=cast(str, tree["experiment"]),
        space=axes,
        when=when,
        study=study,
        search=search,
        scheduler=blocks.scheduler(tree, places, adaptive=search.adaptive),
        resources=blocks.resources(tree, places),
        name=name,
        text=text,
        places=places,
    )


def _axes(
    block: Mapping[str, object], places: Places
) -> tuple[dict[str, Domain], dict[str, Mapping[str, tuple[Value, ...]]]]:
    """Domains and conditions by axis."""
    if len(block) > MOST_AXES:
        problem = f"{len(block):,} axes are more than {MOST_AXES}; put fixed values in study"
        raise places.error("space", problem)
    axes: dict[str, Domain] = {}
    when: dict[str, Mapping[str, tuple[Value, ...]]] = {}
    for axis, written in block.items():
        key = f"space.{axis}"
        _check_axis(axis, block, places)
        domain, condition = written, {}
        if isinstance(written, Mapping):
            domain = {name: value for name, value in written.items() if name != "when"}
            condition = {"when": written["when"]} if "when" in written else {}
            try:
                if conditions := read_conditions(written.get("when")):
                    when[axis] = conditions
            except ValueError as error:
                raise places.field_error(f"{key}.when", error) from None
        try:
            axes[axis] = read(domain)
        except ValueError as error:
            refusal = places.field_error(key, error, below=key)
            if isinstance(refusal.write, Mapping) and refusal.target == key:
                write = {**refusal.write, **condition}
                refusal = places.error(key, refusal.problem, write=write)
            raise refusal from None
    return axes, when


def _check_axis(axis: str, block: Mapping[str, object], places: Places) -> None:
    """Reject a string that is not a valid name of an axis."""
    last = axis.rpartition(".")[2]
    if last in changes.BELOW_AN_AXIS:
        kind = "a condition" if last == "when" else "a kind of domain"
        problem = f"{show(last)} is {kind} and belongs below the name of an axis"
        outer = axis.rpartition(".")[0] or "lr"
        free = outer not in block and last != "when"
        write: object = {last: block[axis]} if free else Cure.REMOVE
        raise places.error(f"space.{axis}", problem, write=write, target=f"space.{outer}")
    if not _AXIS.fullmatch(axis):
        cure = "use letters, digits, _, - and single dots"
        problem = f"{show(axis)} is not a valid axis name; {cure}"
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", axis.strip()).strip("_-.")
        free = bool(_AXIS.fullmatch(name)) and name not in block
        target = f"space.{name}" if free else None
        write = block[axis] if free else Cure.REMOVE
        raise places.error(f"space.{axis}", problem, write=write, target=target)


def _check_names(key: str, value: object, places: Places) -> None:
    """Reject dots in the keys of a study, which overrides could not address."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{key}.{name}"
            if "." in name:
                outer, _, tail = name.partition(".")
                sibling = value.get(outer)
                problem = f"{show(name)} contains a dot"
                write: object = Cure.REMOVE
                if outer and tail and isinstance(sibling, Mapping | None):
                    write = {**(sibling or {}), tail: item}
                target = f"{key}.{outer}" if write is not Cure.REMOVE else None
                raise places.error(inner, problem, write=write, target=target)
            _check_names(inner, item, places)
    elif isinstance(value, list):
        for item in value:
            _check_names(key, item, places)
