"""Values as YAML 1.1 text in one line."""

import math
import re
from collections.abc import Mapping

# What a reader takes for a number in decimals, whether or not YAML 1.1 does.
NUMBER = re.compile(r"([-+]?)([0-9][0-9_]*)?(?:(\.)([0-9_]*))?(?:[eE]([-+]?)([0-9][0-9_]*))?")
_LONGEST = 60
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_PLAIN = [
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
    "inf",
    "nan",
    "infinity",
]


def show(value: object) -> str:
    """``value`` as one would write it in a space file, shortened to fit in a message."""
    return shortened(as_yaml(value), _LONGEST)


def printable(text: str) -> str:
    r"""``text`` in one line, without what moves a terminal's cursor: escape becomes "\x1b"."""
    return "".join(" " if c in "\n\r\t" else _escaped(c) for c in text)


def as_yaml(value: object, *, plain: bool = False, levels: int = 100) -> str:
    """``value`` in one line of YAML 1.1, whole; ``plain`` without quotes where none are needed.

    Below so many ``levels`` there are dots: a list of Python's may contain itself.
    """
    if not levels:
        return ".."
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        text = repr(value)
        return number_as_yaml(text) if "e" in text else text
    if isinstance(value, int):
        return repr(value) if value.bit_length() < 5000 else "a number of thousands of digits"
    if isinstance(value, list | tuple):
        items = (as_yaml(item, plain=plain, levels=levels - 1) for item in value)
        return f"[{', '.join(items)}]"
    if isinstance(value, Mapping):
        inner = {_key(k): as_yaml(v, plain=plain, levels=levels - 1) for k, v in value.items()}
        return "{" + ", ".join(f"{key}: {text}" for key, text in inner.items()) + "}"
    if not isinstance(value, str):
        return repr(value)
    return _key(value) if plain else quoted(value)


def quoted(text: str) -> str:
    """``text`` in the quotes of YAML."""
    if any(_escaped(character) != character for character in text):
        escaped = "".join(map(_escaped, text.replace("\\", "\\\\").replace('"', '\\"')))
        return f'"{escaped}"'
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def too_large(value: int | float) -> bool:
    """Whether ``value`` is not finite, or whole and too large for a 64-bit column of the rows."""
    return not abs(value) < 2**63 if isinstance(value, int) else not math.isfinite(value)


def number_as_yaml(text: str) -> str:
    """The number ``text``, which matches ``NUMBER``, in the form that YAML 1.1 reads as that."""
    match = NUMBER.fullmatch(text)
    assert match is not None
    parts = [(part or "").replace("_", "") for part in match.groups()]
    sign, whole, point, fraction, exponent_sign, exponent = parts
    mantissa = sign.replace("+", "") + (whole.lstrip("0") or "0")
    if point or exponent:
        mantissa += "." + (fraction or "0")
    return mantissa + (f"e{exponent_sign or '+'}{exponent}" if exponent else "")


def _key(key: object) -> str:
    if not isinstance(key, str):
        return repr(key)
    plain = _PLAIN.fullmatch(key) and key.lower() not in _NOT_PLAIN and key != "None"
    return key if plain else quoted(key)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if character in "\n\r\t":
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}[character]
    code = ord(character)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


def shortened(text: str, longest: int) -> str:
    """``text``, or its beginning and three dots."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
