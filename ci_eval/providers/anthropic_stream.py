"""Joins the events of a streamed Anthropic message into the body that an unstreamed answer has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_eval.providers.shape import MisshapenError, as_index, as_object, as_text
from ci_eval.providers.sse import cut_off, objects_of


@dataclass
class _Block:
    """A part of the answer, of which the text or the arguments still grow."""

    start: Mapping[str, Any]
    parts: list[str] = field(default_factory=list)
    closed: bool = False

    def add(self, delta: Mapping[str, Any]) -> None:
        kind, name = delta.get("type"), self.start.get("type")
        if self.closed:
            raise MisshapenError("more of what was closed")
        if (kind, name) == ("text_delta", "text"):
            self.parts.append(as_text(delta.get("text")))
        elif (kind, name) == ("input_json_delta", "tool_use"):
            self.parts.append(as_text(delta.get("partial_json")))

    def whole(self) -> Mapping[str, Any]:
        grown = "".join(self.parts)
        if self.start.get("type") == "text":
            return {**self.start, "text": as_text(self.start.get("text")) + grown}
        return {**self.start, "input": grown or self.start.get("input")}


@dataclass
class _Gathered:
    """What the events so far said. Of a kind that is not known here (`ping`, and new ones) nothing is taken."""

    blocks: dict[int, _Block] = field(default_factory=dict)
    stop_reason: object = None
    usage: dict[str, Any] = field(default_factory=dict)
    started: bool = False
    ended: bool = False

    def add(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                self.started = True
                self._count(as_object(event.get("message")))
            case "content_block_start":
                self.blocks[as_index(event.get("index"))] = _Block(as_object(event.get("content_block")))
            case "content_block_delta":
                self._block(event).add(as_object(event.get("delta")))
            case "content_block_stop":
                self._block(event).closed = True
            case "message_delta":
                self.stop_reason = as_object(event.get("delta")).get("stop_reason") or self.stop_reason
                self._count(event)
            case "message_stop":
                self.ended = True

    def _block(self, event: Mapping[str, Any]) -> _Block:
        index = as_index(event.get("index"))
        if index not in self.blocks:
            raise MisshapenError("more of what was not begun")
        return self.blocks[index]

    def _count(self, event: Mapping[str, Any]) -> None:
        """Counts of a later event are of the whole so far and take the place of earlier ones."""
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage.update({name: value for name, value in usage.items() if value is not None})


def message_of(body: bytes) -> Mapping[str, Any]:
    """The message of a whole stream; raises ProviderError, InputError or MisshapenError."""
    gathered = _Gathered()
    for event in objects_of(body):
        gathered.add(event)
    if not (gathered.started and gathered.ended and all(block.closed for block in gathered.blocks.values())):
        raise cut_off()
    content = [gathered.blocks[index].whole() for index in sorted(gathered.blocks)]
    return {"type": "message", "content": content, "stop_reason": gathered.stop_reason, "usage": gathered.usage}
