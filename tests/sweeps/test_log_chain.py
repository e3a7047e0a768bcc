"""Chain of log files: any change of a file on which later files build is found."""

from pathlib import Path

import pytest

from sweeps.journal import lines
from sweeps.journal.journal import LogError, extent, files, read
from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer


def start(storage: Path, number: int, *, closed: bool) -> None:
    """A driver start that commits two rows, appends one more, and ends well or not."""
    with Lock(storage):
        writer = Writer(storage, {"core": "c"})
        for part in range(2):
            writer.append({"type": "row", "id": [number, part]})
        writer.commit()
        writer.append({"type": "row", "id": [number, 2]})
        if closed:
            writer.close()


@pytest.fixture(params=[True, False], ids=["closed", "killed"])
def storage(request, tmp_path) -> Path:
    for number in range(3):
        start(tmp_path, number, closed=request.param)
    return tmp_path


def rows(storage: Path) -> list[list[int]]:
    return [record["id"] for record in read(storage) if record["type"] == "row"]


def test_an_undisturbed_log_is_read_whole(storage):
    assert rows(storage) == [[number, part] for number in range(3) for part in range(3)]


@pytest.mark.parametrize("name", ["0001.jsonl", "0002.jsonl"])
@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_any_changed_bit_of_an_earlier_file_is_found(storage, name, bit):
    file = storage / "log" / name
    content = file.read_bytes()
    for place in range(len(content)):
        file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
        with pytest.raises(LogError):
            rows(storage)


@pytest.mark.parametrize("name", ["0001.jsonl", "0002.jsonl"])
def test_an_earlier_file_cut_at_any_byte_is_found(storage, name):
    file = storage / "log" / name
    content = file.read_bytes()
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(LogError):
            rows(storage)


@pytest.mark.parametrize("name", ["0001.jsonl", "0002.jsonl"])
def test_an_earlier_file_that_has_grown_is_found(storage, name):
    file = storage / "log" / name
    count = file.read_bytes().count(b"\n")
    with file.open("ab") as stream:
        stream.write(lines.encode({"type": "row", "id": [9, 9]}, count + 1, count))
    with pytest.raises(LogError, match=r"changed after .* had built on it \(\d lines, not \d\)"):
        rows(storage)


def test_a_file_from_another_log_is_found(storage, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    start(other, 7, closed=True)
    (storage / "log" / "0001.jsonl").write_bytes((other / "log" / "0001.jsonl").read_bytes())
    with pytest.raises(LogError, match=r"0001\.jsonl: changed after 0002\.jsonl had built on it"):
        rows(storage)


def test_the_cure_of_a_changed_file_cures(storage):
    (storage / "log" / "0001.jsonl").write_bytes(b"")
    with pytest.raises(LogError, match=r"move 0002\.jsonl and all later files away"):
        rows(storage)
    for name in ("0002.jsonl", "0003.jsonl"):
        (storage / "log" / name).unlink()
    start(storage, 8, closed=True)
    assert rows(storage) == [[8, 0], [8, 1], [8, 2]]


@pytest.mark.parametrize(
    ("order", "strange", "cured"),
    [
        ([2, 1, 3], 1, False),
        ([3, 2, 1], 1, False),
        ([1, 3, 2], 2, True),
        ([1, 2, 2], 3, True),
        ([1, 2, 1], 3, True),
        ([1, 1, 3], 2, True),
    ],
)
def test_a_renamed_or_copied_file_is_named_and_no_other(storage, order, strange, cured):
    contents = [file.read_bytes() for file in files(storage)]
    for file, number in zip(files(storage), order, strict=True):
        file.write_bytes(contents[number - 1])
    with pytest.raises(LogError, match=rf"^000{strange}\.jsonl: was not begun on") as raised:
        rows(storage)
    assert (f"move 000{strange}.jsonl and all later" in str(raised.value)) == cured
    for file in files(storage)[strange - 1 :]:
        file.unlink()
    assert rows(storage) == [[n, part] for n in range(strange - 1) for part in range(3)]


@pytest.mark.parametrize("before", [5, [], {}, {"file": 1, "lines": 2, "sha256": ""}])
def test_a_file_that_names_no_file_before_it_is_refused(tmp_path, before):
    start(tmp_path, 0, closed=True)
    line = lines.encode({"type": "start", "format": lines.FORMAT, "before": before}, 1, 0)
    for name in ("0001.jsonl", "0002.jsonl"):
        (tmp_path / "log" / name).write_bytes(line)
        with pytest.raises(LogError, match=rf"{name}: was not begun on"):
            rows(tmp_path)
        start_again = tmp_path / "log" / "0001.jsonl"
        start_again.unlink()
        (tmp_path / "log" / "0002.jsonl").unlink(missing_ok=True)
        start(tmp_path, 0, closed=True)


def test_a_driver_that_died_at_birth_is_passed_over_by_the_chain(tmp_path):
    start(tmp_path, 0, closed=True)
    (tmp_path / "log" / "0002.jsonl").write_bytes(b'{"type":"start"')
    start(tmp_path, 2, closed=True)
    assert rows(tmp_path) == [[n, part] for n in (0, 2) for part in range(3)]
    assert extent(tmp_path).file == "0003.jsonl"


def test_control_the_last_group_of_the_last_file_cannot_be_told_from_a_torn_tail(tmp_path):
    start(tmp_path, 0, closed=False)
    file = files(tmp_path)[-1]
    content = file.read_bytes()
    file.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    assert rows(tmp_path) == [[0, 0], [0, 1]]
