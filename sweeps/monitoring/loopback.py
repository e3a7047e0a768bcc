"""Server of one page on the loopback interface, with server-sent events on its changes.

Every site that is open in a browser can send requests to a loopback port, and a name that first
resolves to a site's own server can later resolve to 127.0.0.1. So a request for any other host
name, from any other origin, or of another method than GET is refused, and there is no CORS header.
"""

import errno
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sweeps.errors import UsageError

ADDRESS = "127.0.0.1"
_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.IGNORECASE)
_ORIGIN = re.compile(rf"http://{_HOST.pattern}", re.IGNORECASE)
_MOST_STREAMS = 32
_HEARTBEAT = 15.0  # seconds; without one, a closed tab would keep its thread
_POLL = 0.1  # seconds until the server notices that it is to stop
_REQUEST = 10.0  # seconds for a client to send its request, or to take a part of the answer
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Page at one moment: its bytes, their version, and the state of the sweep in words."""

    page: bytes = b""
    version: int = 0
    state: str = ""
    ended: bool = False


class LivePage:
    """Page that one thread changes while others serve it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._moment = Moment()

    @property
    def moment(self) -> Moment:
        """The present page."""
        with self._changed:
            return self._moment

    def show(self, page: bytes, *, ended: bool = False) -> None:
        """Serve ``page`` from now on; the last one if the sweep has ``ended``."""
        with self._changed:
            now = self._moment
            version = now.version + (page != now.page)
            self._moment = Moment(page=page, version=version, state=now.state, ended=ended)
            self._changed.notify_all()

    def say(self, state: str) -> None:
        """Change the state alone."""
        with self._changed:
            now = self._moment
            self._moment = Moment(page=now.page, version=now.version, state=state, ended=now.ended)
            self._changed.notify_all()

    def moments(self) -> Iterator[Moment | None]:
        """The present moment and every later one, up to the end; None after a quiet time."""
        seen: Moment | None = None
        while True:
            with self._changed:
                if self._moment is seen:
                    self._changed.wait(_HEARTBEAT)
                now = self._moment
            yield None if now is seen else now
            if now.ended:
                return
            seen = now


class LoopbackServer(ThreadingHTTPServer):
    """Server of ``page`` on ``port`` of this machine, a free one if it is 0; starts at once.

    Raises:
        UsageError: the port is in use, or needs more rights.
    """

    daemon_threads = True
    allow_reuse_port = False

    def __init__(self, page: LivePage, port: int) -> None:
        self.page = page
        self.streams = threading.BoundedSemaphore(_MOST_STREAMS)
        try:
            super().__init__((ADDRESS, port), _Request)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise UsageError(
                f"port {port} of {ADDRESS} cannot be used ({error.strerror}); "
                "give another --port, or none for a free one"
            ) from error
        threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True).start()

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        super().__exit__(*args)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that has gone."""


class _Request(BaseHTTPRequestHandler):
    server: LoopbackServer
    timeout = _REQUEST

    def do_GET(self) -> None:
        hosts, origins = (self.headers.get_all(name) or [] for name in ("Host", "Origin"))
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            self._answer(HTTPStatus.FORBIDDEN, b"this page is served to localhost only\n")
        elif not all(map(_ORIGIN.fullmatch, origins)):
            self._answer(HTTPStatus.FORBIDDEN, b"this page is not served to other pages\n")
        elif self.path == "/":
            if page := self.server.page.moment.page:
                self._answer(HTTPStatus.OK, page, kind="text/html; charset=utf-8")
            else:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"no page yet: reload in seconds\n")
        elif self.path == "/events":
            self._events()
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"the report is at /\n")

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Refuse a request that cannot be understood, or of another method, without its text."""
        refused = code == HTTPStatus.NOT_IMPLEMENTED
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED if refused else HTTPStatus(code), b"")

    def version_string(self) -> str:
        """Name of the server, without versions."""
        return "hedgesweep"

    def log_message(self, *args: object) -> None:
        """Log nothing: a request may contain escape sequences of terminals."""

    def _events(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"too many pages are open\n")
            return
        try:
            self._head(HTTPStatus.OK, "text/event-stream")
            for moment in self.server.page.moments():
                self.wfile.write(b": alive\n\n" if moment is None else _event(moment))
                self.wfile.flush()
        finally:
            self.server.streams.release()

    def _answer(self, status: HTTPStatus, body: bytes, *, kind: str = "text/plain") -> None:
        self._head(status, kind, length=len(body))
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, *, length: int | None = None) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()


def _event(moment: Moment) -> bytes:
    """Events of state and version; the client fetches the page itself."""
    text = f"event: state\ndata: {json.dumps(moment.state)}\n\n"
    name = "end" if moment.ended else "page"
    return f"{text}event: {name}\ndata: {moment.version}\n\n".encode()
