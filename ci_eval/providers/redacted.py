"""A provider whose answers are searched for keys: what a model, a proxy or a service repeats must not spread one.

Run file, cache, baseline, comment and log all come after this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ci_eval.deadline import Deadline
from ci_eval.providers.base import Provider, Reply, Request, ToolCall
from ci_eval.text import JSON, Untrusted

Redact = Callable[[str], str]


@dataclass(frozen=True)
class RedactedProvider:
    """Takes keys out of texts, tool calls and steps."""

    provider: Provider
    redact: Redact

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        reply = self.provider.complete(request, repeat, deadline)
        return replace(
            reply,
            text=Untrusted(self.redact(reply.text.text())),
            tool_calls=tuple(
                ToolCall(Untrusted(self.redact(call.name.text())), Untrusted(self.redact(call.arguments.text())))
                for call in reply.tool_calls
            ),
            steps=tuple(Untrusted(self._value(step.reveal())) for step in reply.steps),
        )

    def is_deterministic(self, request: Request) -> bool:
        return self.provider.is_deterministic(request)

    def _value(self, value: JSON) -> JSON:
        """Every text in a JSON value, keys of objects among them."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(key): self._value(inner) for key, inner in value.items()}
        return [self._value(inner) for inner in value] if isinstance(value, list) else value
