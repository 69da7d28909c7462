"""OpenAI chat completions on loopback: a real server whose answers a test writes as a function of the request.

Answers have the shapes that the API documents (usage, finish_reason, refusal, content_filter, error bodies), so what
reads them is tested against more than the two keys it happens to look at.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loopback import Handler, Loopback

CREATED = 1_767_225_600


@dataclass(frozen=True)
class Asked:
    """One request as the server got it."""

    number: int
    """The first is 1."""
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def system(self) -> str:
        return "\n".join(message["content"] for message in self.body["messages"] if message["role"] == "system")

    @property
    def user(self) -> str:
        """The last thing that the user says."""
        return str(next(m["content"] for m in reversed(self.body["messages"]) if m["role"] == "user"))


@dataclass(frozen=True)
class Answer:
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


Behaviour = Callable[[Asked], Answer]


def says(text: str, *, finish: str = "stop") -> Answer:
    """An answer; `finish="length"`: cut off at max_tokens."""
    return _completion({"content": text, "refusal": None}, finish)


def says_json(**fields: Any) -> Answer:
    return says(json.dumps(fields))


def refuses(text: str) -> Answer:
    """The model declines in the field that the API has for it: there is no content then."""
    return _completion({"content": None, "refusal": text}, "stop")


def is_filtered(text: str = "") -> Answer:
    """The provider's own filter stopped the answer."""
    return _completion({"content": text, "refusal": None}, "content_filter")


def fails(status: int, message: str, *, kind: str = "server_error", param: str | None = None) -> Answer:
    """An error. `Retry-After: 0` asks the client to come back at once, so that no test has to wait."""
    error = {"message": message, "type": kind, "param": param, "code": None}
    return Answer(status, {"error": error}, {"Retry-After": "0"})


def _completion(message: Mapping[str, Any], finish: str) -> Answer:
    words = len((message["content"] or message["refusal"] or "").split())
    return Answer(
        200,
        {
            "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
            "object": "chat.completion",
            "created": CREATED,
            "model": "house-1-2026-01-01",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", **message, "annotations": []},
                    "logprobs": None,
                    "finish_reason": finish,
                }
            ],
            "usage": {
                "prompt_tokens": 19,
                "completion_tokens": words,
                "total_tokens": 19 + words,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": None,
        },
    )


class OpenAIServer(Loopback):
    """Answers `POST /v1/chat/completions` by `behaviour`; `asked` remembers every request."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        super().__init__(_Handler)

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def calls(self) -> int:
        return len(self.asked)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        with self._lock:
            asked = Asked(len(self.asked) + 1, path, headers, json.loads(body))
            self.asked.append(asked)
        if path != "/v1/chat/completions":
            return fails(404, f"Invalid URL (POST {path})", kind="invalid_request_error")
        return self.behaviour(asked)


class _Handler(Handler):
    def serve(self) -> None:
        answer = self.server.owner.answer(self.path, dict(self.headers.items()), self.body())
        self.answer_json(answer.status, answer.body, answer.headers.items())
