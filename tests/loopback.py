"""A real HTTP server on loopback for as long as a `with` lasts: what every stand-in of a test is made of."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class LoopbackServer(ThreadingHTTPServer):
    owner: Any
    """The stand-in, as its handler finds it."""
    daemon_threads = False  # closing the server waits for its threads, so that no socket outlives a test
    request_queue_size = 128


class Loopback:
    """Serves by a handler that knows its stand-in as `self.server.owner`."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, patient: bool = True) -> None:
        """Not patient: its end does not wait for answers that go on until the client leaves."""
        self._server = LoopbackServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = not patient
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"
