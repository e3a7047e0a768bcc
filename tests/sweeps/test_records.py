"""Records of the log: conversion of every kind from a line and back."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_sweep import run_locally
from logs import manifest
from spaces import TINY

from sweeps.journal import lines
from sweeps.journal.records import Record, SchedulerStop, fields, problem, record_of
from sweeps.scheduling.ledger import _timed

SHA256 = "0" * 64
END = {"status": "completed", "cvar_05": -1.5, "truncated": True, "model": SHA256}
FAILURE = {"status": "failed", "error": "loss is nan", "diverged": True}
VERDICT = {"group": "g", "trials": ["a"], "ended": False, "epoch": 1, "goes_on": True}
LINES = [
    {"type": "start", "format": 3, "host": "h", "pid": 1, "before": None, "core": "c"},
    manifest(),
    {"type": "prepared", "key": "seed-0-00000000", "identity": SHA256, "files": {}},
    {"type": "shared", "theta_0": 900, "data": 10**7, "files": 0, "nodes": 3, "sent": 10**6},
    {"type": "trial", "trial_id": "a", "index": 0, "config": {"lr": 0.1}, "group": "g",
     "stratum": "s", "replicate": 0, "limit": 9, "dense_val_loss": 0.5, "data_sha256": "d"},
    {"type": "begin", "trial_id": "a", "epoch": 0, "at": 1.5},
    {"type": "begin", "trial_id": "a", "epoch": 3},
    {"type": "segment", "trial_id": "a", "arithmetic": "0" * 8, "facts": {},
     "rows": [{"epoch": 1, "val_loss": None}], "checkpoint": SHA256, "at": 1.5},
    {"type": "segment", "trial_id": "a", "rows": [], "end": END, "at": 1.5},
    {"type": "segment", "trial_id": "a", "rows": [], "end": FAILURE},
    {"type": "lost", "trial_id": "a", "error": "oom", "node": False, "at": 1.5},
    {"type": "decision", **VERDICT, "value": 0.5, "rank": 1, "of": 3},
    {"type": "decision", **VERDICT, "value": None},
    {"type": "decision", "trials": ["a"], "epoch": 1, "goes_on": False, "ended": False,
     "value": None, "reason": "by the scheduler at epoch 1"},
    {"type": "audit", "group": "g", "trials": ["a"]},
    {"type": "withdrawn", "trials": ["a", "b"]},
    {"type": "proposal", "number": 0, "basis": "", "config": {"lr": 0.1}, "attributes": {}},
    {"type": "closed"},
    {"type": "warm", "asked": "", "rows": [[{"lr": 0.1}, [1.0, 2]]]},
    {"type": "stop", "request": "r", "trials": ["a"], "at": 1.5},
    {"type": "enqueue", "request": "r", "config": {"lr": 0.1}, "at": 1.5},
    {"type": "retry", "request": "r", "trials": ["a"], "at": 1.5},
    {"type": "close"},
]  # fmt: skip
OPTIONAL = {"at", "arithmetic", "facts", "end", "checkpoint", "rank", "of"}
OPEN = {"host", "pid", "before", "dense_val_loss", "data_sha256"}
IDS = [f"{i}-{line['type']}" for i, line in enumerate(LINES)]


@pytest.mark.parametrize("line", LINES, ids=IDS)
def test_a_record_gives_the_line_that_it_came_from(line):
    assert problem(line) is None
    assert json.dumps(fields(record_of(line))) == json.dumps(line)


def test_every_kind_of_record_is_tried_here():
    assert {type(record_of(line)) for line in LINES} == {*get_args(Record)}


@pytest.mark.parametrize("line", LINES, ids=IDS)
def test_every_record_with_a_field_for_its_time_receives_one(line):
    record = record_of({name: value for name, value in line.items() if name != "at"})
    has_time = "at" in type(record).__dataclass_fields__
    assert ("at" in fields(_timed(record))) == has_time
    assert has_time or _timed(record) is record


def test_two_kinds_of_record_share_a_type_only_where_two_schedulers_decide():
    names = [cls.kind for cls in get_args(Record) if cls is not SchedulerStop]
    assert len({*names}) == len(names)


def test_the_log_of_a_sweep_is_written_again_byte_by_byte(tmp_path):
    asha = "{asha: {metric: val_loss, mode: min, grace_period: 1, reduction_factor: 2}}"
    space = TINY.replace("scheduler: null", f"scheduler: {asha}")
    run_locally(space, tmp_path / "out", audit=0.5, stop_after=4)
    run_locally(space, tmp_path / "out", audit=0.5)
    kinds = set()
    for file in sorted((tmp_path / "out" / "log").glob("*.jsonl")):
        for text in file.read_bytes().splitlines(keepends=True):
            line = lines.decode(text)
            record = record_of(json.loads(line.fields))
            assert lines.encode(fields(record), line.n, line.synced) == text
            kinds.add(record.kind)
    assert kinds >= {"start", "manifest", "prepared", "trial", "begin", "segment", "decision"}


@given(
    st.dictionaries(
        st.text(max_size=9) | st.sampled_from(["columns", "metrics", "kind"]),
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    )
)
def test_further_columns_of_a_trial_and_metrics_of_an_end_keep_their_order(others):
    trial, segment = LINES[4], LINES[8]
    trial = {**trial, **{n: v for n, v in others.items() if n not in trial}}
    end = {**{n: v for n, v in others.items() if n not in {*END, *FAILURE}}, **END}
    end = {"status": end.pop("status"), **end}
    for line in (trial, {**segment, "end": end}):
        assert problem(line) is None
        assert fields(record_of(line)) == line
    assert list(fields(record_of(trial))) == list(trial)


@pytest.mark.parametrize("line", LINES, ids=IDS)
def test_a_field_too_many_or_too_few_is_refused(line):
    for name in line.keys() - OPTIONAL - OPEN - {"type", "reason"}:
        assert problem({n: v for n, v in line.items() if n != name}) is not None, name
    if line["type"] not in ("start", "trial"):
        assert problem({**line, "stranger": 1}) is not None


@pytest.mark.parametrize("kind", [None, 1, [], {}, "unknown"])
def test_a_line_of_no_kind_is_refused(kind):
    assert "which this version does not write" in problem({"type": kind})


def test_a_group_that_is_stopped_for_its_value_has_its_rank():
    stop = {"type": "decision", **VERDICT, "goes_on": False, "value": 0.5}
    assert problem({**stop, "rank": 3, "of": 3}) is None
    assert "lacks 'rank' or 'of'" in problem({**stop, "rank": 3})
