"""The shapes of chat completions on the wire: streamed, with tools, from servers of other makes; and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_server import KEY, Answer, Asked, Behaviour, events, pieces

TAKEN = frozenset({
    "model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed",
    "presence_penalty", "frequency_penalty", "response_format", "tools", "tool_choice", "parallel_tool_calls",
    "reasoning_effort", "stream", "stream_options", "n",
})  # fmt: skip


def message(content: Any = "", **different: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "refusal": None, "annotations": [], **different}


def call(name: str, arguments: str, index: int = 0) -> dict[str, Any]:
    return {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}


def completion(said: Mapping[str, Any], finish: Any = "stop", **usage: Any) -> dict[str, Any]:
    """A whole answer; `usage` adds to, or takes the place of, what is counted."""
    return {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "house-1",
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            **usage,
        },
        "service_tier": "default",
    }


def embeddings(*vectors: Sequence[float]) -> dict[str, Any]:
    rows = [{"object": "embedding", "index": at, "embedding": list(one)} for at, one in enumerate(vectors)]
    return {"object": "list", "data": rows, "model": "e", "usage": {"prompt_tokens": 8, "total_tokens": 8}}


def fails(status: int, code: str | None = None, said: str = "no") -> Answer:
    error = {"message": said, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(status, {"error": error}, {"Retry-After": "0"})


def serves(answer: Callable[[Asked], Mapping[str, Any] | Answer], *, key: str = f"Bearer {KEY}") -> Behaviour:
    """A server that checks the key and streams what is asked for as a stream."""

    def behave(asked: Asked) -> Answer:
        if (asked.headers.get("authorization") or asked.headers.get("api-key")) != key:
            return fails(401, "invalid_api_key", f"Incorrect API key provided: {dict(asked.headers)}")
        strangers = sorted(asked.body.keys() - TAKEN - {"input", "encoding_format"})
        if strangers:
            return fails(400, "unknown_parameter", f"Unknown parameter: '{strangers[0]}'.")
        found = answer(asked)
        if isinstance(found, Answer):
            return found
        if asked.body.get("stream"):
            return Answer(200, events(*stream(found), "[DONE]"), {"Content-Type": "text/event-stream"})
        return Answer(200, found)

    return behave


def stream(whole: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The chunks in which a completion is streamed with its usage; the first is Azure's, which has no choice."""
    choice = whole["choices"][0]
    said = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if said["content"] is None else ""}]
    deltas += [{"content": part} for part in pieces(said["content"] or "")]
    deltas += [{"refusal": part} for part in pieces(said["refusal"] or "")]
    for index, made in enumerate(said.get("tool_calls", [])):
        begun = {**made, "function": {**made["function"], "arguments": ""}, "index": index}
        deltas.append({"tool_calls": [begun]})
        grown = [{"index": index, "function": {"arguments": part}} for part in pieces(made["function"]["arguments"])]
        deltas += [{"tool_calls": [part]} for part in grown]
    chunks = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    head = {"id": whole["id"], "object": "chat.completion.chunk", "usage": None}
    filtered = {**head, "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]}
    return [
        filtered,
        *({**head, "choices": [one]} for one in [*chunks, last]),
        {**head, "choices": [], "usage": whole["usage"]},
    ]
