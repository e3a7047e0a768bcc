"""Stored sweep, read without a lock or changes, also while its driver runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hedgecore.config import ConfigError, from_mapping
from hedgecore.experiment import Experiment, Study
from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.journal import lock_holder
from sweeps.journal.history import History
from sweeps.journal.opening import readable_storage
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.records import DriverStart, ManifestRecord
from sweeps.journal.state import SweepState, TrialState
from sweeps.planning.plan import TrialPlan
from sweeps.planning.validation import trial_study


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSweep:
    """Content of a storage, read from its log."""

    storage: Path
    manifest: Mapping[str, Any]  # ``manifest.json`` is a copy
    space_text: str  # space file; ``space.yaml`` is a copy
    study: Study  # varied by the axes of every trial
    states: Mapping[str, SweepState]  # by code identity
    core: str  # code identity of the last driver start

    @classmethod
    def read(cls, storage: str | Path) -> "StoredSweep":
        """Content of ``storage`` now.

        Raises:
            UsageError: it holds no sweep, or nothing was prepared there yet.
            LogError: its log is damaged.
        """
        storage = readable_storage(storage)
        manifest: ManifestRecord | None = None
        states: dict[str, SweepState] = {}
        core = ""
        for record in History(storage):
            if isinstance(record, DriverStart):
                core = record.core
                states.setdefault(core, SweepState(core))
            for state in states.values():
                state.apply(record)
            if isinstance(record, ManifestRecord):
                manifest = record
        if not states:
            raise UsageError(f"{storage} holds no sweep; give the --storage of a run")
        if manifest is None:
            raise UsageError(f"nothing was prepared in {storage} yet; run its sweep first")
        return cls(
            storage=storage,
            manifest=manifest.content,
            space_text=manifest.space,
            study=_study(storage, manifest.content),
            states=states,
            core=core,
        )

    @property
    def experiment(self) -> Experiment[Any, Any]:
        """What was swept."""
        return experiment(self.manifest["experiment"])

    @property
    def state(self) -> SweepState:
        """State under the code identity of the last driver start."""
        return self.states[self.core]

    def find(self, prefix: str) -> tuple[str, str]:
        """The only trial whose id begins with ``prefix``, and its code identity.

        Raises:
            UsageError: there is none, or more than one; the message names near ids.
        """
        cores = {i: core for core, state in self.states.items() for i in state.trials}
        if not cores:
            raise UsageError(f"{self.storage} holds no trial yet; run its sweep first")
        if not prefix:
            raise UsageError(f"an empty id names no trial; give one, such as {min(cores)}")
        matches = [prefix] if prefix in cores else [i for i in cores if i.startswith(prefix)]
        if not matches:
            near = ", ".join(get_close_matches(prefix, cores, n=3, cutoff=0.0))
            raise UsageError(f"no trial has an id that begins with {prefix!r}; nearest: {near}")
        if len(matches) > 1:
            examples = ", ".join(sorted(matches)[:3]) + (", .." if len(matches) > 3 else "")
            raise UsageError(
                f"{len(matches)} trials have an id that begins with {prefix!r}; "
                f"give more of it: {examples}"
            )
        return matches[0], cores[matches[0]]

    def plan(self, trial: TrialState) -> TrialPlan:
        """Plan of ``trial``.

        Raises:
            UsageError: the study has no such axes.
        """
        try:
            if type(trial.config.get("seed")) is not int:
                raise ValueError("its seed is not a whole number")
            study = trial_study(self.study, trial.config)
        except (ConfigError, TypeError, ValueError) as error:
            raise UsageError(
                f"trial {trial.entry.trial_id} does not fit the study that the log names "
                f"({error}); restore the log from a copy"
            ) from error
        return TrialPlan(
            index=trial.entry.index, config=trial.config, study=study, limit=trial.entry.limit
        )

    def filed(self, key: str, core: str) -> StoredPreparation | None:
        """The preparation ``key`` made by code of identity ``core``; None if it is missing.

        Raises:
            UsageError: it is not what the log names.
        """
        return StoredPreparation.read(
            self.storage / "study" / key, self.states[core].prepared.get(key)
        )

    @property
    def driver(self) -> str | None:
        """Description of the running driver; None if the last one has ended or was killed."""
        last = lock_holder.driver(self.storage, closed=self.state.closed)
        # A driver on another host counts as running.
        if last is None or self.state.closed or last.alive is False:
            return None
        return f"host {last.host}, pid {last.pid}"


def _study(storage: Path, manifest: Mapping[str, Any]) -> Study:
    try:
        study: Study = from_mapping(experiment(manifest["experiment"]).study, manifest["study"])
        return study
    except ValueError as error:  # a ConfigError, or an unknown experiment
        raise UsageError(
            f"{storage} is of another version of hedgesweep ({error}); use that one"
        ) from error
