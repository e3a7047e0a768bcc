"""Spot notices of AWS, read from a metadata service on loopback."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer

import pytest
from cluster.metadata import Service
from ports import single_answer

from sweeps.execution import spot_notice
from sweeps.execution.spot_notice import drain, wait_for_notice


@pytest.fixture
def notices(tmp_path, monkeypatch):
    """Folder of notices of a service that answers this machine."""
    handler = type("Handler", (Service,), {"folder": tmp_path})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        yield tmp_path
        server.shutdown()


def test_the_watcher_waits_for_a_notice_and_reads_its_time(notices):
    end = datetime(2026, 11, 29, 12, 2, tzinfo=UTC)
    threading.Timer(
        0.2,
        lambda: (notices / "127.0.0.1").write_text(
            json.dumps({"action": "terminate", "time": "2026-11-29T12:02:00Z"})
        ),
    ).start()
    assert wait_for_notice(pause=0.02) == end


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"time": "soon"}', '{"time": 7}'])
def test_an_unreadable_notice_is_read_again(notices, text):
    (notices / "127.0.0.1").write_text(text)
    assert spot_notice._notice() is None


def test_a_machine_without_the_service_has_no_notice(notices, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    assert spot_notice._notice() is None


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_an_answer_that_is_not_of_the_service_is_no_notice(monkeypatch, answer):
    with single_answer(answer) as endpoint:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        assert spot_notice._notice() is None


def test_a_drain_is_repeated_until_it_is_accepted_or_time_is_over(monkeypatch):
    answers = iter([False, False, True])
    monkeypatch.setattr(spot_notice, "_accepted", lambda deadline: next(answers))
    drain(datetime.now(UTC) + timedelta(minutes=2), pause=0)
    assert list(answers) == []
    monkeypatch.setattr(spot_notice, "_accepted", lambda deadline: False)
    drain(datetime.now(UTC) - timedelta(seconds=1), pause=0)
