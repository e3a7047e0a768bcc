"""Core schema of YAML 1.2: values of unquoted text.

Stricter than the schema for ambiguous text: dates, leading zeros, non-finite numbers, and Python's
None are rejected with the spelling to write instead.
"""

import math
import re

import yaml

from search_spaces.messages import FieldError
from search_spaces.yaml_text import quoted, show, too_large

_SCHEMA = {
    "null": "null|Null|NULL|~|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
}
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
_LEADING_ZEROS = re.compile(r"[+]?(-?)0+([0-9]+)")
_NOT_FINITE = re.compile(r"[-+]?\.?(nan|inf|infinity)", re.IGNORECASE)
_MOST_DIGITS = 400


class CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the tags of the core schema instead of those of YAML 1.1."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own attribute
        None: [
            (f"tag:yaml.org,2002:{name}", re.compile(rf"({pattern})\Z"))
            for name, pattern in _SCHEMA.items()
        ]
    }


def plain_scalar(text: str, tag: str) -> bool | int | float | str | None:
    """Value of unquoted ``text``, to which the core schema gives ``tag``.

    Raises:
        FieldError: rejected text, or a number too large; ``write`` is the text to write instead.
    """
    kind = tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if text == "None":
        raise _refusal(text, "'None' is text in YAML", "null")
    if _NOT_FINITE.fullmatch(text):
        raise _refusal(text, f"numbers must be finite, got {text}")
    if _DATE.fullmatch(text):
        raise _refusal(text, f"{text} looks like a date")
    if zeros := _LEADING_ZEROS.fullmatch(text):
        decimal = zeros[1] + zeros[2]
        raise _refusal(text, f"{text} has a leading zero, which means octal in YAML 1.1", decimal)
    if kind == "int":
        return _bounded(text, int(text, 0) if len(text) < _MOST_DIGITS else math.inf)
    return _bounded(text, float(text)) if kind == "float" else text


def _refusal(text: str, problem: str, meaning: str = "") -> FieldError:
    """Error on ``text`` that stands for ``meaning``, or for itself in quotes."""
    in_quotes = f"{quoted(text)} in quotes"
    advice = f"{meaning}, or {in_quotes} for text" if meaning else in_quotes
    return FieldError(problem, f"write {advice}", write=meaning or quoted(text))


def _bounded(text: str, value: int | float) -> int | float:
    if too_large(value):
        most = "9223372036854775807" if isinstance(value, int) else "1.7976931348623157e+308"
        most = f"-{most}" if text.startswith("-") else most
        problem = f"{show(text)[1:-1]} is too large; numbers are finite, whole ones below 2**63"
        raise FieldError(problem, f"write {most}", write=most)
    return value
