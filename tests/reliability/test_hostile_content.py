"""F22: a stranger's storage whose files say what no sweep would: names, numbers, and escapes."""

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_sweep import edit_log, edit_manifest, forge_study, run_locally
from quick import quick_of
from reliability.hostile import SPACE, commands, hedgesweep, snapshot

import sweeps
from sweeps.errors import UsageError
from sweeps.inspection.verify import verify
from sweeps.journal import bounds, layout, preparations
from sweeps.journal.checkpoints import Checkpoints
from sweeps.journal.files import read_json
from sweeps.journal.journal import LogError, read
from sweeps.journal.parquet import table
from sweeps.journal.storage import replaced
from sweeps.scheduling.warm_start import earlier
from sweeps.text import echo, printable

FORGED = [
    "../../precious",
    "/etc/passwd",
    "a\0b",
    "a" * 5000,
    "..",
    "",
    "0123456789abcde/",
    7,
    None,
]
# A window title, a colour, the two bytes of a C1 control, a line of its own, text from the right.
ESCAPES = "\x1b]0;title\x07\x1b[31m\x9b2J\nerror: forged\r\x7f\u202e\u2028\ud800"


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    (folder / "space.yaml").write_text(SPACE)
    run_locally(folder / "space.yaml", folder / "finished")
    run_locally(folder / "space.yaml", folder / "interrupted", stop_after=10)
    return folder


@pytest.fixture
def storage(swept, tmp_path) -> Path:
    return Path(shutil.copytree(swept / "finished", tmp_path / "storage"))


@pytest.mark.parametrize("kind", layout.NAMES)
@pytest.mark.parametrize("name", FORGED)
def test_a_name_that_no_sweep_gives_becomes_no_path(kind, name):
    with pytest.raises(UsageError, match=f"names a {kind} .*; restore it"):
        layout.check_name(kind, name)


@pytest.mark.parametrize("name", FORGED)
def test_nothing_is_kept_or_loaded_under_a_forged_name(tmp_path, name):
    (precious := tmp_path / "precious").write_text("kept")
    (storage := tmp_path / "storage").mkdir()
    for call in (
        lambda: Checkpoints(storage).keep(name, b"new"),
        lambda: Checkpoints(storage).load(name, "0" * 64),
        lambda: Checkpoints(storage).load("0" * 16, name),
        lambda: preparations.StoredPreparation.read(storage / "study" / str(name), None),
    ):
        with pytest.raises(UsageError, match="names a "):
            call()
    assert precious.read_text() == "kept"
    assert list(storage.iterdir()) == []


@pytest.mark.parametrize("name", quick_of((n for n in FORGED if isinstance(n, str)), every=4))
def test_a_forged_file_of_a_preparation_is_refused_by_every_command(
    swept, storage, tmp_path, capsys, name
):
    (path,) = (storage / "study").rglob("facts.json")
    facts = json.loads(path.read_text())
    facts["layout"][name] = facts["layout"]["theta_0"]
    path.write_text(json.dumps(facts))
    for text in ("is not what was recorded", "is of another version"):
        for command in commands(storage, swept, tmp_path):
            ended = hedgesweep(capsys, *command)
            refused = command[0] in ("verify", "replay", "run")
            assert (ended.code != 0) is refused, (command, ended)
            assert not refused or text in ended.out + ended.err
        forge_study(storage)


def test_an_epoch_of_a_billion_costs_neither_time_nor_memory(swept, storage, tmp_path, capsys):
    def forged(record: dict[str, Any]) -> dict[str, Any] | None:
        if record["type"] != "segment":
            return None
        rows = [{**row, "epoch": row["epoch"] + 10**9} for row in record["rows"]]
        return {**record, "rows": rows}

    assert edit_log(storage, "0001.jsonl", forged)
    for command in commands(storage, swept, tmp_path):
        ended = hedgesweep(capsys, *command)
        assert len(ended.err.splitlines()) == (ended.code == 2), (command, ended)
    assert "epoch should lie in (0, 1000000]" in hedgesweep(capsys, "verify", storage).out


@pytest.mark.parametrize("limit", [10**9, 10**18])
def test_trials_of_a_billion_epochs_are_not_simulated(storage, capsys, limit):
    assert edit_log(
        storage, "0001.jsonl", lambda r: {**r, "limit": limit} if r["type"] == "trial" else None
    )
    ended = hedgesweep(capsys, "simulate", storage)
    assert ended.code == 2
    assert f"trial.limit should be a whole number in [1, 1000000], got {limit}" in ended.err


@pytest.mark.parametrize("rungs", [list(range(10**6)), "1,2", {"a": 1}, [1.5], 3])
def test_forged_rungs_are_refused(swept, storage, capsys, rungs):
    edit_manifest(storage, rungs=rungs)
    for command in (("status", storage), ("verify", storage), ("simulate", storage)):
        ended = hedgesweep(capsys, *command)
        assert ended.code == (1 if command[0] == "verify" else 2), command
        assert "manifest.content.rungs" in ended.out + ended.err


@pytest.mark.parametrize(
    "text", ["[" * 10**6, "9" * 5000, "[" + "9" * 20 + "]", '{"a":', "\xff", ""]
)
def test_hostile_json_is_an_error_of_its_value(tmp_path, text):
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError):  # noqa: PT011 (a decoder has words of its own)
        read_json(tmp_path / "x.json", most=bounds.JSON)


def test_garbage_behind_a_torn_line_is_read_up_to_a_bound(storage, monkeypatch):
    monkeypatch.setattr(bounds, "TAIL", 10_000)
    with (storage / "log" / "0001.jsonl").open("ab") as file:
        file.write(b"{}\n" * 10)
    records = len(list(read(storage)))
    with (storage / "log" / "0001.jsonl").open("ab") as file:
        file.write(b"\n" * 100)
    with pytest.raises(LogError, match=f"{records + 1}: damaged, with more behind it"):
        list(read(storage))


def repeated(path: Path) -> None:
    """200 GB of text in 50 kB."""
    indices = pa.array(np.zeros(200_000, dtype=np.int32))
    text = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 10**6]))
    rows = pa.table({"trial_id": text, "best": pa.array(np.ones(200_000, dtype=bool))})
    pq.write_table(rows, path, dictionary_pagesize_limit=2**28)


def many(path: Path) -> None:
    rows = pa.table({"trial_id": pa.array(np.zeros(2 * 10**6, dtype=np.int64))})
    pq.write_table(rows, path)


def column(values: Any, **options: Any) -> Any:
    rows = pa.table({"trial_id": values, "best": [True] * len(values)})
    return lambda path: pq.write_table(rows, path, **options)


TEXTS = pa.array(["x" * 10**5] * 100)
BOMBS = {
    "one text for all rows": (repeated, "a text of 1000000 bytes"),
    "too many rows": (many, "2000000 rows"),
    "compressed without limit": (column(TEXTS, compression="zstd"), "ZSTD"),
    "text by its differences": (
        column(TEXTS, use_dictionary=False, column_encoding={"trial_id": "DELTA_BYTE_ARRAY"}),
        "DELTA_BYTE_ARRAY",
    ),
    "lists": (column(pa.array([[1]])), "of type list"),
    "an extension": (
        column(pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"1" * 16], pa.binary(16)))),
        "of type extension",
    ),
    "no Parquet": (lambda path: path.write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1"), "holds no"),
    "a huge file": (lambda path: os.truncate(path, 2**40), f"over {bounds.TABLE} bytes long"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("file", ["trials.parquet", "epochs.parquet"])
def test_a_warm_start_decodes_no_bomb(swept, storage, name, file, monkeypatch):
    monkeypatch.setattr(bounds, "EPOCH_ROWS", bounds.TRIAL_ROWS)
    make, reason = BOMBS[name]
    (storage / "SHA256SUMS").unlink()  # a stranger would list what he made
    make(storage / file)
    plan = sweeps.plan(
        swept / "space.yaml",
        overrides=[
            "search.algorithm=tpe",
            "search.num_samples=9",
            "space.lr={loguniform: [0.001, 0.1]}",
            f"search.warm_start=['{storage}']",
        ],
    )
    with pytest.raises(sweeps.SpaceError, match=reason):
        earlier(plan)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if name != "a huge file":  # of another writer, so that values are compared
        content = (storage / file).read_bytes()
        (storage / file).write_bytes(content.replace(b"parquet-cpp-arrow", b"parquet-cpp-other"))
    assert not verify(storage).ok
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


def test_a_changed_page_of_a_table_is_seen_by_its_checksum(tmp_path):
    values = np.arange(1000, dtype=np.float64)
    with replaced(tmp_path / "t.parquet") as stream:
        pq.write_table(pa.table({"x": values}), stream, compression="none", use_dictionary=False,
                       write_page_checksum=True)  # fmt: skip
    content = bytearray((tmp_path / "t.parquet").read_bytes())
    at = content.index(values[500:502].tobytes())
    content[at] ^= 1
    (tmp_path / "t.parquet").write_bytes(content)
    with table(tmp_path / "t.parquet", rows=10**6) as held, pytest.raises(OSError, match="CRC"):
        list(held.records(["x"]))


def test_our_tables_carry_checksums_of_their_pages(storage):
    content = bytearray((storage / "trials.parquet").read_bytes())
    seen = 0
    for at in range(4, 4000, 97):
        changed = bytearray(content)
        changed[at] ^= 1
        (storage / "trials.parquet").write_bytes(changed)
        try:
            with table(storage / "trials.parquet", rows=10**6) as held:
                list(held.records(held.columns))
        except (OSError, pa.ArrowException) as error:
            seen += "CRC" in str(error)
    assert seen > 10


def strings(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a document there is text."""
    if isinstance(value, str):
        return [at]
    if not isinstance(value, dict | list):
        return []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [place for name, part in items for place in strings(part, (*at, name))]


def with_escapes(document: Any, at: tuple[Any, ...]) -> Any:
    """``document`` with escapes behind the text at ``at``."""
    if not at:
        return f"{document}{ESCAPES}"
    copy = document.copy()
    copy[at[0]] = with_escapes(document[at[0]], at[1:])
    return copy


def obeyed(text: str) -> set[str]:
    """What a terminal would act upon in the lines of ``text``."""
    return {c for line in text.split("\n") for c in line if not c.isprintable()}


def check(
    capsys,
    swept: Path,
    storage: Path,
    scratch: Path,
    what: object,
    forge: Callable[[], object] = lambda: None,
) -> int:
    said = 0
    for command in commands(storage, swept, scratch):
        forge()  # the last one may have mended it
        ended = hedgesweep(capsys, *command)
        assert not obeyed(ended.out + ended.err), (what, command, ended)
        assert not any(line.startswith("error: forged") for line in ended.err.splitlines())
        said += "\\u001b" in ended.out + ended.err
    return said


@pytest.mark.parametrize("part", quick_of(range(6), every=6))
def test_no_text_of_a_log_is_obeyed_by_a_terminal(swept, tmp_path, capsys, part):
    logs = [swept / name / "log" / "0001.jsonl" for name in ("finished", "interrupted")]
    records = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    places = {
        (r["type"], at) for r in records for at in strings(r) if at not in (("type",), ("crc",))
    }
    said = 0
    for kind, at in sorted(places, key=repr)[part::6]:
        storage = tmp_path / "storage"
        shutil.rmtree(storage, ignore_errors=True)
        shutil.copytree(swept / "finished", storage)
        edit_log(
            storage,
            "0001.jsonl",
            lambda r, kind=kind, at=at: (
                with_escapes(r, at) if r["type"] == kind and at in strings(r) else None
            ),
        )
        said += check(capsys, swept, storage, tmp_path, (kind, at))
    assert said > 0


@pytest.mark.slow
@pytest.mark.parametrize("file", ["manifest.json", "study/*/facts.json"])
def test_no_text_of_a_document_is_obeyed_by_a_terminal(swept, storage, tmp_path, capsys, file):
    (path,) = storage.glob(file)
    document = json.loads(path.read_text())

    def forge(at: tuple[Any, ...]) -> None:
        path.write_text(json.dumps(with_escapes(document, at)))
        (storage / "SHA256SUMS").unlink(missing_ok=True)  # a stranger would list what he made

    # manifest.json is a copy that none of these reads; the report does, see tests/analysis.
    for at in strings(document):
        check(capsys, swept, storage, tmp_path, at, partial(forge, at))


def test_no_name_of_a_file_is_obeyed_by_a_terminal(swept, tmp_path, capsys):
    name = ESCAPES.replace("\ud800", "\udc80")
    for place in ("", "models", "checkpoints", "study", "log"):
        storage = tmp_path / f"storage{name}"
        shutil.rmtree(storage, ignore_errors=True)
        shutil.copytree(swept / "finished", storage)
        (storage / place).mkdir(exist_ok=True)
        (storage / place / name).touch()
        assert check(capsys, swept, storage, tmp_path, place)


def test_no_text_of_a_space_or_a_bundle_is_obeyed_by_a_terminal(swept, tmp_path, capsys):
    shown = json.dumps(ESCAPES.replace("\ud800", ""))
    for text in (f"{shown}: 1\n", SPACE.replace("experiment: tickets", f"experiment: {shown}")):
        (space := tmp_path / "space.yaml").write_text(text)
        for command in (
            ("plan", space, "--no-probe"),
            ("run", space, "--storage", tmp_path / "s"),
        ):
            ended = hedgesweep(capsys, *command)
            assert ended.code == 2
            assert not obeyed(ended.err)
    *_, seal, _ = commands(swept / "finished", swept, tmp_path)
    ended = hedgesweep(capsys, *seal, "--name", ESCAPES)
    assert not obeyed(ended.out + ended.err)
    assert "forged" in ended.err


def test_a_failure_of_a_trial_is_shown_and_not_obeyed(storage, capsys):
    def failed(record: dict[str, Any]) -> dict[str, Any] | None:
        if "end" not in record:
            return None
        return {**record, "end": {"status": "failed", "error": f"bad {ESCAPES}"}}

    assert edit_log(storage, "0001.jsonl", failed)
    ended = hedgesweep(capsys, "status", storage)
    assert ended.code == 0
    assert "bad \\u001b]0;title\\u0007" in ended.out
    assert not obeyed(ended.out)


@pytest.mark.parametrize(
    "code", [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x202E, 0x2028, 0xD800]
)
def test_every_control_is_printed_as_json_calls_it(code, capsys):
    echo(f"a{chr(code)}b")
    assert capsys.readouterr().out == f"a\\u{code:04x}b\n"


@pytest.mark.parametrize("text", ["plain", "Überdeckung ψ 保険 🦔", "a · b", "'quotes' \\ %s {0}"])
def test_what_is_printable_stays(text):
    assert printable(text) == text


PLACES = (
    *("", "log", "log/0001.jsonl", "log/lock", "manifest.json", "trials.parquet", "models"),
    *("models/*", "models/*/*", "study", "study/*", "study/*/facts.json"),
    "study/*/theta_0.safetensors",
)


@contextmanager
def somebody_else() -> Iterator[None]:
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize("place", quick_of(PLACES, every=4))
def test_another_users_storage_is_a_line(swept, storage, tmp_path, capsys, place):
    for above in (swept, tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    (scratch := tmp_path / "scratch").mkdir()
    scratch.chmod(0o777)
    typed = list(commands(storage, swept, scratch))
    for command in typed:  # what is imported late can be imported by root alone
        assert hedgesweep(capsys, *command).code == 0
    shutil.rmtree(scratch / "bundle")
    before = snapshot(storage)
    for path in storage.glob(place) if place else [storage]:
        path.chmod(0)
    codes = {}
    for command in typed:
        with somebody_else():
            ended = hedgesweep(capsys, *command)
        codes[command[0]] = ended.code
        assert len(ended.err.splitlines()) == (ended.code != 0 and not ended.out)
    assert codes["run"] == 2
    assert place not in ("", "log", "log/0001.jsonl", "manifest.json") or set(codes.values()) != {
        0
    }
    assert snapshot(storage) == before
