"""A small driver that says what it has recorded, and broken ones for negative controls.

    python scenario.py STORAGE [--broken NAME] [--power-off N MOUNT]

Two groups of two rows, each committed and then acknowledged on standard output, and a table
replaced after each. Run as a script it loads nothing but the log, so that a process costs little.
"""

import argparse
import fcntl
import json
import os
import struct
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.modules["sweeps"] = ModuleType("sweeps")
    sys.modules["sweeps"].__path__ = [str(ROOT / "sweeps")]

from sweeps.errors import UsageError  # noqa: E402
from sweeps.journal import files, journal, storage, writer  # noqa: E402

GROUPS, SIZE = 2, 2
PARTIAL = f"{'0' * 32}.partial"
NAMES = (".", "log", "log/lock", "log/0001.jsonl", "table", PARTIAL)
OPERATIONS = ("open", "write", "pwrite", "ftruncate", "fsync", "replace", "mkdir", "close")
SHUTDOWN, FLUSH_NOTHING = 0x8004587D, struct.pack("I", 2)  # FS_IOC_SHUTDOWN of linux/fs.h


def rows(start: int, group: int) -> list[dict[str, object]]:
    return [{"type": "row", "id": [start, group, k], "loss": 0.1 * k} for k in range(SIZE)]


def table(start: int, group: int) -> bytes:
    return f"table of {start}.{group}\n".encode() * 3


def drive(path: Path, say: Callable[[dict[str, object]], object]) -> None:
    with storage.Lock(path):
        start = len(journal.files(path)) + 1
        seen = [record for record in journal.read(path) if record["type"] == "row"]
        out = writer.Writer(path, {"core": "c"})
        say({"rows": seen})
        try:
            for group in range(GROUPS):
                for row in rows(start, group):
                    out.append(row)
                out.commit()
                say({"rows": rows(start, group)})
                storage.replace(path / "table", table(start, group))
                say({"table": [start, group]})
        finally:
            out.close()


def forget_fsync() -> None:
    os.fsync = lambda fd: None


def overwrite() -> None:
    """Write the table in place."""
    storage.replace = lambda path, content: path.write_bytes(content)


def defer() -> None:
    """Keep records in memory until the end, though they are acknowledged."""
    append, close, kept = writer.Writer.append, writer.Writer.close, []

    def late(writer):
        for record in kept:
            append(writer, record)
        kept.clear()
        close(writer)

    writer.Writer.append = lambda writer, record: kept.append(record)
    writer.Writer.close = late


def ignore_errors() -> None:
    """Count a row that was not written as written."""

    @contextmanager
    def deaf(writer):
        try:
            yield
        except OSError:
            writer._lines += 1

    writer.Writer._or_fail = deaf


BROKEN = {f.__name__: f for f in (forget_fsync, overwrite, defer, ignore_errors)}


def power_off_at(n: int, mount: str) -> None:
    """Before the n-th operation on files the file system under ``mount`` stops as it is."""
    real = {name: getattr(os, name) for name in OPERATIONS}
    done = 0

    def counted(name):
        def call(*args, **kwargs):
            nonlocal done
            done += 1
            if done == n:
                power_off(mount, real)
            return real[name](*args, **kwargs)

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(name))


def power_off(mount: str, real: dict[str, Callable]) -> None:
    """Stop, after somebody else's fsync has taken the journal, though not our data, to disk."""
    other = real["open"](f"{mount}/other", os.O_CREAT | os.O_WRONLY)
    real["fsync"](other)
    fcntl.ioctl(real["open"](mount, os.O_RDONLY), SHUTDOWN, FLUSH_NOTHING)
    os._exit(9)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("storage", type=Path)
    parser.add_argument("--broken", choices=BROKEN)
    parser.add_argument("--power-off", nargs=2)
    asked = parser.parse_args()
    stdout, write = sys.stdout.fileno(), os.write
    files.token_hex = lambda size: "00" * size  # or nobody could wait for the file by its name
    if asked.broken:
        BROKEN[asked.broken]()
    if asked.power_off:
        n, mount = asked.power_off
        if not os.path.ismount(mount):  # or a whole machine would lose its disk
            parser.error(f"{mount} is no mount point")
        power_off_at(int(n), mount)
    try:
        drive(asked.storage, lambda said: write(stdout, json.dumps(said).encode() + b"\n"))
    except (UsageError, storage.WriteError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
