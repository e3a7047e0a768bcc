"""Non-ASCII characters that look like syntax or are invisible, with their names and cures."""

import unicodedata
from collections.abc import Iterator

_HIDDEN = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
_DOUBLE = frozenset("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u301d\u301e\uff02")
_SINGLE = frozenset("\u2018\u2019\u201a\u201b\u2039\u203a\u2032\uff07")


def unlike_ascii(text: str) -> Iterator[int]:
    """Position in ``text`` of a space, dash, quote, digit or letter that only resembles ASCII."""
    return (i for i, character in enumerate(text) if meant(character) != character)


def hidden(text: str) -> int | None:
    """Position in ``text`` of a character that reorders displayed text, or a byte order mark."""
    if text.isascii() or _HIDDEN.isdisjoint(text):
        return None
    return next(i for i, character in enumerate(text) if character in _HIDDEN)


def meant(character: str) -> str:
    """ASCII that ``character`` resembles, "" if invisible; else itself."""
    if character.isascii():
        return character
    if character in _DOUBLE:
        return '"'
    if character in _SINGLE:
        return "'"
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in ("Cc", "Cf", "Zl", "Zp"):
        return ""
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(character))
    compatible = unicodedata.normalize("NFKC", character)
    return compatible if compatible.isascii() else character


def named(character: str) -> str:
    """ "NO-BREAK SPACE (U+00A0)"."""
    names = {"\t": "TAB", "\ufeff": "BYTE ORDER MARK"}
    name = names.get(character) or unicodedata.name(character, "control character")
    return f"{name} (U+{ord(character):04X})"


def cure(character: str) -> str:
    """Cure for ``character``: "write -", "write a space" or "delete it"."""
    intended = meant(character)
    if character == intended or not intended:
        return "delete it"
    return f"write {'a space' if intended == ' ' else intended}"
