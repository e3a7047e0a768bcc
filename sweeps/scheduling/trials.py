"""Queue of the trials of a sweep: their entry, states and next proposals."""

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hedgecore.config import to_mapping
from hedgecore.experiment import Experiment
from hedgecore.rng import numpy_stream
from sweeps.errors import UsageError
from sweeps.journal.manifest import trial_id
from sweeps.journal.preparations import Facts
from sweeps.journal.records import (
    Proposal,
    Record,
    SpaceExhausted,
    TrialEntry,
    TrialRequest,
    Withdrawal,
)
from sweeps.journal.state import TrialState
from sweeps.planning.plan import Plan, TrialPlan
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.proposal_outcome import outcome_of

if TYPE_CHECKING:
    from sweeps.scheduling.optuna_search import OptunaSearch


class TrialQueue:
    """Enters the trials of ``plan`` in the ledger, all at once or as a search proposes them.

    Without an ``engine`` another scheduler decides; without a ``search`` the plan has all trials.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        *,
        engine: Engine | None,
        search: "OptunaSearch | None" = None,
    ) -> None:
        self._plan, self._ledger = plan, ledger
        self._facts: Mapping[str, Facts] = {}
        self._engine, self._search = engine, search
        self._proposals: dict[int, list[str]] = {}
        self._open: dict[int, frozenset[str]] = {}
        self._requested = 0
        self._gpu = plan.space.resources.gpu > 0
        self.trials: dict[str, TrialPlan] = {}

    def enter(self, facts: Mapping[str, Facts]) -> None:
        """Enter the trials of the plan, and withdraw unfinished ones that left the space.

        The order of entry determines which trials are compared. It is shuffled, since the first
        block of a sorted grid would not be representative. The ``facts`` of every preparation,
        by key, are part of the identity of a trial.
        """
        self._facts = facts
        self.trials = {self._id(trial): trial for trial in self._plan.trials}
        if self._search is not None:
            self._resume()
        for request in self._ledger.state.requested:
            self._request(request.config)
        if self._engine is not None:
            dropouts = [i for i in self._engine.unfinished() if i not in self.trials]
            if dropouts:
                self._ledger.append(Withdrawal(trials=tuple(dropouts)))
        groups: dict[Hashable, list[str]] = {}
        for identifier, trial in self.trials.items():
            groups.setdefault(self._plan.group(trial), []).append(identifier)
        seed = self._plan.space.search.seed
        order = numpy_stream(seed, "search", "order").permutation(len(groups))
        members_in_order = [list(groups.values())[i] for i in order]
        entries = [self._entry(i) for members in members_in_order for i in members]
        for entry in entries:
            self._check(entry)
        new: list[Record] = [*self._unrecorded()]
        new += (entry for entry in entries if not self._is_entered(entry))
        if self.exhausted:
            new.append(SpaceExhausted())
        self._ledger.append(*new)
        if self._engine is not None:
            self._ledger.append(*self._engine.audits())

    @property
    def experiment(self) -> Experiment[Any, Any]:
        """Experiment of the plan."""
        return self._plan.experiment

    @property
    def adaptive(self) -> bool:
        """True if the trials depend on outcomes."""
        return self._plan.adaptive

    @property
    def entered(self) -> bool:
        """True if :meth:`enter` was called."""
        return bool(self._facts)

    @property
    def exhausted(self) -> bool:
        """True if no further trials will be proposed."""
        return self._search is None or len(self._proposals) >= self._samples

    def more(self) -> bool:
        """Enter the trials of the next proposal; False if there is none, or not yet."""
        if self._search is None or self.exhausted:
            return False
        self.tell()
        number = len(self._proposals)
        config = self._search.ask(number)
        if config is None:
            return False
        self._propose(number, self._plan.proposal(number, config))
        # The proposal comes first: trials that a crash cut off after it are entered later.
        self._ledger.append(
            self._search.record(number), *(self._entry(i) for i in self._proposals[number])
        )
        if self.exhausted:
            self._ledger.append(SpaceExhausted())
        return True

    def enqueue(self, request_id: str, config: Mapping[str, Any]) -> list[str]:
        """Enter the configuration that a user requested at every seed; ids of new trials.

        Raises:
            UsageError: it does not fit the sweep, or needs data that were not prepared.
        """
        before = {*self.trials}
        self._request(config)
        new = [i for i in self.trials if i not in before]
        request = TrialRequest(request=request_id, config=json.loads(json.dumps(config)))
        entries = [self._entry(i) for i in new]
        exhausted = [SpaceExhausted()] if self.exhausted else []
        self._ledger.append(request, *entries, *exhausted)
        return new

    def tell(self) -> None:
        """Report every settled proposal to the search."""
        for number in [number for number in self._open if self._is_settled(number)]:
            assert self._search is not None
            trials = [self._ledger.state.trials[i] for i in self._proposals[number]]
            self._search.tell(number, outcome_of(trials, self._plan))
            del self._open[number]

    @property
    def finished(self) -> bool:
        """True if every trial has ended and no further ones will be proposed."""
        return self.entered and self.exhausted and not self.unfinished

    @property
    def unfinished(self) -> list[str]:
        """Ids of trials that have not ended."""
        if self._engine is not None:
            return [i for i in self._engine.unfinished() if i in self.trials]
        return [i for i, trial in self.states.items() if trial.ended is None]

    @property
    def total(self) -> int:
        """Number of trials of the whole sweep, including those still to be proposed."""
        if self._search is None:
            return len(self.trials)
        others = self.trials.keys() - {i for ids in self._proposals.values() for i in ids}
        return self._samples * len(self._plan.seeds) + len(others)

    @property
    def running_ids(self) -> frozenset[str]:
        """Trials on a worker now."""
        return frozenset(self._ledger.state.running)

    @property
    def states(self) -> dict[str, TrialState]:
        """State of each trial of the plan; the storage may hold others, of a wider space."""
        return {i: self._ledger.state.trials[i] for i in self.trials}

    def spec(self, identifier: str) -> dict[str, Any]:
        """Specification of a trial for a worker, as plain data."""
        trial = self.trials[identifier]
        preparation = trial.preparation
        computed = self.experiment.search.validated(trial.study)
        return {
            "trial": {
                "trial_id": identifier,
                "config": dict(trial.config),
                "study": to_mapping(trial.study),
                "preparation": preparation,
                "theta_0_sha256": self._facts[preparation].theta_0_sha256,
            },
            "limit": trial.limit,
            "epochs": trial.study.training.epochs,
            # Not part of the trial's identity: fewer columns leave the others unchanged.
            "columns": [n for n in self._plan.objectives if n in computed],
        }

    @property
    def _samples(self) -> int:
        return self._plan.space.search.num_samples or 0

    def _request(self, config: Mapping[str, Any]) -> None:
        """Add the trials of a requested configuration whose data this sweep has prepared."""
        requested = self._plan.requested(self._requested, config)
        self._requested += 1
        for trial in requested:
            if trial.preparation in self._facts:
                self.trials.setdefault(self._id(trial), trial)

    def _id(self, trial: TrialPlan) -> str:
        return trial_id(trial, self._facts[trial.preparation], gpu=self._gpu)

    def _entry(self, identifier: str) -> TrialEntry:
        trial = self.trials[identifier]
        return TrialEntry(
            trial_id=identifier,
            index=trial.index,
            # Through JSON, so that it compares with what was read from the log.
            config=json.loads(json.dumps(dict(trial.config))),
            group=self._group(trial),
            stratum=json.dumps(self._plan.stratum(trial.config)),
            replicate=trial.seed,
            limit=trial.limit,
            columns=json.loads(json.dumps(self._facts[trial.preparation].row)),
        )

    def _check(self, entry: TrialEntry) -> None:
        """Refuse a trial of the log whose preparation has changed."""
        trial = self._ledger.state.trials.get(entry.trial_id)
        if trial is None:
            return
        for name, value in entry.columns.items():
            logged = trial.entry.columns.get(name)
            if logged != value:
                key = self.trials[entry.trial_id].preparation
                raise UsageError(
                    f"trial {entry.trial_id} was entered with {name} {logged}, "
                    f"and study/{key} gives {value}; restore that folder "
                    "from a copy, or give another --storage"
                )

    def _group(self, trial: TrialPlan) -> str:
        return json.dumps(self._plan.group(trial))

    def _is_entered(self, entry: TrialEntry) -> bool:
        trial = self._ledger.state.trials.get(entry.trial_id)
        return trial is not None and trial.entry == entry and self._is_there(entry.trial_id)

    def _is_there(self, identifier: str) -> bool:
        state = self._ledger.state
        return identifier in state.trials and identifier not in state.withdrawn

    def _resume(self) -> None:
        """Repeat the proposals of earlier driver starts, from the same outcomes."""
        assert self._search is not None
        while len(self._proposals) < self._samples:
            number = len(self._proposals)
            self.tell()
            config = self._search.ask(number)
            if config is None:
                return
            trials = self._plan.proposal(number, config)
            if not any(self._is_there(self._id(trial)) for trial in trials):
                return
            self._propose(number, trials)

    def _unrecorded(self) -> list[Proposal]:
        """Proposals that the log lacks, or records with other outcomes."""
        if self._search is None:
            return []
        logged = self._ledger.state.proposals
        records = [self._search.record(number) for number in self._proposals]
        return [record for record in records if logged.get(record.number) != record]

    def _propose(self, number: int, trials: Sequence[TrialPlan]) -> None:
        ids = [self._id(trial) for trial in trials]
        for identifier, trial in zip(ids, trials, strict=True):
            # A configuration that is proposed twice is trained once.
            self.trials.setdefault(identifier, trial)
        self._proposals[number] = ids
        # Groups judged together: one, or one per seed.
        self._open[number] = frozenset(self._group(self.trials[identifier]) for identifier in ids)

    def _is_settled(self, number: int) -> bool:
        assert self._engine is not None
        # After a crash, or with a further seed, some of its trials may not be entered yet.
        if not all(map(self._is_there, self._proposals[number])):
            return False
        # What a search has been told of a failure stays, however the retry ends.
        states = self._ledger.state.trials
        retried = any(states[i].retried for i in self._proposals[number])
        return retried or all(map(self._engine.is_settled, self._open[number]))
