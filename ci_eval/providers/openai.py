"""OpenAI chat completions and embeddings, and every server that speaks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.providers.base import Finish, ProviderError, Reply, Request, ToolCall, Usage
from ci_eval.providers.caller import Caller, failure
from ci_eval.providers.embedding import Embedded
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.openai_stream import message_of
from ci_eval.providers.shape import (
    MisshapenError,
    as_index,
    as_list,
    as_object,
    as_text,
    object_in,
    part_of,
    reading,
    text_or_none,
    tokens,
    total,
    unit_vector,
)
from ci_eval.secrets import Secret
from ci_eval.text import JSON, Untrusted

DEFAULT_URL = "https://api.openai.com/v1"
_STREAMED: Mapping[str, JSON] = {"stream": True, "stream_options": {"include_usage": True}}

# OpenAI's words, and those of servers that have others: TGI (eos_token, stop_sequence), Mistral (model_length).
_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "model_length": "length",
    "content_filter": "refusal",
}


class OpenAIProvider:
    """One endpoint. Safe to call from several threads at once."""

    key_header: ClassVar[tuple[str, str]] = ("Authorization", "Bearer ")
    """The header that carries the key, and what stands before it."""

    def __init__(self, endpoint: Endpoint, key: Secret | None) -> None:
        headers = dict([key.header(*self.key_header)]) if key else {}
        self._caller = Caller.of(endpoint, DEFAULT_URL, headers)
        self._stream = endpoint.stream

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002 - a server draws anew
        payload: dict[str, JSON] = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            **request.parameters,
            **(_STREAMED if self._stream else {}),
        }
        answer = self._caller.post(self._path("/chat/completions", request.model), payload, deadline)
        if answer.status != 200:
            if answer.status == 400 and _is_filtered(answer.body):
                return Reply(Untrusted(""), "refusal")
            raise failure(answer.status, answer.body)
        with reading("a chat completion"):
            reply = _reply(message_of(answer.body) if self._stream else object_in(answer.body))
        return self._caller.counted(reply, answer)

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - no such server promises it
        return False

    def _path(self, operation: str, model: str) -> str:  # noqa: ARG002 - the model stands in the body
        return operation

    def vectors(self, model: str, texts: Sequence[str], deadline: Deadline) -> Embedded:
        """A unit vector for each text; raises ProviderError."""
        payload: JSON = {"model": model, "input": list(texts), "encoding_format": "float"}
        answer = self._caller.post(self._path("/embeddings", model), payload, deadline)
        if answer.status != 200:
            raise failure(answer.status, about_request=False)
        with reading("a list of embeddings"):
            return _embedded(object_in(answer.body), len(texts))


def _is_filtered(body: bytes) -> bool:
    """Whether Azure's filter stopped the prompt: a refusal in the dress of an error."""
    try:
        return as_object(object_in(body).get("error")).get("code") == "content_filter"
    except (InputError, MisshapenError):
        return False


def _reply(body: Mapping[str, Any]) -> Reply:
    """The first choice; raises MisshapenError for any other shape."""
    choices = as_list(body.get("choices"))
    if not choices:
        raise MisshapenError("no choice")
    choice = as_object(choices[0])
    message = as_object(choice.get("message"))
    calls = tuple(_call(call) for call in as_list(message.get("tool_calls") or []))
    finish = _finish(choice.get("finish_reason"))
    refusal = text_or_none(message.get("refusal"))
    text = _text(message.get("content"))
    usage = _usage(body.get("usage"))
    if refusal:
        return Reply(Untrusted(refusal), "refusal", usage)
    if text is None and finish == "stop" and not calls:
        raise MisshapenError("no content")
    return Reply(Untrusted(text or ""), finish, usage, calls)


def _finish(reason: object) -> Finish:
    known = _FINISH.get(reason) if isinstance(reason, str) else None
    if known is None:
        raise ProviderError("an answer that does not say why it ended")
    return known


def _text(content: object) -> str | None:
    """The text of a message; some servers (Mistral) send it in parts, with the model's thoughts among them."""
    if not isinstance(content, list):
        return text_or_none(content)
    parts = [as_object(part) for part in content]
    return "".join(as_text(part.get("text")) for part in parts if part.get("type") == "text")


def _call(value: object) -> ToolCall:
    function = as_object(as_object(value).get("function"))
    return ToolCall(Untrusted(as_text(function.get("name"))), Untrusted(as_text(function.get("arguments"))))


def _usage(value: object) -> Usage:
    usage = value if isinstance(value, dict) else {}
    given, made = tokens(usage.get("prompt_tokens")), tokens(usage.get("completion_tokens"))
    reasoning = _detail(usage, "completion_tokens_details", "reasoning_tokens")
    if reasoning and tokens(usage.get("total_tokens")) == total(given, made, reasoning):
        made = total(made, reasoning)  # xAI counts it beside the answer, everybody else within
    cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
    return Usage(given, made, part_of(cached, given), part_of(reasoning, made))


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int | None:
    details = usage.get(group)
    return tokens(details.get(name)) if isinstance(details, dict) else None


def _embedded(body: Mapping[str, Any], wanted: int) -> Embedded:
    rows = [as_object(row) for row in as_list(body.get("data"))]
    found = {as_index(row.get("index")): unit_vector(row.get("embedding")) for row in rows}
    if sorted(found) != list(range(wanted)) or len({len(vector) for vector in found.values()}) > 1:
        raise MisshapenError("not one vector of one length for each text")
    usage = body.get("usage")
    given = tokens(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return Embedded([found[index] for index in range(wanted)], Usage(given, 0))
