"""Texts of humans for a record: a flat YAML file of keys and texts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import yaml

from analysis import bounds
from analysis.errors import AnalysisError
from analysis.escapes import excerpt, printable
from analysis.files import read, reason
from analysis.record.document import Question
from analysis.record.yaml_nodes import composed

FILE = "record.yaml"
_NULL = "tag:yaml.org,2002:null"
_HEADER = (
    "# Texts for the model-risk record. Write a text after each key; an empty one is listed by\n"
    "# hedgesweep record STORAGE --check. A text of several lines begins with |\n"
)


class AnswersError(AnalysisError, ValueError):
    """A file of answers cannot be used; one line with the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Texts by key, without empty ones; ``keys`` are all of the file."""

    texts: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()

    def answered(self, questions: Sequence[Question]) -> list[Question]:
        """``questions`` with their answers."""
        return [
            Question(key=one.key, text=one.text, answer=self.texts.get(one.key))
            for one in questions
        ]


def read_answers(path: Path) -> Answers:
    """Answers in the YAML file at ``path``, with printable texts; none if there is no file.

    Raises:
        AnswersError: it cannot be read, or is not a mapping of keys to texts.
    """
    try:
        content = read(path, most=bounds.ANSWERS_BYTES)
    except FileNotFoundError:
        return Answers()
    except OSError as error:
        raise AnswersError(
            f"'{path}' cannot be read ({reason(error)}); give another file with --text"
        ) from error
    return _parsed(content, path)


def check_keys(answers: Answers, questions: Sequence[Question], path: Path) -> None:
    """Refuse keys that answer none of the ``questions``.

    Raises:
        AnswersError: there is one; the message suggests the nearest.
    """
    keys = [one.key for one in questions]
    for key in answers.keys:
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise AnswersError(
                f"'{path}' has the key {excerpt(key)}, which answers nothing; {hint}remove or "
                "rename it"
            )


def template(questions: Sequence[Question]) -> str:
    """Text of a file with an empty answer for each of the ``questions``."""
    return _HEADER + "".join(
        f"\n# {one.text}\n{json.dumps(one.key, ensure_ascii=False)}:\n" for one in questions
    )


def extended(content: bytes, questions: Sequence[Question], path: Path) -> bytes:
    """The file ``content`` with an empty answer for each of the ``questions`` that it lacks.

    Raises:
        AnswersError: it is not valid, or nothing can be appended to it.
    """
    before = _parsed(content, path)
    absent = [one for one in questions if one.key not in before.keys]
    if not absent:
        return content
    added = template(absent).removeprefix(_HEADER).encode()
    after = content + (b"" if content.endswith(b"\n") else b"\n") + added
    try:
        if _parsed(after, path).texts == before.texts:
            return after
    except AnswersError:
        pass
    names = ", ".join(one.key for one in absent[:3]) + (", .." if len(absent) > 3 else "")
    raise AnswersError(
        f"nothing can be appended to '{path}', which lacks {names}; write its keys without "
        "braces, one a line, or move it away"
    )


def _parsed(content: bytes, path: Path) -> Answers:
    try:
        node = composed(content)
    except ValueError as error:
        raise AnswersError(
            f"'{path}' is not valid YAML ({printable(str(error), most=200)}); put texts with ': ' "
            "or '#' in quotes, or after | on lines of their own"
        ) from error
    if node is None:
        return Answers()
    if not isinstance(node, yaml.MappingNode):
        raise AnswersError(f"'{path}' holds no keys; write lines such as 'owner: Name'")
    texts: dict[str, str] = {}
    keys: list[str] = []
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not (isinstance(key_node, yaml.ScalarNode) and isinstance(value_node, yaml.ScalarNode)):
            raise AnswersError(f"'{path}', line {line}: write one text for each key, no list")
        key = printable(key_node.value)
        if key in keys:
            raise AnswersError(f"'{path}', line {line}: {excerpt(key)} is there twice; remove one")
        keys.append(key)
        text = "" if value_node.tag == _NULL else _printable(value_node.value)
        if text:
            texts[key] = text
    return Answers(texts=texts, keys=keys)


def _printable(text: str) -> str:
    return "\n".join(printable(line) for line in text.strip().splitlines()).strip()
