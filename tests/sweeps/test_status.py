import fcntl
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from driven import COMPLETED, FAILED, NOW, begin, decision, driving, segment, trial
from logs import manifest
from printed import lines_with, numbers
from rich.console import Console

from sweeps.conclusion import conclude
from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.journal.journal import LogError, read
from sweeps.journal.records import SegmentStart, record_of
from sweeps.journal.requests import Request, leave
from sweeps.journal.storage import Lock, this_process
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring.status import STANDINGS, command, lines, status
from sweeps.monitoring.throughput import Tallies, Tally
from sweeps.outcome import Sweep
from sweeps.scheduling.asha import Asha
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.rule import Rule


def standings(storage):
    return {name: n for name, n in status(storage, now=NOW).trials.items() if n}


def test_every_trial_stands_in_one_place(tmp_path):
    names = "abcdefg"
    with driving(
        tmp_path,
        *(trial(name, index) for index, name in enumerate(names)),
        *(begin(name) for name in "abcdef"),
        segment("a", 1, 9, **COMPLETED),
        segment("b", 1, 1),
        decision("b", 1, goes_on=False),
        segment("c", 1, 1, **FAILED),
        segment("d", 1, 1),
        segment("e", 1, 1),
        decision("e", 1, goes_on=True),
    ):
        assert standings(tmp_path) == dict.fromkeys(STANDINGS, 1)


def test_what_a_dead_driver_was_running_waits_for_a_worker(tmp_path):
    with driving(tmp_path, trial("a"), begin("a"), trials=1):
        assert standings(tmp_path) == {"running": 1}
    assert standings(tmp_path) == {"waiting for a worker": 1}


def test_an_epoch_that_says_neither_end_nor_checkpoint_leaves_its_trial_on_the_worker(tmp_path):
    epoch = segment("a", 1, 1) | {"checkpoint": None}
    del epoch["checkpoint"]
    with driving(tmp_path, trial("a"), begin("a"), epoch, trials=1):
        assert standings(tmp_path) == {"running": 1}
    with driving(tmp_path, begin("a"), epoch, decision("a", 1, goes_on=False), trials=1):
        assert standings(tmp_path) == {"stopped": 1}
        assert Tallies(tmp_path).look()[0].state.running == set()


def test_trials_that_left_the_space_count_only_if_they_had_ended(tmp_path):
    gone = {"type": "withdrawn", "trials": ["b"]}
    records = [trial("a"), trial("b"), begin("a"), segment("a", 1, 9, **COMPLETED), gone]
    with driving(tmp_path, *records, trials=1):
        assert standings(tmp_path) == {"completed": 1}
    with driving(tmp_path, trial("b"), trials=2):
        assert standings(tmp_path) == {"completed": 1, "not begun": 1}


def test_a_trial_that_a_grown_limit_reopens_is_not_completed(tmp_path):
    cut = {"end": {"status": "completed", "truncated": True}, "checkpoint": "0" * 64}
    with driving(tmp_path, trial("a", limit=3), begin("a"), segment("a", 1, 3, **cut), trials=1):
        assert standings(tmp_path) == {"completed": 1}
        assert status(tmp_path).epochs_left == 0
    with driving(tmp_path, trial("a", limit=9), trials=1, rungs=[]):
        assert standings(tmp_path) == {"waiting for a worker": 1}
        assert status(tmp_path).epochs_left == 6


def test_an_audited_trial_stays_stopped_and_its_epochs_are_still_to_come(tmp_path):
    stopped = [trial("a"), begin("a"), segment("a", 1, 1), decision("a", 1, goes_on=False)]
    audit = {"type": "audit", "group": "a", "trials": ["a"]}
    with driving(tmp_path, *stopped, audit, trials=1) as writer:
        found = status(tmp_path)
        assert (found.audits, found.trials["stopped"], found.epochs_left) == ((0, 1), 1, 8)
        writer.append(segment("a", 2, 9, **COMPLETED))
        found = status(tmp_path)
        assert (found.audits, found.trials["stopped"], found.epochs_left) == ((1, 1), 1, 0)
        assert [numbers(line) for line in lines(found) if "audits" in line] == [[1, 1]]


def test_only_what_the_last_driver_s_code_computed_counts(tmp_path):
    with driving(tmp_path, trial("a"), begin("a"), segment("a", 1, 9, **COMPLETED), core="old"):
        pass
    with driving(tmp_path, trial("b"), core="new", trials=1):
        assert standings(tmp_path) == {"not begun": 1}
        assert status(tmp_path).starts == 2
    with driving(tmp_path, core="old", trials=1):
        assert standings(tmp_path) == {"completed": 1}


def test_a_rung_counts_who_came_who_goes_on_and_who_was_stopped(tmp_path):
    with driving(
        tmp_path,
        *(trial(name) for name in "abcd"),
        *(segment(name, 1, 1) for name in "abc"),
        segment("d", 1, 1, **COMPLETED),
        decision("a", 1, goes_on=True),
        decision("b", 1, goes_on=False),
        decision("d", 1, goes_on=True),
        decision("d", 3, goes_on=False, ended=True),  # by the value it ended with
    ):
        first, second = status(tmp_path).rungs
    assert (first.epoch, first.reached, first.went_on, first.stopped) == (1, 4, 2, 1)
    assert (second.epoch, second.reached, second.went_on, second.stopped) == (3, 1, 0, 0)
    rungs = [numbers(line) for line in lines(status(tmp_path)) if line.startswith("rung")]
    assert rungs[0] == [1, 4, 2, 1]


def test_what_is_to_come_of_a_new_trial_follows_the_quota():
    rule = Rule(rungs=(1, 3), reduction_factor=3)
    tally = Tally.of("c")
    assert tally.foreseen(rule, 9) == pytest.approx(1 + 2 / 3 + 6 / 9)
    assert tally.foreseen(rule, 3) == pytest.approx(1 + 2 / 3)
    assert tally.foreseen(rule, 9, epoch=1) == pytest.approx(2 / 3 + 6 / 9)
    assert tally.foreseen(rule, 9, epoch=1, passed=1) == pytest.approx(2 + 6 / 3)
    assert tally.foreseen(rule, 9, epoch=5, passed=3) == 4
    assert tally.foreseen(Rule(), 9) == 9


def test_the_chance_to_go_on_learns_from_what_was_decided():
    tally = Tally.of("c")
    tally.apply(record_of({"type": "start", "format": 3, "core": "c"}))
    for name in "ab":
        tally.apply(record_of(decision(name, 1, goes_on=True)))
    rule = Rule(rungs=(1,), reduction_factor=3)
    assert tally.foreseen(rule, 2) == pytest.approx(1 + 3 / 5)


def test_the_pace_is_that_of_the_workers_now_busy(tmp_path):
    with driving(
        tmp_path,
        *(trial(name, limit=6) for name in "abcd"),
        begin("a", NOW - 90),
        begin("b", NOW - 90),
        segment("a", 1, 6, NOW - 30, **COMPLETED),  # 10 s an epoch
        segment("b", 1, 6, NOW - 30, **COMPLETED),
        begin("c", NOW - 30),
        begin("d", NOW - 30),
        scheduler=None,
    ):
        found = status(tmp_path, now=NOW)
    assert found.epochs_per_minute == pytest.approx(12)
    assert found.trials_per_minute == pytest.approx(2 / 1.5)
    assert found.epochs_left == pytest.approx(12 - 2 * 3)  # three epochs each are under way
    assert found.seconds_left == pytest.approx(30)


def test_the_pace_forgets_what_is_long_past(tmp_path):
    slow = [begin("a", NOW - 4000), segment("a", 1, 1, NOW - 2000, **COMPLETED)]
    fast = [begin("b", NOW - 12), segment("b", 1, 6, NOW, **COMPLETED), begin("c", NOW)]
    with driving(tmp_path, *map(trial, "abc"), *slow, *fast):
        assert status(tmp_path, now=NOW).epochs_per_minute == pytest.approx(30)


def test_no_pace_is_claimed_without_a_driver_or_before_a_segment_has_ended(tmp_path):
    with driving(tmp_path, trial("a"), trial("b"), begin("a")) as writer:
        assert status(tmp_path).seconds_left is None
        writer.append(segment("a", 1, 1, NOW))
        writer.append(begin("b", NOW))
        assert status(tmp_path, now=NOW).seconds_left is not None
    found = status(tmp_path, now=NOW)
    assert (found.epochs_per_minute, found.trials_per_minute, found.seconds_left) == (None,) * 3


def test_proposals_to_come_are_trials_not_begun(tmp_path):
    search = {"search": {"num_samples": 10, "seed": 0}, "trials": None, "seeds": [0, 1]}
    search["rungs"] = [1]
    with driving(tmp_path, trial("a"), **search) as writer:
        found = status(tmp_path)
        assert (found.total, found.trials["not begun"]) == (20, 20)
        assert found.epochs_left == pytest.approx(20 * (1 + 8 / 3))
        writer.append({"type": "closed"})  # proposed twice, a configuration is trained once
        assert status(tmp_path).total == 1


def test_failures_are_named_with_their_reason_five_at_most(tmp_path):
    records = [(trial(f"t{i}", i), segment(f"t{i}", 1, 1, **FAILED)) for i in range(7)]
    with driving(tmp_path, *(record for pair in records for record in pair)):
        said = lines(status(tmp_path))
    shown = [line for line in said if line.startswith("failed")]
    assert shown[0].startswith("failed t0 (")
    assert "lr=0.1 hidden=8-8" in shown[0]
    assert shown[0].endswith(FAILED["end"]["error"])
    assert len(shown) == 5
    assert [numbers(line) for line in said if "failures more" in line] == [[2]]


def test_lost_workers_are_counted_and_nodes_apart(tmp_path):
    lost = {"type": "lost", "trial_id": "a", "error": "died", "at": NOW}
    with driving(tmp_path, trial("a"), {**lost, "node": False}, {**lost, "node": True}):
        said = lines(status(tmp_path))
    assert [numbers(line) for line in said if "workers lost" in line] == [[2, 1]]


def test_the_holder_of_the_lock_is_the_driver(tmp_path):
    with driving(tmp_path, trial("a")):
        found = status(tmp_path)
        assert found.driver.alive
        assert (found.driver.host, found.driver.pid) == (this_process()["host"], os.getpid())
        assert f"pid {os.getpid()}," in lines(found)[1]
    assert status(tmp_path).driver.alive is False
    assert "no driver" in lines(status(tmp_path))[1]


def test_a_driver_that_was_killed_is_not_running(tmp_path):
    hold = (
        "import sys, time; from pathlib import Path; from sweeps.journal.storage import Lock;"
        "lock = Lock(Path(sys.argv[1])); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, tmp_path], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"\n"
        alive = status(tmp_path).driver
        child.send_signal(signal.SIGKILL)
    assert (alive.pid, alive.alive) == (child.pid, True)
    assert status(tmp_path).driver.alive is False


def test_a_process_that_holds_another_lock_is_not_the_driver(tmp_path):
    with Lock(tmp_path / "a"):
        pass
    with Lock(tmp_path / "b"):
        assert status(tmp_path / "a").driver.alive is False
        assert status(tmp_path / "b").driver.alive is True


def test_without_a_table_of_locks_a_process_that_exists_is_the_driver(tmp_path, monkeypatch):
    monkeypatch.setattr("sweeps.journal.lock_holder._LOCKS", tmp_path / "none")
    with driving(tmp_path):
        assert status(tmp_path).driver.alive
    lock = tmp_path / "log" / "lock"
    lock.write_text(json.dumps({**this_process(), "pid": 2**30}))  # above every process number
    assert status(tmp_path).driver.alive is False


def test_a_driver_on_another_host_lives_until_its_log_says_otherwise(tmp_path):
    elsewhere = json.dumps({"host": "node-7", "pid": 7, "boot": "b"})
    with driving(tmp_path, trial("a"), begin("a"), trials=1):
        (tmp_path / "log" / "lock").write_text(elsewhere)
        found = status(tmp_path)
        assert found.driver.alive is None
        assert "node-7" in lines(found)[1]
        assert "no driver" not in lines(found)[1]
        assert found.trials["running"] == 1
    assert status(tmp_path).driver.alive is False


def test_a_machine_that_was_restarted_runs_no_driver(tmp_path):
    with driving(tmp_path):
        holder = {**this_process(), "boot": "another"}
        (tmp_path / "log" / "lock").write_text(json.dumps(holder))
        assert status(tmp_path).driver.alive is False


def test_looking_takes_no_lock_and_leaves_no_trace(tmp_path, monkeypatch):
    def content():
        files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        return [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in files]

    with driving(tmp_path, trial("a"), begin("a")):
        before = content()
        with monkeypatch.context() as patch:
            patch.setattr(fcntl, "flock", None)
            command(tmp_path, False, None)
        assert content() == before


def test_a_torn_tail_hides_nothing_that_was_committed(tmp_path):
    with driving(tmp_path, trial("a"), begin("a"), segment("a", 1, 9, **COMPLETED), trials=1):
        with (tmp_path / "log" / "0001.jsonl").open("ab") as log:
            log.write(b'{"type":"segment","trial_id":"a","ro')
        assert standings(tmp_path) == {"completed": 1}


def test_a_damaged_log_is_said_with_its_line(tmp_path):
    with driving(tmp_path, trial("a"), trial("b")):
        pass
    log = tmp_path / "log" / "0001.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"index":0', b'"index":9', 1))
    with pytest.raises(LogError, match=r"0001\.jsonl:3: damaged"):
        status(tmp_path)


def test_an_empty_storage_is_one_line(tmp_path, capsys):
    command(tmp_path, False, 1.0)
    (line,) = capsys.readouterr().out.splitlines()
    assert f"--storage {tmp_path}" in line


def test_a_storage_that_is_none_names_the_cure(tmp_path):
    with pytest.raises(UsageError, match="is not a directory; give the --storage of a run"):
        status(tmp_path / "missing")


def test_manifest_json_is_a_copy_that_nothing_depends_on(tmp_path):
    with driving(tmp_path, trial("a")):
        expected = status(tmp_path, now=NOW)
        (tmp_path / "manifest.json").write_text('{"name": "forged", "trials": 99')
        assert status(tmp_path, now=NOW) == expected
    assert (expected.name, expected.total) == ("tickets", 4)


def test_before_any_trial_is_known_it_says_what_is_going_on(tmp_path):
    with driving(tmp_path, rungs=()):
        assert lines(status(tmp_path))[2].startswith("no trials yet")


@pytest.mark.parametrize("ends", [(COMPLETED,), (COMPLETED, FAILED), (FAILED,), (FAILED, FAILED)])
def test_a_finished_sweep_recommends_its_report_or_without_any_result_a_retry(
    ends, tmp_path, capsys
):
    names = "ab"[: len(ends)]
    records = [
        record
        for i, (name, end) in enumerate(zip(names, ends, strict=True))
        for record in (trial(name, i), segment(name, 1, 9, **end))
    ]
    storage = tmp_path / "a sweep"
    storage.mkdir()
    with driving(storage, *records, trials=len(ends)):
        pass
    line = lines(status(storage))[1]
    assert "every trial is" in line
    sweep = Sweep(
        storage=storage,
        plan=None,
        states=StoredSweep.read(storage).state.trials,
        unfinished=0,
        within_budget=True,
        missing_models={},
        seconds=1.0,
    )
    with pytest.raises(SystemExit):
        conclude(sweep, storage)
    expected = "report" if COMPLETED in ends else "retry"
    for text in (line, capsys.readouterr().out):
        command_line = text[text.index("hedgesweep ") :].splitlines()[0]
        assert shlex.split(command_line) == ["hedgesweep", expected, str(storage)]


def test_a_request_without_a_driver_waits_for_the_next_run(tmp_path):
    with driving(tmp_path, trial("a"), segment("a", 1, 9, **COMPLETED), trials=1):
        pass
    leave(tmp_path, Request(kind="retry"))
    seen = status(tmp_path)
    assert seen.requests == 1
    assert "1 request" in lines(seen)[1]
    assert "every trial is" not in lines(seen)[1]


def test_json_says_the_same(tmp_path, capsys):
    with driving(tmp_path, trial("a"), begin("a"), trials=1):
        pass
    command(tmp_path, True, None)
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(asdict(status(tmp_path))))


def test_watching_ends_with_the_driver(tmp_path, monkeypatch, capsys):
    naps = []
    with driving(tmp_path, trial("a"), begin("a")):
        lock = tmp_path / "log" / "lock"

        def nap(seconds):
            naps.append(seconds)
            if len(naps) == 2:
                lock.write_text(json.dumps({**this_process(), "boot": "gone"}))

        monkeypatch.setattr("sweeps.monitoring.status.time.sleep", nap)
        command(tmp_path, True, 0.5)
    assert naps == [0.5, 0.5]
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_narrow_terminal_shows_every_word(tmp_path, monkeypatch):
    screen = io.StringIO()
    narrow = Console(file=screen, force_terminal=True, width=30)
    monkeypatch.setattr("sweeps.monitoring.status.Console", lambda: narrow)
    with driving(tmp_path, trial("a"), trials=1):
        pass
    command(tmp_path, False, 1.0)
    words = " ".join(lines(status(tmp_path))).split()
    shown = re.sub(r"\x1b\[[?\d]*[a-zA-Z]", " ", screen.getvalue()).split()
    assert shown[-len(words) :] == words


@pytest.mark.parametrize("pause", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_watching_needs_a_positive_pause_that_ends(tmp_path, pause):
    with pytest.raises(UsageError, match=r"watch must lie in \(0, 86400\] seconds, got"):
        command(tmp_path, False, pause)


def test_the_log_says_when_what_happened_happened(tmp_path):
    ledger = Ledger(tmp_path, core="c", engine=Engine(None), experiment=experiment("tickets"))
    ledger.append(record_of(trial("a")))
    ledger.append_unsynced(SegmentStart(trial_id="a", epoch=0))
    ledger.append(record_of(segment("a", 1, 1, 0.0)))
    ledger.close()
    stamped = {record["type"]: "at" in record for record in read(tmp_path)}
    assert stamped == {
        "start": False, "trial": False, "begin": True, "segment": True, "close": False
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_log_shows_at_every_moment_what_the_engine_knows(tmp_path: Path, seed):
    rng = np.random.default_rng(seed)
    engine = Engine(Asha((1, 3), mode="min", reduction_factor=3, block=4, lag=4))
    ledger = Ledger(
        tmp_path, core="c", engine=engine, clock=lambda: 0.0, experiment=experiment("tickets")
    )
    entries = (trial(f"t{i}", i) for i in range(16))
    ledger.append(*map(record_of, (manifest(trials=16), *entries, {"type": "closed"})))
    at_work = {}
    while engine.unfinished_count:
        while len(at_work) < 5 and (job := engine.next()):
            at_work[job.trial_id] = job
            ledger.append_unsynced(SegmentStart(trial_id=job.trial_id, epoch=job.start))
        found = status(tmp_path)
        assert found.unfinished_count == engine.unfinished_count
        assert found.trials["running"] == len(at_work)
        assert Tallies(tmp_path).look()[0].began.keys() == at_work.keys()
        if len(at_work) < 5:  # nothing is ready, so who is not at work waits to be judged
            assert found.trials["waiting for a worker"] == found.trials["not begun"] == 0
        job = at_work.pop(str(rng.choice(sorted(at_work))))
        done = segment(
            job.trial_id, job.start + 1, job.stop, **(COMPLETED if job.stop == 9 else {})
        )
        done["rows"][-1]["val_loss"] = float(rng.normal())
        ledger.append(record_of(done))
    assert status(tmp_path).unfinished_count == status(tmp_path).epochs_left == 0
    ledger.close()


@pytest.mark.parametrize("cores", [("c", "c"), ("c", "d")])
def test_the_status_of_a_sweep_that_is_watched_is_that_of_one_look(tmp_path, cores):
    records = [trial("a"), trial("b", 1), trial("c", 2), begin("a"), segment("a", 1, 1)]
    records += [begin("b"), segment("b", 1, 1), decision("a", 1, True), decision("b", 1, False)]
    records += [begin("a", epoch=1), segment("a", 2, 9, **COMPLETED), begin("c")]
    records += [segment("c", 1, 1, **FAILED), {"type": "closed"}]
    tallies = Tallies(tmp_path)

    def same():
        watched = asdict(status(tmp_path, now=NOW, tallies=tallies))
        assert watched == asdict(status(tmp_path, now=NOW))

    for core in cores:
        with driving(tmp_path, core=core) as writer:
            same()
            for record in records:
                writer.append(record)
                same()
        same()


@pytest.mark.parametrize(
    ("nodes", "sent", "figures"),
    [(1, 0, [12.4, 1.2, 11.2]), (3, 11_300_000, [12.4, 11.3, 2, 1.2, 11.2])],
)
def test_bytes_of_shared_data_are_those_of_the_last_measurement(tmp_path, nodes, sent, figures):
    first = {"type": "shared", "theta_0": 1, "data": 1, "files": 0, "nodes": 1, "sent": 0}
    last = first | {"theta_0": 1_200_000, "data": 11_200_000, "nodes": nodes, "sent": sent}
    with driving(tmp_path, first, last, trial("a"), trials=1):
        assert {"type": "shared", **asdict(status(tmp_path, now=NOW))["shared"]} == last
        (line,) = lines_with("\n".join(lines(status(tmp_path, now=NOW))), "shared data")
    assert numbers(line.replace("theta_0", "theta")) == figures
