"""Search by Optuna's samplers, with proposals that do not depend on timing.

Proposal k is a function of the space, the seed of the search, the earlier sweeps and the outcomes
of proposals 0 .. k - ``delay``. Every proposal is sampled from a separate random stream, and
early outcomes wait in a buffer, so a replay of a log rebuilds the same study. A recorded proposal
that was made from the same outcomes is not sampled again.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import optuna
from optuna.distributions import distribution_to_json
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import TrialState

from hedgecore.config import digest, fingerprint
from hedgecore.rng import seed_sequence
from search_spaces import SearchSpace
from sweeps.errors import UsageError
from sweeps.journal.records import Proposal
from sweeps.planning.plan import Plan
from sweeps.scheduling.distributions import distribution, from_label, suggest, to_label
from sweeps.scheduling.proposals import RecordSampler, next_basis, proposal

# Optuna's default of 50 leaves a search of a hundred proposals two generations.
_POPULATION = 20
# NSGA-II ignores trials without a generation, so earlier trials need one.
_FIRST_GENERATION = {"NSGAIISampler:generation": 0}

Earlier: TypeAlias = tuple[Mapping[str, Any], Sequence[float]]
_DIRECTIONS: Mapping[str, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a proposal ended, as the mean over its seeds."""

    state: Literal["complete", "pruned", "failed"]  # after all epochs, by a stop, or by neither
    values: tuple[float, ...] | None  # objectives in order; None unless complete
    steps: Mapping[int, float]  # compared value by epoch, at every rung with a verdict


class OptunaSearch:
    """Configurations of ``space`` in the order in which they are proposed.

    Args:
        space: its search is "tpe" or "nsga2".
        directions: direction of improvement of each objective.
        name: of Optuna's study.
        warm: configurations of earlier sweeps with their objectives. Those that the space could
            propose come first in the study, as complete trials; ``skipped`` counts the others.
            Axes that the space lacks are ignored.
        records: of earlier proposals, by number. Those made from the present outcomes are
            reused; the last of them is sampled again anyway, to detect a different sampler.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        directions: Sequence[Literal["minimize", "maximize"]],
        name: str,
        warm: Iterable[Earlier] = (),
        records: Mapping[int, Proposal] | None = None,
    ) -> None:
        self._space = space
        self._axes = [axis for axis in space.order if axis != "seed"]
        self._distributions = {axis: distribution(space.space[axis]) for axis in self._axes}
        with _quiet():
            self.study = optuna.create_study(
                study_name=name,
                directions=list(directions),
                sampler=_sampler(space.search.algorithm),
                pruner=optuna.pruners.NopPruner(),
            )
            """Optuna's study; proposals without an outcome are running."""
        self._sampler = self.study.sampler
        self._logged = records or {}
        samples = space.search.num_samples or 0
        self._last = max((n for n in self._logged if n < samples), default=-1)
        described = {n: distribution_to_json(d) for n, d in self._distributions.items()}
        search = [space.search.algorithm, space.search.seed, _POPULATION, list(directions)]
        self._basis = digest([search, described, repr(dict(space.when))])
        self._generation = 0
        self._configs: list[dict[str, Any]] = []
        self._records: list[Proposal] = []
        self._trials: list[optuna.Trial] = []
        self._outcomes: dict[int, Outcome] = {}
        self._applied = 0
        self._closed = False
        self.skipped = sum(not self._enter(config, values) for config, values in warm)

    def ask(self, number: int) -> dict[str, Any] | None:
        """The configuration of proposal ``number``, without the seed; the same every time.

        None while an outcome that it depends on is missing.

        Raises:
            ValueError: an earlier proposal is missing, or the search is closed.
            UsageError: a different sampler made the recorded proposal.
        """
        if number < len(self._configs):
            return dict(self._configs[number])
        if self._closed or number > len(self._configs):
            why = "the search is closed" if self._closed else "proposals are made in their order"
            raise ValueError(f"proposal {number} cannot be made after {len(self._configs)}: {why}")
        if not self._apply(up_to=number - self._space.search.delay):
            return None
        self._propose(number)
        return dict(self._configs[number])

    def record(self, number: int) -> Proposal:
        """Record of proposal ``number``, which must have been made."""
        return self._records[number]

    def tell(self, number: int, outcome: Outcome) -> None:
        """Enter the outcome of proposal ``number``; in any order, and the first one counts.

        Raises:
            ValueError: it was not made.
        """
        if not 0 <= number < len(self._configs):
            raise ValueError(f"proposal {number} was not made; there are {len(self._configs)}")
        self._outcomes.setdefault(number, outcome)

    def close(self) -> None:
        """Enter every outcome into the study; proposals without one have failed."""
        self._closed = True
        for number in range(self._applied, len(self._trials)):
            self.tell(number, Outcome(state="failed", values=None, steps={}))
        self._apply(up_to=len(self._trials) - 1)

    def _propose(self, number: int) -> None:
        record = self._logged.get(number)
        if record and record.basis != self._basis:
            record = None
        labels = self._replayable(record) if record and number != self._last else None
        if record and labels is not None:
            self.study.sampler = RecordSampler(labels, record.attributes, self._sampler)
        else:
            self._seed(number)
            self.study.sampler = self._sampler
        trial = self.study.ask()
        config = self._suggest(trial)
        attributes = self.study.get_trials(deepcopy=False)[trial.number].system_attrs
        new_record = proposal(number, self._basis, config, attributes)
        if record and new_record != record:
            raise UsageError(
                f"the log proposes {record.config} as number {number} where its outcomes give "
                f"{new_record.config}; another version of optuna or numpy made it: use "
                "that version, or give another --storage"
            )
        self._trials.append(trial)
        self._configs.append(config)
        self._records.append(record or new_record)
        self._generation = max([self._generation, *_whole(attributes.values())])

    def _replayable(self, record: Proposal) -> Mapping[str, Any] | None:
        """The labels of a record; None if this search cannot have made it."""
        if any(not 0 <= n <= self._generation + 1 for n in _whole(record.attributes.values())):
            return None
        return self._labels(record.config)

    def _labels(self, config: Mapping[str, Any]) -> dict[str, Any] | None:
        """The labels of ``config``; None if the space has no such trial."""
        axes = [axis for axis in self._axes if self._exists(axis, config)]
        if not all(axis in config for axis in axes):
            return None
        labels = {axis: to_label(config[axis]) for axis in axes}
        of = {axis: self._distributions[axis] for axis in axes}
        try:
            optuna.trial.create_trial(state=TrialState.RUNNING, params=labels, distributions=of)
        except ValueError:  # a value outside its distribution
            return None
        return labels

    def _apply(self, *, up_to: int) -> bool:
        """Enter outcomes in the order of proposals; True if all of 0 .. ``up_to`` are entered."""
        while self._applied <= up_to:
            if self._applied not in self._outcomes:
                return False
            self._enter_outcome(self._trials[self._applied], self._outcomes[self._applied])
            self._applied += 1
        return True

    def _enter_outcome(self, trial: optuna.Trial, outcome: Outcome) -> None:
        steps = {step: _finite_or_nan(outcome.steps[step]) for step in sorted(outcome.steps)}
        if len(self.study.directions) == 1:
            for step, value in steps.items():
                trial.report(value, step)
        else:
            # Optuna has no intermediate values with several objectives.
            trial.set_user_attr("steps", {str(step): value for step, value in steps.items()})
        values = outcome.values or ()
        self._basis = next_basis(self._basis, outcome.state, values, outcome.steps)
        if outcome.state == "complete" and values and all(map(math.isfinite, values)):
            self.study.tell(trial, list(values))
        else:
            # Pruned trials take the value of their last step by themselves, unless it is nan.
            pruned = outcome.state == "pruned"
            self.study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)

    def _suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """A value for every axis that exists, each suggested after those it depends on."""
        config: dict[str, Any] = {}
        for axis in self._axes:
            if self._exists(axis, config):
                label = suggest(trial, axis, self._distributions[axis])
                config[axis] = from_label(self._space.space[axis], label)
        return {axis: config[axis] for axis in self._space.space if axis in config}

    def _exists(self, axis: str, config: Mapping[str, Any]) -> bool:
        # Its own value is still missing, and does not affect whether it exists.
        return axis not in self._space.when or axis in self._space.present({**config, axis: None})

    def _enter(self, config: Mapping[str, Any], values: Sequence[float]) -> bool:
        """Enter a trial of an earlier sweep as complete; False if the space has no such trial."""
        labels = self._labels(config)
        if labels is None or not all(map(math.isfinite, values)):
            return False
        if len(values) != len(self.study.directions):
            count = len(self.study.directions)
            raise ValueError(f"expected {count} objectives of {dict(config)}, got {len(values)}")
        trial = optuna.trial.create_trial(
            values=list(values),
            params=labels,
            distributions={axis: self._distributions[axis] for axis in labels},
            system_attrs=_FIRST_GENERATION,
        )
        self.study.add_trial(trial)
        self._basis = digest([self._basis, trial.params, list(map(repr, values))])
        return True

    def _seed(self, number: int) -> None:
        """Begin the stream of proposal ``number``.

        The sampler itself is kept, since it stores the axes common to all trials so far.
        """
        sequence = seed_sequence(self._space.search.seed, "search", "proposal", str(number))
        seed = int(sequence.generate_state(1)[0])
        sampler: Any = self._sampler
        for part in (sampler, sampler._random_sampler):
            part._rng.rng.seed(seed)


def search_for(
    plan: Plan,
    warm: Iterable[Earlier] = (),
    records: Mapping[int, Proposal] | None = None,
) -> OptunaSearch:
    """Search for ``plan``, which must be adaptive, after the ``warm`` trials."""
    space = plan.space
    directions = [_DIRECTIONS[better] for better in plan.objectives.values()]
    varied = digest([fingerprint(plan.study), repr(dict(space.space)), repr(dict(space.when))])
    name = f"{space.name}-{varied[:8]}"
    return OptunaSearch(space, directions=directions, name=name, warm=warm, records=records)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna's message on stderr about a new study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _sampler(algorithm: str) -> BaseSampler:
    # Seeded before each proposal.
    if algorithm == "tpe":
        return TPESampler(seed=0)
    return NSGAIISampler(seed=0, population_size=_POPULATION)


def _whole(values: Iterable[Any]) -> list[int]:
    return [value for value in values if type(value) is int]


def _finite_or_nan(value: float) -> float:
    # Optuna would take an infinity for the value of a pruned trial.
    return value if math.isfinite(value) else math.nan
