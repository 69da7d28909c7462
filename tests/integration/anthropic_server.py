"""Anthropic's messages API on loopback, as strict about a request as the real one and with answers of its shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_server import KEY, Answer, Asked, Behaviour, events, pieces

TAKEN = frozenset({
    "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k",
    "thinking", "tools", "tool_choice", "output_config", "metadata", "service_tier",
})  # fmt: skip
Block = Mapping[str, Any]


def text(said: str) -> Block:
    return {"type": "text", "text": said, "citations": None}


def thought(said: str) -> Block:
    return {"type": "thinking", "thinking": said, "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="}


def call(name: str, arguments: Mapping[str, Any]) -> Block:
    return {"type": "tool_use", "id": "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "name": name, "input": arguments}


def message(*blocks: Block, stop_reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    """A whole answer; `usage` adds to, or takes the place of, what is counted."""
    return {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-house-1",
        "content": list(blocks),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 9,
            "service_tier": "standard",
            **usage,
        },
    }


def fails(status: int, kind: str, said: str = "no", **headers: str) -> Answer:
    error = {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
    return Answer(status, error, {"Retry-After": "0", **headers})


def serves(answer: Callable[[Asked], Mapping[str, Any] | Answer]) -> Behaviour:
    """A server that checks what the API checks, and streams what is asked for as a stream."""

    def behave(asked: Asked) -> Answer:
        refused = _refusal(asked)
        if refused:
            return refused
        found = answer(asked)
        if isinstance(found, Answer):
            return found
        if asked.body.get("stream"):
            return Answer(200, events(*stream(found), names=True), {"Content-Type": "text/event-stream"})
        return Answer(200, found)

    return behave


def _refusal(asked: Asked) -> Answer | None:
    key, strangers = asked.headers.get("x-api-key"), sorted(asked.body.keys() - TAKEN)
    roles = [one["role"] for one in asked.body.get("messages", [])]
    refused = "invalid_request_error"
    checks = (
        (asked.path == "/v1/messages", 404, "not_found_error", "Not found"),
        (key == KEY, 401, "authentication_error", f"invalid x-api-key {key}"),
        (asked.headers.get("anthropic-version") == "2023-06-01", 400, refused, "anthropic-version: header is required"),
        (not strangers, 400, refused, f"{strangers}: Extra inputs are not permitted"),
        (isinstance(asked.body.get("max_tokens"), int), 400, refused, "max_tokens: Field required"),
        (roles[:1] == ["user"] and not set(roles) - {"user", "assistant"}, 400, refused, "messages: wrong roles"),
    )
    return next((fails(status, kind, said) for holds, status, kind, said in checks if not holds), None)


def stream(whole: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The events in which a message is streamed."""
    usage = whole["usage"]
    start = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    found: list[Mapping[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(whole["content"]):
        found += [{"type": "content_block_start", "index": index, "content_block": _empty(block)}, {"type": "ping"}]
        found += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in _deltas(block)]
        found.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    counted = {"output_tokens": usage["output_tokens"], "output_tokens_details": usage.get("output_tokens_details")}
    return [*found, {"type": "message_delta", "delta": delta, "usage": counted}, {"type": "message_stop"}]


def _empty(block: Block) -> Block:
    return {
        **block,
        **{name: empty for name, empty in (("text", ""), ("thinking", ""), ("input", {})) if name in block},
    }


def _deltas(block: Block) -> list[Mapping[str, Any]]:
    if block["type"] == "text":
        return [{"type": "text_delta", "text": part} for part in pieces(block["text"])]
    if block["type"] == "tool_use":
        return [
            {"type": "input_json_delta", "partial_json": part} for part in ["", *pieces(json.dumps(block["input"]))]
        ]
    thoughts = [{"type": "thinking_delta", "thinking": part} for part in pieces(block["thinking"])]
    return [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]
