"""From a YAML text and overrides to a validated ``SearchSpace``."""

import re
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from . import overrides as changes
from .domains import DOMAINS, Domain, read
from .messages import Places, SpaceError, nearest, show
from .space import Asha, Experiment, Resources, Search, SearchSpace
from .yaml_source import parse

Block = TypeVar("Block", Search, Asha, Resources)

_SHIPPED = Path(__file__).parent
_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


def load(path: str | Path, *, overrides: changes.Overrides | None = None) -> SearchSpace:
    """The space that the file at ``path`` describes, after ``overrides``.

    A path without a file stands for the shipped space of that file name, so
    "search_spaces/tickets.yaml" works from every directory.

    Args:
        path: a YAML file.
        overrides: texts such as "space.lr.grid=[1.0e-3]", or Python values by dotted key, such
            as {"study.training.epochs": 20}; applied in their order.
    Raises:
        SpaceError: the file cannot be read or says something wrong; one line with place, key
            and cure.
    """
    path = Path(path)
    text = _text(path)
    source = parse(text, file=path.name)
    places = Places(origin=f"{path.name}:1", marks=source.places)
    tree = source.tree
    if tree is None:
        cure = "it needs the blocks experiment and space"
        raise SpaceError(f"{path.name}:1: the file is empty; {cure}")
    if not isinstance(tree, Mapping):
        cure = f"write the blocks {', '.join(changes.BLOCKS)}"
        raise SpaceError(f"{path.name}:1: expected a mapping, got {show(tree)}; {cure}")
    if overrides is not None:
        tree, places = changes.apply(tree, places, overrides)
    return _build(tree, places, name=path.stem, text=text)


def shipped() -> tuple[str, ...]:
    """Names of the space files that come with the package."""
    return tuple(sorted(file.name for file in _SHIPPED.glob("*.yaml")))


def _text(path: Path) -> str:
    try:
        data = _bytes(path)
    except IsADirectoryError:
        raise SpaceError(f"{path}: is a directory; give a YAML file in it") from None
    except (OSError, ValueError) as error:
        if isinstance(error, SpaceError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise SpaceError(f"{path}: cannot be read ({reason}); give a YAML file") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte {data[error.start]:#04x}"
        raise SpaceError(f"{path.name}:{line}: not UTF-8 ({byte}); save it as UTF-8") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if path.name in shipped():
            return (_SHIPPED / path.name).read_bytes()
    near = get_close_matches(path.name, shipped(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(shipped()) or "none"
    raise SpaceError(f"no such file {path}; shipped spaces: {known}{hint}")


def _build(tree: Mapping[str, object], places: Places, *, name: str, text: str) -> SearchSpace:
    for block in tree:
        if block not in changes.BLOCKS:
            raise places.error(block, f"unknown block; {nearest(block, changes.BLOCKS)}")
    for block, cure in (
        ("experiment", "write experiment: tickets or experiment: xnn"),
        ("space", "write what varies, such as lr: {grid: [1.0e-3]} below space:"),
    ):
        if block not in tree:
            raise places.error(block, f"is missing; {cure}")
    study = _mapping("study", tree.get("study"), places)
    _check_names("study", study, places)
    return SearchSpace(
        # SearchSpace itself refuses every other value.
        experiment=cast(Experiment, tree["experiment"]),
        space=_axes(_mapping("space", tree["space"], places), places),
        study=study,
        search=_block(Search, "search", _mapping("search", tree.get("search"), places), places),
        scheduler=_scheduler(_mapping("scheduler", tree.get("scheduler"), places), places),
        resources=_block(
            Resources, "resources", _mapping("resources", tree.get("resources"), places), places
        ),
        name=name,
        text=text,
        places=places,
    )


def _mapping(key: str, value: object, places: Places) -> Mapping[str, object]:
    """The keys of a block; a block without any is empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise places.error(key, f"expected keys and values, got {show(value)}; {_cure_of(key)}")
    return value


def _cure_of(key: str) -> str:
    if key == "scheduler":
        return "write scheduler: {asha: {}}, or scheduler: null for none"
    return "write them indented below it" if key == "space" else f"write {key}: {{key: value}}"


def _axes(block: Mapping[str, object], places: Places) -> dict[str, Domain]:
    axes: dict[str, Domain] = {}
    for axis, written in block.items():
        key = f"space.{axis}"
        if axis.rpartition(".")[2] in DOMAINS:
            kind = axis.rpartition(".")[2]
            message = (
                f"{kind!r} is a kind of domain; write the axis first, NAME: {{{kind}: [...]}}"
            )
            raise places.error(key, message)
        if not _AXIS.fullmatch(axis):
            cure = "write letters, digits, _ and -, with single dots between"
            raise places.error(key, f"{axis!r} is no name for an axis; {cure}")
        try:
            axes[axis] = read(written)
        except ValueError as error:
            raise places.error(key, str(error)) from None
    return axes


def _scheduler(block: Mapping[str, object], places: Places) -> Asha | None:
    for name in block:
        if name != "asha":
            cure = "; write asha: {...}, or scheduler: null for none"
            if name in {field.name for field in fields(Asha)}:
                cure = f"; write it below asha, scheduler: {{asha: {{{name}: ...}}}}"
            raise places.error(f"scheduler.{name}", f"unknown scheduler {name!r}{cure}")
    if "asha" not in block:
        return None
    settings = block["asha"]
    if settings is None:
        cure = "write asha: {} for its defaults, or scheduler: null for none"
        raise places.error("scheduler.asha", f"is empty; {cure}")
    return _block(Asha, "scheduler.asha", _mapping("scheduler.asha", settings, places), places)


def _block(kind: type[Block], key: str, values: Mapping[str, object], places: Places) -> Block:
    known = [field.name for field in fields(kind)]
    for name in values:
        if name not in known:
            raise places.error(f"{key}.{name}", f"unknown key {name!r}; {nearest(name, known)}")
    try:
        return kind(**cast(dict[str, Any], values))
    except ValueError as error:
        # The dataclasses begin their messages with the field.
        name, _, message = str(error).partition(": ")
        raise places.error(f"{key}.{name}", message) from None


def _check_names(key: str, value: object, places: Places) -> None:
    """Refuses dots in the keys of a study, which no override could reach."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{key}.{name}"
            if "." in name:
                outer, _, rest = name.partition(".")
                cure = f"write {outer}: {{{rest}: ...}}"
                raise places.error(inner, f"{name!r} has a dot in it; {cure}")
            _check_names(inner, item, places)
    elif isinstance(value, list):
        for item in value:
            _check_names(key, item, places)
