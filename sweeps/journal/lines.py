"""Lines of the log: a record as one line of JSON with its number, a watermark and a checksum."""

import json
import math
import re
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sweeps.journal import bounds

FORMAT = 3
"""Version of the log format, in the first record of every file."""

_LINE = re.compile(
    rb'(?P<fields>\{.*),"n":(?P<n>\d{1,18}),"synced":(?P<synced>\d{1,18}),'
    rb'"crc":"(?P<crc>[0-9a-f]{8})"\}\n'
)
_SEAL = len(b',"crc":"00000000"}\n')
_SURROGATE = "\\ud"  # as JSON in ASCII writes them, whole pairs too
_RESERVED = {"n", "synced", "crc"}


class Line(NamedTuple):
    """One whole line."""

    fields: bytes  # JSON without number, watermark and checksum
    n: int  # number in the file, from 1
    synced: int  # lines before it that were on the disk when it was written


def encode(record: Mapping[str, Any], n: int, synced: int) -> bytes:
    """``record`` as line ``n`` of its file, of which ``synced`` lines are on disk.

    Raises:
        ValueError: it is not JSON, or too long.
    """
    assert not record.keys() & _RESERVED, record.keys() & _RESERVED
    try:
        text = json.dumps(
            {**record, "n": n, "synced": synced}, separators=(",", ":"), allow_nan=False
        )
    except ValueError as error:
        raise ValueError(
            f"a record of type {record['type']!r} must hold finite numbers only, got "
            f"{str(dict(record))[:200]}; write null for what has no value"
        ) from error
    if _SURROGATE in text:
        text = json.dumps(json.loads(_without_surrogates(text)), separators=(",", ":"))
    body = text[:-1].encode("ascii")
    line = b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))
    if len(line) > bounds.LINE:
        raise ValueError(f"a record must be at most {bounds.LINE} bytes long, got {len(line)}")
    return line


def strict_json(value: Any) -> Any:
    """Copy of plain data with null for every number that is not finite, which JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: strict_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(item) for item in value]
    return value


def decode(line: bytes) -> Line | None:
    """The parts of ``line``; None if it is damaged or not a line of a log."""
    parts = _LINE.fullmatch(line)
    if parts is None or zlib.crc32(line[:-_SEAL]) != int(parts["crc"], 16):
        return None
    return Line(parts["fields"] + b"}", int(parts["n"]), int(parts["synced"]))


def parse(text: bytes) -> Any:
    """The JSON value of ``text``; None if it is not JSON, or cannot be stored in other formats.

    Those are NaN and Infinity, which Python's JSON accepts, and lone surrogates.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        if _SURROGATE.encode() in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError):
        return None


def _without_surrogates(text: str) -> bytes:
    """The JSON of ``text`` with a question mark for every lone surrogate."""
    return json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
