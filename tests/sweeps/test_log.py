"""Format of the log and its errors; tests/reliability covers crashes."""

import json
import os
import platform
import subprocess
import zlib
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.journal import bounds
from sweeps.journal import files as stored
from sweeps.journal import lines as form
from sweeps.journal.journal import LogError, files, read
from sweeps.journal.lines import FORMAT
from sweeps.journal.storage import Lock, WriteError
from sweeps.journal.writer import Writer

ROW = {"type": "row", "id": 1, "loss": 0.25}
RESERVED = {"n", "synced", "crc"}
# What json can say and say again the same.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


def write(path: Path, *records: dict, header: dict | None = None) -> Path:
    """One whole driver start."""
    with Lock(path):
        writer = Writer(path, header or {})
        for record in records:
            writer.append(record)
        writer.close()
    return files(path)[-1]


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def test_records_come_back_as_they_were_appended_in_the_order_of_driver_starts(tmp_path):
    write(tmp_path, ROW, {"type": "row", "id": 2})
    write(tmp_path, {"type": "row", "id": 3})
    found = [record for record in read(tmp_path) if record["type"] == "row"]
    assert found == [ROW, {"type": "row", "id": 2}, {"type": "row", "id": 3}]


FIELDS = st.dictionaries(st.text(), JSON, max_size=5).filter(lambda r: not r.keys() & RESERVED)


@given(st.lists(FIELDS, max_size=5))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
def test_any_json_comes_back_the_same(tmp_path, found):
    records = [{**fields, "type": "row"} for fields in found]
    file = write(tmp_path, *records)
    assert list(read(tmp_path))[1:-1] == records
    file.unlink()


def test_a_start_says_who_writes_and_a_close_that_it_ended_well(tmp_path):
    write(tmp_path, header={"core": "c"})
    start, close = read(tmp_path)
    assert (start["host"], start["pid"]) == (platform.node(), os.getpid())
    assert (start["format"], start["core"]) == (FORMAT, "c")
    assert start["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert close == {"type": "close"}


def test_a_line_is_plain_json_whose_checksum_covers_all_before_it(tmp_path):
    for number, line in enumerate(lines(write(tmp_path, ROW)), start=1):
        body, seal = line.split(b',"crc":"')
        assert seal == b'%08x"}\n' % zlib.crc32(body)
        assert list(json.loads(line))[-3:] == ["n", "synced", "crc"]
        assert json.loads(line)["n"] == number


def test_a_line_says_how_many_lines_before_it_were_on_the_disk(tmp_path):
    with Lock(tmp_path):
        writer = Writer(tmp_path, {})
        for commit in (False, True, False, False, True):
            writer.append(ROW)
            if commit:
                writer.commit()
        writer.close()
    synced = [json.loads(line)["synced"] for line in lines(files(tmp_path)[0])]
    assert synced == [0, 1, 1, 3, 3, 3, 6]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_lacks_is_refused_and_nothing_is_written(tmp_path, value):
    with Lock(tmp_path):
        writer = Writer(tmp_path, {})
        with pytest.raises(
            ValueError, match=r"type 'row' must hold finite numbers only, got .*write null"
        ):
            writer.append({"type": "row", "nested": [{"loss": value}]})
        writer.append(ROW)
        writer.close()
    assert list(read(tmp_path))[1] == ROW


@pytest.mark.parametrize(
    ("text", "kept"), [("a\ud800b", "a?b"), ("\U0001f600", "\U0001f600"), ("\\ud800", "\\ud800")]
)
def test_half_a_surrogate_pair_is_written_as_a_question_mark(tmp_path, text, kept):
    write(tmp_path, {"type": "row", "text": [text], "name": {text: 1}})
    assert list(read(tmp_path))[1] == {"type": "row", "text": [kept], "name": {kept: 1}}


def test_half_a_surrogate_pair_that_was_forged_is_refused(tmp_path):
    body = b'{"type":"row","text":"\\uD800","n":4,"synced":3'
    with write(tmp_path, ROW).open("ab") as file:
        file.write(body + b',"crc":"%08x"}\n' % zlib.crc32(body))
    with pytest.raises(LogError, match=r"0001\.jsonl:4: not a JSON object"):
        list(read(tmp_path))


def test_a_record_too_long_to_be_read_again_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LINE", 1000)
    with Lock(tmp_path):
        writer = Writer(tmp_path, {})
        with pytest.raises(ValueError, match="at most 1000 bytes long, got 1039"):
            writer.append({"type": "row", "text": "x" * 980})
        writer.close()


def test_a_commit_of_nothing_new_costs_no_system_call(tmp_path, monkeypatch):
    with Lock(tmp_path):
        writer = Writer(tmp_path, {})
        synced: list[int] = []
        monkeypatch.setattr(os, "fsync", synced.append)
        writer.commit()
        assert synced == []
        writer.append(ROW)
        writer.append(ROW)
        writer.commit()
        writer.commit()
        assert len(synced) == 1
        writer.close()


def test_a_failed_fsync_is_never_tried_again(tmp_path, monkeypatch):
    calls: list[int] = []

    def fail(fd: int) -> None:
        calls.append(fd)
        raise OSError(5, "Input/output error")

    with Lock(tmp_path):
        writer = Writer(tmp_path, {})
        writer.append(ROW)
        monkeypatch.setattr(os, "fsync", fail)
        for attempt in (writer.commit, writer.commit, lambda: writer.append(ROW)):
            with pytest.raises(WriteError, match=r"0001\.jsonl .*Input/output error.*start again"):
                attempt()
        writer.close()
    assert len(calls) == 1


def test_an_interrupt_inside_a_write_ends_the_writer_before_it_could_number_a_line_twice(
    tmp_path, monkeypatch
):
    real = os.write

    def interrupted(fd: int, line: bytes) -> int:
        real(fd, line)
        raise KeyboardInterrupt

    with Lock(tmp_path):
        writer = Writer(tmp_path, {})
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.append(ROW)
        monkeypatch.undo()
        with pytest.raises(WriteError, match="cut off by an interrupt; start again"):
            writer.append(ROW)
        writer.close()
    assert list(read(tmp_path))[1:] == [ROW]


def test_closing_twice_is_harmless(tmp_path):
    with Lock(tmp_path) as lock:
        writer = Writer(tmp_path, {})
        writer.close()
        writer.close()
        lock.close()
    assert [record["type"] for record in read(tmp_path)] == ["start", "close"]


def test_a_storage_without_a_log_holds_no_records(tmp_path):
    assert list(read(tmp_path / "nowhere")) == []


@pytest.mark.parametrize("content", [b"", b'{"type":"start","form', b"\0" * 4096])
def test_a_driver_that_died_at_birth_left_no_records(tmp_path, content):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "0001.jsonl").write_bytes(content)
    write(tmp_path, ROW)
    assert list(read(tmp_path))[1] == ROW


def test_the_log_of_a_version_before_formats_is_refused_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "log").mkdir()
    old = '{"type":"start","core":"0123","time":"2026-01-01T00:00:00+00:00"}\n{"type":"trial"}\n'
    (tmp_path / "log" / "0001.jsonl").write_text(old)
    with pytest.raises(LogError, match=r"0001.jsonl:1: log format 1, .*start anew in another"):
        list(read(tmp_path))


@pytest.mark.parametrize(("other", "cure"), [(FORMAT + 1, "update"), (FORMAT - 1, "start anew")])
def test_a_log_of_another_format_is_refused(tmp_path, monkeypatch, other, cure):
    monkeypatch.setattr(form, "FORMAT", other)
    write(tmp_path)
    monkeypatch.undo()
    with pytest.raises(
        LogError, match=rf"0001.jsonl:1: log format {other}, .* {FORMAT}; .*{cure}"
    ):
        list(read(tmp_path))


def test_a_missing_file_is_missed_and_an_empty_one_in_its_place_is_none(tmp_path):
    gone = [write(tmp_path, {"type": "row", "id": n}) for n in range(3)][1]
    gone.unlink()
    with pytest.raises(LogError, match=r"0002\.jsonl: missing, though 0003\.jsonl came after it"):
        list(read(tmp_path))
    gone.touch()
    with pytest.raises(LogError, match=r"0002\.jsonl: changed after 0003\.jsonl had built on it"):
        list(read(tmp_path))


def test_files_are_numbered_beyond_four_digits_and_strangers_ignored(tmp_path):
    (tmp_path / "log").mkdir()
    for name in ("0001", "9999", "10000", "00002", "0003 (copy)", "notes", "1"):
        (tmp_path / "log" / f"{name}.jsonl").touch()
    assert [file.stem for file in files(tmp_path)] == ["0001", "9999", "10000"]


def test_a_line_of_garbage_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    with write(tmp_path, ROW).open("ab") as file:
        file.truncate(file.tell() + 100 * 2**20)
    with pytest.raises(LogError, match=r"0001\.jsonl:4: over 16777216 bytes long; restore"):
        list(read(tmp_path))


def test_a_reader_that_meets_a_line_half_written_ends_there(tmp_path, monkeypatch):
    first, second, close = lines(write(tmp_path, ROW))
    # As the file grows between two reads of it.
    parts = iter([first, second[:20], second[20:], close, b""])
    growing = MagicMock()
    growing.__enter__.return_value.readline = lambda size: next(parts)
    monkeypatch.setattr(stored, "open_file", lambda path, *, root: growing)
    assert [record["type"] for record in read(tmp_path)] == ["start"]


@pytest.mark.parametrize("text", ["[" * 10**5, '{"type":', "\x00", '{"a":"\ud800"}'])
def test_a_first_line_of_hostile_json_is_no_record(tmp_path, text):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "0001.jsonl").write_bytes(text.encode(errors="surrogatepass") + b"\n")
    assert list(read(tmp_path)) == []


def test_a_line_with_a_right_checksum_over_no_json_is_refused(tmp_path):
    body = b'{"type":oops,"n":4,"synced":3'
    with write(tmp_path, ROW).open("ab") as file:
        file.write(body + b',"crc":"%08x"}\n' % zlib.crc32(body))
    with pytest.raises(
        LogError, match=r"0001\.jsonl:4: not a JSON object, though its checksum is right"
    ):
        list(read(tmp_path))


def test_a_log_that_may_not_be_read_is_not_taken_for_an_empty_one(tmp_path, monkeypatch):
    write(tmp_path, ROW)

    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(LogError, match=r"log cannot be read \(Permission denied\); mend its perm"):
        list(read(tmp_path))


def test_jq_reads_the_log(tmp_path):
    jq = ["jq", "-r", 'select(.type == "row") | .loss', str(write(tmp_path, ROW))]
    try:
        assert subprocess.run(jq, capture_output=True, text=True, check=True).stdout == "0.25\n"
    except FileNotFoundError:
        pytest.skip("needs jq")
