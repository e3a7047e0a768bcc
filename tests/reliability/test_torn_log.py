"""F5: the log cut at every byte of its last group, and every byte of it changed."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import acknowledged_is_durable, is_prefix, readable

from sweeps.journal.journal import LogError, read
from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer

ROW, NEXT = {"type": "row", "id": 1, "loss": 0.25}, {"type": "row", "id": 2}
COMMITTED = [{"type": "row", "id": n} for n in range(3)]
TAIL = [{"type": "row", "id": n, "loss": 0.5} for n in range(3, 6)]


def killed(storage: Path, *, committed=COMMITTED, tail=TAIL) -> tuple[Path, int]:
    """The file of a driver that died without closing, and how many bytes it had committed."""
    with Lock(storage):
        writer = Writer(storage, {})
        file = storage / "log" / "0001.jsonl"
        for row in committed:
            writer.append(row)
        writer.commit()
        size = file.stat().st_size
        for row in tail:
            writer.append(row)
        os.close(writer._fd)  # all that the kernel does for a driver that is killed
        return file, size


def rows(storage: Path) -> list[dict]:
    return [record for record in readable(storage) if record["type"] == "row"]


def sound(storage: Path) -> None:
    acknowledged_is_durable(COMMITTED, storage)
    is_prefix(rows(storage), COMMITTED + TAIL)


def goes_on(storage: Path) -> None:
    """The next driver start appends to a file of its own, behind all that can be read."""
    before = rows(storage)
    writer = Writer(storage, {})
    writer.append(NEXT)
    writer.close()
    assert rows(storage) == [*before, NEXT]
    (storage / "log" / "0002.jsonl").unlink()


def test_a_log_cut_at_any_byte_behind_its_last_commit_reads_to_a_prefix(tmp_path):
    file, committed = killed(tmp_path)
    whole = file.read_bytes()
    for size in range(committed, len(whole) + 1):
        file.write_bytes(whole[:size])
        sound(tmp_path)
        assert len(rows(tmp_path)) == len(COMMITTED) + whole[committed:size].count(b"\n")
    goes_on(tmp_path)


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_any_byte_behind_the_last_commit_may_change(tmp_path, change):
    file, committed = killed(tmp_path)
    whole = file.read_bytes()
    for place in range(committed, len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
        sound(tmp_path)
        assert len(rows(tmp_path)) == len(COMMITTED) + whole[committed:place].count(b"\n")
    goes_on(tmp_path)


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_any_changed_byte_of_what_a_later_line_knows_as_committed_is_found(tmp_path, change):
    file, committed = killed(tmp_path)
    whole = file.read_bytes()
    for place in range(committed):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
        line = whole[:place].count(b"\n") + 1
        with pytest.raises(LogError, match=rf"^0001\.jsonl:{line}: .*; restore it from"):
            list(read(tmp_path))


def test_a_close_record_vouches_for_every_line_before_it(tmp_path):
    with Lock(tmp_path):
        (writer := Writer(tmp_path, {})).append(ROW)
        writer.close()
    file = tmp_path / "log" / "0001.jsonl"
    whole = file.read_bytes()
    end = whole.rindex(b"\n", 0, -1)  # without it the close record is no line of its own
    for place in range(end):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(LogError, match=r"^0001\.jsonl:[12]: damaged, though it had been comm"):
            list(read(tmp_path))


def test_control_damage_to_the_last_group_of_a_killed_driver_cannot_be_told_from_a_torn_tail(
    tmp_path,
):
    file, _ = killed(tmp_path, tail=[])
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] + b"?" + whole[-19:])
    with pytest.raises(AssertionError, match="I1: acknowledged, but lost"):
        sound(tmp_path)


@given(kept=st.integers(0, 10**6), tail=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_at_all_may_follow_the_last_commit(tmp_path, kept, tail):
    file, committed = killed(tmp_path)
    whole = file.read_bytes()
    kept = committed + kept % (len(whole) - committed + 1)
    file.write_bytes(whole[:kept] + tail)
    sound(tmp_path)
    file.unlink()


@pytest.mark.parametrize("hole", [b"\0", b"x", b"\n"])
def test_a_hole_before_whole_lines_is_a_torn_tail_while_nothing_was_committed_behind_it(
    tmp_path, hole
):
    file, committed = killed(tmp_path)
    whole = file.read_bytes()
    end = whole.index(b"\n", committed)
    file.write_bytes(whole[:committed] + hole * (end - committed) + whole[end:])
    assert rows(tmp_path) == COMMITTED
    goes_on(tmp_path)


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("place", [0, 1, 3, 4, 5])
def test_a_line_taken_out_is_missed(tmp_path, place):
    file, _ = killed(tmp_path)
    kept = lines(file)
    del kept[place]
    file.write_bytes(b"".join(kept))
    number = place + 1
    with pytest.raises(LogError, match=rf"^0001\.jsonl:{number}: has number {number + 1}: lines"):
        list(read(tmp_path))


@pytest.mark.parametrize("place", range(7))
def test_a_line_that_is_there_twice_is_found(tmp_path, place):
    file, _ = killed(tmp_path)
    kept = lines(file)
    kept.insert(place, kept[place])
    file.write_bytes(b"".join(kept))
    with pytest.raises(LogError, match=rf"^0001\.jsonl:{place + 2}: has number {place + 1}: "):
        list(read(tmp_path))


def test_the_cure_that_a_damaged_log_names_works(tmp_path):
    file, _ = killed(tmp_path)
    kept = lines(file)
    kept[2] = b"?" + kept[2][1:]
    file.write_bytes(b"".join(kept))
    with pytest.raises(LogError) as told:
        list(read(tmp_path))
    first = int(re.search(r"keep only lines 1 to (\d+)", str(told.value))[1])
    file.write_bytes(b"".join(kept[:first]))
    assert rows(tmp_path) == COMMITTED[: first - 1]
    goes_on(tmp_path)
