"""Anthropic's messages API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ci_eval.deadline import Deadline
from ci_eval.providers.anthropic_stream import message_of
from ci_eval.providers.base import Finish, ProviderError, Reply, Request, ToolCall, Usage
from ci_eval.providers.caller import Caller, failure
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.shape import (
    MisshapenError,
    as_list,
    as_object,
    as_text,
    object_in,
    part_of,
    reading,
    tokens,
    total,
)
from ci_eval.secrets import Secret
from ci_eval.text import JSON, Untrusted

DEFAULT_URL = "https://api.anthropic.com/v1"
_VERSION = "2023-06-01"

_FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_SAME_NAME = ("max_tokens", "temperature", "top_p", "top_k")


class AnthropicProvider:
    """One endpoint. Safe to call from several threads at once."""

    def __init__(self, endpoint: Endpoint, key: Secret | None) -> None:
        headers = {"anthropic-version": _VERSION, **(dict([key.header("x-api-key")]) if key else {})}
        self._caller = Caller.of(endpoint, DEFAULT_URL, headers)
        self._stream = endpoint.stream

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002 - a server draws anew
        payload = {**_payload(request), **({"stream": True} if self._stream else {})}
        answer = self._caller.post("/messages", payload, deadline)
        if answer.status != 200:
            raise failure(answer.status, answer.body)
        with reading("a message"):
            reply = _reply(message_of(answer.body) if self._stream else object_in(answer.body))
        return self._caller.counted(reply, answer)

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - the API does not promise it
        return False


# --- what is sent -----------------------------------------------------------------------------------------------------


def _payload(request: Request) -> dict[str, Any]:
    given = request.parameters
    system = "\n\n".join(message.content for message in request.messages if message.role == "system")
    stop = given.get("stop")
    wanted: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": message.role, "content": message.content}
            for message in request.messages
            if message.role != "system"
        ],
        "system": system or None,
        **{name: given.get(name) for name in _SAME_NAME},
        "stop_sequences": [stop] if isinstance(stop, str) else stop,
        "thinking": _thinking(given.get("thinking_tokens")),
        "output_config": _output_config(given) or None,
        "tools": [_tool(tool["function"]) for tool in given["tools"]] if "tools" in given else None,
        "tool_choice": _tool_choice(given),
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _thinking(budget: int | None) -> JSON:
    if budget is None:
        return None
    return {"type": "enabled", "budget_tokens": budget} if budget else {"type": "disabled"}


def _output_config(given: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if "reasoning_effort" in given:
        config["effort"] = given["reasoning_effort"]
    wanted = given.get("response_format", {})
    if wanted.get("type") == "json_schema":
        config["format"] = {"type": "json_schema", "schema": wanted["json_schema"]["schema"]}
    return config


def _tool(function: Mapping[str, Any]) -> JSON:
    renamed = {"input_schema": function.get("parameters", {"type": "object", "properties": {}})}
    return {**{name: function[name] for name in ("name", "description", "strict") if name in function}, **renamed}


def _tool_choice(given: Mapping[str, Any]) -> JSON:
    choice, one_at_a_time = given.get("tool_choice"), given.get("parallel_tool_calls") is False
    if choice is None and not one_at_a_time:
        return None
    if isinstance(choice, dict):
        found = {"type": "tool", "name": choice["function"]["name"]}
    else:
        found = {"type": {None: "auto", "auto": "auto", "required": "any", "none": "none"}[choice]}
    return {**found, "disable_parallel_tool_use": True} if one_at_a_time and choice != "none" else dict(found)


# --- what comes back --------------------------------------------------------------------------------------------------


def _reply(body: Mapping[str, Any]) -> Reply:
    """Raises MisshapenError for anything that is no message, ProviderError for one that ended oddly."""
    if body.get("type") != "message":
        raise MisshapenError("no message")
    blocks = [as_object(block) for block in as_list(body.get("content"))]
    reason = body.get("stop_reason")
    finish = _FINISH.get(reason) if isinstance(reason, str) else None
    if finish is None:
        raise ProviderError("an answer that does not say why it ended")
    return Reply(Untrusted(_text(blocks)), finish, _usage(body.get("usage")), tuple(_calls(blocks)))


def _text(blocks: Sequence[Mapping[str, Any]]) -> str:
    return "".join(as_text(block.get("text")) for block in blocks if block.get("type") == "text")


def _calls(blocks: Sequence[Mapping[str, Any]]) -> Iterable[ToolCall]:
    for block in blocks:
        if block.get("type") == "tool_use":
            given = block.get("input")
            # A stream brings the model's own text, which an answer that was cut off leaves unfinished.
            arguments = given if isinstance(given, str) else json.dumps(as_object(given), ensure_ascii=False)
            yield ToolCall(Untrusted(as_text(block.get("name"))), Untrusted(arguments))


def _usage(value: object) -> Usage:
    usage = value if isinstance(value, dict) else {}
    cached = tokens(usage.get("cache_read_input_tokens"))
    written = tokens(usage.get("cache_creation_input_tokens"))
    given, made = total(tokens(usage.get("input_tokens")), written, cached), tokens(usage.get("output_tokens"))
    details = usage.get("output_tokens_details")
    thought = tokens(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(given, made, part_of(cached, given), part_of(thought, made))
