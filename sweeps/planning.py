"""What a sweep will run, worked out and checked before Ray starts."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import search_spaces
from hedgecore.config import ConfigError, digest, fingerprint, from_mapping, to_mapping
from hedgecore.hedging.study import AXES, TicketStudy
from hedgecore.hedging.train import DIRECTIONS
from hedgecore.registry import unknown
from hedgecore.rng import numpy_stream, seed_sequence
from search_spaces import Asha, Grid, SearchSpace, SpaceError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """One trial: its place in creation order, its axes (seed included) and the study they make."""

    index: int
    config: Mapping[str, Any]
    study: TicketStudy

    @property
    def seed(self) -> int:
        """The seed that names every stream of the trial."""
        return int(self.config["seed"])

    @property
    def preparation(self) -> str:
        """Key of what the trial shares with all of its seed and dense study."""
        return f"seed-{self.seed}-{fingerprint(self.study.dense_study())[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every trial of a space in creation order, and the epochs at which ASHA judges them."""

    space: SearchSpace
    study: TicketStudy
    trials: tuple[TrialPlan, ...]
    rungs: tuple[int, ...]

    @property
    def preparations(self) -> dict[str, TrialPlan]:
        """One trial for every preparation that is needed, by key."""
        return {trial.preparation: trial for trial in reversed(self.trials)}

    def stratum(self, config: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values that a trial's rivals share with it."""
        asha = self.space.scheduler
        return tuple(config[name] for name in asha.stratify_by) if asha else ()

    def lines(self) -> list[str]:
        """The plan in a few lines, for people."""
        study, trials = self.study, self.trials
        axes = [
            f"{name} {_listed(list(dict.fromkeys(t.config[name] for t in trials)))}"
            for name in trials[0].config
        ]
        paths = study.market.train_paths + study.market.val_paths + study.market.test_paths
        megabytes = paths * (study.market.steps + 1) * 2 * 4 / 1e6
        epochs = sum(trial.study.training.epochs for trial in trials)
        strata = len({self.stratum(trial.config) for trial in trials})
        return [
            f"{self.space.name}: {len(trials)} trials, {'; '.join(axes)}",
            f"prepared once each: {len(self.preparations)} (data, theta_0, dense baseline), "
            f"{megabytes:.0f} MB of paths in the object store for each",
            f"at most {epochs} epochs over {study.market.train_paths} paths, "
            f"network {'-'.join(map(str, study.network.hidden))}",
            f"ASHA after epochs {', '.join(map(str, self.rungs))} within {strata} strata"
            if self.rungs
            else "no early stopping by ASHA",
        ]


def plan(
    space: str | Path | SearchSpace | Plan,
    *,
    overrides: Mapping[str, Any] | Iterable[str] | None = None,
) -> Plan:
    """The trials that ``space`` asks for; starts nothing.

    Args:
        space: a YAML file, the name of a shipped one, a loaded space, or a plan, returned as is.
        overrides: values by dotted key, as on the command line's ``--set``.
    Raises:
        SpaceError: anything wrong with the space, in one line with file, line, key and cure.
    """
    if isinstance(space, str | Path):
        space = search_spaces.load(space, overrides=overrides)
    elif overrides:
        raise TypeError("overrides apply while a file is read; give them to search_spaces.load()")
    if isinstance(space, Plan):
        return space
    if space.experiment != "tickets":
        raise _wrong(
            space, "experiment", unknown(space.experiment, ["tickets"], kind="experiment")
        )
    study = _study(space)
    _check_axes(space, study)
    trials = _trials(space, study)
    return Plan(space=space, study=study, trials=trials, rungs=_rungs(space, trials))


def _study(space: SearchSpace) -> TicketStudy:
    try:
        study = from_mapping(TicketStudy, space.study)
    except ConfigError as error:
        key = f"study.{error.key}" if error.key else "study"
        raise _wrong(space, key, error.problem) from error
    return _capped(space, study)


def _capped(space: SearchSpace, study: TicketStudy) -> TicketStudy:
    """``study`` with the most epochs that ASHA grants; learning-rate schedules end there too."""
    asha = space.scheduler
    if asha is None or asha.max_t is None or asha.max_t >= study.training.epochs:
        return study
    return replace(study, training=replace(study.training, epochs=asha.max_t))


def _check_axes(space: SearchSpace, study: TicketStudy) -> None:
    """Build the study at both ends of every domain."""
    known = {*AXES, "seed", *_leaves(to_mapping(study))}
    short = {path: name for name, path in AXES.items()}
    for name in space.space:
        if name not in known:
            hint = unknown(name, known, kind="axis").split("; known:")[0]
            axes = ", ".join([*AXES, "seed"])
            cure = f"axes are {axes} and the keys of study, such as training.epochs"
            raise _wrong(space, f"space.{name}", f"{hint}; {cure}")
        if name in short:
            raise _wrong(
                space, f"space.{name}", f"this axis is called {short[name]!r}; write that"
            )
    ends = {name: domain.ends() for name, domain in space.space.items()}
    for name, values in ends.items():
        where = f"space.{name}"
        for value in values:
            others = {other: ends[other][0] for other in ends if other != name}
            try:
                if name == "seed":
                    seed_sequence(cast(int, value))  # which itself refuses what is not a seed
                _trial_study(study, {**others, name: value})
            except ConfigError as error:
                raise _wrong(space, _axis(space, error.key) or where, error.problem) from error
            except ValueError as error:
                raise _wrong(space, where, str(error)) from error


def _axis(space: SearchSpace, path: str) -> str | None:
    """The key of the axis that sets ``path`` of the study.

    Another axis than the one being checked may be the one that is wrong.
    """
    return next((f"space.{name}" for name in space.space if AXES.get(name, name) == path), None)


def _trial_study(study: TicketStudy, config: Mapping[str, Any]) -> TicketStudy:
    return study.with_axes({name: value for name, value in config.items() if name != "seed"})


def _trials(space: SearchSpace, study: TicketStudy) -> tuple[TrialPlan, ...]:
    trials: dict[str, TrialPlan] = {}
    for config in _configs(space):
        try:
            built = _capped(space, _trial_study(study, config))
        except ConfigError as error:
            # Each value is legal beside the others' first; this combination is not.
            where = _axis(space, error.key) or "space"
            shown = ", ".join(f"{n}={_listed([v])}" for n, v in config.items())
            raise _wrong(space, where, f"{error.problem} (trial {shown})") from error
        seed = int(config.get("seed", 0))
        # The study's own values, so that a 0 written for a real number is 0.0 in every table.
        typed = {n: _value(built, AXES.get(n, n)) for n in config if n != "seed"}
        trial = TrialPlan(index=len(trials), config={**typed, "seed": seed}, study=built)
        trials.setdefault(digest([fingerprint(built), seed]), trial)
    return tuple(trials.values())


def _configs(space: SearchSpace) -> Iterator[dict[str, Any]]:
    """Grid axes crossed in file order, the others drawn once a sample.

    Every cell of the grid gets the same draws, so that cells differ only in what the grid varies.
    """
    drawn = {
        name: domain
        for name, domain in space.space.items()
        if space.search.algorithm == "random" and not isinstance(domain, Grid)
    }
    crossed = {name: domain.ends() for name, domain in space.space.items() if name not in drawn}
    streams = {name: numpy_stream(space.search.seed, "search", name) for name in drawn}
    for _ in range((space.search.num_samples or 1) if drawn else 1):
        sample = {name: domain.sample(streams[name]) for name, domain in drawn.items()}
        for cell in itertools.product(*crossed.values()):
            config = {**dict(zip(crossed, cell, strict=True)), **sample}
            yield {name: config[name] for name in space.space}


def _rungs(space: SearchSpace, trials: tuple[TrialPlan, ...]) -> tuple[int, ...]:
    asha = space.scheduler
    if asha is None:
        return ()
    _check_metric(space, asha)
    limit = max(trial.study.training.epochs for trial in trials)
    rungs = []
    rung = asha.grace_period
    while rung < limit:
        rungs.append(rung)
        rung *= asha.reduction_factor
    return tuple(rungs)


def _check_metric(space: SearchSpace, asha: Asha) -> None:
    if asha.metric not in DIRECTIONS:
        wrong = unknown(asha.metric, DIRECTIONS, kind="metric")
        raise _wrong(space, "scheduler.asha.metric", wrong)
    if asha.mode != (better := DIRECTIONS[asha.metric]):
        problem = f"{asha.mode!r} would stop the best by {asha.metric}; write mode: {better}"
        raise _wrong(space, "scheduler.asha.mode", problem)


def _wrong(space: SearchSpace, key: str, problem: str) -> SpaceError:
    return SpaceError(f"{space.where(key)}: {problem}")


def _leaves(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _value(study: TicketStudy, path: str) -> Any:
    value: Any = study
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _listed(values: list[Any]) -> str:
    shown = [f"{v:g}" if isinstance(v, float) else str(v) for v in values]
    return ", ".join(shown) if len(shown) <= 9 else f"{shown[0]} .. {shown[-1]} ({len(shown)})"
