"""From a YAML text and overrides to a validated ``SearchSpace``."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from . import overrides as changes
from .conditions import read as read_conditions
from .domains import Domain, Value, read
from .messages import Places, SpaceError, nearest, show
from .schedulers import SCHEDULERS, Asha, Scheduler
from .search import Search
from .space import Experiment, Resources, SearchSpace
from .yaml_source import parse

Block = TypeVar("Block", Search, Scheduler, Resources)

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
    axes, when = _axes(_mapping("space", tree["space"], places), places)
    search = _block(Search, "search", _mapping("search", tree.get("search"), places), places)
    scheduler = _mapping("scheduler", tree.get("scheduler"), places)
    return SearchSpace(
        # SearchSpace itself refuses every other value.
        experiment=cast(Experiment, tree["experiment"]),
        space=axes,
        when=when,
        study=study,
        search=search,
        scheduler=_scheduler(scheduler, places, adaptive=search.adaptive),
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


def _axes(
    block: Mapping[str, object], places: Places
) -> tuple[dict[str, Domain], dict[str, Mapping[str, tuple[Value, ...]]]]:
    """Domains and conditions by axis."""
    axes: dict[str, Domain] = {}
    when: dict[str, Mapping[str, tuple[Value, ...]]] = {}
    for axis, written in block.items():
        key = f"space.{axis}"
        last = axis.rpartition(".")[2]
        if last in changes.BELOW_AN_AXIS:
            kind = "the condition of an axis" if last == "when" else "a kind of domain"
            message = f"{last!r} is {kind}; write the axis first, NAME: {{{last}: ...}}"
            raise places.error(key, message)
        if not _AXIS.fullmatch(axis):
            cure = "write letters, digits, _ and -, with single dots between"
            raise places.error(key, f"{axis!r} is no name for an axis; {cure}")
        domain = written
        if isinstance(written, Mapping):
            domain = {name: value for name, value in written.items() if name != "when"}
            try:
                if conditions := read_conditions(written.get("when")):
                    when[axis] = conditions
            except ValueError as error:
                raise places.error(f"{key}.when", str(error)) from None
        try:
            axes[axis] = read(domain)
        except ValueError as error:
            raise places.error(key, str(error)) from None
    return axes, when


def _scheduler(block: Mapping[str, object], places: Places, *, adaptive: bool) -> Scheduler | None:
    for name in block:
        if name not in SCHEDULERS:
            owners = [
                k for k, rule in SCHEDULERS.items() if name in {f.name for f in fields(rule)}
            ]
            cure = f"; {nearest(name, SCHEDULERS)}; scheduler: null for none"
            if owners:
                cure = f"; write it below {owners[0]}, scheduler: {{{owners[0]}: {{{name}: ...}}}}"
            raise places.error(f"scheduler.{name}", f"unknown scheduler {name!r}{cure}")
    if not block:
        return None
    if len(block) > 1:
        raise places.error("scheduler", f"{', '.join(block)}: only one can judge; keep one")
    ((name, settings),) = block.items()
    key = f"scheduler.{name}"
    if settings is None:
        cure = f"write {name}: {{}} for its defaults, or scheduler: null for none"
        raise places.error(key, f"is empty; {cure}")
    rule, values = SCHEDULERS[name], _mapping(key, settings, places)
    if adaptive and rule is Asha:
        # What is proposed one by one never fills the usual block.
        values = {"block": 1, "lag": 0, **values}
    return _block(rule, key, values, places)


def _block(kind: type[Block], key: str, values: Mapping[str, object], places: Places) -> Block:
    known = {field.name: field for field in fields(kind)}
    for name in values:
        if name not in known:
            raise places.error(f"{key}.{name}", f"unknown key {name!r}; {nearest(name, known)}")
    for name, field in known.items():
        if field.default is MISSING and name not in values:
            raise places.error(f"{key}.{name}", "is missing and has no default; add it")
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
