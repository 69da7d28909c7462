"""A real HTTP server on loopback for as long as a `with` lasts: what every stand-in of a test is made of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class LoopbackServer(ThreadingHTTPServer):
    owner: Any
    """The stand-in, as its handler finds it."""
    daemon_threads = False  # closing the server waits for its threads, so that no socket outlives a test
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    """What the handlers of stand-ins share: `serve` answers every method. It finds its stand-in as `self.server.owner`.

    HTTP/1.0, a connection for each request: closing the server never waits for a client that keeps one open.
    """

    server: LoopbackServer

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def do_PATCH(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()

    def do_CONNECT(self) -> None:
        self.serve()

    def serve(self) -> None:
        """Answer one request."""
        raise NotImplementedError

    def body(self) -> bytes:
        """What came with the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, data: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
        """One whole answer, with its length."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def answer_json(self, status: int, body: Any, headers: Iterable[tuple[str, str]] = ()) -> None:
        """The same with a body of JSON, or of bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer(status, data, [("Content-Type", "application/json"), *headers])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Nothing: the stand-in remembers what it was asked."""


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
