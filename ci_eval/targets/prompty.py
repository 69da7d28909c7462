"""`.prompty`, the prompt files of Microsoft Prompty: YAML front matter, and a body of messages under `role:` lines.

The format: https://www.prompty.ai, both generations (`configuration` and `parameters`, `connection` and `options`),
and the parsers in microsoft/prompty. Its bodies are Jinja or Mustache; only `{{name}}` is filled here, and anything
more is refused: what would be evaluated is not what the product sends. Endpoints and keys in the file have no effect,
because the policy alone says where requests go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from ci_eval.errors import InputError
from ci_eval.providers.base import Role
from ci_eval.reader import MIB, Document, Strict, decode, read_yaml, validate
from ci_eval.targets.parameters import KNOWN, translated
from ci_eval.targets.prompt import VARIABLE, Prompt, Turn

_NAMES = {name: name for name in KNOWN} | {
    "frequencyPenalty": "frequency_penalty",
    "maxOutputTokens": "max_tokens",
    "presencePenalty": "presence_penalty",
    "stopSequences": "stop",
    "topK": "top_k",
    "topP": "top_p",
}
_FENCE = "---"
_ROLE = re.compile(r"#?[ \t]*(system|user|assistant|developer|function|tools?)(\[[^\]]*\])?[ \t]*:", re.IGNORECASE)
_ROLES = frozenset({"system", "user", "assistant"})
_NOT_TEXT = frozenset({"thread", "image", "file", "audio"})
_BEYOND = re.compile(r"\{\{|\{%|\{#|!\[")
_TRIPLE = re.compile(r"\{\{\{")


class _Model(Strict):
    """How the model is asked, in either generation of the format."""

    id: str | None = None
    provider: str | None = None
    api: Literal["chat"] | None = None
    apiType: Literal["chat"] | None = None  # noqa: N815 - the format's own name
    connection: dict[str, Any] = Field(default_factory=dict)
    configuration: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)
    response: Literal["first"] | None = None

    def name(self) -> str | None:
        """The model's own name, or that of its deployment."""
        places = (self.connection, self.configuration)
        given = (place.get(key) for place in places for key in ("azure_deployment", "name"))
        return self.id or next((name for name in given if isinstance(name, str) and name), None)


class _FrontMatter(Strict):
    """What stands between the two `---`. What says nothing of a request is known and has no effect."""

    schema_: Any = Field(None, alias="$schema")
    id: Any = None
    kind: Literal["prompt"] | None = None
    name: Any = None
    displayName: Any = None  # noqa: N815
    description: Any = None
    version: Any = None
    authors: Any = None
    tags: Any = None
    metadata: Any = None
    model: _Model | Annotated[str, Field(min_length=1, max_length=200)] | None = None
    sample: Any = None
    inputs: list[Any] | dict[str, Any] | None = None
    inputSchema: dict[str, Any] | None = None  # noqa: N815
    outputs: Any = None
    outputSchema: Any = None  # noqa: N815
    template: Any = None

    def declared(self) -> dict[str, Any]:
        """The inputs by name, each as the file describes it."""
        given = self.inputs or (self.inputSchema or {}).get("properties") or []
        if isinstance(given, dict):
            return given
        return {str(one.get("name")): one for one in given if isinstance(one, dict)}


def read(data: bytes, path: str) -> Prompt:
    """Raises InputError with the line of what is wrong."""
    lines = decode(data, path, limit=MIB).replace("\r\n", "\n").split("\n")
    _refuse_hidden_breaks(lines, path)
    body = _body(lines, path)
    document = _front_matter(lines[1 : body - 1] if body else [], path)
    front = validate(_FrontMatter, document)
    declared = front.declared()
    _refuse_what_is_no_text(declared, document)
    turns = tuple(_turns(lines[body:], body + 1, path))
    model = front.model if isinstance(front.model, _Model) else _Model(id=front.model)
    return Prompt(
        path,
        turns,
        own_messages=True,
        brings=_brings(model, document),
        defaults=_defaults(declared),
        text_fills=next(iter(declared)) if len(declared) == 1 else "input",
    )


def _body(lines: list[str], path: str) -> int:
    """How many lines come before the body: none without front matter."""
    if lines[0].rstrip() != _FENCE:
        return 0
    ends = (number for number, line in enumerate(lines[1:], start=2) if line.rstrip() == _FENCE)
    end = next(ends, None)
    if end is None:
        raise InputError("front matter without an end", remedy="close it with ---", file=path, line=1)
    return end


def _front_matter(lines: list[str], path: str) -> Document:
    """As YAML, on the lines that it has in the file."""
    document = read_yaml("\n".join(["", *lines]).encode(), path, limit=MIB)
    return Document(path, {}) if document.value is None else document


def _refuse_hidden_breaks(lines: list[str], path: str) -> None:
    """The format's own parser ends lines at more characters than editors do: a `role:` line could hide there."""
    for number, line in enumerate(lines, start=1):
        if line.splitlines() != ([line] if line else []):
            raise InputError(
                "a line break that is not seen", remedy="end lines with LF or CRLF", file=path, line=number
            )


def _brings(model: _Model, document: Document) -> Document:
    if model.parameters and model.options:
        raise document.error(("model", "options"), "both parameters and options", "keep one of them")
    key = "options" if model.options else "parameters"
    return translated(document, ("model", key), _NAMES, _literal(model.name(), document))


def _literal(name: str | None, document: Document) -> str | None:
    if name and "${" in name:
        problem = "the model is named by a variable of the environment, and nothing is looked up there"
        raise document.error(("model",), problem, "write its name")
    return name


def _refuse_what_is_no_text(declared: Mapping[str, Any], document: Document) -> None:
    for name, one in declared.items():
        kind = one.get("kind") if isinstance(one, dict) else None
        if isinstance(kind, str) and kind in _NOT_TEXT:
            where: tuple[str | int, ...] = ("inputs",) if "inputs" in cast("dict[str, Any]", document.value) else ()
            raise document.error(
                where, f'the input "{name}" is of the kind {kind}', "only text and values are filled in"
            )


def _defaults(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one["default"] for name, one in declared.items() if isinstance(one, dict) and "default" in one}


# --- the body ---------------------------------------------------------------------------------------------------------


def _turns(lines: list[str], first_line: int, path: str) -> Iterator[Turn]:
    """The messages; before the first `role:` line, it is the system's."""
    role, start = "system", 0
    for number, line in enumerate([*lines, None]):
        marker = _ROLE.fullmatch(line.strip()) if line is not None else None
        if line is not None and not marker:
            continue
        yield from _turn(role, lines[start:number], first_line + start, path)
        if marker:
            role, start = _role(marker, first_line + number, path), number + 1


def _role(marker: re.Match[str], line: int, path: str) -> str:
    role = marker.group(1).lower()
    if role not in _ROLES or marker.group(2):
        problem = f'a message of "{role}"' if role not in _ROLES else "a message with attributes"
        raise InputError(problem, remedy="write system:, user: or assistant:", file=path, line=line)
    return role


def _turn(role: str, lines: list[str], first_line: int, path: str) -> Iterator[Turn]:
    """A message without the blank lines around it; none where nothing else is."""
    blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    text = "\n".join(lines[blank:]).rstrip()
    if text:
        _refuse_templates(text, first_line + blank, path)
        yield Turn(cast("Role", role), text, first_line + blank)


def _refuse_templates(text: str, first_line: int, path: str) -> None:
    """Jinja, Mustache and images, which the product's own runtime would resolve."""
    plain = VARIABLE.sub(lambda match: " " * len(match.group()), text)
    found = _TRIPLE.search(text) or _BEYOND.search(plain)
    if found:
        line = first_line + plain.count("\n", 0, found.start())
        problem = f"{found.group()} opens something that is not filled in here"
        raise InputError(
            problem, remedy="only {{name}} is; move what decides it into the case's input", file=path, line=line
        )
