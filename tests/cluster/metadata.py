"""Metadata service of AWS with a spot notice for each host that has a file: FOLDER/ADDRESS.

Run as a program: ``metadata.py ADDRESS PORT FOLDER``.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "session"


class Service(BaseHTTPRequestHandler):
    """Version 2 of the service: a session token first, and nothing without it."""

    folder: Path

    def do_PUT(self) -> None:
        self._answer(200 if self.path == "/latest/api/token" else 404, TOKEN)

    def do_GET(self) -> None:
        notice = self.folder / self.client_address[0]
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._answer(401, "")
        elif self.path == "/latest/meta-data/spot/instance-action" and notice.exists():
            self._answer(200, notice.read_text())
        else:
            self._answer(404, "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        pass


def main() -> None:
    host, port, folder = sys.argv[1:]
    Service.folder = Path(folder)
    ThreadingHTTPServer((host, int(port)), Service).serve_forever()


if __name__ == "__main__":
    main()
