"""Verification of a storage: consistency of all its files with the log.

Nothing is changed and no lock is taken, so a running sweep may be verified; files that its driver
is writing are then not reported.
"""

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sweeps.inspection import artifacts, derived_files
from sweeps.journal.files import open_file
from sweeps.journal.history import History
from sweeps.journal.journal import LogError, files
from sweeps.journal.journal import records as records_of
from sweeps.journal.opening import readable_storage
from sweeps.journal.records import DriverEnd, Verdict
from sweeps.journal.state import SweepState
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.scheduling.rule import engine_of
from sweeps.scheduling.trial_status import verdict_text

_MOST_FAULTS = 3
Finding = tuple[str, list[str]]
"""A summary and a list of faults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Result of one check."""

    name: str
    summary: str  # printed if nothing is wrong
    faults: tuple[str, ...]  # each with its file, trial or configuration
    cure: str

    def __str__(self) -> str:
        if not self.faults:
            return f"{self.name:<12}ok: {self.summary}"
        more = len(self.faults) - _MOST_FAULTS
        listing = ", ".join(self.faults[:_MOST_FAULTS]) + (f" and {more} more" if more > 0 else "")
        return f"{self.name:<12}wrong: {listing}; {self.cure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All checks of a storage; later ones depend on earlier ones."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """True if there is no fault."""
        return not any(check.faults for check in self.checks)

    def lines(self) -> list[str]:
        """One line per check."""
        return [str(check) for check in self.checks]


def verify(storage: str | Path, *, data: bool = False) -> Verification:
    """Checks of ``storage``; with ``data`` also of every seed's data and baseline, computed again.

    Raises:
        UsageError: ``storage`` holds no sweep, or nothing was prepared there yet.
    """
    storage = readable_storage(storage)
    try:
        sweep, broken = StoredSweep.read(storage), []
    except LogError as error:
        sweep, broken = None, [_without_cure(error)]
    summary, faults = _log(storage, running=sweep is not None and sweep.driver is not None)
    log = Check(name="log", summary=summary, faults=tuple(faults or broken), cure=_LOG_CURE)
    if sweep is None or log.faults:
        return Verification(checks=(log,))  # the other checks depend on it
    checks = [log]
    for name, (examine, cure) in _CHECKS.items():
        if name != "data" or data:
            summary, faults = examine(sweep)
            checks.append(Check(name=name, summary=summary, faults=tuple(faults), cure=cure))
    return Verification(checks=tuple(checks))


def _log(storage: Path, *, running: bool) -> Finding:
    log_files, faults, notes, count = files(storage), [], [], 0
    for file in log_files:
        records, has_end = 0, False
        try:
            for record in records_of(file):
                records, has_end = records + 1, record.get("type") == DriverEnd.kind
        except LogError as error:
            faults.append(_without_cure(error))
            continue
        count += records
        with open_file(file, root=storage) as stream:
            for _ in range(records):
                stream.readline()
            torn = os.fstat(stream.fileno()).st_size - stream.tell()
        if not torn or (running and file == log_files[-1]):
            continue
        if has_end:
            faults.append(f"{file.name}:{records + 1}: {torn} bytes behind the close record")
        elif records:
            notes.append(f"a crash left {torn} bytes after {file.name}:{records}")
        else:
            notes.append(f"{file.name} was cut off at birth, or is of an older version")
    return "; ".join([f"{count} records in log/, files: {len(log_files)}", *notes]), faults


def _without_cure(error: LogError) -> str:
    return str(error).partition(";")[0]


def _epochs(sweep: StoredSweep) -> Finding:
    """Check that every trial's epochs start at 1 and have no gap."""
    faults, count = [], 0
    for trial_id, trial in sweep.state.trials.items():
        count += len(trial.epochs)
        # Not a loop to the last epoch, which may be any number in a forged log.
        missing = next(n for n in itertools.count(1) if n not in trial.epochs)
        if missing <= len(trial.epochs):
            faults.append(f"epoch {missing} of trial {trial_id} is missing")
    return f"{count}, none missing", faults


def _decisions(sweep: StoredSweep) -> Finding:
    """Check the decisions of the log against those of an engine with the same values."""
    engine = engine_of(sweep.manifest["scheduler"], sweep.manifest["rungs"])
    if engine is None:
        return "made by a scheduler of Ray, which cannot be repeated", []
    state, count, faults = SweepState(sweep.core), 0, []
    for record in History(sweep.storage):
        if not state.apply(record):
            continue
        if not isinstance(record, Verdict):
            engine.apply(record)
            continue
        count += 1
        expected = engine.pending_verdict(record.group, record.epoch)
        if expected != record:
            faults.append(f"{_verdict(record)}, where its values give {_verdict(expected)}")
        if expected:
            engine.apply(expected)  # later verdicts are judged by the expected ones
    if state.closed:
        faults += [
            f"nothing, where its values give {_verdict(expected)}"
            for expected in engine.pending_verdicts
        ]
    return f"{count}, each as its values give it", [f"the log decides {f}" for f in faults]


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "nothing yet"
    return f"{verdict_text(verdict.group, verdict)} (rank {verdict.rank} of {verdict.of})"


_LOG_CURE = (
    "restore the file from a copy; without one, nothing that follows from the log can be trusted"
)
_AGAIN = "run the same hedgesweep run command again"
_DERIVED = f"{_AGAIN} to write it from the log"
_CHECKS: Mapping[str, tuple[Callable[[StoredSweep], Finding], str]] = {
    "epochs": (
        _epochs,
        "the log was changed, or an earlier version of hedgesweep lost them: restore it from a "
        "copy, or compute the sweep again in another --storage",
    ),
    "decisions": (
        _decisions,
        "the log was changed, or another version of hedgesweep decided: restore it from a copy, "
        "or compute the sweep again in another --storage",
    ),
    "manifest": (derived_files.manifest, _DERIVED),
    "tables": (derived_files.tables, _DERIVED),
    "models": (
        artifacts.models,
        f"remove what is of no trial; {_AGAIN} to train the others",
    ),
    "checkpoints": (
        artifacts.checkpoints,
        "remove what is changed or of no trial: a trial without its checkpoint starts again from "
        "theta_0 and reproduces the same numbers",
    ),
    "study": (
        artifacts.study,
        f"restore the folder from a copy, or remove it and {_AGAIN}",
    ),
    "data": (
        artifacts.data,
        "restore the folder from a copy, or verify where the sweep was computed",
    ),
}
