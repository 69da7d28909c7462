"""A user's own service on loopback, whose answers a test writes as a function of what it is handed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import Loopback, LoopbackServer

Handed = Mapping[str, Any]
Serves = Callable[[Handed], "dict[str, Any] | int"]
"""What it answers, or with which status it fails."""


class Service(Loopback):
    """Answers `POST /answer`; `handed` remembers every body, `headers` those of the last request."""

    def __init__(self, serves: Serves) -> None:
        self.serves = serves
        self.handed: list[Handed] = []
        self.headers: Mapping[str, str] = {}
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        return f"{self.origin}/answer"


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer

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
