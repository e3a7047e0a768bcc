"""Values as YAML 1.2 text in one line."""

import math
import re
from collections.abc import Mapping

_LONGEST = 60
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_PLAIN = ("true", "false", "null", "inf", "nan", "infinity")


def show(value: object) -> str:
    """``value`` as written in a space file, shortened to fit in a message."""
    return shortened(as_yaml(value), _LONGEST)


def printable(text: str) -> str:
    r"""``text`` in one line, with control characters escaped: escape becomes "\x1b"."""
    return "".join(" " if c in "\n\r\t" else _escaped(c) for c in text)


def as_yaml(value: object, *, plain: bool = False, levels: int = 100) -> str:
    """``value`` in one line of YAML, in full; with ``plain``, without unnecessary quotes.

    Deeper than ``levels`` there are dots, as a Python list may contain itself.
    """
    if not levels:
        return ".."
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
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
    """``text`` in YAML quotes."""
    if any(_escaped(character) != character for character in text):
        escaped = "".join(map(_escaped, text.replace("\\", "\\\\").replace('"', '\\"')))
        return f'"{escaped}"'
    if "'" in text and '"' not in text and "\\" not in text:
        return f'"{text}"'
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def too_large(value: int | float) -> bool:
    """True if ``value`` is not finite, or whole and too large for a 64-bit column."""
    return not abs(value) < 2**63 if isinstance(value, int) else not math.isfinite(value)


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
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def shortened(text: str, longest: int) -> str:
    """``text``, or its beginning and three dots if too long."""
    return text if len(text) <= longest else text[: longest - 3] + "..."
