"""The dashboard of a head, with Ray's Job API, as far as jobs of sweeps use it."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import ray

# Forwards a port of this machine to another, and appends its pid to a file.
FORWARDER = """
import os, socket, sys, threading
def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
local, remote, pid_file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
server = socket.create_server(("127.0.0.1", local))
open(pid_file, "a").write(f"{os.getpid()}\\n")
while True:
    near, _ = server.accept()
    try:
        far = socket.create_connection(("127.0.0.1", remote))
    except OSError:
        near.close()
        continue
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""
TOKEN = "0123456789abcdef" * 4
Answer = tuple[int, bytes]


@dataclass
class FakeHead:
    """State of the head; ``answers`` replaces the answer to a method and path."""

    url: str
    version: str = ray.__version__
    token: str = TOKEN
    packages: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: Callable[[str], str] = lambda _: ""
    """Output of a job at each request, which may also change the job."""
    answers: dict[tuple[str, str], Answer | None] = field(default_factory=dict)
    """None hangs up without an answer, after the request has taken effect."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)

    @property
    def submitted(self) -> dict[str, Any]:
        """The one request that started a job."""
        (job,) = self.jobs.values()
        return job

    def unpacked(self) -> dict[str, bytes]:
        """Files of the one package, by name."""
        (content,) = self.packages.values()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def add(self, job_id: str, status: str, *, started: int = 1, **fields: Any) -> None:
        """A job of a sweep."""
        metadata = {"hedgesweep_storage": f"/results/{job_id}"}
        self.jobs[job_id] = {
            "submission_id": job_id,
            "status": status,
            "start_time": started,
            "metadata": metadata,
            **fields,
        }

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer of the Job API to a request."""
        match method, unquote(path).strip("/").split("/")[1:]:
            case "GET", ["version"]:
                return _json({"ray_version": self.version})
            case "GET", ["packages", "gcs", name]:
                return (200 if name in self.packages else 404), b""
            case "PUT", ["packages", "gcs", name]:
                self.packages[name] = body
                return 200, b""
            case "POST", ["jobs"]:
                request = json.loads(body)
                self.jobs[request["submission_id"]] = {"status": "RUNNING", **request}
                return _json({"submission_id": request["submission_id"]})
            case "GET", ["jobs"]:
                return _json([{"job_id": "01000000", "status": "RUNNING"}, *self.jobs.values()])
            case "GET", ["jobs", name] if name in self.jobs:
                return _json(self.jobs[name])
            case "GET", ["jobs", name, "logs"] if name in self.jobs:
                return _json({"logs": self.logs(name)})
            case "POST", ["jobs", name, "stop"] if name in self.jobs:
                self.jobs[name]["status"] = "STOPPED"
                return _json({"stopped": True})
        return 404, b"does not exist"


@contextmanager
def fake_head() -> Iterator[FakeHead]:
    """A head that answers on a port of this machine."""
    head = FakeHead("")

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = self.command, self.path
            head.requests.append(request)
            head.authorizations.add(authorization := self.headers.get("Authorization"))
            status, content = 403 if authorization else 401, b"Unauthorized"
            if head.token == "" or authorization == f"Bearer {head.token}":
                status, content = head.answer(*request, body)
                if (changed := head.answers.get(request, (status, content))) is None:
                    self.close_connection = True
                    return
                status, content = changed
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # a client that was interrupted

    server = Server(("127.0.0.1", 0), Handler)
    head.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield head
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def end(head: FakeHead, name: str, status: str = "SUCCEEDED", code: int | None = 0) -> str:
    """Last output of a job, which has ended."""
    head.jobs[name] |= {"status": status, "driver_exit_code": code}
    return "4 completed\n"


def _json(value: Any) -> Answer:
    return 200, json.dumps(value).encode()
