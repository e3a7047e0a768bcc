"""History of a sweep: the records of its log, each checked against the schema and its forerunners.

Whoever builds a state from the log reads it here, so that no record can surprise what folds it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeps.journal.journal import CURE, Extent, LogError, Reader
from sweeps.journal.schema import RECORDS


class History:
    """Every record of ``storage``; iterate once.

    Args:
        storage: the sweep's directory.
    Raises:
        LogError: while iterating: the log is damaged, or a record is not what any version of
            hedgesweep writes at that place.
    """

    def __init__(self, storage: Path) -> None:
        self._reader, self._check = Reader(storage), _Check()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._checked(record) for record in self._reader)

    def follow(self) -> Iterator[dict[str, Any] | None]:
        """Every record, and None where there is no further one yet; see :class:`Reader`."""
        return (record and self._checked(record) for record in self._reader.follow())

    def _checked(self, record: dict[str, Any]) -> dict[str, Any]:
        if problem := self._check.problem(record):
            raise LogError(f"{self._reader.place}: {problem}; {CURE}")
        return record

    @property
    def extent(self) -> Extent | None:
        """The last file with records, once all of them were read."""
        return self._reader.extent


class _Check:
    """Records in their order: what each speaks of must have been entered before it."""

    def __init__(self) -> None:
        self._entered: dict[str, dict[str, set[str]]] = {}
        """Groups that each trial was entered in, for every version of hedgecore."""
        self._groups: dict[str, set[str]] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._out: set[str] = set()
        self._metric: str | None = None

    def problem(self, record: Mapping[str, Any]) -> str | None:
        """What is wrong with ``record``; None if nothing is."""
        kind = record.get("type")
        check = RECORDS.get(kind) if isinstance(kind, str) else None
        if check is None:
            return f"a record of type {str(kind)[:40]!r}, which this version does not write"
        fields = {name: value for name, value in record.items() if name != "type"}
        if problem := check(fields, str(kind)):
            return problem
        if kind == "start":
            self._groups = self._entered.setdefault(record["core"], {})
        elif kind == "manifest":
            (rule,) = (record["content"]["scheduler"] or {"": {}}).values()
            self._metric = rule.get("metric", "val_loss")
        elif kind == "trial":
            self._groups.setdefault(record["trial_id"], set()).add(record["group"])
            self._out.discard(record["trial_id"])
        return self._unknown(record) or self._misplaced(record)

    def _unknown(self, record: Mapping[str, Any]) -> str | None:
        """The trial that ``record`` speaks of, if it was not entered."""
        named = record.get("trials", [record["trial_id"]] if "trial_id" in record else [])
        for trial_id in named:
            if trial_id not in self._groups:
                return f"{record['type']} of trial {trial_id}, which was not entered before"
        return None

    def _misplaced(self, record: Mapping[str, Any]) -> str | None:
        kind = record["type"]
        if kind == "segment":
            return self._rows(record["trial_id"], record["rows"])
        if kind in ("decision", "audit") and "group" in record:
            group = record["group"]
            strange = [i for i in record["trials"] if group not in self._groups[i]]
            if strange or not record["trials"]:
                who = f"trial {strange[0]}, which is not" if strange else "no trial"
                return f"{kind} of {who} of group {group[:200]!r}"
        if kind == "withdrawn":
            twice = self._out.intersection(record["trials"])
            if twice or len({*record["trials"]}) < len(record["trials"]):
                return f"trial {min(twice, default=record['trials'][0])} withdrawn twice"
            self._out.update(record["trials"])
        return None

    def _rows(self, trial_id: str, rows: list[dict[str, Any]]) -> str | None:
        for row in rows:
            columns = self._columns.setdefault(trial_id, tuple(row))
            if tuple(row) != columns:
                return f"segment of trial {trial_id} with other columns than before"
            if self._metric is not None and type(row.get(self._metric, "")) in (bool, str):
                return f"segment of trial {trial_id} without a number {self._metric!r}"
        return None
