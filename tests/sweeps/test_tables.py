"""Tables compared with rows made one by one, and their memory use."""

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.experiments import experiment
from sweeps.journal import tables
from sweeps.journal.records import Audit, Segment, SegmentStart, record_of
from sweeps.journal.state import SweepState, cell
from sweeps.journal.tables import write_tables

TICKETS = experiment("tickets")
COLUMNS = ["epoch", "train_loss", "val_loss", "val_clean_loss", "best", "seconds"]
CONFIGS = st.fixed_dictionaries(
    {"lr": st.floats(0, 1), "seed": st.integers(0, 3)},
    optional={"name": st.sampled_from(["a", "b"]), "network.hidden": st.just([8, 8])},
)
REALS = st.none() | st.floats(-1, 1)


@st.composite
def trials(draw):
    """Records of one trial with any outcome."""
    limit, rows = draw(st.integers(0, 6)), []
    columns = draw(st.sampled_from([COLUMNS, COLUMNS[:3], [*COLUMNS, "elsewhere"]]))
    for epoch in range(1, limit + 1):
        values = {name: draw(REALS) for name in columns}
        flag = {"best": draw(st.booleans())} if "best" in columns else {}
        losses = {n: draw(st.floats(-1, 1)) for n in ("val_loss", "val_clean_loss") if n in values}
        rows.append({**values, **flag, **losses, "epoch": epoch})
    ends = st.sampled_from(
        [None, {"status": "completed", "cvar_05": 1.0, "attacked_cvar_05@path_fgsm:0.2": 2.0}]
    )
    stop = draw(st.none() | st.integers(1, 4))
    return draw(CONFIGS), rows, draw(ends), stop, draw(st.booleans())


def entered(name, **entry):
    return record_of(
        {"type": "trial", "trial_id": name, "group": name, "stratum": "", "replicate": 0, **entry}
    )


@st.composite
def states(draw):
    state = SweepState("c")
    state.apply(record_of({"type": "start", "format": 3, "core": "c"}))
    drawn = draw(st.lists(trials(), max_size=8))
    for index, (config, rows, end, stop, audited) in enumerate(drawn):
        known = f"{index:016x}"
        entry = {"index": len(drawn) - index, "config": config, "limit": 9, "dense_val_loss": 0.5}
        state.apply(entered(known, **entry))
        state.apply(SegmentStart(trial_id=known, epoch=0))
        segment = {"type": "segment", "trial_id": known, "facts": {}, "rows": rows}
        state.apply(record_of({**segment, **({"end": end} if end else {})}))
        if stop:
            decision = {"group": known, "trials": [known], "epoch": stop, "goes_on": False}
            more = {"ended": False, "value": None, "rank": 1, "of": 2}
            state.apply(record_of({"type": "decision", **decision, **more}))
            if audited:
                state.apply(Audit(group=known, trials=(known,)))
    return state


def by_rows(state):
    """Every row of both tables as a dictionary."""
    trials = state.rows()
    epochs = [
        {
            "trial_id": known,
            **{f"config/{name}": cell(value) for name, value in trial.config.items()},
            **row,
            "audit": trial.stopped_at is not None and row["epoch"] > trial.stopped_at,
        }
        for known, trial in trials
        for row in trial.rows(audit=True)
    ]
    return [
        {"trial_id": known, **trial.row(live=state.live(trial))} for known, trial in trials
    ], epochs


def name(table):
    return f"{table}.parquet"


@given(states(), st.sampled_from([1, 7, 2**15]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80
)
def test_tables_hold_the_rows_of_the_log(tmp_path, state, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROW_GROUP", size)
        patch.setattr(tables, "_TRIALS", size)
        write_tables(tmp_path, state, TICKETS)
    for table, rows in zip(("trials", "epochs"), by_rows(state), strict=True):
        written = pq.read_table(tmp_path / name(table))
        assert written.equals(pa.Table.from_pylist(rows, schema=written.schema))
        assert {c for row in rows for c in row if "@" in c} == {
            c for c in written.column_names if "@" in c
        }


def swept(count, epochs=9):
    """Trials that all trained for so many epochs."""
    state = SweepState("c")
    state.apply(record_of({"type": "start", "format": 3, "core": "c"}))
    for index in range(count):
        known = f"{index:016x}"
        entry = {"index": index, "config": {"lr": 1 / (index + 1)}, "limit": epochs}
        state.apply(entered(known, **entry))
        state.apply(SegmentStart(trial_id=known, epoch=0))
        rows = [
            dict.fromkeys(COLUMNS, 0.5) | {"epoch": n + 1, "best": True} for n in range(epochs)
        ]
        state.apply(Segment(trial_id=known, rows=rows, facts={}))
    return state


def test_no_more_than_a_row_group_is_held_at_a_time(tmp_path, monkeypatch):
    held = []
    made = tables._uniform
    monkeypatch.setattr(tables, "ROW_GROUP", 100)
    monkeypatch.setattr(
        tables, "_uniform", lambda *given: held.append((t := made(*given)).num_rows) or t
    )
    write_tables(tmp_path, swept(200), TICKETS)
    assert sum(held) == 200 * 9
    assert max(held) < 100 + 9
    file = pq.ParquetFile(tmp_path / "epochs.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == held
    ids = [set(file.read_row_group(i)["trial_id"].to_pylist()) for i in range(len(held))]
    assert sum(map(len, ids)) == len(set().union(*ids)) == 200


def test_tables_written_twice_have_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_tables(tmp_path / folder, swept(300), TICKETS)
    for table in ("trials", "epochs"):
        one, two = ((tmp_path / f / name(table)).read_bytes() for f in ("one", "two"))
        assert one == two


def test_a_page_that_was_changed_is_noticed(tmp_path):
    write_tables(tmp_path, swept(50), TICKETS)
    path = tmp_path / "epochs.parquet"
    place = pq.read_metadata(path).row_group(0).column(3)
    with path.open("r+b") as file:
        file.seek(place.data_page_offset + place.total_compressed_size - 3)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_a_storage_without_trials_has_empty_tables(tmp_path):
    write_tables(tmp_path, SweepState("c"), TICKETS)
    assert pq.read_table(tmp_path / "trials.parquet").num_rows == 0
    assert pq.read_table(tmp_path / "epochs.parquet").num_rows == 0


def test_every_column_describes_itself(tmp_path):
    write_tables(tmp_path, swept(3), TICKETS)
    columns = TICKETS.columns
    defined = {"trials": columns.trials(["config/lr"]), "epochs": columns.epochs(["config/lr"])}
    for table, expected in defined.items():
        fields = list(pq.read_schema(tmp_path / name(table)))
        assert [field.name for field in fields] == [column.name for column in expected]
        for field, column in zip(fields, expected, strict=True):
            assert field.metadata == {
                b"unit": column.unit.encode(),
                b"better": (column.better or "").encode(),
                b"meaning": column.meaning.encode(),
            }


def test_a_metric_under_attack_describes_itself_and_an_unheard_of_one_does_not(tmp_path):
    state = swept(1)
    end = {"status": "completed", "attacked_cvar_05@path_pgd:0.2": -3.0, "x@y:1": 0.0}
    segment = {"type": "segment", "trial_id": "0" * 16, "rows": [], "facts": {}, "end": end}
    state.apply(record_of(segment))
    write_tables(tmp_path, state, TICKETS)
    schema = pq.read_schema(tmp_path / "trials.parquet")
    attacked = schema.field("attacked_cvar_05@path_pgd:0.2").metadata
    assert attacked[b"unit"] == schema.field("cvar_05").metadata[b"unit"]
    assert attacked[b"better"] == b"higher"
    assert schema.field("x@y:1").metadata is None


def test_the_documentation_reads_the_unit_of_a_column(tmp_path, monkeypatch):
    page = Path(__file__).resolve().parents[2] / "docs" / "howto" / "pandas.md"
    text = page.read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n([^`]*read_schema[^`]*)```", text)
    (tmp_path / "results" / "tickets").mkdir(parents=True)
    write_tables(tmp_path / "results" / "tickets", swept(1), TICKETS)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(snippet, names)
    assert names["unit"] == b"currency per option (S0 = 100)"
