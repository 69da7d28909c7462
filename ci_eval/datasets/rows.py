"""The rows of a dataset: three formats, read strictly, each row with its line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ci_eval.providers.base import Labelled
from ci_eval.reader import Document, read_rows
from ci_eval.snapshot import Snapshot
from ci_eval.text import canonical

Format = Literal["openai", "gemini", "plain"]

READABLE = (".jsonl", ".json", ".csv", ".yaml", ".yml")
"""How the names of files end whose rows can be read."""
_OUTPUT_KEYS = ("output", "expected", "completion", "response", "answer")
_SHAPES = "messages (OpenAI), contents (Gemini), or input and output"
_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Row:
    """One example: the last thing the user says and what is answered."""

    file: str
    line: int
    input: str
    output: str
    digest: str
    """Of the whole row: equal for rows that differ in nothing but the order of their keys."""
    format: Format = "plain"
    value: Mapping[str, Any] | None = None

    def labelled(self) -> Labelled:
        return Labelled(self.input, self.output)


def read(snapshot: Snapshot, path: str) -> tuple[Row, ...]:
    """The rows of a dataset; raises InputError at the first that has none of the known shapes."""
    return _rows(snapshot.read(path), path)


# Both sides of a pull request, and all that is told of them, read the same few files: a large one takes seconds.
@lru_cache(maxsize=4)
def _rows(data: bytes, path: str) -> tuple[Row, ...]:
    return tuple(_row(document) for document in read_rows(data, path))


def _row(document: Document) -> Row:
    value = document.value
    if not isinstance(value, dict):
        raise document.error((), "a row that is not an object", f"give it {_SHAPES}")
    found = _in_format(value)
    if found is None:
        raise document.error((), "a row without input and output", f"give it {_SHAPES}")
    kind, (asked, answered) = found
    digest = hashlib.sha256(_sorted(value).encode()).hexdigest()
    return Row(document.file, document.first_line, asked, answered, digest, kind, value)


def is_row(value: dict[str, Any]) -> bool:
    """Whether an object has one of the known shapes."""
    return _in_format(value) is not None


def _in_format(value: dict[str, Any]) -> tuple[Format, tuple[str, str]] | None:
    if pair := _chat(value.get("messages")):
        return "openai", pair
    if pair := _chat(_gemini(value)):
        return "gemini", pair
    return ("plain", pair) if (pair := _plain(value)) else None


def _chat(turns: object) -> tuple[str, str] | None:
    """The last assistant turn of a conversation, and what the user had said before it."""
    if not isinstance(turns, list):
        return None
    asked: str | None = None
    pair: tuple[str, str] | None = None
    for turn in turns:
        said = turn.get("content") if isinstance(turn, dict) else None
        if isinstance(said, str) and turn.get("role") == "user":
            asked = said
        elif isinstance(said, str) and turn.get("role") == "assistant" and asked is not None:
            pair = (asked, said)
    return pair


def _gemini(value: dict[str, Any]) -> list[dict[str, str | None]] | None:
    turns = value.get("contents")
    if not isinstance(turns, list):
        return None
    roles = {"user": "user", "model": "assistant"}
    return [
        {
            "role": roles.get(str(turn.get("role"))),
            "content": "".join(str(part.get("text", "")) for part in turn["parts"]),
        }
        for turn in turns
        if isinstance(turn, dict)
        and isinstance(turn.get("parts"), list)
        and all(isinstance(part, dict) for part in turn["parts"])
    ]


def _plain(value: dict[str, Any]) -> tuple[str, str] | None:
    """`input` or `prompt`, or an `instruction` (with the `input` that it speaks of); and an answer."""
    asked = value.get("input", value.get("prompt"))
    if "instruction" in value:
        asked = "\n\n".join(_text(part) for part in (value["instruction"], asked) if part)
    answered = next((value[key] for key in _OUTPUT_KEYS if key in value), None)
    if asked is None or answered is None:
        return None
    return _text(asked), _text(answered)


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)
