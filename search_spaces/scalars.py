"""Values of unquoted YAML 1.1 text; spellings that mean something unexpected are refused."""

import re

import yaml

from search_spaces.messages import FieldError
from search_spaces.yaml_text import NUMBER, number_as_yaml, quoted, show, too_large

_NULL = {"", "~", "null", "Null", "NULL"}
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_PREFIXED = re.compile(r"[-+]?0([xobXOB])[0-9a-fA-F_]+")
_NOT_FINITE = re.compile(r"[-+]?\.?(nan|inf|infinity)", re.IGNORECASE)
_RESOLVER = yaml.SafeLoader("")


def plain_scalar(text: str) -> bool | int | float | str | None:
    """The value of ``text`` written without quotes.

    Raises:
        FieldError: YAML 1.1 reads it as something that its writer hardly means; ``write`` is the
            text to put there instead.
    """
    if text in _NULL:
        return None
    lower = text.lower()
    if lower in ("true", "false"):
        return lower == "true"
    if lower in ("yes", "no", "on", "off"):
        meant = "true" if lower in ("yes", "on") else "false"
        raise _misread(text, f"{show(text)} is {meant} in YAML 1.1", meant)
    if text == "None":
        raise _misread(text, "'None' is text in YAML", "null")
    if text in ("=", "<<"):
        raise _misread(text, f"{show(text)} has a special meaning in YAML 1.1")
    if _NOT_FINITE.fullmatch(text):
        raise _misread(text, f"numbers must be finite, got {text}")
    if _DATE.fullmatch(text):
        raise _misread(text, f"{text} looks like a date")
    if _BASE_60.fullmatch(text):
        raise _misread(text, f"{text} looks like a number in base 60 in YAML 1.1")
    return _number(text)


def _number(text: str) -> int | float | str:
    if prefixed := _PREFIXED.fullmatch(text):
        bare = text.replace("_", "")
        try:
            value = int(bare, 0)
        except ValueError:
            raise _misread(text, f"{show(text)} is no number") from None
        _bounded(text, value)
        if prefixed[1] in "oXOB":
            raise _misread(text, f"{show(text)} is text in YAML 1.1", str(value))
        return value
    match = NUMBER.fullmatch(text)
    if match is None or not re.search("[0-9]", (match[2] or "") + (match[4] or "")):
        return text
    value_as_float = float(number_as_yaml(text))
    _bounded(text, value_as_float)
    if _OCTAL.fullmatch(text):
        octal, decimal = int(text.replace("_", ""), 8), int(text.replace("_", ""))
        meanings = [str(decimal)] if octal == decimal else [str(decimal), str(octal)]
        raise _misread(text, f"{text} is {octal} in YAML 1.1 (octal)", *meanings)
    tag = implied_tag(yaml.ScalarNode, text, plain=True)
    if tag.endswith(":int"):
        return _bounded(text, int(text.replace("_", "")))
    number = number_as_yaml(text)
    if tag.endswith(":float"):
        # "-.5e-3" is text in YAML 1.1; its twin without the sign is best not learnt.
        if match[2] is None and match[6]:
            problem = f"{show(text)} has no digit before the point"
            raise FieldError(problem, f"write {number}", write=number)
        return value_as_float
    raise FieldError(f"{show(text)} is text in YAML 1.1", f"write {number}", write=number)


def _misread(text: str, problem: str, *meanings: str) -> FieldError:
    """The mistake of ``text`` that means one of ``meanings``, or text if it is quoted."""
    in_quotes = f"{quoted(text)} in quotes"
    advice = f"{' or '.join(meanings)}, or {in_quotes} for text" if meanings else in_quotes
    return FieldError(problem, f"write {advice}", write=meanings[0] if meanings else quoted(text))


def _bounded(text: str, value: int | float) -> int | float:
    if too_large(value):
        most = "9223372036854775807" if isinstance(value, int) else "1.7976931348623157e+308"
        most = f"-{most}" if value < 0 else most
        problem = f"{show(text)[1:-1]} is too large; numbers are finite, whole ones below 2**63"
        raise FieldError(problem, f"write {most}", write=most)
    return value


def implied_tag(kind: type[yaml.Node], value: object, *, plain: bool) -> str:
    """The tag that YAML 1.1 gives to a node written without one."""
    tag: str = _RESOLVER.resolve(kind, value, (plain, not plain))
    return tag
