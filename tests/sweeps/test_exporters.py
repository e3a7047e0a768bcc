import math
import os
import pathlib
import struct
import sys
import threading

import pytest
from printed import numbers

from sweeps.errors import UsageError
from sweeps.journal.records import record_of
from sweeps.journal.state import SweepState
from sweeps.monitoring.exporters import ExportDispatcher, ExportPosition
from sweeps.monitoring.mlflow import MLflow
from sweeps.monitoring.tensorboard import TensorBoard
from sweeps.options import exporters

START = {"type": "start", "format": 3, "core": "c"}


def trial(name, limit=9):
    config = {"lr": 0.1, "hidden": [8, 8]}
    entry = {"trial_id": name, "index": 0, "config": config, "limit": limit}
    return {"type": "trial", **entry, "group": name, "stratum": "[]", "replicate": 0}


def segment(name, first, last, **more):
    rows = [{"epoch": n, "val_loss": 1 / n, "best": True} for n in range(first, last + 1)]
    return {"type": "segment", "trial_id": name, "rows": rows, **(more or {"checkpoint": "c"})}


def decision(name, epoch, goes_on):
    verdict = {"trials": [name], "epoch": epoch, "goes_on": goes_on, "ended": False}
    return {"type": "decision", "group": name, **verdict, "value": 1.0, "rank": 3, "of": 3}


COMPLETED = {"end": {"status": "completed", "cvar_05": -3.0}}
FAILED = {"end": {"status": "failed", "error": "loss is not finite"}}
AUDIT = {"type": "audit", "group": "a", "trials": ["a"]}


class Memory:
    """Exporter that keeps all calls across driver starts."""

    def __init__(self):
        self.told = []
        self.fails_at = None

    def begin(self, trial_id, config):
        mine = [what for known, what in self.told if known == trial_id and what != "begin"]
        self._say(trial_id, "begin")
        over = bool(mine) and isinstance(mine[-1], str)
        return ExportPosition(
            max((what for what in mine if isinstance(what, int)), default=0), over
        )

    def rows(self, trial_id, rows):
        for row in rows:
            self._say(trial_id, row["epoch"])

    def end(self, trial_id, row):
        self._say(trial_id, row["status"])

    def close(self):
        self.told.append((None, "close"))

    def _say(self, trial_id, what):
        if (trial_id, what) == self.fails_at:
            raise ConnectionError("nobody answers\nat all")
        self.told.append((trial_id, what))


def follow(made, *sessions, say=lambda text: None, **settings):
    """Driver starts that each record more, the exporters the same or made anew."""
    log = []
    for session in sessions:
        state, records = SweepState("c"), [*map(record_of, (START, *session))]
        for record in log:
            state.apply(record)
        told = ExportDispatcher(made(), say, **settings)
        told.begin(state)
        for record in records:
            state.apply(record)
            told.record(record)
        log += records
        told.close()


def epochs(memory, name="a"):
    return [what for known, what in memory.told if known == name and isinstance(what, int)]


def test_a_trial_is_told_from_its_begin_through_its_epochs_to_its_end():
    memory = Memory()
    follow(lambda: [memory], [trial("a"), segment("a", 1, 1), segment("a", 2, 3, **COMPLETED)])
    expected = [("a", "begin"), ("a", 1), ("a", 2), ("a", 3), ("a", "completed")]
    assert memory.told == [*expected, (None, "close")]


def test_every_epoch_is_told_once_over_driver_starts():
    memory = Memory()
    again = segment("a", 1, 3)  # trained again, as its checkpoint was lost
    follow(lambda: [memory], [trial("a"), segment("a", 1, 3)], [again, segment("a", 4, 9)])
    assert epochs(memory) == list(range(1, 10))


def test_what_a_failure_left_untold_is_told_at_the_next_start():
    memory = Memory()
    memory.fails_at = "a", 2
    begun = [trial("a"), segment("a", 1, 3, **COMPLETED)]
    follow(lambda: [memory], begun)
    assert epochs(memory) == [1]
    memory.fails_at = None
    follow(lambda: [memory], begun, [])
    assert epochs(memory) == [1, 2, 3]
    assert ("a", "completed") in memory.told


def test_a_log_that_nobody_followed_is_told_whole():
    memory = Memory()
    starts = iter([[], [memory]])
    follow(lambda: next(starts), [trial("a"), segment("a", 1, 3, **COMPLETED)], [])
    assert memory.told[:-1] == [("a", "begin"), ("a", 1), ("a", 2), ("a", 3), ("a", "completed")]


def test_an_end_that_was_told_is_not_told_again():
    memory = Memory()
    follow(lambda: [memory], [trial("a"), segment("a", 1, 3, **COMPLETED)], [], [])
    assert [what for _, what in memory.told].count("completed") == 1


RETRY = {"type": "retry", "trials": ["a"], "request": "r"}


@pytest.mark.parametrize("starts", [1, 2, 3])
@pytest.mark.parametrize("again", [COMPLETED, FAILED])
def test_a_retried_trial_is_told_of_its_new_end(starts, again):
    memory = Memory()
    failed = [trial("a"), segment("a", 1, 3, **FAILED)]
    retried = [RETRY, segment("a", 1, 2)], [segment("a", 3, 3, **again)]
    log = {
        1: [[*failed, *retried[0], *retried[1]]],
        2: [failed, [*retried[0], *retried[1]]],
        3: [failed, *retried],
    }
    follow(lambda: [memory], *log[starts])
    ends = [what for _, what in memory.told if what in ("completed", "failed")]
    assert ends == ["failed", again["end"]["status"]]
    assert epochs(memory) == [1, 2, 3]


def test_a_retry_that_no_exporter_followed_is_told_at_the_next_start():
    memory = Memory()
    made = iter([[memory], [], [memory]])
    retried = [RETRY, segment("a", 1, 3, **COMPLETED)]
    follow(lambda: next(made), [trial("a"), segment("a", 1, 3, **FAILED)], retried, [])
    assert [w for _, w in memory.told if w in ("completed", "failed")] == ["failed", "completed"]


def test_a_trial_is_told_of_its_stop_and_of_its_audit():
    memory = Memory()
    stopped = [trial("a"), segment("a", 1, 1), decision("a", 1, goes_on=False)]
    follow(lambda: [memory], stopped, [AUDIT, segment("a", 2, 3), segment("a", 4, 9, **COMPLETED)])
    assert [what for known, what in memory.told if known == "a"] == [
        "begin", 1, "stopped", "begin", 2, 3, 4, 5, 6, 7, 8, 9, "stopped"
    ]  # fmt: skip


def test_only_epochs_after_a_stop_are_of_an_audit():
    flags = {}

    class Flags(Memory):
        def rows(self, trial_id, rows):
            flags.update((row["epoch"], row["audit"]) for row in rows)

    stopped = [trial("a"), segment("a", 1, 1), decision("a", 1, goes_on=False)]
    follow(lambda: [Flags()], [*stopped, AUDIT, segment("a", 2, 3)])
    assert flags == {1: False, 2: True, 3: True}


def test_a_grown_limit_is_no_end_until_it_is_reached():
    memory = Memory()
    cut = segment("a", 1, 3, end={"status": "completed", "truncated": True}, checkpoint="c")
    grown = [trial("a", limit=9), segment("a", 4, 6), segment("a", 7, 9, **COMPLETED)]
    follow(lambda: [memory], [trial("a", limit=3), cut], grown)
    assert [what for _, what in memory.told if isinstance(what, str)] == [
        "begin", "completed", "close", "begin", "completed", "close"
    ]  # fmt: skip
    assert memory.told.index(("a", 9)) < len(memory.told) - 2


def test_trials_that_never_began_are_not_told():
    memory = Memory()
    follow(lambda: [memory], [trial("a"), trial("b"), decision("b", 1, goes_on=False)])
    assert memory.told == [(None, "close")]


def test_a_exporter_that_raises_is_left_behind_with_one_message():
    broken, memory, said = Memory(), Memory(), []
    broken.fails_at = ("a", 2)
    records = [trial("a"), trial("b"), segment("a", 1, 3), segment("b", 1, 3)]
    follow(lambda: [broken, memory], records, say=said.append)
    (message,) = said
    assert message.startswith("Memory ")
    assert "(ConnectionError: nobody answers)" in message
    assert broken.told == [("a", "begin"), ("a", 1)]
    assert epochs(memory, "a") == epochs(memory, "b") == [1, 2, 3]


def test_a_slow_exporter_keeps_nobody_waiting():
    gate, said = threading.Event(), []

    class Slow(Memory):
        def begin(self, trial_id, config):
            gate.wait()
            return super().begin(trial_id, config)

    slow = Slow()
    follow(lambda: [slow], [trial("a"), segment("a", 1, 3)], say=said.append, patience=0.01)
    assert slow.told == []
    (message,) = said
    assert message.startswith("Slow ")
    assert numbers(message) == [1], "messages that it is behind"
    gate.set()


def test_the_command_line_makes_the_exporters_it_names(tmp_path):
    assert exporters() == []
    (board,) = exporters(tensorboard=str(tmp_path / "board"))
    follow(lambda: [board], [trial("a"), segment("a", 1, 1)])
    assert [step for step, _ in events(tmp_path / "board")["val_loss"]] == [1]


def events(folder, name="a"):
    """Steps and values of every scalar of a run, as TensorBoard's format has them."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = {}
    for path in sorted((folder / name).iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack_from("<Q", content, at)
            event = event_pb2.Event.FromString(content[at + 12 : at + 12 + size])
            at += 16 + size
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_holds_every_epoch_once(tmp_path):
    sessions = [trial("a"), segment("a", 1, 2)], [segment("a", 1, 3, **COMPLETED)], []
    follow(lambda: [TensorBoard(tmp_path)], *sessions)
    found = events(tmp_path)
    assert [step for step, _ in found["val_loss"]] == [1, 2, 3]
    assert [value for _, value in found["val_loss"]] == pytest.approx([1, 1 / 2, 1 / 3])
    assert found["end/cvar_05"] == [(3, -3.0)]
    assert "best" not in found


def test_tensorboard_has_the_end_of_the_last_attempt_last(tmp_path):
    failed = [trial("a"), segment("a", 1, 2, **FAILED)]
    follow(lambda: [TensorBoard(tmp_path)], failed, [RETRY, segment("a", 1, 2, **COMPLETED)])
    found = events(tmp_path)
    assert [step for step, _ in found["val_loss"]] == [1, 2]
    assert found["end/cvar_05"] == [(2, -3.0)]


def test_tensorboard_shows_an_audit_apart(tmp_path):
    stopped = [trial("a"), segment("a", 1, 1), decision("a", 1, goes_on=False)]
    audited = [AUDIT, segment("a", 2, 3, **COMPLETED)]
    follow(lambda: [TensorBoard(tmp_path)], stopped, audited, [])
    found = events(tmp_path)
    assert [step for step, _ in found["val_loss"]] == [1]
    assert [step for step, _ in found["audit/val_loss"]] == [2, 3]


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("cut", [1, 40, 10**6])
def test_tensorboard_mends_what_a_crash_cut_off(tmp_path, monkeypatch, writes, cut):
    sessions = [trial("a"), segment("a", 1, 2)], [segment("a", 3, 3, **COMPLETED)]
    remaining = [writes]

    def crash(path, target):
        if not remaining[0]:
            path.write_bytes(path.read_bytes()[:-cut])
            raise OSError("no power")
        remaining[0] -= 1
        os.rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "rename", crash)
        follow(lambda: [TensorBoard(tmp_path)], *sessions)
    follow(lambda: [TensorBoard(tmp_path)], *sessions, [])
    found = events(tmp_path)
    assert [step for step, _ in found["val_loss"]] == [1, 2, 3]
    assert found["end/cvar_05"] == [(3, -3.0)]


def test_a_full_disk_below_tensorboard_is_said(tmp_path, monkeypatch):
    writer = pytest.importorskip("tensorboardX.event_file_writer").EventsWriter
    write_event = writer.write_event

    def write(self, event):
        if event.HasField("summary"):
            raise OSError(28, "No space left on device")
        write_event(self, event)

    monkeypatch.setattr(writer, "write_event", write)
    said = []
    follow(lambda: [TensorBoard(tmp_path)], [trial("a"), segment("a", 1, 1)], say=said.append)
    assert len(said) == 1
    assert "No space left" in said[0]


def test_tensorboard_leaves_out_what_is_not_finite(tmp_path):
    nothing = segment("a", 1, 1)
    nothing["rows"][0] |= {"val_loss": None, "grad_norm": math.inf, "y": 2.0}
    follow(lambda: [TensorBoard(tmp_path)], [trial("a"), nothing])
    assert events(tmp_path) == {"y": [(1, 2.0)]}


def test_tensorboard_reads_the_files_back(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    hparams = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")
    follow(lambda: [TensorBoard(tmp_path)], [trial("a"), segment("a", 1, 3, **FAILED)])
    run = reader.EventAccumulator(str(tmp_path / "a")).Reload()
    assert [scalar.step for scalar in run.Scalars("val_loss")] == [1, 2, 3]
    told = run.summary_metadata
    start, end = (
        hparams.HParamsPluginData.FromString(told[f"_hparams_/session_{name}"].plugin_data.content)
        for name in ("start_info", "end_info")
    )
    assert start.session_start_info.hparams["lr"].number_value == 0.1
    assert start.session_start_info.hparams["hidden"].string_value == "8-8"
    assert end.session_end_info.status == 2  # failure


@pytest.mark.parametrize(
    ("package", "make"),
    [
        ("tensorboardX", TensorBoard),
        ("mlflow", lambda path: MLflow(f"sqlite:///{path}/m.db", "tickets")),
    ],
)
def test_a_missing_package_names_its_extra(package, make, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    extra = package.rstrip("X").lower()
    cure = rf"{package} is not installed; pip install 'hedgesweep\[{extra}\]'"
    with pytest.raises(UsageError, match=cure):
        make(tmp_path)


@pytest.fixture(scope="module")
def mlflow_uri(tmp_path_factory):
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/runs.db"


def runs(uri, experiment):
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, {run.data.tags["trial_id"]: run for run in found}


@pytest.mark.filterwarnings("default")
def test_mlflow_holds_every_epoch_once(mlflow_uri):
    sessions = [trial("a"), segment("a", 1, 2)], [segment("a", 1, 3, **COMPLETED)], []
    follow(lambda: [MLflow(mlflow_uri, "once")], *sessions)
    client, found = runs(mlflow_uri, "once")
    (run,) = found.values()
    history = client.get_metric_history(run.info.run_id, "val_loss")
    assert sorted((m.step, m.value) for m in history) == [(1, 1.0), (2, 1 / 2), (3, 1 / 3)]
    assert run.data.params == {"lr": "0.1", "hidden": "8-8"}
    assert run.data.metrics["end/cvar_05"] == -3.0
    assert (run.data.tags["status"], run.info.status) == ("completed", "FINISHED")


@pytest.mark.filterwarnings("default")
def test_mlflow_tells_how_each_trial_ended(mlflow_uri):
    trials = [trial(name) for name in "abc"]
    ends = [segment("a", 1, 1, **FAILED), segment("b", 1, 1), decision("b", 1, goes_on=False)]
    follow(lambda: [MLflow(mlflow_uri, "ends")], [*trials, *ends, segment("c", 1, 1)])
    _, found = runs(mlflow_uri, "ends")
    told = {name: (run.data.tags["status"], run.info.status) for name, run in found.items()}
    assert told == {
        "a": ("failed", "FAILED"), "b": ("stopped", "FINISHED"), "c": ("running", "RUNNING")
    }  # fmt: skip
    assert found["a"].data.tags["reason"] == "loss is not finite"
    assert found["b"].data.tags["reason"] == "rank 3 of 3 at epoch 1"


@pytest.mark.filterwarnings("default")
def test_mlflow_has_no_error_of_an_earlier_attempt(mlflow_uri):
    failed = [trial("a"), segment("a", 1, 1, **FAILED)]
    retried = [RETRY, segment("a", 1, 1, **COMPLETED)]
    follow(lambda: [MLflow(mlflow_uri, "retried")], failed, retried)
    _, found = runs(mlflow_uri, "retried")
    tags = found["a"].data.tags
    assert (tags["status"], tags["reason"]) == ("completed", "")
    assert found["a"].info.status == "FINISHED"
    assert found["a"].data.metrics["end/cvar_05"] == -3.0


@pytest.mark.filterwarnings("default")
def test_an_mlflow_run_runs_again_while_its_trial_is_audited(mlflow_uri):
    def run():
        _, found = runs(mlflow_uri, "audit")
        return found["a"].data.tags["status"], found["a"].info.status

    stopped = [trial("a"), segment("a", 1, 1), decision("a", 1, goes_on=False)]
    follow(lambda: [MLflow(mlflow_uri, "audit")], stopped)
    assert run() == ("stopped", "FINISHED")
    follow(lambda: [MLflow(mlflow_uri, "audit")], [*stopped, AUDIT, segment("a", 2, 3)])
    assert run() == ("running", "RUNNING")
    ended = [*stopped, AUDIT, segment("a", 2, 3), segment("a", 4, 9, **COMPLETED)]
    follow(lambda: [MLflow(mlflow_uri, "audit")], ended)
    assert run() == ("stopped", "FINISHED")


@pytest.mark.filterwarnings("default")
def test_mlflow_takes_long_trials_and_names_it_does_not_know(mlflow_uri):
    long = segment("a", 1, 300)
    for row in long["rows"]:
        row |= {"a": 1.0, "b": 1.0, "attacked_cvar_05@path_pgd:0.1": -3.5}
    follow(lambda: [MLflow(mlflow_uri, "long")], [trial("a", limit=300), long])
    client, found = runs(mlflow_uri, "long")
    history = client.get_metric_history(found["a"].info.run_id, "attacked_cvar_05_path_pgd:0.1")
    assert [m.step for m in history] == list(range(1, 301))


@pytest.mark.filterwarnings("default")
def test_an_mlflow_that_cannot_be_used_says_so_at_once(mlflow_uri):
    with pytest.raises(UsageError, match="MLflow at nowhere://x cannot be used"):
        MLflow("nowhere://x", "tickets")
