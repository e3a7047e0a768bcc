"""Plan of a sweep: its trials and rungs, validated before Ray starts."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from hedgecore.config import ConfigError, digest, fingerprint
from hedgecore.experiment import Experiment, Study
from search_spaces import Asha, IEpoch, SearchSpace, SpaceError, StockAsha
from search_spaces.loader import checked
from search_spaces.space import frozen
from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.planning import validation
from sweeps.planning.cures import combination_error
from sweeps.planning.sampling import check_count, configurations
from sweeps.text import value_text


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """One trial: its index in creation order, its axes (with the seed) and its study."""

    index: int
    config: Mapping[str, Any]
    study: Study
    limit: int
    """Maximum of epochs; not part of the trial's identity."""

    @property
    def seed(self) -> int:
        """The seed that names every stream of the trial."""
        return int(self.config["seed"])

    @property
    def preparation(self) -> str:
        """Key of the preparation shared by trials of equal seed and shared study."""
        return f"seed-{self.seed}-{fingerprint(self.study.shared_study())[:8]}"

    @property
    def base(self) -> "TrialPlan":
        """A trial that needs only the base of the preparation."""
        return replace(self, study=self.study.base_study())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every trial of a space in creation order, and the epochs at which they are judged.

    Under a search that learns from outcomes ``trials`` is empty, and :meth:`proposal` gives those
    of each proposed configuration.
    """

    space: SearchSpace
    study: Study
    trials: tuple[TrialPlan, ...]
    limit: int
    """Maximum of epochs over all trials."""
    rungs: tuple[int, ...]
    """Epochs in ascending order; a trial is judged at those below its own limit."""
    preparations: Mapping[str, TrialPlan]
    """One trial for every preparation that is needed, by key."""
    until_decided: str | None = None
    """Claim for which seeds are added until it is decided, in view of the results."""

    def __repr__(self) -> str:
        number = "trials to be proposed" if self.adaptive else f"{len(self.trials):,} trials"
        return f"Plan({self.space.name!r}: {number}, at most {self.limit} epochs each)"

    @property
    def experiment(self) -> Experiment[Any, Any]:
        """What is swept."""
        return experiment(self.space.experiment)

    @property
    def adaptive(self) -> bool:
        """True if the trials depend on outcomes."""
        return self.space.search.adaptive

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed of the sweep, in ascending order."""
        return tuple(sorted({trial.seed for trial in self.preparations.values()}))

    @property
    def objectives(self) -> Mapping[str, Literal["min", "max"]]:
        """Objectives of a search that learns: direction of improvement by column."""
        return validation.objectives(self.space)

    def proposal(self, number: int, config: Mapping[str, Any]) -> tuple[TrialPlan, ...]:
        """The trials of proposal ``number`` (from 0), one per seed.

        ``config`` has values by axis, without the seed.

        Raises:
            SpaceError: the values are valid separately but not together.
        """
        seeds = self.seeds
        return tuple(
            _trial(self.space, self.study, number * len(seeds) + i, {**config, "seed": seed})
            for i, seed in enumerate(seeds)
        )

    def requested(self, number: int, config: Mapping[str, Any]) -> tuple[TrialPlan, ...]:
        """Trials of the ``number``-th configuration (from 0) that a user requested, one per seed.

        ``config`` has values by axis, without the seed.

        Raises:
            UsageError: the study rejects it, or it lacks an axis of the scheduler.
        """
        samples = (self.space.search.num_samples or 0) if self.adaptive else 0
        first = len(self.trials) + (samples + number) * len(self.seeds)
        try:
            trials = tuple(
                _trial(self.space, self.study, first + i, {**frozen(config), "seed": seed})
                for i, seed in enumerate(self.seeds)
            )
            for trial in trials:
                self.stratum(trial.config)
        except (SpaceError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"the requested configuration {config} does not fit this sweep ({error}); give "
                "another --storage"
            ) from error
        return trials

    def stratum(self, config: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values that a trial's rivals share with it."""
        names = getattr(self.space.scheduler, "stratify_by", ())
        return tuple(config[name] for name in names)

    def group(self, trial: TrialPlan) -> Hashable:
        """Key of the group of ``trial``, whose members are judged together."""
        replicates = getattr(self.space.scheduler, "replicates", None)
        return tuple((name, v) for name, v in trial.config.items() if name != replicates)

    def base(self, key: str) -> str | None:
        """Base of the preparation ``key``; None without one."""
        base = self.preparations[key].base.preparation
        return None if base == key else base


def plan(
    space: str | Path | Mapping[str, Any] | SearchSpace | Plan,
    *,
    overrides: Mapping[str, Any] | Iterable[str] | None = None,
) -> Plan:
    """Plan of ``space``; starts nothing.

    Args:
        space: a YAML file, the name of a shipped one, a mapping as a file would give it, a loaded
            space, or a plan, returned as is.
        overrides: values by dotted key, as on the command line's ``--set``.
    Raises:
        SpaceError: anything wrong with the space, in one line with file, line, key and cure.
        TypeError: ``space`` or ``overrides`` has another type.
    """
    if isinstance(space, SearchSpace | Plan):
        if overrides:
            cure = "give them to search_spaces.load()"
            raise TypeError(f"overrides apply while a file is read; {cure}")
        return space if isinstance(space, Plan) else _build(space)
    return checked(space, overrides=overrides, check=_build)


def _build(space: SearchSpace) -> Plan:
    study = validation.study_of(space)
    adaptive = space.search.adaptive
    if not adaptive:
        check_count(space, ())  # before thousands of values are checked one by one
    validation.check_axes(space, study)
    validation.check_metrics(space)
    if adaptive:
        check_count(space, _prepared_axes(space, study))
    # A search that learns has no trials yet; the ends of its axes bound their lengths.
    trials = (_corners if adaptive else _trials)(space, study)
    limit = max(trial.limit for trial in trials)
    return Plan(
        space=space,
        study=study,
        trials=() if adaptive else trials,
        limit=limit,
        rungs=_rungs(space, limit),
        preparations=_preparations(trials),
    )


def _preparations(trials: Sequence[TrialPlan]) -> dict[str, TrialPlan]:
    """The first trial of every preparation that ``trials`` need; including bases."""
    needed: dict[str, TrialPlan] = {}
    for trial in trials:
        for one in (trial.base, trial):
            needed.setdefault(one.preparation, one)
    return needed


def _trials(space: SearchSpace, study: Study) -> tuple[TrialPlan, ...]:
    trials: dict[str, TrialPlan] = {}
    for config in configurations(space):
        trial = _trial(space, study, len(trials), config)
        trials.setdefault(digest([fingerprint(trial.study), trial.seed]), trial)
    return tuple(trials.values())


def _trial(space: SearchSpace, study: Study, index: int, config: Mapping[str, Any]) -> TrialPlan:
    try:
        full_study = validation.trial_study(study, config)
    except ConfigError as error:
        # Each value is valid with the others' first; this combination is not.
        where = validation.axis_at(space, error.key) or "space"
        label = ", ".join(f"{n}={value_text(v)}" for n, v in config.items())
        error.problem += f" (trial {label})"
        raise combination_error(space, study, where, error, config) from error
    # From the study, so that a 0 written for a real number is 0.0 in every table.
    axes = experiment(space.experiment).search.axes
    typed = {n: attrgetter(axes.get(n, n))(full_study) for n in config if n != "seed"}
    seed = int(config.get("seed", 0))
    limit = _limit(space, full_study)
    return TrialPlan(index=index, config={**typed, "seed": seed}, study=full_study, limit=limit)


def _corners(space: SearchSpace, study: Study) -> tuple[TrialPlan, ...]:
    """A trial at every end of every axis, the others at their first values.

    All preparations are covered: every seed with all listed values.
    """
    corners = [{axis: end} for axis, domain in space.space.items() for end in domain.ends()]
    axes = _prepared_axes(space, study)
    combinations = product(*(space.space[axis].ends() for axis in axes))
    corners += [dict(zip(axes, values, strict=True)) for values in combinations]
    configs = (validation.first_with(space, corner) for corner in corners)
    return tuple(_trial(space, study, i, config) for i, config in enumerate(configs))


def _prepared_axes(space: SearchSpace, study: Study) -> list[str]:
    prepared = {"seed", *validation.preparing(space, study)}
    return [axis for axis in space.space if axis in prepared]


def _rungs(space: SearchSpace, limit: int) -> tuple[int, ...]:
    rule = space.scheduler
    if isinstance(rule, IEpoch):
        return (rule.epochs,) if rule.epochs < limit else ()
    if not isinstance(rule, Asha | StockAsha):
        return ()
    rungs = []
    rung = rule.grace_period
    while rung < limit:
        rungs.append(rung)
        rung *= rule.reduction_factor
    return tuple(rungs)


def _limit(space: SearchSpace, study: Study) -> int:
    most = space.scheduler.max_t if space.scheduler else None
    return min(study.training.epochs, most or study.training.epochs)
