"""Strict JSON and JSON lines."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ci_eval.errors import InputError
from ci_eval.reader.documents import (
    CONFIG_LIMIT,
    FILE_LIMIT,
    MAX_DEPTH,
    MAX_DIGITS,
    ROW_LIMIT,
    Document,
    Path_,
    decode,
    quoted,
    text_lines,
)
from ci_eval.text import JSON

Refused = Callable[[InputError], None]


class _Refused(ValueError):
    """Raised inside the JSON parser, where the line is not known yet. `word` is the key or number to look for."""

    def __init__(self, problem: str, remedy: str, word: str, *, is_key: bool = False) -> None:
        self.problem = problem
        self.remedy = remedy
        self.word = word
        self.is_key = is_key
        super().__init__(problem)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Refused(f"the key {quoted(key)} stands here twice", "keep one of them", key, is_key=True)
        found[sys.intern(key)] = value  # rows share their keys
    return found


def _no_constant(word: str) -> float:
    raise _Refused(f"{word} is not a number in JSON", "write a finite number or null", word)


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise _Refused("a number too large", "write a finite number", word)
    return number


def _integer(word: str) -> int:
    if len(word) > MAX_DIGITS:
        raise _Refused(f"a number of more than {MAX_DIGITS} digits", "write it as text", word)
    return int(word)


def _depth_within(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit + 1):
        level = [
            item
            for container in level
            if isinstance(container, dict | list)
            for item in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return True
    return False


def parse_json(text: str, file: str = "", *, first_line: int = 1, mend: bool = False) -> JSON:
    """Strict JSON from text; raises InputError. `mend` replaces half of a surrogate pair instead of refusing it."""
    try:
        value: JSON = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except _Refused as refused:
        line = _line_of_refused(text, first_line, refused)
        raise InputError(refused.problem, remedy=refused.remedy, file=file, line=line) from None
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        remedy = f"correct the syntax at column {error.colno}"
        raise InputError(f"not JSON: {error.msg}", remedy=remedy, file=file, line=line) from None
    except RecursionError:
        raise _too_deep(text, file, first_line) from None
    if not _depth_within(value, MAX_DEPTH):
        raise _too_deep(text, file, first_line)
    if "\\u" in text and not _is_encodable(value):
        if mend:
            return parse_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode())
        line = _line_of_half(text, first_line)
        raise InputError("half of a surrogate pair", remedy="write the whole character", file=file, line=line)
    return value


def parse_reply(body: bytes) -> JSON:
    """Strict JSON from a server; half of a surrogate pair, where a model was cut off, becomes `?`."""
    return parse_json(decode(body, ""), mend=True)


def _is_encodable(value: JSON) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


# --- the line of everything in a JSON text ----------------------------------------------------------------------------

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class _Place(NamedTuple):
    """A key or a value in a JSON text: its path, its line, and how it is written."""

    path: Path_
    line: int
    mark: str
    is_key: bool


def _places(text: str, first_line: int) -> Iterator[_Place]:
    """Every key and value, in order. The text may be broken after the place that the caller looks for."""
    path: list[str | int] = []
    line, at, previous = first_line, 0, ""
    for match in _TOKEN.finditer(text):
        mark = match.group()
        line += text.count("\n", at, match.start())
        at = match.start()
        if mark in {"]", "}"}:
            path.pop()
        elif mark == "," and isinstance(path[-1], int):
            path[-1] += 1
        elif mark not in {",", ":"}:
            is_key = previous in {"{", ","} and isinstance(path[-1], str)
            if is_key:
                path[-1] = json.loads(mark)
            yield _Place(tuple(path), line, mark, is_key)
            if mark in {"[", "{"}:
                path.append(0 if mark == "[" else "")
        previous = mark


def _json_lines(text: str, first_line: int) -> dict[Path_, int]:
    """The line of every value of a text that is known to be JSON; in an object, the line of its key."""
    lines: dict[Path_, int] = {}
    for place in _places(text, first_line):
        lines.setdefault(place.path, place.line)
    return lines


def _line_of_refused(text: str, first_line: int, refused: _Refused) -> int:
    """Where a number stands, or the second of two equal keys: that is the one to remove."""
    seen: set[Path_] = set()
    for place in _places(text, first_line):
        if not refused.is_key and not place.is_key and place.mark.startswith(refused.word):
            return place.line
        if refused.is_key and place.is_key and place.path[-1] == refused.word:
            if place.path in seen:
                return place.line
            seen.add(place.path)
    return first_line


def _line_of_half(text: str, first_line: int) -> int:
    halves = (
        place.line
        for place in _places(text, first_line)
        if place.mark[0] == '"' and not _is_encodable(json.loads(place.mark))
    )
    return next(halves, first_line)


def _too_deep(text: str, file: str, first_line: int) -> InputError:
    deep = (place.line for place in _places(text, first_line) if len(place.path) > MAX_DEPTH)
    line = next(deep, first_line)
    return InputError(f"nested deeper than {MAX_DEPTH}", remedy="flatten it", file=file, line=line)


def read_json(data: bytes, file: str, *, limit: int = CONFIG_LIMIT) -> Document:
    """One JSON document."""
    text = decode(data, file, limit=limit)
    return Document(file, parse_json(text, file), 1, _json_lines(text, 1))


def read_jsonl(data: bytes, file: str, *, limit: int = FILE_LIMIT) -> list[Document]:
    """One document a line; blank lines are passed over."""
    return list(each_json_line(data, file, limit=limit))


def each_json_line(
    data: bytes, file: str, *, limit: int = FILE_LIMIT, refused: Refused | None = None
) -> Iterator[Document]:
    """The same one by one. With `refused`, a line that is wrong is handed to it, and the next one is read."""
    for number, line in enumerate(text_lines(decode(data, file, limit=limit)), start=1):
        if line.strip(" \t\r"):
            try:
                found = _json_line(line, file, number)
            except InputError as error:
                if refused is None:
                    raise
                refused(error)
            else:
                yield found


def _json_line(line: str, file: str, number: int) -> Document:
    if len(line) > ROW_LIMIT:
        raise InputError("a row of more than 1 MiB", remedy="shorten it", file=file, line=number)
    return Document(file, parse_json(line, file, first_line=number), number)
