"""With which parameters a judge is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ci_eval.reader import Strict

_MAX_TOKENS, _MAX_TOKENS_WITH_THOUGHTS = 2000, 8000
# OpenAI's models that think: they refuse a temperature, and want their limit by another name.
_THINKS = re.compile(r"(openai/)?(o[1-9]|gpt-[5-9])")
# Anthropic's last models that take a temperature; later ones answer it with an error.
_CLAUDE_WITH_TEMPERATURE = re.compile(r"claude-(3|[a-z]+-4(-[0-6])?(-[0-9]{8})?$)")


class JudgeParameters(Strict):
    """How the judge is asked. Left out: temperature 0, where the model is known to take one."""

    temperature: Annotated[int | float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    top_p: Annotated[int | float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    thinking_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None

    def of(self, model: str, api: str) -> dict[str, Any]:
        """Those of each request to a model, by the api that it is reached through."""
        given = self.model_dump(exclude_none=True)
        thinks = api in {"openai", "azure", "github"} and bool(_THINKS.match(model))
        cool = not thinks and (api != "anthropic" or bool(_CLAUDE_WITH_TEMPERATURE.match(model)))
        if cool and not given.keys() & {"temperature", "reasoning_effort", "thinking_tokens"}:
            given["temperature"] = 0
        if not given.keys() & {"max_tokens", "max_completion_tokens"}:
            limit = _MAX_TOKENS_WITH_THOUGHTS if thinks or "reasoning_effort" in given else _MAX_TOKENS
            limit += given.get("thinking_tokens", 0)
            given["max_completion_tokens" if thinks else "max_tokens"] = limit
        return given


def held_to(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameter by which a reply is held to a JSON Schema."""
    named = {"name": "verdict", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}
