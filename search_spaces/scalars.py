"""Values of unquoted YAML 1.1 text; spellings that mean something unexpected are refused."""

import re

import yaml

from .messages import NUMBER, number_as_yaml, show, too_large

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
        ValueError: YAML 1.1 reads it as something that its writer hardly means.
    """
    if text in _NULL:
        return None
    lower = text.lower()
    if lower in ("true", "false"):
        return lower == "true"
    quoted = f"{text!r} in quotes for text" if "'" not in text else "quotes for text"
    if lower in ("yes", "no", "on", "off"):
        meant = "true" if lower in ("yes", "on") else "false"
        raise ValueError(f"{text!r} is {meant.title()} in YAML 1.1; write {meant}, or {quoted}")
    if text == "None":
        raise ValueError(f"'None' is text in YAML; write null, or {quoted}")
    if text in ("=", "<<"):
        raise ValueError(f"{text!r} has a special meaning in YAML 1.1; write {quoted}")
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"numbers must be finite, got {text}; write a number, or {quoted}")
    if _DATE.fullmatch(text):
        raise ValueError(f"{text} looks like a date; write {quoted}")
    if _BASE_60.fullmatch(text):
        raise ValueError(
            f"{text} looks like a number in base 60 in YAML 1.1; write it in decimals, or {quoted}"
        )
    return _number(text, quoted)


def _number(text: str, quoted: str) -> int | float | str:
    if prefixed := _PREFIXED.fullmatch(text):
        bare = text.replace("_", "")
        try:
            value = int(bare, 0)
        except ValueError:
            raise ValueError(
                f"{text!r} is no number; write one in decimals, or {quoted}"
            ) from None
        if prefixed[1] in "oXOB":
            raise ValueError(f"{text!r} is text in YAML 1.1; write {value}, or {quoted}")
        return _bounded(text, value)
    match = NUMBER.fullmatch(text)
    if match is None or not re.search("[0-9]", (match[2] or "") + (match[4] or "")):
        return text
    value_as_float = float(number_as_yaml(text))
    _bounded(text, value_as_float)
    if _OCTAL.fullmatch(text):
        octal, decimal = int(text.replace("_", ""), 8), int(text.replace("_", ""))
        cure = f"write {decimal}" if octal == decimal else f"write {decimal} or {octal}"
        raise ValueError(f"{text} is {octal} in YAML 1.1 (octal); {cure}, or {quoted}")
    tag = implied_tag(yaml.ScalarNode, text, plain=True)
    if tag.endswith(":int"):
        return _bounded(text, int(text.replace("_", "")))
    if tag.endswith(":float"):
        # "-.5e-3" is text in YAML 1.1; its twin without the sign is best not learnt.
        if match[2] is None and match[6]:
            cure = f"write {number_as_yaml(text)}"
            raise ValueError(f"{text!r} has no digit before the point; {cure}")
        return value_as_float
    raise ValueError(f"{text!r} is text in YAML 1.1; write {number_as_yaml(text)}")


def _bounded(text: str, value: int | float) -> int | float:
    if too_large(value):
        raise ValueError(f"{show(text)} is too large; numbers are finite, whole ones below 2**63")
    return value


def implied_tag(kind: type[yaml.Node], value: object, *, plain: bool) -> str:
    """The tag that YAML 1.1 gives to a node written without one."""
    tag: str = _RESOLVER.resolve(kind, value, (plain, not plain))
    return tag
