"""What a provider would refuse about a row that can be read: a fine-tune that fails after an hour could fail here.

The rules are those of OpenAI's guide to the chat format and of Gemini's to supervised tuning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ci_eval.datasets.rows import Format, Row

_OPENAI_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_OPENAI_KEYS = frozenset({"messages", "tools", "parallel_tool_calls", "functions", "metadata"})
_GEMINI_ROLES = frozenset({"user", "model"})


class Refused(NamedTuple):
    """A row that a provider would not take."""

    file: str
    line: int
    why: str
    """In our own words."""


def refused(rows: Iterable[Row]) -> list[Refused]:
    """Rows that would be refused, in the order of the files; the first reason of each."""
    given = list(rows)
    main = dict(_main_formats(given))
    return [Refused(row.file, row.line, why) for row in given if (why := _why(row, main[row.file]))]


def _main_formats(rows: Sequence[Row]) -> Iterator[tuple[str, Format]]:
    for file in dict.fromkeys(row.file for row in rows):
        yield file, Counter(row.format for row in rows if row.file == file).most_common(1)[0][0]


def _why(row: Row, main: Format) -> str | None:
    if row.format != main:
        return f"it is {row.format} where the rest of the file is {main}"
    if row.value is None:
        return None
    if row.format == "openai":
        return next(_openai(row.value), None)
    return next(_gemini(row.value), None) if row.format == "gemini" else _plain(row)


def _plain(row: Row) -> str | None:
    return "nothing is asked or answered" if not (row.input.strip() and row.output.strip()) else None


def _openai(value: Mapping[str, Any]) -> Iterator[str]:
    turns = value["messages"]
    if odd := sorted(value.keys() - _OPENAI_KEYS):
        yield f"the chat format has no key of this name ({len(odd)} such)"
    for number, turn in enumerate(turns, start=1):
        yield from (f"message {number}: {why}" for why in _openai_turn(turn))
    if turns[-1].get("role") != "assistant":
        yield "the last message is not the assistant's"


def _openai_turn(turn: object) -> Iterator[str]:
    if not isinstance(turn, dict):
        yield "it is no object"
        return
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str) or role not in _OPENAI_ROLES:
        yield "it has no role that there is"
    elif content is None and not (role == "assistant" and (turn.get("tool_calls") or turn.get("function_call"))):
        yield "it has no content"
    elif content is not None and not isinstance(content, str | list):
        yield "its content is neither text nor a list of parts"
    elif isinstance(content, str) and not content.strip():
        yield "its content is empty"
    if turn.get("weight", 1) not in (0, 1) or ("weight" in turn and role != "assistant"):
        yield "a weight is 0 or 1, and of the assistant's messages alone"


def _gemini(value: Mapping[str, Any]) -> Iterator[str]:
    turns = value["contents"]
    for number, turn in enumerate(turns, start=1):
        role = turn.get("role") if isinstance(turn, dict) else None
        if not isinstance(role, str) or role not in _GEMINI_ROLES:
            yield f"turn {number}: its role is neither user nor model"
        elif not isinstance(turn.get("parts"), list) or not turn["parts"]:
            yield f"turn {number}: it has no parts"
    if turns[-1].get("role") != "model":
        yield "the last turn is not the model's"
