"""A user's own service on loopback, whose answers a test writes as a function of what it is handed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Handed = Mapping[str, Any]
Serves = Callable[[Handed], "dict[str, Any] | int"]
"""What it answers, or with which status it fails."""


class Service:
    """Answers `POST /answer`; `handed` remembers every body, `headers` those of the last request."""

    def __init__(self, serves: Serves) -> None:
        self.serves = serves
        self.handed: list[Handed] = []
        self.headers: Mapping[str, str] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Service:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/answer"


class _Server(ThreadingHTTPServer):
    owner: Service
    daemon_threads = False
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        owner = self.server.owner
        handed = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        owner.handed.append(handed)
        owner.headers = dict(self.headers.items())
        served = owner.serves(handed) if self.path == "/answer" else 404
        data = json.dumps(served if isinstance(served, dict) else {}).encode()
        self.send_response(served if isinstance(served, int) else 200)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Nothing: `handed` remembers."""
