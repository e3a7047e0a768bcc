"""Text of commands: durations, counts, and untrusted text with control characters escaped."""

import sys
from collections.abc import Iterable
from typing import Any

from search_spaces.yaml_text import as_yaml


def duration(seconds: float) -> str:
    """``seconds`` as "4.2 s", "31 s", "4 min 10 s", "2 h 05 min" or "3 d 04 h"."""
    seconds = max(seconds, 0.0)  # clocks of two machines differ
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days:,} d {hours:02d} h"


def bytes_text(size: int) -> str:
    """``size`` in bytes as "325 B", "1.2 kB", "12.4 MB" or "1.5 GB", in powers of 1000."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} B"


def plural(count: int, noun: str) -> str:
    """``count`` and ``noun``, with an s unless ``count`` is 1."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def first_line(error: BaseException) -> str:
    """First line of the message of ``error``, or the name of its type."""
    message = getattr(error, "strerror", None) or str(error)
    return (message.splitlines() or [type(error).__name__])[0]


def value_text(value: Any) -> str:
    """A value as in YAML, real numbers to six digits."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar_text, value))}]"
    return _scalar_text(value)


def printable(text: object) -> str:
    """``text`` in one line, with every character escaped that a terminal would interpret.

    Line breaks, controls such as ESC, bidirectional marks and lone surrogates are escaped as in
    JSON, such as ``\\u001b``.
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


def _scalar_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return as_yaml(value, plain=True)
