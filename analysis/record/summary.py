"""Record as lines of a terminal, and the list of what a human must still write."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from analysis.record.document import NOTICE, Question, Record, Section
from analysis.terminal import say, section
from analysis.wording import plural


def print_record(record: Record, to: Console) -> None:
    """Print entries, findings and answers of every section, and the sizes of its tables."""
    say(to, f"{record.name}: model-risk record")
    say(to, NOTICE)
    for one in record.sections:
        section(to, f"{one.number} {one.title}", _lines(one))
    say(to, "")
    say(
        to,
        f"{missing(len(record.missing))} A report writes the tables to record.json and "
        "report.html.",
    )


def print_missing(by_section: Mapping[str, Sequence[Question]], to: Console) -> None:
    """Print the questions without an answer, by number of their section."""
    number = 0
    for place, questions in by_section.items():
        absent = [one for one in questions if one.answer is None]
        number += len(absent)
        section(to, f"Section {place}", [f"{one.key}: {one.text}" for one in absent])
    say(to, missing(number))


def missing(number: int) -> str:
    """Sentence on the ``number`` of questions without an answer."""
    if number:
        return f"{plural(number, 'text')} missing."
    return "Every question has a text; whether the texts suffice is for their readers."


def _lines(one: Section) -> list[str]:
    lines = [one.purpose, *(f"{entry.name}: {entry.text}" for entry in one.entries)]
    lines += one.findings
    for question in one.questions:
        answer = "missing" if question.answer is None else question.answer.replace("\n", " ")
        lines.append(f"{question.text} {answer}")
    lines += [f"Table: {table.title}, {plural(len(table.rows), 'row')}" for table in one.tables]
    return lines
