"""Bytes of a file, unpacked from zip, gz, bz2 or xz, with limits before and while unpacking."""

import bz2
import gzip
import lzma
import shlex
import zipfile
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

LARGEST = 2**29
"""Most bytes of a file, and of its unpacked content: 1.2 million rows of the table."""

_DEPTH = 2  # a .csv.gz in a zip
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError)

_OTHERS: Mapping[bytes, tuple[str, str]] = {
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "save it as CSV and give that"),
    b"ARROW1": ("an Arrow file", "save it as Parquet or CSV and give that"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "unpack it by unzstd and give the result"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it and give the table in it"),
    b"Rar!": ("a RAR archive", "unpack it and give the table in it"),
    b"%PDF": ("a PDF", "give the table as CSV"),
    b"SQLite format 3": ("a database", "export the table as CSV and give that"),
    b"\x80\x04": ("a pickle, which can run code", "save it by to_csv or to_parquet"),
    b"\x80\x05": ("a pickle, which can run code", "save it by to_csv or to_parquet"),
    b"\x93NUMPY": ("an array of NumPy", "save it as CSV with a header and give that"),
}


def unpacked(path: Path, content: bytes | None = None) -> bytes:
    """Content of the file at ``path``; of the one file in it, if it is compressed.

    Args:
        path: the file.
        content: its bytes, if they were read before; then ``path`` serves for messages only.
    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: a directory, too large, damaged, or not exactly one file in an archive; one
            line with the cure.
    """
    if content is None:
        content = _packed(path)
    for _ in range(_DEPTH):
        unpack = next((u for magic, u in _UNPACKERS.items() if content.startswith(magic)), None)
        if unpack is None:
            break
        content = unpack(path, content)
    kind = next((kind for magic, kind in _OTHERS.items() if content.startswith(magic)), None)
    if content[257:262] == b"ustar":
        kind = "a tar archive", f"unpack it (tar -xf {shlex.quote(str(path))}) and give the table"
    elif content.startswith(tuple(_UNPACKERS)):
        kind = f"compressed over {_DEPTH} times", "unpack it and give the table in it"
    if kind is not None:
        raise ValueError(f"{path} is {kind[0]}; {kind[1]}")
    return content


def _packed(path: Path) -> bytes:
    if path.is_dir():
        raise ValueError(f"{path} is a directory; {_inside(path)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give the path of your own copy of train.csv")
    if (size := path.stat().st_size) > LARGEST:
        raise _too_large(path, f"{size:,} bytes")
    return path.read_bytes()


def _inside(path: Path) -> str:
    """Cure for a directory: a file in it, if there is a likely one."""
    suffixes = {".csv", ".parquet", ".zip", ".gz", ".tsv"}
    names = sorted(p.name for p in path.iterdir() if p.suffix in suffixes and p.is_file())
    likely = [name for name in names if name.startswith("train")] or names
    return f"give the file {path / likely[0]}" if likely else "give the file of the table"


def _zip(path: Path, content: bytes) -> bytes:
    try:
        archive = zipfile.ZipFile(BytesIO(content))
    except _DAMAGE as error:
        raise _damaged(path, "zip archive") from error
    entries = [e for e in archive.infolist() if not e.is_dir() and not _hidden(e.filename)]
    names = [entry.filename for entry in entries]
    if "[Content_Types].xml" in names or "content.xml" in names:
        raise ValueError(f"{path} is a workbook (xlsx or ods); save it as CSV and give that")
    if len(entries) != 1:
        raise ValueError(f"{path} holds {_listed(names)}; {_extraction(path, names)}")
    (entry,) = entries
    if entry.flag_bits & 1:
        raise ValueError(f"{path} is encrypted; unpack it with its password and give the result")
    if entry.file_size > LARGEST:
        raise _too_large(path, f"{entry.file_size:,} bytes unpacked")
    try:
        with archive.open(entry) as stream:
            return _bounded(path, stream.read)
    except NotImplementedError as error:
        raise ValueError(
            f"{path} has a compression that cannot be read ({error}); unpack it by another "
            "program and give the result"
        ) from error
    except _DAMAGE as error:
        raise _damaged(path, "zip archive") from error


def _hidden(name: str) -> bool:
    """True for what desktops add to archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or (bool(parts) and parts[-1].startswith("."))


def _listed(names: list[str]) -> str:
    if not names:
        return "no file"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} files ({', '.join(names[:5])}{more})"


def _extraction(path: Path, names: list[str]) -> str:
    if not names:
        return "give an archive with the table in it"
    likely = next((n for n in names if PurePosixPath(n).name.startswith("train")), names[0])
    target = PurePosixPath(likely).name
    command = f"unzip -p {shlex.quote(str(path))} {shlex.quote(likely)} > {shlex.quote(target)}"
    return f"unpack one, such as by {command}, and give that"


def _stream(kind: str, opened: Callable[[BytesIO], Any]) -> Callable[[Path, bytes], bytes]:
    def unpack(path: Path, content: bytes) -> bytes:
        try:
            with opened(BytesIO(content)) as stream:
                return _bounded(path, stream.read)
        except _DAMAGE as error:
            raise _damaged(path, kind) from error

    return unpack


def _bounded(path: Path, read: Callable[[int], bytes]) -> bytes:
    """All that ``read`` returns, which may be more than a header says."""
    blocks, size = [], 0
    while block := read(2**20):
        blocks.append(block)
        size += len(block)
        if size > LARGEST:
            raise _too_large(path, f"more than {LARGEST:,} bytes unpacked")
    return b"".join(blocks)


def _too_large(path: Path, size: str) -> ValueError:
    return ValueError(f"{path} has {size}, over {LARGEST >> 20:,} MiB; give fewer rows")


def _damaged(path: Path, kind: str) -> ValueError:
    return ValueError(f"{path} is a {kind} that is cut off or damaged; copy it again")


_UNPACKERS: Mapping[bytes, Callable[[Path, bytes], bytes]] = {
    b"PK\x03\x04": _zip,
    b"PK\x05\x06": _zip,  # without entries
    b"\x1f\x8b": _stream("gz file", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZh": _stream("bz2 file", bz2.BZ2File),
    b"\xfd7zXZ\x00": _stream("xz file", lzma.LZMAFile),
}
