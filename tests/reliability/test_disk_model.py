"""F6: every content that a strict POSIX disk may hold after a power loss at any operation."""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from reliability import scenario
from reliability.aftermath import resumes, sound
from reliability.disk import Disk, lay, recording

from sweeps.journal import storage, writer

State, Said = dict[str, bytes], list[dict[str, Any]]


class Killed(BaseException):
    """Stop as by SIGKILL: the driver does nothing after it."""


def killed(disk: Disk, at: int) -> Said:
    """Messages of a driver killed before its operation number ``at``."""
    said: Said = []

    def before() -> None:
        if disk.operations >= at:
            raise Killed

    with suppress(Killed), recording(disk, before):
        scenario.drive(disk.root / "s", said.append)
    return said


def moments(disk: Disk, *, least: bool = False) -> Iterator[tuple[State, Said]]:
    """Possible disk contents and messages at every operation of a driver and at its end."""
    said: Said = []
    seen: list[tuple[State, Said]] = []

    def before() -> None:
        seen.extend((state, list(said)) for state in disk.states(least=least))

    with recording(disk, before):
        scenario.drive(disk.root / "s", said.append)
    before()
    distinct = {(*state.items(), len(said)): (state, said) for state, said in seen}
    return iter(distinct.values())


@pytest.fixture
def disk(tmp_path) -> Disk:
    (tmp_path / "disk").mkdir()
    return Disk(tmp_path / "disk")


@pytest.fixture
def after(tmp_path) -> Path:
    (tmp_path / "after").mkdir()
    return tmp_path / "after"


def check_all(found: Iterator[tuple[State, Said]], after: Path) -> int:
    """How many different states were sound."""
    checked = 0
    for state, said in found:
        lay(after, state)
        sound(after / "s", said)
        checked += 1
    return checked


def test_every_state_after_a_power_loss_is_sound(disk, after):
    assert check_all(moments(disk), after) > 500


@pytest.mark.slow
def test_the_next_driver_goes_on_from_every_state_after_a_power_loss(disk, after, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    for state, said in moments(disk):
        lay(after, state)
        resumes(after / "s", said)


def after_a_kill(tmp_path: Path) -> Iterator[tuple[State, Said]]:
    """A driver killed at any operation, its successor by a power loss at any of its own."""
    for at in count():
        root = tmp_path / f"{at:02d}"
        root.mkdir()
        said = killed(disk := Disk(root), at)
        if disk.operations < at:
            return
        yield from ((state, said + more) for state, more in moments(disk, least=True))


def test_a_driver_makes_durable_what_it_builds_on(tmp_path, after):
    assert check_all(after_a_kill(tmp_path), after) > 200


def expect_loss(what: str, found: Iterator[tuple[State, Said]], after: Path) -> None:
    with pytest.raises(AssertionError, match=what):
        check_all(found, after)


def test_control_without_fsync_acknowledged_rows_are_lost(disk, after, monkeypatch):
    monkeypatch.setattr(writer.Writer, "commit", lambda self: None)
    expect_loss("I1: acknowledged, but lost", moments(disk, least=True), after)


def test_control_without_fsync_of_the_folder_the_whole_file_is_lost(disk, after, monkeypatch):
    monkeypatch.setattr(writer, "sync", lambda path: None)
    expect_loss("I1: acknowledged, but lost", moments(disk, least=True), after)


def test_control_a_table_written_in_place_is_caught_half_written(disk, after, monkeypatch):
    monkeypatch.setattr(storage, "replace", lambda path, content: path.write_bytes(content))
    expect_loss("I3: table holds neither", moments(disk, least=True), after)


def test_control_a_table_renamed_without_fsync_is_caught_empty(disk, after, monkeypatch):
    def renamed(path: Path, content: bytes) -> None:
        (partial := path.with_name("table.partial")).write_bytes(content)
        os.replace(partial, path)

    monkeypatch.setattr(storage, "replace", renamed)
    expect_loss("I3: table holds neither", moments(disk, least=True), after)


def test_control_a_driver_that_builds_on_what_is_not_durable_loses_it(
    tmp_path, after, monkeypatch
):
    monkeypatch.setattr(storage, "_settle", lambda name, at: None)
    expect_loss("I3: the log cannot be read: 0001.jsonl: changed", after_a_kill(tmp_path), after)
