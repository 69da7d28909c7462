"""Google's Gemini API on loopback, as strict about a request as the real one and with answers of its shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_server import KEY, Answer, Asked, Behaviour, events, pieces

TAKEN = frozenset({"contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings"})
CONFIG = frozenset({
    "temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseJsonSchema", "thinkingConfig",
})  # fmt: skip
_PATH = re.compile(r"/v1beta/models/[a-z0-9.-]+:(generateContent|streamGenerateContent\?alt=sse|batchEmbedContents)")
Part = Mapping[str, Any]


def text(said: str) -> Part:
    return {"text": said}


def thought(said: str) -> Part:
    return {"text": said, "thought": True}


def call(name: str, arguments: Mapping[str, Any]) -> Part:
    return {"functionCall": {"name": name, "args": arguments}, "thoughtSignature": "CskBAdHtim8="}


def content(*parts: Part, reason: str = "STOP", **usage: int) -> dict[str, Any]:
    """A whole answer; without parts it has no content at all, as when it was filtered."""
    candidate: dict[str, Any] = {"finishReason": reason, "index": 0}
    if parts:
        candidate["content"] = {"parts": list(parts), "role": "model"}
    return {"candidates": [candidate], **_tail(usage)}


def blocked(reason: str = "PROHIBITED_CONTENT") -> dict[str, Any]:
    """The prompt was stopped before the model saw it."""
    return {"promptFeedback": {"blockReason": reason}, **_tail({"candidatesTokenCount": 0})}


def _tail(usage: Mapping[str, int]) -> dict[str, Any]:
    counts = {"promptTokenCount": 14, "candidatesTokenCount": 5, "totalTokenCount": 19, **usage}
    details = [{"modality": "TEXT", "tokenCount": 14}]
    return {
        "usageMetadata": {**counts, "promptTokensDetails": details},
        "modelVersion": "gemini-house-1",
        "responseId": "mAitaLmkHPPlz7IPvtfUqQ4",
    }


def fails(status: int, name: str, *reasons: str, said: str = "no") -> Answer:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    details = [{"@type": kind, "reason": reason, "domain": "googleapis.com"} for reason in reasons]
    error: dict[str, Any] = {"code": status, "message": said, "status": name}
    return Answer(status, {"error": {**error, "details": details} if details else error}, {"Retry-After": "0"})


def serves(answer: Callable[[Asked], Mapping[str, Any] | Answer]) -> Behaviour:
    """A server that checks what the API checks, and streams where the path says so."""

    def behave(asked: Asked) -> Answer:
        refused = _refusal(asked)
        if refused:
            return refused
        found = answer(asked)
        if isinstance(found, Answer):
            return found
        if "alt=sse" in asked.path:
            return Answer(200, events(*stream(found)), {"Content-Type": "text/event-stream"})
        return Answer(200, found)

    return behave


def _refusal(asked: Asked) -> Answer | None:
    if not _PATH.fullmatch(asked.path):
        return fails(404, "NOT_FOUND")
    key = asked.headers.get("x-goog-api-key")
    if key != KEY:
        return fails(400, "INVALID_ARGUMENT", "API_KEY_INVALID", said=f"API key not valid: {key}")
    if "batchEmbedContents" in asked.path:
        return None
    strangers = sorted((asked.body.keys() - TAKEN) | (asked.body.get("generationConfig", {}).keys() - CONFIG))
    if strangers:
        return fails(400, "INVALID_ARGUMENT", said=f'Unknown name "{strangers[0]}": Cannot find field.')
    if {one["role"] for one in asked.body["contents"]} - {"user", "model"}:
        return fails(400, "INVALID_ARGUMENT", said="Please use a valid role: user, model.")
    return None


def stream(whole: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The answers in which one is streamed: texts in parts, counts in each, the reason in the last."""
    if not whole.get("candidates"):
        return [whole]
    candidate = whole["candidates"][0]
    parts = [
        {**part, "text": piece} if "text" in part else part
        for part in candidate.get("content", {}).get("parts", [])
        for piece in (pieces(part["text"]) if "text" in part else [""])
    ]
    tail = {name: value for name, value in whole.items() if name != "candidates"}
    found = [{"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], **tail} for part in parts]
    return [*found, {"candidates": [{**candidate, "content": {"role": "model"}}], **tail}]
