"""Text on a terminal: what strangers wrote is line, and never obeyed."""

import sys
from collections.abc import Iterable


def printable(text: object) -> str:
    """``text`` in one line, with every character escaped that a terminal would act upon.

    Line breaks, controls such as ESC, directions of writing and lone surrogates become
    ``\\u001b``, which is also what JSON calls them.
    """
    line = str(text)
    return line if line.isprintable() else "".join(map(_escaped, line))


def echo(text: object, *, err: bool = False) -> None:
    """Print ``text``, made printable, as a line; what the stream cannot encode is escaped."""
    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "utf-8"
    line = printable(text).encode(encoding, "backslashreplace").decode(encoding)
    print(line, file=stream, flush=True)


def echo_all(lines: Iterable[object]) -> None:
    """Print every one of ``lines``."""
    for line in lines:
        echo(line)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
