"""What a sweep will run, worked out and checked before Ray starts."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import search_spaces
from hedgecore.config import ConfigError, digest, fingerprint
from hedgecore.hedging.markets import path_bytes
from hedgecore.hedging.study import AXES, TicketStudy
from hedgecore.registry import unknown
from search_spaces import Asha, Domain, SearchSpace, StockAsha
from sweeps.planning.checks import (
    axis_at,
    check_axes,
    check_metrics,
    first_with,
    objectives,
    study_of,
    trial_study,
    wrong,
)
from sweeps.planning.points import configurations

_NAMES = {
    "asha": "ASHA",
    "stock_asha": "Ray's ASHA",
    "median": "median rule",
    "hyperband": "HyperBand",
    "pbt": "population based training",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """One trial: its place in creation order, its axes (seed included) and the study they make."""

    index: int
    config: Mapping[str, Any]
    study: TicketStudy
    limit: int
    """Epochs after which it ends at the latest; no part of what the trial is."""

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
    """Every trial of a space in creation order, and the epochs at which ASHA judges them.

    Under a search that learns from outcomes the trials are not known in advance: ``trials`` is
    empty, and :meth:`proposal` makes those of each configuration that is proposed.
    """

    space: SearchSpace
    study: TicketStudy
    trials: tuple[TrialPlan, ...]
    limit: int
    """The most epochs of any trial."""
    rungs: tuple[int, ...]
    """Epochs in ascending order; a trial is judged at those below its own limit."""
    preparations: Mapping[str, TrialPlan]
    """One trial for every preparation that is needed, by key."""

    @property
    def adaptive(self) -> bool:
        """Whether the trials depend on outcomes."""
        return self.space.search.adaptive

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed of the sweep, in ascending order."""
        return tuple(sorted({trial.seed for trial in self.preparations.values()}))

    @property
    def objectives(self) -> Mapping[str, Literal["min", "max"]]:
        """What a search that learns improves: which way is better, by column."""
        return objectives(self.space)

    def proposal(self, number: int, config: Mapping[str, Any]) -> tuple[TrialPlan, ...]:
        """The trials of proposal ``number`` (from 0), one a seed.

        Args:
            number: place of the proposal in creation order.
            config: values by axis, without the seed.
        Raises:
            SpaceError: the values, each legal, make no study together.
        """
        seeds = self.seeds
        return tuple(
            _trial(self.space, self.study, number * len(seeds) + i, {**config, "seed": seed})
            for i, seed in enumerate(seeds)
        )

    def stratum(self, config: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values that a trial's rivals share with it."""
        names = getattr(self.space.scheduler, "stratify_by", ())
        return tuple(config[name] for name in names)

    def group(self, trial: TrialPlan) -> Hashable:
        """What ``trial`` shares with those that are judged together with it, and with no other."""
        rule = self.space.scheduler
        replicates = rule.replicates if isinstance(rule, Asha) else None
        return tuple((name, v) for name, v in trial.config.items() if name != replicates)

    def base(self, key: str) -> str | None:
        """The preparation that ``key`` adds a network to, if the plan has it."""
        trial = self.preparations[key]
        clean = trial.study.clean_study()
        if clean == trial.study.dense_study():
            return None
        return next(
            (
                other
                for other, t in self.preparations.items()
                if t.seed == trial.seed and t.study.dense_study() == clean
            ),
            None,
        )

    def lines(self) -> list[str]:
        """The plan in a few lines, for people."""
        market = self.study.market
        megabytes = path_bytes(self.study) / 1e6
        return [
            f"{self.space.name}: {self._extent()}",
            f"prepared once each: {len(self.preparations)} (data, theta_0, dense baseline), "
            f"{megabytes:.0f} MB of paths in the object store for each",
            f"at most {self._most_epochs()} epochs over {market.train_paths} paths, "
            f"network {'-'.join(map(str, self.study.network.hidden))}",
            self._judgement(),
        ]

    def _extent(self) -> str:
        search = self.space.search
        if self.adaptive:
            axes = [_span(name, domain) for name, domain in self.space.space.items()]
            aims = " and ".join(f"{better} {name}" for name, better in self.objectives.items())
            count = f"{search.num_samples} proposals x {len(self.seeds)} seeds"
            return f"{count} by {search.algorithm} for {aims}, {'; '.join(axes)}"
        values: dict[str, dict[Any, None]] = {}
        for trial in self.trials:
            for name, value in trial.config.items():
                values.setdefault(name, {})[value] = None
        axes = [f"{name} {_listed(list(tried))}" for name, tried in values.items()]
        return f"{len(self.trials)} trials, {'; '.join(axes)}"

    def _most_epochs(self) -> int:
        proposed = (self.space.search.num_samples or 0) * len(self.seeds) * self.limit
        return proposed if self.adaptive else sum(trial.limit for trial in self.trials)

    def _judgement(self) -> str:
        rule = self.space.scheduler
        if rule is None:
            return "no early stopping"
        if not isinstance(rule, Asha | StockAsha):
            return f"{_NAMES[rule.kind]} by {rule.metric}"
        if not self.rungs:
            return f"no early stopping by {_NAMES[rule.kind]}: every trial ends before a rung"
        where = ""
        if rule.stratify_by and self.adaptive:
            where = f" within strata of {', '.join(rule.stratify_by)}"
        elif rule.stratify_by:
            where = f" within {len({self.stratum(t.config) for t in self.trials})} strata"
        together = ", seeds together" if isinstance(rule, Asha) and rule.replicates else ""
        epochs = ", ".join(map(str, self.rungs))
        return f"{_NAMES[rule.kind]} after epochs {epochs}{where}{together}"


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
        raise wrong(space, "experiment", unknown(space.experiment, ["tickets"], kind="experiment"))
    study = study_of(space)
    check_axes(space, study)
    check_metrics(space)
    # A search that learns has no trials yet; the ends of its axes say how long they can be.
    adaptive = space.search.adaptive
    known = (_corners if adaptive else _trials)(space, study)
    limit = max(trial.limit for trial in known)
    return Plan(
        space=space,
        study=study,
        trials=() if adaptive else known,
        limit=limit,
        rungs=_rungs(space, limit),
        preparations={trial.preparation: trial for trial in reversed(known)},
    )


def _trials(space: SearchSpace, study: TicketStudy) -> tuple[TrialPlan, ...]:
    trials: dict[str, TrialPlan] = {}
    for config in configurations(space):
        trial = _trial(space, study, len(trials), config)
        trials.setdefault(digest([fingerprint(trial.study), trial.seed]), trial)
    return tuple(trials.values())


def _trial(
    space: SearchSpace, study: TicketStudy, index: int, config: Mapping[str, Any]
) -> TrialPlan:
    try:
        built = trial_study(study, config)
    except ConfigError as error:
        # Each value is legal beside the others' first; this combination is not.
        where = axis_at(space, error.key) or "space"
        shown = ", ".join(f"{n}={_listed([v])}" for n, v in config.items())
        raise wrong(space, where, f"{error.problem} (trial {shown})") from error
    # The study's own values, so that a 0 written for a real number is 0.0 in every table.
    typed = {n: _value(built, AXES.get(n, n)) for n in config if n != "seed"}
    seed = int(config.get("seed", 0))
    limit = _limit(space, built)
    return TrialPlan(index=index, config={**typed, "seed": seed}, study=built, limit=limit)


def _corners(space: SearchSpace, study: TicketStudy) -> tuple[TrialPlan, ...]:
    """A trial at every end of every axis, the others at their first values."""
    ends = [(axis, end) for axis, domain in space.space.items() for end in domain.ends()]
    configs = [first_with(space, {axis: end}) for axis, end in ends]
    return tuple(_trial(space, study, i, config) for i, config in enumerate(configs))


def _rungs(space: SearchSpace, limit: int) -> tuple[int, ...]:
    rule = space.scheduler
    if not isinstance(rule, Asha | StockAsha):
        return ()
    rungs = []
    rung = rule.grace_period
    while rung < limit:
        rungs.append(rung)
        rung *= rule.reduction_factor
    return tuple(rungs)


def _limit(space: SearchSpace, study: TicketStudy) -> int:
    most = space.scheduler.max_t if space.scheduler else None
    return min(study.training.epochs, most or study.training.epochs)


def _value(study: TicketStudy, path: str) -> Any:
    value: Any = study
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _span(name: str, domain: Domain) -> str:
    ends = list(domain.ends())
    return f"{name} {_listed(ends)}" if domain.enumerable else f"{name} {ends[0]} to {ends[1]}"


def _listed(values: list[Any]) -> str:
    shown = [f"{v:g}" if isinstance(v, float) else str(v) for v in values]
    return ", ".join(shown) if len(shown) <= 9 else f"{shown[0]} .. {shown[-1]} ({len(shown)})"
