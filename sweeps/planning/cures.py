"""Errors on studies and axes, each with a suggested replacement."""

from collections.abc import Mapping
from typing import Any

from hedgecore.config import ConfigError, to_mapping
from hedgecore.experiment import Study
from search_spaces import Domain, RandInt, SearchSpace, SpaceError
from search_spaces.blocks import renamed
from search_spaces.domains import as_written
from search_spaces.messages import Cure
from sweeps.experiments import experiment


def study_error(space: SearchSpace, error: ConfigError) -> SpaceError:
    """The error on the block ``study``."""
    if not error.key:
        return space.places.error("study", error.problem, write=Cure.REMOVE)
    key = f"study.{error.key}"
    if not error.problem.startswith("unknown key"):
        fitting = error.write[0] if error.write else Cure.REMOVE
        return space.places.error(key, error.problem, write=fitting)
    *parents, name = error.key.split(".")
    block: Any = space.study
    for parent in parents:
        block = block[parent]
    target: str | None = ".".join(["study", *parents, error.rename])
    write: object = block[name]
    if not error.rename:
        write, target = _elsewhere(space, name, block[name])
    elif error.rename in block:
        both = block[error.rename]
        write = Cure.REMOVE
        if isinstance(both, Mapping) and isinstance(block[name], Mapping):
            write = {**both, **block[name]}
        target = key if write is Cure.REMOVE else target
    return space.places.error(key, error.problem, write=write, target=target)


def combination_error(
    space: SearchSpace, study: Study, where: str, error: ConfigError, config: Mapping[str, Any]
) -> SpaceError:
    """The error on an axis with invalid values, alone or with those of a trial.

    ``where`` is the key of the axis, or "space" for a key of the study; ``config`` has values by
    axis.
    """
    axis = where.removeprefix("space.")
    if axis not in space.space:
        write: object = error.write[0] if error.write else Cure.UNKNOWN
        target = f"study.{error.key}"
        return space.places.error(where, error.problem, write=write, target=target)
    domain = space.space[axis]
    fitting = [v for end in domain.ends() for v in _fitting(space, study, axis, end)]
    if axis in config and config[axis] in fitting:
        # It is valid alone, but not with the others.
        same_axis = error.key == experiment(space.experiment).search.axes.get(axis, axis)
        fitting = [v for v in fitting if v != config[axis]]
        fitting += list(error.write or ()) if same_axis else []
    write = _domain(domain, list(dict.fromkeys(map(_hashable, fitting))))
    if isinstance(write, dict):
        write |= condition(space, axis)
    elif error.write and error.key != axis and not own_path(space, axis, error.key):
        target = f"study.{error.key}"
        return space.places.error(where, error.problem, write=error.write[0], target=target)
    return space.places.error(where, error.problem, write=write)


def data_error(space: SearchSpace, error: ConfigError) -> SpaceError:
    """The error on a study that requests too much of its data, at the axis or key responsible.

    ``error.write`` is the largest possible number.
    """
    limit = error.write[0] if error.write else None
    for axis, domain in space.space.items():
        if own_path(space, axis, error.key):
            write: object = Cure.UNKNOWN
            if isinstance(limit, int):
                ends = [min(v, limit) for v in domain.ends() if isinstance(v, int | float)]
                write = _domain(domain, list(dict.fromkeys(ends)))
            if isinstance(write, dict):
                write |= condition(space, axis)
            return space.places.error(f"space.{axis}", error.problem, write=write)
    write = error.write[0] if error.write else Cure.UNKNOWN
    return space.places.error(f"study.{error.key}", error.problem, write=write)


def renamed_axis(space: SearchSpace, axis: str, name: str) -> tuple[object, str | None]:
    """The domain of ``axis``, and the key of the axis ``name`` that it is moved to."""
    if not name or name in space.space:
        return Cure.REMOVE, None
    domain = space.space[axis]
    return {**as_written(domain), **condition(space, axis)}, f"space.{name}"


def condition(space: SearchSpace, axis: str) -> dict[str, object]:
    """The condition of ``axis`` as it is written next to its domain."""
    return {"when": space.when[axis]} if axis in space.when else {}


def own_path(space: SearchSpace, axis: str, path: str) -> bool:
    """True if ``axis`` sets ``path`` of the study."""
    return experiment(space.experiment).search.axes.get(axis, axis) == path


def _elsewhere(space: SearchSpace, name: str, value: object) -> tuple[object, str | None]:
    """Correct place of a key that the study does not have."""
    axes = {f"space.{axis}": 1 for axis in space.space}
    write, target = renamed("study", name, value, {}, axes)
    if target:
        return write, target
    groups = to_mapping(experiment(space.experiment).study())
    for group, keys in groups.items():
        set_already = space.study.get(group, {})
        if isinstance(keys, Mapping) and name in keys and isinstance(set_already, Mapping):
            return (Cure.REMOVE, None) if name in set_already else (value, f"study.{group}.{name}")
    return Cure.REMOVE, None


def _fitting(space: SearchSpace, study: Study, axis: str, value: Any) -> list[Any]:
    """``value`` if the study accepts it, else an accepted replacement, if any."""
    try:
        study.with_axes({axis: value})
    except ConfigError as error:
        return list(error.write or ()) if own_path(space, axis, error.key) else []
    return [value]


def _domain(domain: Domain, values: list[Any]) -> object:
    """``domain`` with other ends, as it is written."""
    if not values:
        return Cure.REMOVE
    kind = type(domain).__name__.lower()
    if domain.enumerable:
        return {kind: values}
    numbers = [v for v in values if isinstance(v, int | float)]
    if not numbers or min(numbers) == max(numbers):
        return {"grid": values[:1]}
    low, high = min(numbers), max(numbers)
    return {kind: [low, high + 1 if isinstance(domain, RandInt) else high]}


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
