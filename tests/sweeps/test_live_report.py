"""The live report: its server on the loopback interface, and the following of a sweep."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from driven import COMPLETED, begin, driving, segment, trial
from ports import free_port

from sweeps.errors import SweepError, UsageError
from sweeps.monitoring import live_report
from sweeps.monitoring.live_report import state
from sweeps.monitoring.loopback import LivePage, LoopbackServer
from sweeps.monitoring.status import status

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="served")
def _served():
    """A page and its server, on a free port."""
    page = LivePage()
    page.show(b"<p>one</p>")
    with LoopbackServer(page, 0) as server:
        yield page, server


def answer(server, method="GET", path="/", **headers):
    """Status, headers and body."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Host": f"127.0.0.1:{port}"} | {n.replace("_", "-"): v for n, v in headers.items()}
    connection.putrequest(method, path, skip_host=True)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


def test_the_page_is_served_to_this_machine_alone(served):
    page, server = served
    assert server.server_address[0] == "127.0.0.1"
    code, headers, body = answer(server)
    assert (code, body) == (200, b"<p>one</p>")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert "Python" not in headers["Server"]
    page.show(b"<p>two</p>")
    assert answer(server)[2] == b"<p>two</p>"


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.1", "LOCALHOST:1234"])
def test_a_loopback_name_is_served_at_every_forwarded_port(served, host):
    assert answer(served[1], Host=host)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost:80@evil.example"},
        {"Host": "[::1]:80"},
        {"Host": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/events"])
def test_another_host_or_origin_is_refused(served, headers, path):
    code, _, body = answer(served[1], path=path, **headers)
    assert code == 403
    assert b"one" not in body


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "\x1b[31m"])
def test_no_method_but_get_is_answered(served, method, capfd):
    if method.isalpha():
        code, headers, body = answer(served[1], method)
        assert (code, headers["Allow"], body) == (405, "GET", b"")
    else:
        with socket.create_connection(served[1].server_address) as client:
            client.sendall(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            received = client.makefile("rb").read()
        assert b"\x1b" not in received
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("path", ["/../etc/passwd", "/favicon.ico", "/?x", "/events/"])
def test_no_other_path_exists(served, path):
    assert answer(served[1], path=path)[0] == 404


def test_a_port_in_use_is_one_line_with_the_cure(served):
    with pytest.raises(UsageError, match=r"port \d+ .* in use.*--port"):
        LoopbackServer(LivePage(), served[1].server_address[1])


def test_events_tell_the_state_every_version_and_the_end(served):
    page, server = served
    received = []

    def follow():
        received.append(answer(server, path="/events")[2].decode())

    reader = threading.Thread(target=follow)
    reader.start()
    page.say("Running: <b>\n")
    page.show(b"<p>two</p>")
    page.show(b"<p>three</p>", ended=True)
    reader.join(10)
    assert not reader.is_alive()
    (text,) = received
    *_, last = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    assert last == ("end", str(page.moment.version))
    assert '"Running: <b>\\n"' in text


def test_an_equal_page_is_no_new_version(served):
    page, _ = served
    before = page.moment.version
    page.show(b"<p>one</p>")
    assert page.moment.version == before


def test_the_state_of_a_sweep_is_a_line_with_its_counts(tmp_path):
    names = ("a", "b")
    with driving(tmp_path, *(trial(name, i) for i, name in enumerate(names)), begin("a")) as log:
        log.append(segment("a", 1, 9, **COMPLETED))
        log.commit()
        now = state(status(tmp_path))
        assert now.startswith("Running")
        assert "1 of 4 trials" in now
    assert state(status(tmp_path)).startswith("No driver is running: 1 of 4")


def writes(folder: Path, text: str | None) -> list[str]:
    """Command that stands for the analysis: a page of the state alone."""
    script = (
        "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(exist_ok=True); "
        "(p / 'report.html').write_text(sys.argv[2])"
    )
    return [sys.executable, "-c", script, str(folder), text or "the report"]


def test_the_page_follows_the_sweep_and_ends_as_its_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(live_report, "_LEAST", 0.0)
    monkeypatch.setattr(live_report, "_PAUSE", 0.02)
    pages = []
    show = LivePage.show
    grown, last = threading.Event(), threading.Event()

    def observed(self, page, **more):
        show(self, page, **more)
        pages.append(page.decode())
        (last if "1 of 4" in pages[-1] else grown).set()

    class ServedError(Exception):
        """The report is served."""

    def sleep(seconds):
        if seconds > 1000:
            raise ServedError
        threading.Event().wait(seconds)

    monkeypatch.setattr(LivePage, "show", observed)
    monkeypatch.setattr(live_report.time, "sleep", sleep)
    locked = threading.Event()
    storage = tmp_path / "sweep"
    storage.mkdir()

    def drive():
        with driving(storage, trial("a"), begin("a")) as log:
            locked.set()
            grown.wait(20)
            log.append(segment("a", 1, 9, **COMPLETED))
            log.commit()
            last.wait(20)

    driver = threading.Thread(target=drive)
    driver.start()
    assert locked.wait(20)
    with pytest.raises(ServedError):
        live_report.serve(storage, writes, folder=tmp_path / "report", port=0)
    driver.join(20)
    assert pages[-1] == "the report" == (tmp_path / "report" / "report.html").read_text()
    assert any("1 of 4 trials have ended (1 completed)" in page for page in pages)
    assert re.search(r"http://127\.0\.0\.1:\d+/", capsys.readouterr().out)


def test_a_report_that_fails_is_told_and_leaves_the_server_running(tmp_path, monkeypatch, capsys):
    with driving(tmp_path, trial("a")):
        pass

    def fails(folder, text):
        return [sys.executable, "-c", "import sys; sys.exit('error: no such \x1b file')"]

    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(live_report.time, "sleep", sleep)
    with pytest.raises(SweepError, match=f"hedgesweep report {tmp_path}"):
        live_report.serve(tmp_path, fails, folder=tmp_path / "report", port=0)
    errors = capsys.readouterr().err
    assert errors.startswith("error: no such ")
    assert "\x1b" not in errors


def interrupted_at(line, command):
    """Exit status, further output and errors of ``command``, sent SIGINT after ``line``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps", *map(str, command)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert line in process.stdout.readline().decode()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output.decode(), errors.decode()


def test_ctrl_c_is_the_end_of_what_follows_a_running_sweep(tmp_path):
    with driving(tmp_path, trial("a"), begin("a")):
        port = free_port()
        live = ["report", tmp_path, "--live", f"--port={port}"]
        status, output, errors = interrupted_at(f"http://127.0.0.1:{port}/", live)
        assert (status, errors, len(output.splitlines())) == (0, "", 1)
        status, _, errors = interrupted_at("driver", ["logs", tmp_path, "--follow"])
        assert (status, errors) == (0, "")


def test_ctrl_c_is_the_end_of_a_page_whose_sweep_has_ended(tmp_path, monkeypatch, capsys):
    with driving(tmp_path, trial("a"), segment("a", 1, 9, **COMPLETED), trials=1):
        pass

    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(live_report.time, "sleep", sleep)
    live_report.serve(tmp_path, writes, folder=tmp_path / "report", port=0)
    assert (tmp_path / "report" / "report.html").exists()
    assert capsys.readouterr().err == ""
