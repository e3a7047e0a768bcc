"""Neutral form of a record: sections of entries, tables, findings and questions for humans."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pandas as pd

from analysis.json_values import plain_value

NO_COMPLIANCE = "It is no statement of compliance with any rule or law, complete or not."
NOTICE = f"This record lists facts of a sweep and texts of its owner. {NO_COMPLIANCE}"
NOT_SHOWN = "not shown"
_SCHEMA = "hedgesweep.record.v1"

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A named value and the place in the storage that it follows from.

    Args:
        value: None if it is not shown; ``note`` then has the reason.
        low: end of the 95 % interval of the value, in its unit; None without one.
        high: other end.
        unit: of the value.
        source: file, and column or key.
        note: what limits the value.
    """

    name: str
    value: Value
    source: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """Value with its interval and unit, or the reason why it is not shown."""
        if self.value is None:
            return self.note if self.note.startswith(NOT_SHOWN) else NOT_SHOWN
        words = shown(self.value)
        if self.low is not None and self.high is not None:
            words += f" [{shown(self.low)}, {shown(self.high)}]"
        return " ".join(filter(None, (words, self.unit))) + (
            f" ({self.note})" if self.note else ""
        )

    def plain(self) -> dict[str, Any]:
        """The entry for JSON."""
        ends = {} if self.low is None else {"low": self.low, "high": self.high}
        texts = {"unit": self.unit, "note": self.note}
        described = {name: text for name, text in texts.items() if text}
        return {"name": self.name, "value": self.value, **ends, **described, "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTable:
    """Rows of values under ``columns``; None or NaN where there is no value."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    source: str
    note: str = ""

    @property
    def texts(self) -> list[list[str]]:
        """Rows as texts, a dash for no value."""
        plain = [[plain_value(one) for one in row] for row in self.rows]
        return [["–" if one is None else shown(one) for one in row] for row in plain]

    def plain(self) -> dict[str, Any]:
        """The table for JSON."""
        note = {"note": self.note} if self.note else {}
        rows = [[plain_value(one) for one in row] for row in self.rows]
        columns = {"columns": list(self.columns), "rows": rows}
        return {"title": self.title, **note, **columns, "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Question that only a human can answer, and the ``answer``, None while there is none.

    Args:
        key: in the file of answers.
    """

    key: str
    text: str
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Section of a record.

    Args:
        number: of the section; "A" for the appendix.
        purpose: what it is for, in a sentence.
        findings: sentences with verdicts or intervals, from the analysis.
    """

    number: str
    title: str
    purpose: str
    entries: Sequence[Entry] = ()
    tables: Sequence[RecordTable] = ()
    findings: Sequence[str] = ()
    questions: Sequence[Question] = ()

    @property
    def missing(self) -> list[Question]:
        """Questions without an answer."""
        return [one for one in self.questions if one.answer is None]

    def plain(self) -> dict[str, Any]:
        """The section for JSON."""
        return {
            "number": self.number,
            "title": self.title,
            "purpose": self.purpose,
            "entries": [one.plain() for one in self.entries],
            "findings": list(self.findings),
            "tables": [one.plain() for one in self.tables],
            "human": [
                {"key": one.key, "question": one.text, "text": one.answer}
                for one in self.questions
            ],
            "missing": [one.key for one in self.missing],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Record of a sweep, by section."""

    name: str
    sections: Sequence[Section]

    @property
    def missing(self) -> list[Question]:
        """Questions without an answer, of all sections."""
        return [one for section in self.sections for one in section.missing]

    def json(self) -> str:
        """The record as a JSON object; undefined numbers are null."""
        content = {
            "schema": _SCHEMA,
            "sweep": self.name,
            "notice": NOTICE,
            "missing": [one.key for one in self.missing],
            "sections": [one.plain() for one in self.sections],
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"


def shown(value: Value) -> str:
    """Text of a value that is not None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def not_shown(name: str, reason: str, *, source: str) -> Entry:
    """Entry without a value, for a ``reason``."""
    return Entry(name=name, value=None, note=f"{NOT_SHOWN}: {reason}", source=source)


def estimated(name: str, row: pd.Series, column: str, *, unit: str, source: str) -> Entry:
    """Entry of the mean ``column`` of a ``row`` with the ends ``_low`` and ``_high``."""
    mean, low, high = (plain_value(row.get(f"{column}{end}")) for end in ("", "_low", "_high"))
    if mean is None:
        return not_shown(name, "a seed has no result", source=source)
    without = low is None or high is None
    return Entry(
        name=name,
        value=mean,
        low=None if without else low,
        high=None if without else high,
        unit=unit,
        source=source,
        note="no interval" if without else "",
    )


def table_of(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    title: str,
    source: str,
    note: str = "",
    most: int = 200,
) -> RecordTable:
    """Table of the ``columns`` that a ``frame`` has, under the headings in their values.

    Columns without any value are left out.

    Args:
        most: largest number of rows; the note has the number of others.
    """
    names = [name for name in columns if name in frame and _has_value(frame[name])]
    rows = [[plain_value(row[name]) for name in names] for _, row in frame.head(most).iterrows()]
    if (more := len(frame) - most) > 0:
        note = f"{note} {more:,} more rows in {source}.".strip()
    headings = [columns[name] for name in names]
    return RecordTable(title=title, columns=headings, rows=rows, source=source, note=note)


def _has_value(column: pd.Series) -> bool:
    return any(plain_value(value) not in (None, "") for value in column)


def flat(content: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """Dotted paths of the leaves of JSON ``content``, with their values; lists as text."""
    if isinstance(content, Mapping) and content:
        for name, inner in content.items():
            yield from flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(content, Mapping | list):
        yield path, json.dumps(content, ensure_ascii=False)
    else:
        yield path, plain_value(content)


def named_files(settings: Iterable[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
    """``settings`` with the name of a file in place of its path, which is of one machine."""
    for path, value in settings:
        is_path = isinstance(value, str) and path.rpartition(".")[2] == "path"
        yield path, PurePath(str(value)).name if is_path else value
