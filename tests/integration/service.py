"""A user's own service on loopback, whose answers a test writes as a function of what it is handed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from loopback import Handler, Loopback

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


class _Handler(Handler):
    def serve(self) -> None:
        owner = self.server.owner
        handed = json.loads(self.body())
        owner.handed.append(handed)
        owner.headers = dict(self.headers.items())
        served = owner.serves(handed) if self.path == "/answer" else 404
        status, body = (served, {}) if isinstance(served, int) else (200, served)
        self.answer_json(status, body, [("Retry-After", "0")])
