"""Commands on clusters that are refused: one line each, with the cure, before anything runs."""

import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from reliability import hostile

from sweeps.jobs import tunnel
from sweeps.jobs.entrypoint import head_storage
from sweeps.jobs.tunnel import _listener

pytestmark = pytest.mark.ray  # imports it, starts none

STACK = 'Traceback (most recent call last):\n  File "gcs.py"\nRuntimeError: the disk is full\n'


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """The one line of a command that ends with ``code``."""
    ended = hostile.hedgesweep(capsys, *arguments)
    lines = [line for line in ended.err.splitlines() if not line.startswith("connecting ")]
    assert (ended.code, len(lines), ended.out) == (code, 1, ""), ended
    return lines[0]


def submitted(capsys, cluster: object, space: object, *arguments: object) -> str:
    storage = [] if "--storage" in arguments else ["--storage", "/results/a"]
    return refusal(capsys, "submit", cluster, space, *storage, *arguments)


@pytest.mark.parametrize(
    "storage", ["results/a", "./a", ".", "a", "~other", "s4://b/x", "http://b/x", "file://b/x"]
)
def test_a_storage_of_no_fixed_place_on_the_head_is_refused(head, tiny, capsys, storage):
    line = submitted(capsys, head.url, tiny, "--storage", storage)
    assert f"storage {storage!r} has no fixed place on the head" in line
    assert "begins with / (or, in quotes, with ~/), or a URL (s3://, gs://, az://)" in line
    assert not head.requests


@pytest.mark.parametrize("storage", ["s3://", "s3://key:secret@bucket/a", "gs://b/a?x=1"])
def test_a_url_of_no_bucket_or_with_credentials_is_refused(head, tiny, capsys, storage):
    submitted(capsys, head.url, tiny, "--storage", storage)
    assert not head.requests


@pytest.mark.parametrize(
    ("storage", "there"),
    [("/a b", "/a b"), ("~/a", "~/a"), ("file:///a", "/a"), ("s3://b/a", "s3://b/a")],
)
def test_a_storage_of_a_fixed_place_keeps_its_name(storage, there):
    assert head_storage(storage) == there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "study.market.xii=0.5"], "did you mean 'xi'"),
        (["--audit", "0.1"], "audit needs scheduler.asha"),
        (["--budget-cost", "1"], "buys nothing without a price"),
        (["--budget-cost", "1", "--rate", "1"], "--budget-cost needs --cpus"),
        (["--until-decided", "x"], "unknown claim 'x'"),
        (["--hang-after", "inf"], "hang_after must be"),
        (["--max-concurrent", "0"], "max-concurrent"),
        (["--tensorboard", "/tb"], "no such option"),
    ],
)
def test_mistakes_are_refused_before_anything_is_sent(head, tiny, capsys, arguments, message):
    assert message in submitted(capsys, head.url, tiny, *arguments)
    assert not head.requests


def test_an_earlier_sweep_of_no_fixed_place_on_the_head_is_refused(head, tiny, capsys):
    search = "search={algorithm: tpe, num_samples: 4, warm_start: [results/a]}"
    line = submitted(capsys, head.url, tiny, "--set", search)
    assert "'results/a' has no fixed place on the head" in line
    assert not head.requests


def test_a_missing_space_is_refused_before_anything_is_sent(head, tmp_path, capsys):
    assert "no such file" in submitted(capsys, head.url, tmp_path / "none.yaml")
    assert not head.requests


@pytest.mark.parametrize("command", ["logs", "cancel"])
def test_a_missing_cluster_file_is_refused(head, tmp_path, capsys, command):
    line = refusal(capsys, command, tmp_path / "none.yaml")
    assert f"no such cluster file {tmp_path / 'none.yaml'}" in line


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://10.0.0.1:8265", "in clear; give https"),
        ("http://head.example:8265", "in clear; give https"),
        ("http://127.0.0.1.example:8265", "in clear; give https"),
        ("ray://127.0.0.1:10001", "not the URL of a dashboard"),
        ("http://", "not the URL of a dashboard"),
        ("http://127.0.0.1:x", "not the URL of a dashboard"),
        ("http://u:p@127.0.0.1:1", "not the URL of a dashboard"),
        ("http://:p@127.0.0.1:1", "not the URL of a dashboard"),
        ("http://127.0.0.1:1/a b", "not the URL of a dashboard"),
        ("http://[::1", "not the URL of a dashboard"),
        ("https://a..example", "no dashboard of Ray answers"),
    ],
)
def test_a_token_is_sent_to_no_such_url(head, capsys, url, message):
    assert message in refusal(capsys, "logs", url)


@pytest.mark.parametrize("behaviour", ["closed", "hangs up", "another server"])
def test_a_port_without_a_dashboard_is_refused(head, capsys, behaviour):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    if behaviour == "another server":
                        connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        if behaviour == "closed":
            server.close()
        else:
            thread = threading.Thread(target=answer)
            thread.start()
        line = refusal(capsys, "logs", f"http://127.0.0.1:{port}")
        if behaviour != "closed":
            thread.join(5)
    assert f"no dashboard of Ray answers at http://127.0.0.1:{port}" in line


def test_a_cluster_that_is_not_up_is_refused_with_the_output_of_ray(
    head, tmp_path, capsys, monkeypatch
):
    cluster = tmp_path / "cluster.yaml"
    cluster.touch()
    script = "import sys; sys.exit('Head node of cluster (x) not found!')"
    monkeypatch.setattr(tunnel, "_command", lambda *_: [sys.executable, "-I", "-c", script])
    line = refusal(capsys, "logs", cluster)
    assert f"run 'ray up {cluster}'" in line
    output = Path(line.rpartition(" is in ")[2].rstrip(")"))
    assert "Head node of cluster (x) not found!" in output.read_text()
    assert output.stat().st_mode & 0o077 == 0


def test_a_head_without_a_dashboard_is_refused_with_what_to_install(head, cluster, capsys):
    head.answers["GET", "/api/version"] = None
    line = refusal(capsys, "logs", cluster)
    assert f"nothing answers at port 8265 of the head of {cluster}" in line
    assert "ray[default]" in line


def test_a_port_that_another_user_took_receives_no_token(head, cluster, capsys, monkeypatch):
    # None while nobody listens, and this user is 0 in containers.
    owner = {None: None, os.geteuid(): 12345}
    monkeypatch.setattr(tunnel, "_listener", lambda port: owner[_listener(port)])
    line = refusal(capsys, "logs", cluster)
    assert "was taken by user 12345" in line
    assert not head.requests


def test_a_port_that_another_user_takes_later_receives_no_token(
    head, cluster, capsys, monkeypatch
):
    owners = iter(range(100))

    def listener(port: int) -> int | None:
        # This user's until the version of the head has been asked for.
        return owner + (next(owners) > 1) if (owner := _listener(port)) is not None else None

    monkeypatch.setattr(tunnel, "_listener", listener)
    assert "was taken by user" in refusal(capsys, "logs", cluster, code=1)
    assert head.requests == [("GET", "/api/version")]


@pytest.mark.parametrize("token", ["", "f" * 64])
def test_a_token_of_another_cluster_is_refused(head, capsys, token):
    head.token = token or "e" * 64
    line = refusal(capsys, "logs", head.url)
    assert "refuses the token (403)" in line
    assert "~/.ray/auth_token" in line


def test_a_missing_token_is_refused_and_a_cluster_without_tokens_needs_none(
    head, tmp_path, capsys
):
    (tmp_path / "home" / ".ray" / "auth_token").unlink()
    assert "no token for the cluster" in refusal(capsys, "logs", head.url)
    assert "(401)" in refusal(capsys, "logs", head.url, "--insecure")
    head.token = ""
    head.add("a", "SUCCEEDED")
    assert hostile.hedgesweep(capsys, "logs", head.url, "--insecure").code == 0
    assert head.authorizations == {None}


@pytest.mark.parametrize("answer", [(404, b"not found"), (200, b"[]"), (200, b"<html>")])
def test_a_server_without_a_job_api_is_refused(head, capsys, answer):
    head.answers["GET", "/api/version"] = answer
    assert head.url in refusal(capsys, "logs", head.url)


def test_another_version_of_ray_is_refused(head, tiny, capsys):
    head.version = "2.59.0"
    line = submitted(capsys, head.url, tiny)
    assert "runs Ray 2.59.0, and this installation has 2." in line
    assert not head.packages


@pytest.mark.parametrize("request_", [("POST", "/api/jobs/"), ("GET", "/api/version")])
def test_a_stack_trace_of_the_head_goes_to_a_file(head, tiny, capsys, request_):
    head.answers[request_] = (500, STACK.encode())
    line = submitted(capsys, head.url, tiny)
    assert "RuntimeError: the disk is full" in line
    path = Path(line.rpartition("see ")[2].partition(",")[0])
    assert path.read_text() == STACK


def test_a_job_that_failed_on_the_head_names_a_file_with_its_message(head, capsys):
    head.add("a", "FAILED", message="Unexpected error\n" + STACK)
    head.logs = lambda _: ""
    line = refusal(capsys, "logs", head.url, code=1)
    assert "job a failed on the head, not in the sweep (Unexpected error)" in line
    assert STACK in Path(line.rpartition("see ")[2].partition(",")[0]).read_text()


def test_a_head_without_python_in_its_path_is_named(head, capsys):
    head.add("a", "FAILED", driver_exit_code=127)
    head.logs = lambda _: ""
    assert "'python'" in refusal(capsys, "logs", head.url, code=127)


@pytest.mark.parametrize("command", ["logs", "cancel"])
def test_a_job_that_does_not_exist_is_refused_with_those_that_do(head, capsys, command):
    assert "no sweep was submitted there" in refusal(capsys, command, head.url, "x/../y")
    head.add("a", "SUCCEEDED")
    assert "no job 'b'" in (line := refusal(capsys, command, head.url, "b"))
    assert line.endswith("its sweeps: a")


def test_a_job_that_has_ended_cannot_be_cancelled(head, capsys):
    head.add("a", "SUCCEEDED")
    assert "has ended (succeeded)" in refusal(capsys, "cancel", head.url, "a")


def test_a_head_that_dies_ends_the_command_and_not_the_job(head, capsys):
    head.add("a", "RUNNING")
    head.answers["GET", "/api/jobs/a/logs"] = None
    line = refusal(capsys, "logs", head.url, code=1)
    assert "does not answer any more" in line
    assert f"hedgesweep logs {head.url} a" in line


@pytest.mark.parametrize("token", ["a\nb", "\u20ac"])
def test_a_token_that_no_header_can_carry_is_refused(head, capsys, monkeypatch, token):
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    assert "not one line of printable ASCII" in refusal(capsys, "logs", head.url)
    assert not head.requests


@pytest.mark.parametrize("answer", [b"null", b'"x"', b"7"])
@pytest.mark.parametrize("path", ["/api/jobs/", "/api/jobs/a", "/api/jobs/a/logs"])
def test_an_answer_of_another_form_is_refused(head, capsys, path, answer):
    head.add("a", "SUCCEEDED")
    head.answers["GET", path] = (200, answer)
    line = refusal(capsys, "logs", head.url, *([] if path.endswith("jobs/") else ["a"]))
    assert "is not Ray's dashboard" in line


def test_entries_of_other_forms_are_no_sweeps(head, capsys):
    entries = [7, {}, {"metadata": 7}, {"metadata": {}, "start_time": "x"}]
    head.answers["GET", "/api/jobs/"] = (200, json.dumps(entries).encode())
    assert "no sweep was submitted" in refusal(capsys, "logs", head.url)


def test_a_stack_trace_of_half_a_character_is_written(head, capsys):
    head.add("a", "FAILED", message="\ud800")
    head.logs = lambda _: ""
    line = refusal(capsys, "logs", head.url, code=1)
    assert Path(line.rpartition("see ")[2].partition(",")[0]).read_text() == "\\ud800"


@pytest.mark.parametrize(("status", "requests"), [(400, 1), (500, 4)])
def test_only_a_fault_of_the_head_is_tried_again(head, capsys, status, requests):
    head.add("a", "RUNNING")
    head.answers["GET", "/api/jobs/a"] = (status, b"no")
    refusal(capsys, "logs", head.url, "a")
    assert head.requests.count(("GET", "/api/jobs/a")) == requests


def test_a_temporary_folder_that_is_missing_is_named(head, cluster, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert "set TMPDIR" in refusal(capsys, "logs", cluster)
