"""Tables of a storage, read in batches once their metadata are found to be within bounds.

Twenty megabytes of Parquet can expand to 200 GB: by run lengths, by one long text that a
dictionary repeats, or by a compression without a limit. So rows and sizes are checked first, text
stays in its dictionary, and only Snappy compression is accepted, which expands at most about
21 times.
"""

import os
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from sweeps.journal import bounds, files

BATCH = 8192
_ENCODINGS = {"PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY", "BIT_PACKED"}
_CODECS = {"SNAPPY", "UNCOMPRESSED"}
_FOOTER = 2**26  # bytes
_EXTENSION = b"ARROW:extension:name"
# The schema lies in the footer in base64, in which the name may begin at any bit of three bytes.
_EXTENSIONS = [
    b64encode(bytes(k) + _EXTENSION)[(8 * k + 5) // 6 : 8 * (k + len(_EXTENSION)) // 6]
    for k in range(3)
]


class Table:
    """An open Parquet file of numbers, flags and text only."""

    def __init__(self, stream: BinaryIO, *, rows: int) -> None:
        if os.fstat(stream.fileno()).st_size > bounds.TABLE:
            raise pa.ArrowInvalid(f"over {bounds.TABLE} bytes long")
        _refuse_extensions(stream)
        limits = {"thrift_string_size_limit": _FOOTER, "thrift_container_size_limit": 2**20}
        metadata = pq.ParquetFile(stream, **limits).metadata
        _check(metadata, rows)
        columns = map(metadata.schema.column, range(metadata.num_columns))
        texts = [column.name for column in columns if column.physical_type == "BYTE_ARRAY"]
        self._file = pq.ParquetFile(
            stream, read_dictionary=texts, page_checksum_verification=True, **limits
        )
        self.schema = self._file.schema_arrow
        for field in self.schema:
            if not _plain(field.type):
                raise pa.ArrowInvalid(f"column {field.name!r} is of type {field.type}")

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""
        return list(self.schema.names)

    @property
    def described(self) -> bool:
        """True if any column has metadata; tables of older versions have none."""
        return any(field.metadata for field in self.schema)

    @property
    def rows(self) -> int:
        """How many it has."""
        return int(self._file.metadata.num_rows)

    @property
    def writer(self) -> str:
        """Name of the program that wrote it."""
        return str(self._file.metadata.created_by)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows, in batches of some thousands."""
        for batch in self._file.iter_batches(BATCH, columns=columns, use_threads=False):
            if batch.nbytes > bounds.TENSORS:
                raise pa.ArrowInvalid(f"{len(batch)} rows of {batch.nbytes} bytes")
            yield batch

    def records(
        self, columns: Iterable[str], *, only: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows as values of those ``columns`` that it has; where the column ``only`` is true."""
        present = [name for name in dict.fromkeys(columns) if name in self.schema.names]
        for batch in self.batches(present if only is None else [*present, only]):
            if only is not None:
                batch = batch.filter(batch.column(only))
            values = [_values(batch.column(name)) for name in present]
            for row in zip(*values, strict=True):
                yield dict(zip(present, row, strict=True))


@contextmanager
def table(path: Path, *, rows: int) -> Iterator[Table]:
    """The table at ``path``.

    Raises:
        OSError: see :func:`sweeps.journal.files.open_file`.
        pyarrow.ArrowException: it is not Parquet, has more than ``rows`` rows, or has features
            that no table of a sweep uses.
    """
    with files.open_file(path) as stream:
        yield Table(stream, rows=rows)


def _refuse_extensions(stream: BinaryIO) -> None:
    """Refuse extension types before the schema is read.

    Arrow hands their description to the class that a library has registered, and Ray's unpickled
    it (CVE-2026-41486).
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - 8, 0))
    length = int.from_bytes(stream.read(4), "little")
    if length > _FOOTER:
        raise pa.ArrowInvalid(f"a footer of {length} bytes, at most {_FOOTER}")
    stream.seek(max(size - 8 - length, 0))
    footer = stream.read(length)
    stream.seek(0)
    if any(name in footer for name in (_EXTENSION, *_EXTENSIONS)):
        raise pa.ArrowInvalid("a column is of type extension")


def _check(metadata: Any, rows: int) -> None:
    if not 0 <= metadata.num_rows <= rows:
        raise pa.ArrowInvalid(f"{metadata.num_rows} rows, at most {rows}")
    if metadata.num_columns > bounds.COLUMNS:
        raise pa.ArrowInvalid(f"{metadata.num_columns} columns, at most {bounds.COLUMNS}")
    size = rows_of_groups = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        rows_of_groups += group.num_rows
        for chunk in map(group.column, range(group.num_columns)):
            size += chunk.total_uncompressed_size
            unusual = {*chunk.encodings} - _ENCODINGS or {chunk.compression} - _CODECS
            if unusual:
                raise pa.ArrowInvalid(f"{unusual.pop()}, which no table of a sweep has")
    if rows_of_groups != metadata.num_rows:
        raise pa.ArrowInvalid(f"{rows_of_groups} rows in its groups, {metadata.num_rows} in all")
    if not 0 <= size <= bounds.TABLE:
        raise pa.ArrowInvalid(f"{size} bytes without its compression")


def _plain(kind: pa.DataType) -> bool:
    if kinds.is_dictionary(kind):
        return kinds.is_string(kind.value_type)
    tests = (kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_null)
    return any(test(kind) for test in tests) or kinds.is_string(kind)


def _values(column: pa.Array) -> list[Any]:
    if not isinstance(column, pa.DictionaryArray):
        return list(column.to_pylist())
    longest = pa.compute.max(pa.compute.binary_length(column.dictionary)).as_py() or 0
    if longest > bounds.TEXT:
        raise pa.ArrowInvalid(f"a text of {longest} bytes, at most {bounds.TEXT}")
    texts = column.dictionary.to_pylist()  # once, however often it is repeated
    return [None if i is None else texts[i] for i in column.indices.to_pylist()]
