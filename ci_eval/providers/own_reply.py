"""The replies of the user's own service or program, read strictly."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ci_eval.errors import InputError
from ci_eval.providers.base import ProviderError, Reply, Usage
from ci_eval.reader import Document, Strict, validate, wrong
from ci_eval.text import JSON, Untrusted

_NO_ANSWER = "an answer that is none: see the docs for its shape"
Tokens = Annotated[int, Field(ge=0, le=1_000_000_000)]


class OwnReply(Strict):
    """One of `output`, `error` and `unavailable`; the rest goes with an output."""

    output: str | dict[str, Any] | list[Any] | None = None
    """The answer: text, or JSON for scorers that look at fields."""
    finish: Literal["stop", "length", "refusal"] = "stop"
    tokens_in: Tokens | None = None
    tokens_out: Tokens | None = None
    steps: list[dict[str, Any]] = Field(default_factory=list)
    """How it came to its answer: tool calls, documents found, whatever is worth keeping."""
    error: Literal[True] | None = None
    """It could not answer this case: a failed case."""
    unavailable: Literal[True] | None = None
    """Something that it needs was not there: no answer, and no score."""

    @model_validator(mode="after")
    def _is_one_of_three(self) -> OwnReply:
        if sum(value is not None for value in (self.output, self.error, self.unavailable)) != 1:
            raise wrong("not one of output, error and unavailable", "answer one of them")
        return self


def to_reply(value: JSON) -> Reply:
    """Raises ProviderError for anything but an output. Its words are ours: a service may echo a key in its own."""
    try:
        found = validate(OwnReply, Document("the answer", value))
    except InputError:
        raise ProviderError(_NO_ANSWER) from None
    if found.error:
        raise ProviderError("the target could not answer this case", about_request=True)
    if found.unavailable:
        raise ProviderError("something that the target needs was not available")
    text = found.output if isinstance(found.output, str) else json.dumps(found.output, ensure_ascii=False)
    usage = Usage(found.tokens_in, found.tokens_out)
    return Reply(Untrusted(text), found.finish, usage, steps=tuple(Untrusted(step) for step in found.steps))
