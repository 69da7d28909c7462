"""A model API on loopback: a real server whose answers a test writes as a function of the request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loopback import Handler, Loopback

KEY = "sk-test-0123456789abcdef"


@dataclass(frozen=True)
class Asked:
    """One request as the server got it."""

    path: str
    """With its query."""
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any] | bytes
    """JSON, or bytes as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)


Behaviour = Callable[[Asked], Answer]


def events(*parts: Mapping[str, Any] | str, names: bool = False) -> bytes:
    """Server-sent events; `names`: each with an `event:` line that says its type, as Anthropic has it."""
    lines = []
    for part in parts:
        name = f"event: {part['type']}\n" if names and isinstance(part, Mapping) else ""
        lines.append(f"{name}data: {part if isinstance(part, str) else json.dumps(part)}\n\n")
    return "".join(lines).encode()


def pieces(text: str) -> list[str]:
    """A text as it is streamed: in parts of a few characters."""
    return [text[at : at + 4] for at in range(0, len(text), 4)]


class ModelServer(Loopback):
    """Answers every POST by `behaviour`; `asked` remembers every request."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        super().__init__(_Handler)

    @property
    def url(self) -> str:
        return self.origin

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
        return self.behaviour(asked)


class _Handler(Handler):
    def serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.owner.answer(Asked(self.path, headers, json.loads(self.body())))
        self.answer_json(answer.status, answer.body, answer.headers.items())
