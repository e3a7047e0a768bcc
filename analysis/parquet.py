"""Parquet tables, decoded only after their pages were checked against the size limits.

A table of a sweep is flat: numbers, flags and text. Everything else that the format allows
(nested and extension types, encodings that repeat a value a million times) is refused before it
is decoded. Extension types are refused before the schema is read: Arrow hands their description
to the class that a library has registered, and such classes have unpickled it.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis import bounds
from analysis.errors import AnalysisError
from analysis.parquet_pages import pages

_MAGIC = b"PAR1"
_ENCODINGS = {0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 8: "RLE_DICTIONARY"}
_EXTENSION = b"ARROW:extension:name"
# The schema lies in the footer in base64, in which the name may begin at any bit of three bytes.
_EXTENSIONS = [
    b64encode(bytes(k) + _EXTENSION)[(8 * k + 5) // 6 : 8 * (k + len(_EXTENSION)) // 6]
    for k in range(3)
]


class TableError(AnalysisError, ValueError):
    """The bytes are not a supported table; the message gives the reason."""


def opened(content: bytes, *, rows: int) -> pq.ParquetFile:
    """Table in ``content``, checked but not decoded.

    Args:
        content: of a Parquet file.
        rows: largest number of rows.
    Raises:
        TableError: it is not a table of flat columns, or exceeds the size limits.
        pyarrow.ArrowException: its footer is damaged.
    """
    if len(content) < 12 or content[-4:] != _MAGIC:
        raise TableError("no Parquet file")
    _bounded("footer bytes", int.from_bytes(content[-8:-4], "little"), bounds.FOOTER_BYTES)
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") : -8]
    if any(name in footer for name in (_EXTENSION, *_EXTENSIONS)):
        raise TableError("a column is of type extension")
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    about = file.metadata
    _bounded("columns", about.num_columns, bounds.COLUMNS)
    _bounded("rows", about.num_rows, rows)
    _bounded("cells", about.num_rows * about.num_columns, bounds.CELLS)
    for number in range(about.num_columns):
        column = about.schema.column(number)
        if column.max_repetition_level or column.max_definition_level > 1:
            raise TableError(f"column {column.path!r} is nested")
    names = file.schema_arrow.names
    if len(names) != about.num_columns or len(set(names)) != len(names):
        raise TableError("two columns have the same name, or one is nested")
    for field in file.schema_arrow:
        _bounded("characters in the name of a column", len(field.name), bounds.NAME_LENGTH)
        if not _flat(field.type):
            raise TableError(f"column {field.name!r} is of type {str(field.type)[:40]}")
    _check_pages(content, about)
    return file


def decoded(
    content: bytes, file: pq.ParquetFile, columns: Sequence[str] | None
) -> Iterator[pa.Table]:
    """Each of the ``columns`` of ``file`` (all if None) as a table, with texts as dictionaries.

    One by one, so that the memory of a column that was converted serves the next.

    Args:
        content: the bytes that ``file`` was opened from.
        file: from :func:`opened`.
    Raises:
        TableError: while iterating: the texts exceed the size limits.
        pyarrow.ArrowException: while iterating: a page is damaged.
    """
    fields = file.schema_arrow
    textual = [field.name for field in fields if _textual(field.type)]
    # As dictionaries first: a few bytes may encode a text of a megabyte in a million rows.
    narrow = pq.ParquetFile(
        pa.BufferReader(content), page_checksum_verification=True, read_dictionary=textual
    )
    size = 0
    for name in fields.names if columns is None else dict.fromkeys(columns):
        table = narrow.read(columns=[name])
        (column,) = table.columns
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                lengths = pc.binary_length(chunk.dictionary)
                _bounded(
                    f"bytes in a text of column {name!r}",
                    pc.max(lengths).as_py() or 0,
                    4 * bounds.TEXT_LENGTH,
                )
                size += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
                _bounded("bytes of text", size, bounds.DECODED_BYTES)
        table.validate(full=True)  # for example, that texts are UTF-8
        # The metadata for pandas is untrusted too.
        yield table.replace_schema_metadata(None)


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Texts of ``column``, once for each entry of its dictionaries; None if it has none.

    A million rows with the ids of 10,000 trials are checked as 10,000 texts.
    """
    if not pa.types.is_dictionary(column.type):
        return column if _textual(column.type) else None
    dictionaries = [chunk.dictionary for chunk in column.chunks]
    return pa.chunked_array(dictionaries, type=column.type.value_type)


def expanded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """``column`` with dictionaries decoded to strings."""
    return column.cast(pa.large_string()) if pa.types.is_dictionary(column.type) else column


def _check_pages(content: bytes, about: pq.FileMetaData) -> None:
    """Check that pages are within the file, do not overlap and fit the size limits."""
    number = size = stored = rows = 0
    for group in range(about.num_row_groups):
        row_group = about.row_group(group)
        rows += row_group.num_rows
        for place in range(about.num_columns):
            column = row_group.column(place)
            if column.num_values != row_group.num_rows:
                raise TableError(f"column {column.path_in_schema!r} has no value a row")
            if not row_group.num_rows:
                continue  # no pages and no offsets
            stored += column.total_compressed_size
            starts = (column.dictionary_page_offset, column.data_page_offset)
            start = min(s for s in starts if s is not None)
            end = start + column.total_compressed_size
            # Columns that share pages would decode them repeatedly.
            if column.file_path or start < len(_MAGIC) or not start <= end <= len(content):
                raise TableError(f"column {column.path_in_schema!r} lies outside of the file")
            _bounded("bytes of pages", stored, len(content))
            for page in pages(content, start, end):
                number, size = number + 1, size + page.decoded
                _bounded("pages", number, bounds.PAGES)
                _bounded("decoded bytes", size, bounds.DECODED_BYTES)
                if page.encoding not in _ENCODINGS:
                    raise TableError(
                        f"column {column.path_in_schema!r} is of encoding {page.encoding}"
                    )
    if rows != about.num_rows:
        raise TableError(f"it says {about.num_rows} rows and has {rows}")


def _bounded(what: str, number: int, most: int) -> None:
    if number > most:
        raise TableError(f"{number} {what}, at most {most} are read")


def _flat(kind: pa.DataType) -> bool:
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return numbers or pa.types.is_boolean(kind) or pa.types.is_null(kind) or _textual(kind)


def _textual(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):  # such as a pandas category
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
