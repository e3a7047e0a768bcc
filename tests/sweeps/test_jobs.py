"""Sweeps submitted to a head, followed and cancelled, by the requests that it receives."""

import json
import os
import shlex
import signal
import threading
from pathlib import Path

import pytest
from fake_head import TOKEN, FakeHead, end
from reliability import hostile
from reliability.hostile import Ended

from sweeps.__main__ import run_command
from sweeps.execution.job_config import DESCRIPTION, STORAGE, Job, driver_environment
from sweeps.job_commands import submit_command
from sweeps.jobs import dashboard, tunnel

pytestmark = pytest.mark.ray  # imports it, starts none


def submit(capsys, cluster: object, space: object, *arguments: object) -> Ended:
    storage = [] if "--storage" in arguments else ["--storage", "/results/a b"]
    return hostile.hedgesweep(capsys, "submit", cluster, space, *storage, *arguments)


def words(head: FakeHead) -> list[str]:
    return shlex.split(head.submitted["entrypoint"])


def test_a_job_runs_the_sweep_with_the_options_as_typed(head, tiny, capsys):
    options = ["--set", "space.lr.grid=[1e-2, 3e-3]", "--max-concurrent", 3, "--allow-mixed"]
    options += ["--set", "study.training.epochs=4", "--budget-hours", 2]
    ended = submit(capsys, head.url, tiny, *options)
    assert (ended.code, ended.err) == (0, "")
    typed = ["--set=space.lr.grid=[1e-2, 3e-3]", "--set=study.training.epochs=4"]
    command = words(head)
    assert command[:6] == ["exec", "python", "-P", "-m", "sweeps", "run"]
    typed += ["--max-concurrent=3", "--allow-mixed", "--budget-hours=2.0"]
    there = ["--storage", "/results/a b", "--address", "auto", "--", "tiny.yaml"]
    assert sorted(command[6:]) == sorted(typed + there)
    run_command.make_context("run", command[6:])  # typed there, it is accepted


def test_every_option_of_submit_but_its_own_is_one_of_run():
    names = {p.name: p.opts for p in submit_command.params}
    del names["cluster"]
    assert names.items() <= {p.name: p.opts for p in run_command.params}.items()


def test_the_package_is_the_code_here_and_the_space(head, tiny, capsys):
    submit(capsys, head.url, tiny)
    files = head.unpacked()
    root = Path(tunnel.__file__).parents[2]
    assert files["tiny.yaml"].decode() == tiny.read_text()
    for name in ("sweeps/__main__.py", "hedgecore/rng.py", "analysis/columns.json"):
        assert files[name] == (root / name).read_bytes()
    assert not [n for n in files if "__pycache__" in n or n.startswith(("tests", "."))]
    assert f"gcs://{next(iter(head.packages))}" == head.submitted["runtime_env"]["working_dir"]


def test_the_same_package_is_sent_once(head, tiny, capsys):
    for _ in range(2):
        assert submit(capsys, head.url, tiny).code == 0
    assert [r[0] for r in head.requests].count("PUT") == 1
    assert len(head.jobs) == 2


def test_a_shipped_space_is_sent_as_a_file_of_its_name(head, capsys):
    assert submit(capsys, head.url, "tickets_smoke").code == 0
    assert words(head)[-1] == "tickets_smoke.yaml"
    assert "tickets_smoke.yaml" in head.unpacked()


def test_each_request_has_the_token_and_nothing_sent_has_it(head, tiny, capsys):
    ended = submit(capsys, head.url, tiny)
    assert head.authorizations == {f"Bearer {TOKEN}"}
    sent = [*head.packages.values(), repr(head.jobs).encode(), *head.unpacked().values()]
    assert not any(TOKEN.encode() in content for content in sent)
    assert TOKEN not in ended.out + ended.err


def test_the_entrypoint_asks_for_no_resources(head, tiny, capsys):
    submit(capsys, head.url, tiny)
    assert not [key for key in head.submitted if key.startswith("entrypoint_")]


@pytest.mark.parametrize(
    ("status", "code", "exit_status"),
    [
        *(("SUCCEEDED", 0, 0), ("FAILED", 3, 3), ("FAILED", -9, 137)),
        *(("FAILED", None, 1), ("STOPPED", None, 143)),
    ],
)
def test_the_exit_status_is_that_of_the_sweep(head, tiny, capsys, status, code, exit_status):
    head.logs = lambda name: end(head, name, status, code)
    ended = submit(capsys, head.url, tiny)
    assert ended.code == exit_status
    assert "4 completed" in ended.out


def test_output_is_printed_once_as_it_grows_and_escaped(head, capsys):
    head.add("a", "RUNNING")
    texts = ["", "one\ntw", "one\ntwo\n\x1b[2Jthree", "one\ntwo\n\x1b[2Jthree and no end"]

    def logs(name: str) -> str:
        text = texts.pop(0)
        if not texts:
            end(head, name)
            texts.append(text)
        return text

    head.logs = logs
    ended = hostile.hedgesweep(capsys, "logs", head.url)
    assert ended.out.splitlines() == ["one", "two", "\\u001b[2Jthree and no end"]


def test_logs_follows_the_latest_sweep_or_the_one_that_is_named(head, capsys):
    head.logs = lambda name: f"output of {name}\n"
    head.add("late", "SUCCEEDED", started=7)
    head.add("early", "FAILED", driver_exit_code=3, started=5)
    assert hostile.hedgesweep(capsys, "logs", head.url).out == "output of late\n"
    ended = hostile.hedgesweep(capsys, "logs", head.url, "early")
    assert (ended.code, ended.out) == (3, "output of early\n")


def test_cancel_ends_the_one_sweep_that_runs(head, capsys):
    head.add("ended", "SUCCEEDED")
    head.add("a", "RUNNING")
    ended = hostile.hedgesweep(capsys, "cancel", head.url)
    assert ended.code == 0
    assert "job a " in ended.out
    assert head.jobs["a"]["status"] == "STOPPED"
    assert hostile.hedgesweep(capsys, "cancel", head.url).code == 2


def test_cancel_lists_several_sweeps_and_ends_the_one_that_is_named(head, capsys):
    head.add("a", "RUNNING")
    head.add("b", "PENDING")
    ended = hostile.hedgesweep(capsys, "cancel", head.url)
    assert ended.code == 2
    assert "a (running, storage /results/a), b (pending, storage /results/b)" in ended.err
    assert hostile.hedgesweep(capsys, "cancel", head.url, "b").code == 0
    assert [job["status"] for job in head.jobs.values()] == ["RUNNING", "STOPPED"]


def test_a_signal_leaves_the_job_running_and_prints_its_commands(head, tiny, capsys):
    requests = iter(range(100))

    def logs(_: str) -> str:
        if next(requests) == 2:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return "line\n"

    head.logs = logs
    ended = submit(capsys, head.url, tiny)
    assert ended.code == 128 + signal.SIGINT
    (job_id,) = head.jobs
    assert head.jobs[job_id]["status"] == "RUNNING"
    for command in ("logs", "cancel"):
        assert f"hedgesweep {command} {head.url} {job_id}" in ended.err


def test_a_lost_answer_to_the_start_loses_no_job_and_starts_no_other(head, tiny, capsys):
    head.answers["POST", "/api/jobs/"] = None
    assert submit(capsys, head.url, tiny).code == 0
    assert head.requests.count(("POST", "/api/jobs/")) == 1


def test_a_start_that_took_no_effect_is_an_error(head, tiny, capsys, monkeypatch):
    def lost(*_: object, **__: object) -> None:
        raise dashboard.UnreachableError("reset")

    monkeypatch.setattr(dashboard.Dashboard, "submit", lost)
    ended = submit(capsys, head.url, tiny)
    assert ended.code == 2
    assert "the job was not started (reset); submit it again" in ended.err


def test_the_tunnel_of_a_cluster_file_is_opened_again_when_it_breaks(
    head, cluster, tiny, tmp_path, capsys
):
    pids = tmp_path / "pids"
    requests = iter(range(100))

    def logs(name: str) -> str:
        if next(requests) < 2:
            os.kill(int(pids.read_text().split()[-1]), signal.SIGKILL)
            return "one\n"
        return "one\n" + end(head, name)

    head.logs = logs
    ended = submit(capsys, cluster, tiny)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[1:] == ["one", "4 completed"]
    started = pids.read_text().split()
    assert len(started) == 3
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("sweep", [True, False])
def test_a_driver_gives_the_environment_of_its_job_to_its_workers_unless_it_was_submitted(
    monkeypatch, sweep
):
    metadata = {"job_submission_id": "a"} | ({STORAGE: "/r"} if sweep else {})
    description = json.dumps({"runtime_env": {"working_dir": "gcs://x.zip"}, "metadata": metadata})
    monkeypatch.setenv(DESCRIPTION, description)
    assert Job(local=False).metadata == (metadata if sweep else {})
    with driver_environment():
        assert (DESCRIPTION in os.environ) is not sweep
    assert os.environ[DESCRIPTION] == description


def test_no_file_is_left_by_a_command_that_succeeds(head, cluster, tiny, tmp_path, capsys):
    before = {p.name for p in tmp_path.iterdir()}
    assert submit(capsys, cluster, tiny).code == 0
    assert {p.name for p in tmp_path.iterdir()} - before == {"pids"}
