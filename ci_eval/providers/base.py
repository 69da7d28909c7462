"""The interface of providers: requests in, replies, usage and errors out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

from ci_eval.deadline import Deadline
from ci_eval.text import Untrusted

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "refusal"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as it is sent to a model."""

    role: Role
    content: str


@dataclass(frozen=True)
class Labelled:
    """A training row: what a customer wrote and the JSON text that answers it."""

    input: str
    output: str


@dataclass(frozen=True)
class Request:
    """Everything that decides an answer but the repeat number: equal digests are equal by definition."""

    provider: str
    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    train: tuple[Labelled, ...] = ()
    train_digest: str = ""
    body: Mapping[str, Any] | None = None
    """What a service or program of the user's is handed, as JSON; None for a model."""

    @property
    def system(self) -> str:
        """What its system messages say."""
        return "\n".join(message.content for message in self.messages if message.role == "system")

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex over provider, model, messages, parameters and training rows."""
        inputs = {
            "provider": self.provider,
            "model": self.model,
            "messages": [[message.role, message.content] for message in self.messages],
            "parameters": dict(self.parameters),
            "train": self.train_digest,
            **({"body": self.body} if self.body is not None else {}),
        }
        # Not canonical: the order of keys reaches the wire, and of a response format's properties also the answer.
        return hashlib.sha256(json.dumps(inputs, allow_nan=False).encode()).hexdigest()


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer, as the provider counted them; None where it did not say."""

    tokens_in: int | None = None
    """Of the whole request, cached ones among them."""
    tokens_out: int | None = None
    """Of the whole answer, reasoning among them."""
    tokens_cached: int | None = None
    """Of those in, read from the provider's cache."""
    tokens_reasoning: int | None = None
    """Of those out."""


@dataclass(frozen=True)
class ToolCall:
    """A tool that a model asks for. Both are the model's words: a name that nobody offered, JSON that is none."""

    name: Untrusted
    arguments: Untrusted
    """JSON text as the model wrote it."""


@dataclass(frozen=True)
class Reply:
    """What a model answered. `refusal` is the provider's own word, not a judgement of the text.

    An answer that is only tool calls has an empty text.
    """

    text: Untrusted
    finish: Finish
    usage: Usage = Usage()
    tool_calls: tuple[ToolCall, ...] = ()
    cached_at: str | None = None
    """When the model gave it, for an answer out of the response cache; None: just now."""
    steps: tuple[Untrusted, ...] = ()
    """How a pipeline or agent came to its answer: JSON objects, in their order."""
    seconds: float | None = None
    """How long the answer took, without waiting for the server's limits; None: as long as asking took."""


class ProviderError(Exception):
    """No answer. `cause` is in our own words: a provider's error text may echo a key and is never shown.

    `about_request`: the provider refused this request for what it is (too long, a parameter rejected). That is the
    candidate's doing and a failed case where base answered; anything else is infrastructure.
    """

    def __init__(self, cause: str, *, about_request: bool = False) -> None:
        self.cause = cause
        self.about_request = about_request
        super().__init__(cause)


class Provider(Protocol):
    """A way to reach a model. Safe to call from several threads at once."""

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        """Answer one request; raises ProviderError."""

    def is_deterministic(self, request: Request) -> bool:
        """Whether asking again could only give the same answer: then nobody asks again."""
