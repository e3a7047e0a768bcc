"""Validation of a space against the study that it varies, before anything runs."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from hedgecore.config import ConfigError, fingerprint, from_mapping, to_mapping
from hedgecore.experiment import Direction, Study
from hedgecore.registry import suggestion, unknown
from hedgecore.rng import seed_sequence
from search_spaces import Pbt, SearchSpace
from sweeps.experiments import experiment
from sweeps.planning.cures import combination_error, condition, renamed_axis, study_error


def study_of(space: SearchSpace) -> Study:
    """The study that every axis varies.

    Raises:
        SpaceError: the block ``study`` is invalid.
    """
    try:
        study: Study = from_mapping(experiment(space.experiment).study, space.study)
        return study
    except ConfigError as error:
        raise study_error(space, error) from error


def trial_study(study: Study, config: Mapping[str, Any]) -> Study:
    """``study`` with the axes of a trial set, except its seed."""
    return study.with_axes({name: value for name, value in config.items() if name != "seed"})


def first_with(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """A trial with these ``values``; every other axis has the first that lets them exist."""
    first = {axis: domain.ends()[0] for axis, domain in space.space.items()}
    for axis in values:
        first |= {name: fitting[0] for name, fitting in space.required(axis).items()}
    return space.present({**first, **values})


def check_axes(space: SearchSpace, study: Study) -> None:
    """Build the study at every end of every domain.

    Raises:
        SpaceError: an unknown axis, an invalid value, or an axis that changes the preparation
            but is known only after it.
    """
    _check_names(space, study)
    prepared = preparing(space, study)
    for axis, (where, problem) in _settled(space).items():
        if axis not in prepared:
            continue
        if where == f"space.{axis}":
            choice = {"choice": list(space.space[axis].ends()), **condition(space, axis)}
            raise space.places.error(where, problem, write=choice)
        others = [other for other in getattr(space.scheduler, "axes", ()) if other != axis]
        target = where if others else "scheduler"
        raise space.places.error(where, problem, write=others or None, target=target)


def preparing(space: SearchSpace, study: Study) -> list[str]:
    """Axes that change the preparation, without the seed, which always does.

    Raises:
        SpaceError: a value at an end of a domain that the study cannot hold.
    """
    parts = {
        axis: {fingerprint(built.shared_study()) for built in _ends(space, study, axis)}
        for axis in space.space
    }
    return [axis for axis, fingerprints in parts.items() if len(fingerprints) > 1]


def check_metrics(space: SearchSpace) -> None:
    """Refuse what a search may not see, and a scheduler that would stop the best.

    Raises:
        SpaceError: an unknown objective or metric, or the wrong direction.
    """
    study, search = study_of(space), experiment(space.experiment).search
    candidates, tested = search.objectives(study), search.tested(study)
    for name in space.search.objectives:
        if name in candidates:
            continue
        problem = unknown(name, candidates, kind="objective")
        closest = suggestion(name, candidates)
        if name in tested:
            closest = suggestion(f"val_{name}", candidates)
            problem = (
                f"{name!r} is a test metric, which a search that is judged by it must not see"
            )
        else:
            problem += search.advice(name)
        others = [other for other in space.search.objectives if other != name]
        write = list(dict.fromkeys([*others, closest] if closest else others or ["val_loss"]))
        raise space.places.error("search.objectives", problem, write=write)
    rule = space.scheduler
    if rule is None:
        return
    if rule.metric not in search.directions:
        problem = unknown(rule.metric, search.directions, kind="metric")
        closest = suggestion(rule.metric, search.directions) or "val_loss"
        raise space.places.error(f"scheduler.{rule.kind}.metric", problem, write=closest)
    if rule.mode != (better := search.directions[rule.metric]):
        problem = f"{rule.mode!r} would stop the best by {rule.metric}"
        raise space.places.error(f"scheduler.{rule.kind}.mode", problem, write=better)


def objectives(space: SearchSpace) -> dict[str, Direction]:
    """Objectives of a search: direction of improvement by column."""
    default = space.scheduler.metric if space.scheduler else "val_loss"
    directions = experiment(space.experiment).search.objectives(study_of(space))
    return {name: directions[name] for name in space.search.objectives or (default,)}


def axis_at(space: SearchSpace, path: str) -> str | None:
    """The key of the axis that sets ``path`` of the study.

    It may be another axis than the one being checked.
    """
    axes = experiment(space.experiment).search.axes
    return next((f"space.{name}" for name in space.space if axes.get(name, name) == path), None)


def leaves(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted paths of all values in ``mapping`` that are not mappings."""
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _check_names(space: SearchSpace, study: Study) -> None:
    short_names = experiment(space.experiment).search.axes
    names = {*short_names, "seed", *leaves(to_mapping(study))}
    short = {path: name for name, path in short_names.items()}
    for name in space.space:
        if name not in names:
            hint = unknown(name, names, kind="axis").split("; known:")[0].split(" known:")[0]
            axes = ", ".join([*short_names, "seed"])
            cure = f"axes are {axes} and the keys of study, such as training.epochs"
            joint = " " if hint.endswith("?") else "; "
            write, target = renamed_axis(space, name, suggestion(name, names) or "")
            problem = f"{hint}{joint}{cure}"
            raise space.places.error(f"space.{name}", problem, write=write, target=target)
        if name in short:
            problem = f"this axis is called {short[name]!r}"
            write, target = renamed_axis(space, name, short[name])
            raise space.places.error(f"space.{name}", problem, write=write, target=target)


def _ends(space: SearchSpace, study: Study, axis: str) -> Iterator[Study]:
    """The study at every end of ``axis``, and without it if it is conditional.

    Axes that depend on it are omitted and checked separately.
    """
    for value in space.space[axis].ends():
        first_trial = first_with(space, {axis: value})
        config = {name: v for name, v in first_trial.items() if axis not in space.required(name)}
        try:
            if axis == "seed":
                seed_sequence(cast(int, value))  # refuses invalid seeds
            yield trial_study(study, config)
        except ConfigError as error:
            where = axis_at(space, error.key) or f"space.{axis}"
            raise combination_error(space, study, where, error, {axis: value}) from error
        except ValueError as error:
            ends = space.space[axis].ends()
            write = {"grid": [v for v in ends if type(v) is int and 0 <= v < 2**32] or [0]}
            raise space.places.error(f"space.{axis}", str(error), write=write) from error
    if axis in space.when:
        yield trial_study(study, {name: v for name, v in config.items() if name != axis})


def _settled(space: SearchSpace) -> dict[str, tuple[str, str]]:
    """Axes that must not change the preparation: key and problem of the error."""
    search, rule = space.search, space.scheduler
    wording = experiment(space.experiment).wording
    changes = f"changes what is prepared ({wording.prepared})"
    if search.adaptive:
        cure = "list its values as a choice, put it in study, or draw them at random"
        problem = f"{changes} before {search.algorithm} proposes; {cure}"
        # Listed values can all be prepared.
        unlisted = [axis for axis, domain in space.space.items() if not domain.enumerable]
        return {axis: (f"space.{axis}", problem) for axis in unlisted}
    problem = f"{changes}, which a running trial keeps"
    axes = rule.axes if isinstance(rule, Pbt) else ()
    return {axis: ("scheduler.pbt.axes", f"{axis} {problem}") for axis in axes}
