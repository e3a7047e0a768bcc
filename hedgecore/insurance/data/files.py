"""Files of a table as people have them: CSV in any dialect, compressed or not, and Parquet.

The result depends on the values of a table, not on its format: separator, decimal mark, quotes,
text encoding, line ends, case of the header and compression change nothing.
"""

import csv
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from hedgecore.insurance.data.archives import LARGEST, unpacked
from hedgecore.insurance.data.schema import COLUMNS

Frame = pd.DataFrame

_PARQUET = b"PAR1"
_SEPARATORS = (",", ";", "\t", "|")
_LONGEST_HEADER = 100_000
# Parquet can repeat one value without end: 130 million numbers are a gigabyte.
_MOST_CELLS = 2**27
_ENCODINGS = (  # UTF-32 first, as its mark begins with that of UTF-16
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_UNNAMED = "column without a name "
_SPELLINGS = {name.lower(): name for name in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableFile:
    """Content of a file, its values not yet checked.

    Args:
        frame: rows by column, named in the spelling of the schema where only case differs.
        sha256: hash of the unpacked bytes, so equal for a file and its compressed copies.
        first_line: line of the first row in a text file; None for Parquet.
    """

    frame: Frame
    sha256: str
    first_line: int | None

    def place(self, row: int) -> str:
        """Position of ``row``, from 0, as it follows the path in a message."""
        return f" row {row + 1}" if self.first_line is None else f":{row + self.first_line}"


def read_file(
    path: Path, *, text: Collection[str] = (), content: bytes | None = None
) -> TableFile:
    """Content of the CSV or Parquet file at ``path``, which may be a zip, gz, bz2 or xz of one.

    Args:
        path: the file.
        text: columns of a CSV file that are not read as numbers.
        content: bytes of the file, if they were read before.
    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: it is no such table, or too large; one line with the cure.
    """
    content = unpacked(path, content)
    sha256 = hashlib.sha256(content).hexdigest()
    if content.startswith(_PARQUET):
        return TableFile(frame=_parquet(path, content), sha256=sha256, first_line=None)
    decoded = _decoded(path, content)
    header, separator, skipped = _header(path, decoded)
    frame = _rows(path, decoded, header, separator, skipped=skipped, text_columns=text)
    return TableFile(frame=frame, sha256=sha256, first_line=skipped + 1)


def read_header(path: Path) -> list[str]:
    """Names of the columns of :func:`read_file`, without reading rows; unnamed ones left out.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: it is no such table, or too large; one line with the cure.
    """
    content = unpacked(path)
    if content.startswith(_PARQUET):
        names = [str(name) for name in _parquet_file(path, content).schema_arrow.names]
        return _names(path, names)
    names = _header(path, _decoded(path, content))[0]
    return [name for name in names if not name.startswith(_UNNAMED)]


def same_names(path: Path, frame: Frame) -> Frame:
    """``frame`` with its columns in the spelling of the schema where only case differs.

    Raises:
        ValueError: two columns then have one name; ``path`` is named in the message.
    """
    return frame.set_axis(_names(path, [str(name) for name in frame.columns]), axis=1)


def _decoded(path: Path, content: bytes) -> str:
    """Text of a file that is not Parquet."""
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), None)
    if encoding is None and (nulls := content.count(0)):
        encoding = _unmarked(content[:200])
        if encoding is None:
            raise ValueError(
                f"{path} has {nulls:,} NUL bytes, so it was cut off or damaged when it was "
                "written; copy it again"
            )
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise ValueError(
                f"{path} is damaged: it is not the {encoding.upper()} that it begins as; "
                "copy it again"
            ) from error
        text = content.decode("latin-1")
    begin = text[:1000].lstrip().lower()
    if not begin and not text.strip():
        raise ValueError(f"{path} is empty; give your own copy of train.csv")
    if re.match(r"<(!doctype|html|head|body|\?xml|table)", begin):
        raise ValueError(
            f"{path} is a web page, not a table, as saved when a download needs a log-in; "
            "log in, download the file again, and give that"
        )
    if begin.startswith(("{", "[")):
        raise ValueError(f"{path} is JSON, not a table; save it as CSV and give that")
    return text


def _unmarked(begin: bytes) -> str | None:
    """UTF-16 of Latin text without its mark: every other byte is NUL."""
    if begin[0] and not any(begin[1::2]):
        return "utf-16-le"
    return "utf-16-be" if any(begin[1::2]) and not any(begin[::2]) else None


def _header(path: Path, text: str) -> tuple[list[str], str, int]:
    """Names of the columns, separator, and number of lines before the first row."""
    lines = re.split(r"\r\n|\n|\r", text[: 3 * _LONGEST_HEADER], maxsplit=3)
    # Excel's own first line.
    hint = re.fullmatch(r'"?sep=(.)"?', lines[0])
    header, row = [*lines[1 if hint else 0 :], "", ""][:2]
    if len(header) > _LONGEST_HEADER:
        raise ValueError(
            f"{path} has a first line of over {_LONGEST_HEADER:,} characters, which is no header; "
            "give a CSV table with the header of train.csv"
        )
    candidates = [hint[1]] if hint else _SEPARATORS
    separator = max(candidates, key=lambda mark: len(_fields(header, mark)))
    fields, values = _fields(header, separator), _fields(row, separator)
    if not any(values[len(fields) :]):  # every row may end with separators that the header lacks
        fields += [""] * (len(values) - len(fields))
    return _names(path, fields), separator, 2 if hint else 1


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _names(path: Path, fields: list[str]) -> list[str]:
    names = [field.strip() or f"{_UNNAMED}({i + 1})" for i, field in enumerate(fields)]
    names = [_SPELLINGS.get(name.lower(), name) for name in names]
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise ValueError(f"{path} has two columns {twice[0]}; remove one")
    return names


def _rows(
    path: Path,
    text: str,
    names: list[str],
    separator: str,
    *,
    skipped: int,
    text_columns: Collection[str] = (),
) -> Frame:
    decimal = r"\d*,\d+"
    quoted = f'"-?{decimal}"' if separator == "," else rf"(?<![\d,])-?{decimal}(?![\d,])"
    try:
        frame = pd.read_csv(
            StringIO(text),
            header=None,
            names=names,
            skiprows=skipped,
            sep=separator,
            decimal="," if re.search(quoted, text) else ".",
            dtype=dict.fromkeys({"Product_Info_2", *text_columns} & {*names}, str),
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=False,  # messages give the file's line numbers
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=names)
    except pd.errors.ParserError as error:
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise ValueError(
            f"{path} is not a CSV table ({reason}); quote separators within values"
        ) from error
    # pandas takes extra columns for an index.
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise ValueError(f"{path} has rows longer than its header; quote commas within values")
    return _trimmed(path, frame)


def _trimmed(path: Path, frame: Frame) -> Frame:
    """``frame`` without empty rows at its end, and without empty columns that have no name."""
    filled = frame.notna().any(axis=1).to_numpy().nonzero()[0]
    frame = frame.iloc[: filled[-1] + 1 if len(filled) else 0]
    unnamed = [name for name in frame.columns if name.startswith(_UNNAMED)]
    for name in unnamed:
        if frame[name].notna().any():
            raise ValueError(
                f"{path} has a {name} with values, such as the index that "
                "pandas adds; remove it, as by to_csv(index=False)"
            )
    return frame.drop(columns=unnamed)


def _parquet_file(path: Path, content: bytes) -> pq.ParquetFile:
    try:
        limits = {"thrift_string_size_limit": 2**24, "thrift_container_size_limit": 2**20}
        schema = pq.ParquetFile(BytesIO(content), **limits).schema_arrow
        strings = [f.name for f in schema if kinds.is_string(f.type)]
        file = pq.ParquetFile(BytesIO(content), read_dictionary=strings, **limits)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    metadata = file.metadata
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    if metadata.num_rows * metadata.num_columns > _MOST_CELLS or size > LARGEST:
        raise ValueError(
            f"{path} has {metadata.num_rows:,} rows of {metadata.num_columns:,} columns, over "
            f"{_MOST_CELLS:,} values or {LARGEST >> 20:,} MiB in all; give fewer rows"
        )
    return file


def _parquet(path: Path, content: bytes) -> Frame:
    file = _parquet_file(path, content)
    for field in file.schema_arrow:
        if not _plain(field.type):
            raise ValueError(
                f"{path} column {field.name} is of type {field.type}; save numbers and text only"
            )
    try:
        # The metadata of pandas would make a column the index.
        table = file.read().replace_schema_metadata()
        frame = table.to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    names = _names(path, [str(name) for name in frame.columns])
    frame = frame.set_axis(names, axis=1)
    texts = {n: object for n in names if isinstance(frame[n].dtype, pd.CategoricalDtype)}
    return _trimmed(path, frame.astype(texts).drop(columns=_index_columns(names)))


def _index_columns(names: list[str]) -> list[str]:
    return [name for name in names if re.fullmatch(r"__index_level_\d+__", name)]


def _plain(kind: pa.DataType) -> bool:
    if kinds.is_dictionary(kind):
        return _plain(kind.value_type)
    tests = (
        *(kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_decimal),
        *(kinds.is_null, kinds.is_string, kinds.is_large_string),
    )
    return any(test(kind) for test in tests)


def _damaged(path: Path) -> ValueError:
    return ValueError(f"{path} is a damaged Parquet file; copy it again")
