"""Joins the events of a streamed chat completion into the body that an unstreamed answer has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_eval.providers.shape import MisshapenError, as_index, as_list, as_object, as_text
from ci_eval.providers.sse import cut_off, objects_of


@dataclass
class _Call:
    name: str = ""
    arguments: str = ""


@dataclass
class _Gathered:
    """What the chunks so far said."""

    content: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    finish_reason: object = None
    usage: object = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        self.usage = chunk.get("usage") or self.usage
        for value in as_list(chunk.get("choices")):  # none in the chunk that brings the usage
            choice = as_object(value)
            if choice.get("index", 0) != 0:
                raise MisshapenError("more than the one choice that was asked for")
            self._add(as_object(choice.get("delta") or {}))
            self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _add(self, delta: Mapping[str, Any]) -> None:
        for name, parts in (("content", self.content), ("refusal", self.refusal)):
            if delta.get(name) is not None:
                parts.append(as_text(delta[name]))
        for value in as_list(delta.get("tool_calls") or []):
            part = as_object(value)
            call = self.calls.setdefault(as_index(part.get("index")), _Call())
            function = as_object(part.get("function") or {})
            call.name += as_text(function.get("name") or "")
            call.arguments += as_text(function.get("arguments") or "")


def message_of(body: bytes) -> Mapping[str, Any]:
    """The completion of a whole stream; raises ProviderError, InputError or MisshapenError."""
    gathered = _Gathered()
    for chunk in objects_of(body, until="[DONE]"):
        gathered.add(chunk)
    if gathered.finish_reason is None:
        raise cut_off()
    calls = [{"function": vars(gathered.calls[index])} for index in sorted(gathered.calls)]
    message = {
        "content": "".join(gathered.content) if gathered.content else None,
        "refusal": "".join(gathered.refusal),
        "tool_calls": calls,
    }
    choice = {"message": message, "finish_reason": gathered.finish_reason}
    return {"choices": [choice], "usage": gathered.usage}
