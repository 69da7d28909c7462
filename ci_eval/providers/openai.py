"""OpenAI chat completions, and every server that speaks them."""

from __future__ import annotations

from typing import Any

from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.providers.base import Finish, ProviderError, Reply, Request, Usage
from ci_eval.reader import parse_reply
from ci_eval.secrets import Secret
from ci_eval.text import Untrusted
from ci_eval.transport import Transport, TransportError

DEFAULT_URL = "https://api.openai.com/v1"
_ABOUT_REQUEST = frozenset({400, 413, 422})
_FINISH: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "refusal"}


class OpenAIProvider:
    """One endpoint. Safe to call from several threads at once."""

    def __init__(self, base_url: str | None, key: Secret | None, *, concurrency: int, timeout_seconds: float) -> None:
        self._transport = Transport(base_url or DEFAULT_URL, pool=concurrency)
        self._headers = dict([key.header("Authorization", "Bearer ")]) if key else {}
        self._timeout = timeout_seconds

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002 - a server draws anew
        payload = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            **request.parameters,
        }
        try:
            answer = self._transport.post("/chat/completions", payload, self._headers, deadline.sooner(self._timeout))
        except TransportError as error:
            raise ProviderError(error.cause) from error
        if answer.status != 200:
            raise ProviderError(f"HTTP {answer.status}", about_request=answer.status in _ABOUT_REQUEST)
        try:
            return _reply(parse_reply(answer.body))
        except (InputError, KeyError, IndexError, TypeError) as error:
            raise ProviderError("an answer that is not a chat completion") from error

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - no such server promises it
        return False


def _reply(body: Any) -> Reply:
    """The first choice; raises KeyError, IndexError or TypeError for any other shape."""
    choice = body["choices"][0]
    message = choice["message"]
    refused = message.get("refusal")
    text = refused if isinstance(refused, str) and refused else message["content"]
    if not isinstance(text, str):
        raise TypeError("no text")
    finish: Finish = "refusal" if text is refused else _FINISH.get(choice.get("finish_reason"), "stop")
    usage = body.get("usage") or {}
    counts = Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
    return Reply(Untrusted(text), finish, counts)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
