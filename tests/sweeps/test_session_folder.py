"""The folder of a Ray session: private, and short enough for its sockets."""

import os
import stat
from pathlib import Path

import pytest

from sweeps import UsageError
from sweeps.execution.session_folder import INNER_FOLDER, longest_parent, session_folder

KERNEL = 107  # bytes of a Unix socket's path, on Linux


@pytest.fixture
def base(tmp_path_factory, monkeypatch):
    """A folder with a short path, and no variable that names another."""
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    import tempfile

    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        yield Path(folder)


def padded(base: Path, length: int) -> Path:
    """A folder whose path has a given number of bytes."""
    folder = base / ("x" * (length - len(os.fsencode(base)) - 1))
    folder.mkdir()
    assert len(os.fsencode(folder)) == length
    return folder


def socket_of(folder: str) -> str:
    """The longest path that Ray makes in ``folder``."""
    session = f"session_2026-01-01_00-00-00_000000_{os.getpid()}"
    return f"{folder}/{INNER_FOLDER}/{session}/sockets/plasma_store"


@pytest.mark.parametrize("beyond", [-2, -1, 0, 1, 2, 20, 100])
def test_the_socket_of_every_tmpdir_is_within_the_limit_of_the_kernel(base, monkeypatch, beyond):
    parent = padded(base, longest_parent() + beyond)
    monkeypatch.setenv("TMPDIR", str(parent))
    with session_folder() as folder:
        assert len(os.fsencode(socket_of(folder))) <= KERNEL
        private = Path(folder)
        assert (private.parent == parent) == (beyond <= 0)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not private.exists()


def test_the_longest_parent_uses_the_limit_up(base, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(padded(base, longest_parent())))
    with session_folder() as folder:
        assert len(os.fsencode(socket_of(folder))) == KERNEL


@pytest.mark.parametrize("beyond", [1, 50])
def test_a_ray_tmpdir_that_is_too_long_is_refused_with_its_limit(base, monkeypatch, beyond):
    monkeypatch.setenv("RAY_TMPDIR", str(padded(base, longest_parent() + beyond)))
    with pytest.raises(UsageError, match=rf"107 .* at most {longest_parent()}"), session_folder():
        pass


@pytest.mark.parametrize("name", ["RAY_TMPDIR", "TMPDIR"])
@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_temporary_directory_that_cannot_be_used_is_named(base, monkeypatch, name, kind):
    path = base / kind
    if kind == "file":
        path.write_text("")
    monkeypatch.setenv(name, str(path))
    with pytest.raises(UsageError, match=rf"^{name}={path} .*unset {name}"), session_folder():
        pass
