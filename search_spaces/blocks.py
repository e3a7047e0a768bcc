"""The blocks search, scheduler and resources of a space file, as dataclasses."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar, cast

from hedgecore.registry import nearest
from search_spaces import foreign_spellings, synonyms
from search_spaces.messages import Cure, FieldError, Places, SpaceError
from search_spaces.schedulers import SCHEDULERS, Asha, Scheduler
from search_spaces.search import ALGORITHMS, Search
from search_spaces.space import Resources
from search_spaces.yaml_text import show

_NO_SCHEDULER = ("fifo", "fifoscheduler", "nop", "noppruner", "off", "none")

Block = TypeVar("Block", Search, Scheduler, Resources)


def search(tree: Mapping[str, object], places: Places) -> Search:
    """The block ``search``."""
    values = mapping("search", tree.get("search"), places)
    return _block(Search, "search", values, places, tree)


def resources(tree: Mapping[str, object], places: Places) -> Resources:
    """The block ``resources``."""
    values = mapping("resources", tree.get("resources"), places)
    return _block(Resources, "resources", values, places, tree)


def scheduler(tree: Mapping[str, object], places: Places, *, adaptive: bool) -> Scheduler | None:
    """The block ``scheduler``; None without a scheduler."""
    block = mapping("scheduler", tree.get("scheduler"), places)
    for name in block:
        if name not in SCHEDULERS:
            raise _unknown_scheduler(name, block, places)
    if not block:
        return None
    if len(block) > 1:
        problem = f"{', '.join(block)}: a space has one scheduler; keep one"
        overrides = [name for name in block if places.overridden(f"scheduler.{name}")]
        choice = overrides[-1] if overrides else next(iter(block))
        key = f"scheduler.{choice}" if overrides else "scheduler"
        raise places.error(key, problem, write={choice: block[choice]}, target="scheduler")
    ((name, settings),) = block.items()
    key = f"scheduler.{name}"
    if settings is None:
        raise places.error(key, "is empty; scheduler: null means none", write={})
    rule, values = SCHEDULERS[name], mapping(key, settings, places)
    if adaptive and rule is Asha:
        # Sequential proposals would never fill the default block.
        values = {"block": 1, "lag": 0, **values}
    return _block(rule, key, values, places, tree)


def mapping(key: str, value: object, places: Places) -> Mapping[str, object]:
    """Keys of a block; a block without keys is empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise places.error(
            key, f"expected keys and values, got {show(value)}", write=_as_block(key, value)
        )
    return value


def renamed(
    block: str,
    key: str,
    value: object,
    schema: Mapping[str, object],
    entries: Mapping[str, object],
) -> tuple[object, str | None]:
    """Replacement for an unknown ``key`` of ``block``, and its dotted key; or its removal."""
    name = synonyms.key(block.partition(".")[0], key, schema)
    if name is None or name in entries:
        return Cure.REMOVE, None
    if name == "space.seed":
        numbers = foreign_spellings.values(value)
        seeds = [seed for seed in numbers if type(seed) is int and seed >= 0]
        return ({"grid": seeds}, name) if seeds else (Cure.REMOVE, None)
    if name in ("search.num_samples", "search.algorithm"):
        return value, name
    if name not in schema:
        return Cure.REMOVE, None
    return value, f"{block}.{name}".lstrip(".")


def _as_block(key: str, value: object) -> object:
    """Block that ``value`` stands for."""
    if key == "search":
        return {"algorithm": synonyms.choice("algorithm", value, ALGORITHMS) or "grid"}
    if key == "resources":
        number = foreign_spellings.scalar(value)
        return {"cpu": number if isinstance(number, int | float) and number > 0 else 1}
    if key == "scheduler":
        if value is False or str(value).lower() in _NO_SCHEDULER:
            return None
        name = value[0] if isinstance(value, list) and value else value
        return {synonyms.choice("scheduler", name, SCHEDULERS) or "asha": {}}
    if key == "space":
        axes = _listed_axes(value) if isinstance(value, list) else {}
        return axes or {"lr": {"grid": [1e-3]}}
    return {} if key.startswith("scheduler.") else Cure.REMOVE


def _listed_axes(value: list[object]) -> dict[str, object]:
    """Axes by name from a list of axes, as in Ax and Vizier."""
    axes: dict[str, object] = {}
    for item in value:
        name = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(item, Mapping) and isinstance(name, str):
            domain = {key: entry for key, entry in item.items() if key != "name"}
            axes[name] = foreign_spellings.suggestion(domain)
    return {name: domain for name, domain in axes.items() if domain}


def _unknown_scheduler(name: str, block: Mapping[str, object], places: Places) -> SpaceError:
    problem, value = f"unknown scheduler {show(name)}", block[name]
    owners = [k for k, rule in SCHEDULERS.items() if name in {f.name for f in fields(rule)}]
    if owners:
        inner = {k: v for k, v in block.items() if k not in SCHEDULERS}
        keys = {f.name for f in fields(SCHEDULERS[owners[0]])}
        write: object = {owners[0]: {k: v for k, v in inner.items() if k in keys}}
        problem += f", which is a key of {owners[0]}"
    else:
        problem += f"; {nearest(name, SCHEDULERS)}; scheduler: null means none"
        is_label = name.lower() in ("type", "name", "algorithm", "kind", "class", "_target_")
        text = str(value).rpartition(".")[2] if is_label else name
        kind = synonyms.choice("scheduler", text, SCHEDULERS) or "asha"
        keys = {field.name for field in fields(SCHEDULERS[kind])} if is_label else set()
        settings = {k: v for k, v in block.items() if k in keys}
        write = {kind: value if isinstance(value, Mapping) else settings}
    return places.error(f"scheduler.{name}", problem, write=write, target="scheduler")


def _block(
    kind: type[Block],
    key: str,
    values: Mapping[str, object],
    places: Places,
    tree: Mapping[str, object],
) -> Block:
    schema = {field.name: field for field in fields(kind)}
    for name, value in values.items():
        if name not in schema:
            entries = {**values, **{f"space.{axis}": 1 for axis in _axes(tree)}}
            write, target = renamed(key, name, value, schema, entries)
            problem = f"unknown key {show(name)}; {nearest(name, schema)}"
            raise places.error(f"{key}.{name}", problem, write=write, target=target)
    for name, field in schema.items():
        if field.default is MISSING and name not in values:
            write = _first_axes(tree)
            problem = "is missing and has no default"
            raise places.error(f"{key}.{name}", problem, write=write)
    try:
        return kind(**cast(dict[str, Any], values))
    except ValueError as error:
        # The dataclasses begin their messages with the field.
        problem = error.problem if isinstance(error, FieldError) else str(error)
        name, _, problem = problem.partition(": ")
        write = error.write if isinstance(error, FieldError) else Cure.UNKNOWN
        if write is Cure.UNKNOWN:
            default = schema[name].default
            write = _first_axes(tree) if default is MISSING else default
            for candidate in candidates(values.get(name), write):
                if not _fails(kind, {**values, name: candidate}, name):
                    write = candidate
                    break
        raise places.error(f"{key}.{name}", problem, write=write) from None


def candidates(value: object, default: object) -> Iterator[object]:
    """Value that ``value`` may stand for: the number in a text, a rounded number, a list."""
    plain = foreign_spellings.scalar(value)
    yield plain
    if isinstance(plain, float) and plain.is_integer():
        yield int(plain)
    if isinstance(value, list | tuple):
        yield foreign_spellings.values(list(value))
        yield from (foreign_spellings.scalar(item) for item in value[:1])
    elif isinstance(default, list | tuple) and value is not None:
        yield foreign_spellings.values(value)
    yield default


def _fails(kind: type[Block], values: Mapping[str, object], name: str) -> bool:
    try:
        kind(**cast(dict[str, Any], values))
    except ValueError as error:
        return str(error).startswith(f"{name}: ")
    return False


def _axes(tree: Mapping[str, object]) -> Mapping[str, object]:
    axes = tree.get("space")
    return axes if isinstance(axes, Mapping) else {}


def _first_axes(tree: Mapping[str, object]) -> object:
    """The first axis other than the seed, as a list of names."""
    names = [axis for axis in _axes(tree) if axis != "seed"]
    return names[:1] if names else Cure.UNKNOWN
