"""Pages of a Parquet file: their actual sizes, read from the page headers.

The sizes in the footer may be wrong; those in a page header are the ones that the decoder uses.
Headers are Thrift structs in the compact protocol; field names below are from parquet.thrift.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Field numbers of PageHeader. _BODY maps the type of a page (data, dictionary, data v2) to the
# field of its specific header and, within that, the field of the encoding.
_KIND, _DECODED, _STORED = 1, 2, 3
_BODY = {0: (5, 2), 2: (7, 2), 3: (8, 4)}
_VALUES = 1
_HEADER_BYTES = 1 << 16  # page statistics may contain two of the values


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: its ``values``, its bytes ``decoded``, the number of its ``encoding``."""

    values: int
    decoded: int
    encoding: int


def pages(content: bytes, start: int, end: int) -> Iterator[Page]:
    """Pages between two offsets of a Parquet file, from their headers.

    Raises:
        ValueError: a header is damaged, or a page reaches beyond ``end``.
    """
    at, view = start, memoryview(content)
    while at < end:
        try:
            header, after = _struct(view[at : min(end, at + _HEADER_BYTES)], 0, depth=0)
            body, encoding = _BODY[header[_KIND]]
            page = Page(
                values=header[body][_VALUES],
                decoded=header[_DECODED],
                encoding=header[body][encoding],
            )
            stored = header[_STORED]
        except (IndexError, KeyError, TypeError) as error:
            raise ValueError("the header of a page is damaged") from error
        if min(page.values, page.decoded, stored) < 0 or at + after + stored > end:
            raise ValueError("a page reaches beyond its column")
        yield page
        at += after + stored


def _struct(data: memoryview, at: int, *, depth: int) -> tuple[dict[int, Any], int]:
    """Fields of a struct by number, and the offset after it."""
    fields: dict[int, Any] = {}
    number = 0
    while byte := data[at]:
        at += 1
        if byte >> 4:
            number += byte >> 4
        else:
            number, at = _integer(data, at)
        fields[number], at = _value(byte & 15, data, at, depth=depth)
    return fields, at + 1


def _value(kind: int, data: memoryview, at: int, *, depth: int) -> tuple[Any, int]:
    if kind in (1, 2):  # true, false
        return kind == 1, at
    if kind == 3:  # a byte
        return data[at], at + 1
    if kind in (4, 5, 6):  # integers of 16, 32 and 64 bits
        return _integer(data, at)
    if kind == 7:  # a double
        return None, at + 8
    if kind == 8:  # bytes
        length, at = _unsigned(data, at)
        return None, at + length
    if kind == 12 and depth < 3:
        return _struct(data, at, depth=depth + 1)
    raise ValueError("the header of a page is damaged")


def _integer(data: memoryview, at: int) -> tuple[int, int]:
    coded, at = _unsigned(data, at)
    return (coded >> 1) ^ -(coded & 1), at


def _unsigned(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("the header of a page is damaged")
