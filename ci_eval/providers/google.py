"""Google's Gemini API: generateContent and its embeddings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.providers.base import Finish, ProviderError, Reply, Request, ToolCall, Usage
from ci_eval.providers.caller import Caller, failure
from ci_eval.providers.embedding import Embedded
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
    unit_vector,
)
from ci_eval.providers.sse import cut_off, objects_of
from ci_eval.secrets import Secret
from ci_eval.text import JSON, Untrusted

DEFAULT_URL = "https://generativelanguage.googleapis.com/v1beta"

_FINISH: Mapping[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "ESCALATION": "refusal",
    "MODEL_ARMOR": "refusal",
}
# The model tried and failed: that is its answer, and no other would come of asking again.
_FAILED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"})
_RENAMED = {
    "temperature": "temperature",
    "max_tokens": "maxOutputTokens",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}


class GoogleProvider:
    """One endpoint. Safe to call from several threads at once."""

    def __init__(self, endpoint: Endpoint, key: Secret | None) -> None:
        headers = dict([key.header("x-goog-api-key")]) if key else {}
        self._caller = Caller.of(endpoint, DEFAULT_URL, headers)
        self._stream = endpoint.stream

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002 - a server draws anew
        operation = "streamGenerateContent?alt=sse" if self._stream else "generateContent"
        answer = self._caller.post(f"/{_resource(request.model)}:{operation}", _payload(request), deadline)
        if answer.status != 200:
            raise failure(answer.status, answer.body, about_request=_is_about_request(answer.body))
        with reading("a generated content"):
            reply = _reply(_joined(objects_of(answer.body)) if self._stream else object_in(answer.body))
        return self._caller.counted(reply, answer)

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - the API does not promise it
        return False

    def vectors(self, model: str, texts: Sequence[str], deadline: Deadline) -> Embedded:
        """A unit vector for each text; raises ProviderError."""
        resource = _resource(model)
        wanted: JSON = {
            "requests": [{"model": resource, "content": {"parts": [{"text": text}]}} for text in texts],
        }
        answer = self._caller.post(f"/{resource}:batchEmbedContents", wanted, deadline)
        if answer.status != 200:
            raise failure(answer.status, about_request=False)
        with reading("a list of embeddings"):
            found = _vectors(object_in(answer.body), len(texts))
        # The API counts no tokens here. None is shorter than a byte, so money is never counted too low.
        return Embedded(found, Usage(sum(len(text.encode()) for text in texts), 0))


# --- what is sent -----------------------------------------------------------------------------------------------------


def _resource(model: str) -> str:
    """`models/gemini-…`; the name is subject, so nothing in it may lead to another path."""
    kind, slash, name = model.rpartition("/")
    return f"{quote(kind, safe='') if slash else 'models'}/{quote(name, safe='')}"


def _payload(request: Request) -> dict[str, JSON]:
    system = [{"text": message.content} for message in request.messages if message.role == "system"]
    wanted: dict[str, Any] = {
        "contents": [
            {"role": "model" if message.role == "assistant" else "user", "parts": [{"text": message.content}]}
            for message in request.messages
            if message.role != "system"
        ],
        "systemInstruction": {"parts": system} if system else None,
        "generationConfig": _generation(request.parameters),
        "tools": _tools(request.parameters),
        "toolConfig": _tool_config(request.parameters.get("tool_choice")),
    }
    return {name: value for name, value in wanted.items() if value}


def _generation(given: Mapping[str, Any]) -> dict[str, JSON]:
    config: dict[str, Any] = {ours: given[name] for name, ours in _RENAMED.items() if name in given}
    if "stop" in given:
        config["stopSequences"] = [given["stop"]] if isinstance(given["stop"], str) else given["stop"]
    if "thinking_tokens" in given:
        config["thinkingConfig"] = {"thinkingBudget": given["thinking_tokens"]}
    if "reasoning_effort" in given:
        config["thinkingConfig"] = {"thinkingLevel": given["reasoning_effort"].upper()}
    wanted = given.get("response_format", {})
    if wanted.get("type", "text") != "text":
        config["responseMimeType"] = "application/json"
    if wanted.get("type") == "json_schema":
        config["responseJsonSchema"] = wanted["json_schema"]["schema"]
    return config


def _tools(given: Mapping[str, Any]) -> JSON:
    if "tools" not in given:
        return None
    return [{"functionDeclarations": [_declaration(tool["function"]) for tool in given["tools"]]}]


def _declaration(function: Mapping[str, Any]) -> JSON:
    named = {name: function[name] for name in ("name", "description") if name in function}
    return {**named, "parametersJsonSchema": function["parameters"]} if "parameters" in function else named


def _tool_config(choice: Any) -> JSON:
    if choice is None:
        return None
    if isinstance(choice, dict):
        return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [choice["function"]["name"]]}}
    return {"functionCallingConfig": {"mode": {"auto": "AUTO", "required": "ANY", "none": "NONE"}[choice]}}


# --- what comes back --------------------------------------------------------------------------------------------------


def _is_about_request(body: bytes) -> bool:
    """Whether a 400 is about the request: Google tells a wrong key and an account that may not pay with 400, too."""
    try:
        error = as_object(object_in(body).get("error"))
        details = [as_object(detail).get("reason") for detail in as_list(error.get("details", []))]
    except (InputError, MisshapenError):
        return False
    return error.get("status") == "INVALID_ARGUMENT" and "API_KEY_INVALID" not in details


def _joined(chunks: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The answer of a whole stream: parts one after the other, and the last word on everything else."""
    found: dict[str, Any] = {}
    parts: list[Any] = []
    reason = None
    for chunk in chunks:
        found.update({name: chunk[name] for name in ("promptFeedback", "usageMetadata") if name in chunk})
        for candidate in as_list(chunk.get("candidates", []))[:1]:
            parts.extend(_parts(as_object(candidate)))
            reason = candidate.get("finishReason") or reason
    if reason is None and _blocked(found) is None:
        raise cut_off()
    return {**found, "candidates": [{"content": {"parts": parts}, "finishReason": reason}] if reason else []}


def _parts(candidate: Mapping[str, Any]) -> Sequence[Any]:
    """Of a candidate that was filtered or is out of tokens, there may be none."""
    return as_list(as_object(candidate.get("content") or {}).get("parts") or [])


def _blocked(body: Mapping[str, Any]) -> str | None:
    reason = as_object(body.get("promptFeedback") or {}).get("blockReason")
    return None if reason is None else as_text(reason)


def _reply(body: Mapping[str, Any]) -> Reply:
    """The first candidate; raises MisshapenError for another shape, ProviderError for one that ended oddly."""
    usage = _usage(body.get("usageMetadata"))
    if _blocked(body) is not None:
        return Reply(Untrusted(""), "refusal", usage)
    candidates = as_list(body.get("candidates"))
    if not candidates:
        raise MisshapenError("no candidate")
    candidate = as_object(candidates[0])
    finish = _finish(candidate.get("finishReason"))
    parts = [as_object(part) for part in _parts(candidate)]
    spoken = [as_text(part["text"]) for part in parts if "text" in part and part.get("thought") is not True]
    calls = tuple(_call(as_object(part["functionCall"])) for part in parts if "functionCall" in part)
    if finish == "stop" and not spoken and not calls:
        raise MisshapenError("no content")
    return Reply(Untrusted("".join(spoken)), finish, usage, calls)


def _finish(reason: object) -> Finish:
    named = as_text(reason)
    if named in _FAILED:
        raise ProviderError("the model's answer or tool call was malformed", about_request=True)
    known = _FINISH.get(named)
    if known is None:
        raise ProviderError("an answer that does not say why it ended")
    return known


def _call(function: Mapping[str, Any]) -> ToolCall:
    arguments = json.dumps(as_object(function.get("args", {})), ensure_ascii=False)
    return ToolCall(Untrusted(as_text(function.get("name"))), Untrusted(arguments))


def _usage(value: object) -> Usage:
    usage = value if isinstance(value, dict) else {}
    given = total(tokens(usage.get("promptTokenCount")), tokens(usage.get("toolUsePromptTokenCount")))
    thought = tokens(usage.get("thoughtsTokenCount"))
    spoken = tokens(usage.get("candidatesTokenCount"))
    made = total(spoken, thought) if spoken is not None else thought
    return Usage(given, made, part_of(tokens(usage.get("cachedContentTokenCount")), given), thought)


def _vectors(body: Mapping[str, Any], wanted: int) -> Sequence[Sequence[float]]:
    found = [unit_vector(as_object(row).get("values")) for row in as_list(body.get("embeddings"))]
    if len(found) != wanted or len({len(vector) for vector in found}) > 1:
        raise MisshapenError("not one vector of one length for each text")
    return found
