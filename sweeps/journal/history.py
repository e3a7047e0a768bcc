"""History of a sweep: records of its log, each checked by its fields and its predecessors.

Every fold over the log reads it here and may rely on valid records.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never

from sweeps.journal import records
from sweeps.journal.journal import CURE, Extent, LogError, Reader
from sweeps.journal.records import Record, Segment, problem, record_of


class History:
    """Every record of ``storage``; iterate once.

    Raises:
        LogError: while iterating: the log is damaged, or a record is invalid at its position.
    """

    def __init__(self, storage: Path) -> None:
        self._reader, self._check = Reader(storage), _Check()

    def __iter__(self) -> Iterator[Record]:
        return (self._checked(line) for line in self._reader)

    def follow(self) -> Iterator[Record | None]:
        """Every record, then None while there is no further one; see :class:`Reader`."""
        return (None if line is None else self._checked(line) for line in self._reader.follow())

    def _checked(self, line: dict[str, Any]) -> Record:
        if not (fault := problem(line)):
            record = record_of(line)
            fault = self._check.problem(record)
        if fault:
            raise LogError(f"{self._reader.place}: {fault}; {CURE}")
        return record

    @property
    def extent(self) -> Extent | None:
        """Extent of the last file with records, once all are read."""
        return self._reader.extent


class _Check:
    """Check of the order of records: each may refer only to trials entered before it."""

    def __init__(self) -> None:
        self._entered: dict[str, dict[str, set[str]]] = {}
        """Groups of each trial, by code identity."""
        self._groups: dict[str, set[str]] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._out: set[str] = set()
        self._metric: str | None = None

    def problem(self, record: Record) -> str | None:
        """Fault in the position of ``record``; None if it is valid."""
        match record:
            case Segment():
                return self._unknown(record, record.trial_id) or self._rows(record)
            case records.SegmentStart() | records.WorkerLoss():
                return self._unknown(record, record.trial_id)
            case records.Verdict() | records.Audit():
                return self._unknown(record, *record.trials) or self._foreign(record)
            case records.SchedulerStop():
                return self._unknown(record, *record.trials)
            case records.UserStop() | records.Retry():
                return self._unknown(record, *record.trials) or self._gone(record)
            case records.TrialEntry():
                self._groups.setdefault(record.trial_id, set()).add(record.group)
                self._out.discard(record.trial_id)
            case records.Withdrawal():
                return self._unknown(record, *record.trials) or self._withdrawn(record.trials)
            case records.DriverStart():
                self._groups = self._entered.setdefault(record.core, {})
            case records.ManifestRecord():
                (rule,) = (record.content["scheduler"] or {"": {}}).values()
                self._metric = rule.get("metric", "val_loss")
            case records.PreparationRecord() | records.Proposal() | records.WarmStart():
                pass
            case records.TrialRequest() | records.SharedBytes():
                pass
            case records.SpaceExhausted() | records.DriverEnd():
                pass
            case _:
                assert_never(record)
        return None

    def _unknown(self, record: Record, *trial_ids: str) -> str | None:
        """Fault if one of the trials was not entered."""
        for trial_id in trial_ids:
            if trial_id not in self._groups:
                return f"{record.kind} of trial {trial_id}, which was not entered before"
        return None

    def _foreign(self, record: records.Verdict | records.Audit) -> str | None:
        """Fault if one of its trials is not of its group."""
        strangers = [i for i in record.trials if record.group not in self._groups[i]]
        if record.trials and not strangers:
            return None
        who = f"trial {strangers[0]}, which is not" if strangers else "no trial"
        return f"{record.kind} of {who} of group {record.group[:200]!r}"

    def _gone(self, record: records.UserStop | records.Retry) -> str | None:
        gone = self._out.intersection(record.trials)
        return f"{record.kind} of trial {min(gone)}, which has left the space" if gone else None

    def _withdrawn(self, trials: tuple[str, ...]) -> str | None:
        twice = self._out.intersection(trials)
        if twice or len({*trials}) < len(trials):
            return f"trial {min(twice, default=trials[0])} withdrawn twice"
        self._out.update(trials)
        return None

    def _rows(self, segment: Segment) -> str | None:
        trial_id = segment.trial_id
        for row in segment.rows:
            columns = self._columns.setdefault(trial_id, tuple(row))
            if tuple(row) != columns:
                return f"segment of trial {trial_id} with other columns than before"
            if self._metric is not None and type(row.get(self._metric, "")) in (bool, str):
                return f"segment of trial {trial_id} without a number {self._metric!r}"
        return None
