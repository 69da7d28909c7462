"""`.prompt.yml`, the prompt files of GitHub Models.

The format: https://docs.github.com/github-models/use-github-models/storing-prompts-in-github-repositories, and the
types in github/gh-models, pkg/prompt/prompt.go. `testData` and `evaluators` are its own golden set and scorers: a pull
request could change them together with the prompt, so they are known here and have no effect.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from ci_eval.errors import InputError
from ci_eval.reader import MIB, Document, Strict, decode, parse_json, read_yaml, validate
from ci_eval.targets.parameters import translated
from ci_eval.targets.prompt import Prompt, Turn

_NAMES = {
    "temperature": "temperature",
    "maxTokens": "max_tokens",
    "maxCompletionTokens": "max_completion_tokens",
    "topP": "top_p",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop",
}
_BLOCK = re.compile(r":[ \t]*[|>][-+0-9]*[ \t]*(?:#.*)?$")


class _Message(Strict):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class _File(Strict):
    """The whole file."""

    name: str | None = None
    description: str | None = None
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    modelParameters: dict[str, Any] = Field(default_factory=dict)  # noqa: N815 - the format's own name
    responseFormat: Literal["text", "json_object", "json_schema"] | None = None  # noqa: N815
    jsonSchema: str | None = None  # noqa: N815
    messages: Annotated[list[_Message], Field(min_length=1)]
    testData: Any = None  # noqa: N815
    evaluators: Any = None


def read(data: bytes, path: str) -> Prompt:
    """Raises InputError with the line of what is wrong."""
    document = read_yaml(data, path, limit=MIB)
    found = validate(_File, document)
    brings = translated(document, ("modelParameters",), _NAMES, found.model)
    answer = _response_format(found, document)
    if answer:
        lines = {**brings.lines, ("response_format",): document.line(("responseFormat",))}
        brings = replace(brings, value={**cast("dict[str, Any]", brings.value), "response_format": answer}, lines=lines)
    texts = decode(data, path).split("\n")
    turns = tuple(
        Turn(message.role, message.content, _first_line(texts, document.line(("messages", number, "content"))))
        for number, message in enumerate(found.messages)
    )
    return Prompt(path, turns, own_messages=True, brings=brings)


def _first_line(lines: list[str], key: int) -> int:
    """A block starts on the line after its key."""
    return key + 1 if _BLOCK.search(lines[key - 1].rstrip("\r")) else key


def _response_format(found: _File, document: Document) -> dict[str, Any] | None:
    if (found.jsonSchema is not None) != (found.responseFormat == "json_schema"):
        raise document.error(
            ("jsonSchema",) if found.jsonSchema is not None else ("responseFormat",),
            "jsonSchema and responseFormat: json_schema stand together or not at all",
            "add the other one, or remove this",
        )
    if found.responseFormat == "json_object":
        return {"type": "json_object"}
    if found.jsonSchema is None:
        return None
    return {"type": "json_schema", "json_schema": _schema(found.jsonSchema, document)}


def _schema(text: str, document: Document) -> dict[str, Any]:
    try:
        schema = parse_json(text, document.file)
    except InputError as error:
        raise document.error(("jsonSchema",), f"jsonSchema: {error.problem}", error.remedy) from None
    if not isinstance(schema, dict) or not isinstance(schema.get("name"), str) or "schema" not in schema:
        raise document.error(
            ("jsonSchema",),
            "jsonSchema has no name or no schema",
            'write {"name": "...", "strict": true, "schema": {...}}',
        )
    return schema
