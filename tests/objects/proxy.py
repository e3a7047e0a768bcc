"""Proxy in front of an S3 server that loses answers, or does not answer at all."""

import random
import socket
import threading
from contextlib import contextmanager, suppress


class Proxy:
    """Forwards to ``port`` on this machine; a share ``lossy`` of the answers is cut off."""

    def __init__(self, port, *, lossy=0.0, seed=0):
        self.target, self.lossy = port, lossy
        self._random, self._down = random.Random(seed), threading.Event()
        self.lost = 0
        self._connections = set()
        self._listener = self._listen(0)
        self.port = self._listener.getsockname()[1]
        self._accepting()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def outage(self):
        """No connection is accepted, and those that are open are cut."""
        self._down.set()
        self._shut(self._listener)
        for connection in list(self._connections):
            self._shut(connection)
        try:
            yield
        finally:
            self._down.clear()
            self._listener = self._listen(self.port)
            self._accepting()

    def close(self):
        self._down.set()
        self._shut(self._listener)
        for connection in list(self._connections):
            self._shut(connection)

    def _listen(self, port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        return listener

    def _accepting(self):
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self._connections |= {client, server}
            for pair in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source, target, answers):
        with suppress(OSError):
            while block := source.recv(2**16):
                if answers and self._random.random() < self.lossy:
                    self.lost += 1
                    break
                target.sendall(block)
        for end in (source, target):
            self._shut(end)
            self._connections.discard(end)

    def _shut(self, end):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
