"""Storages as a stranger may send them, and the commands in this process, as typed."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from spaces import TINY

import sweeps.__main__ as command_line
from hedgecore.bundle.keys import private_pem
from sweeps.execution import ray_sweep

# Few paths: each of hundreds of storages is also replayed.
SPACE = TINY.replace("_paths: 512", "_paths: 128").replace(
    "scheduler: null\n", "scheduler: {asha: {grace_period: 1, reduction_factor: 2, max_t: 3}}\n"
)
HUGE = 2**40
PATIENCE = 60  # seconds until a command counts as hanging


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Everything below ``folder``: contents of files, and where links lead to."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = os.readlink(path) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink() and path.stat().st_size < HUGE:
            found[name] = path.read_bytes()
    return found


@contextmanager
def _impatient() -> Iterator[None]:
    def late(number: int, frame: Any) -> None:
        raise AssertionError(f"hangs: nothing after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def hedgesweep(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """How a command ends; one that would start Ray ends there, with 0."""

    def stop(*_: Any, **__: Any) -> None:
        raise SystemExit(0)

    with pytest.MonkeyPatch.context() as patch, _impatient():
        patch.setattr("sys.argv", ["hedgesweep", *map(str, arguments)])
        patch.setattr(ray_sweep, "prepared", stop)
        capsys.readouterr()
        try:
            command_line.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
    return Ended(code, said.out, said.err)


def _moved(path: Path, outside: Path) -> None:
    shutil.move(path, outside / path.name)
    path.symlink_to(outside / path.name)


def _in_place(make: Callable[[Path], object]) -> Callable[[Path, Path], None]:
    def attack(path: Path, outside: Path) -> None:
        shutil.move(path, outside / path.name)
        make(path)

    return attack


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HUGE)


def _socket(path: Path) -> None:
    # Bound by a short name: the path of a socket has 107 bytes at most.
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


def _nested(path: Path) -> None:
    path.write_bytes(b"[" * 10**6)


ATTACKS: dict[str, Callable[[Path, Path], None]] = {
    "link to the same": _moved,
    "link to a file": _in_place(lambda path: path.symlink_to("/etc/hostname")),
    "link to a folder": _in_place(lambda path: path.symlink_to("/etc")),
    "link to nothing": _in_place(lambda path: path.symlink_to("nowhere")),
    "link to itself": _in_place(lambda path: path.symlink_to(path.name)),
    "pipe": _in_place(os.mkfifo),
    "socket": _in_place(_socket),
    "folder": _in_place(lambda path: (path / "inner").mkdir(parents=True)),
    "empty file": _in_place(Path.touch),
    "huge file": _in_place(_huge),
    "nested file": _in_place(_nested),
    "missing": _in_place(lambda path: None),
}


def places(storage: Path) -> list[str]:
    """Every folder and file of a storage, one of each kind."""
    found: dict[str, str] = {}
    for path in sorted(storage.rglob("*")):
        name = path.relative_to(storage)
        folder = name.parts[0] if len(name.parts) > 1 else ""
        kind = name.name if folder in ("", "log", "study") else f"{folder}/{len(name.parts)}"
        found.setdefault(kind, str(name))
    return list(found.values())


def commands(storage: Path | str, swept: Path, scratch: Path) -> Iterator[tuple[object, ...]]:
    """Every command that takes a storage.

    Args:
        storage: what they are given.
        swept: holds the space of a sweep, and the sweep itself, finished.
        scratch: where their other files go.
    """
    models = sorted((swept / "finished" / "models").iterdir())
    trial = models[0].name
    out = scratch / "bundle"
    shutil.rmtree(out, ignore_errors=True)
    key = swept / "private.pem"
    if not key.exists():
        key.write_bytes(private_pem(Ed25519PrivateKey.generate(), passphrase=None))
    yield "status", storage
    yield "status", storage, "--json"
    yield "verify", storage
    yield "simulate", storage, "--workers", "1"
    yield "replay", storage, trial
    yield "seal", storage, trial, "--key", key, "--out", out
    yield "run", swept / "space.yaml", "--storage", storage
