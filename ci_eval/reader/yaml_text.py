"""One YAML document: values are built from parser events, so that nothing is expanded before it is checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ci_eval.errors import InputError
from ci_eval.reader.documents import (
    CONFIG_LIMIT,
    MAX_DEPTH,
    MAX_DIGITS,
    Document,
    Path_,
    decode,
    quoted,
    text_lines,
    without_hidden_breaks,
)
from ci_eval.text import JSON

# The core schema of YAML 1.2. The 1.1 rules of most libraries read `on` as true, `1:30` as 90 and `010` as 8.
_NULL = frozenset({"", "~", "null"})
_BOOLEAN = {"true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)


def read_yaml(data: bytes, file: str, *, limit: int = CONFIG_LIMIT) -> Document:
    """One YAML document."""
    text = without_hidden_breaks(decode(data, file, limit=limit), file)
    builder = _YamlBuilder(file, sum(1 for _ in text_lines(text)))
    try:
        events = yaml.parse(text, Loader=yaml.CSafeLoader)
        return Document(file, builder.document(events), 1, builder.lines)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, file) from None
    except yaml.YAMLError as error:
        line = data.count(b"\n", 0, getattr(error, "position", 0)) + 1
        problem = "not YAML: a character that may not stand here"
        raise InputError(problem, remedy="remove it", file=file, line=line) from None


def _not_yaml(error: yaml.MarkedYAMLError, text: str, file: str) -> InputError:
    """The parser's words, and its better line: what was never closed is to be mended where it was opened."""
    unclosed = "scanning" in str(error.context) or "end of stream" in str(error.problem)
    mark = (unclosed and error.context_mark) or error.problem_mark
    lines = text.split("\n")
    number, column = (min(mark.line, len(lines) - 1), mark.column) if mark else (0, 0)
    char = lines[number][column : column + 1]
    problem, remedy = f"not YAML: {error.problem}", "correct the syntax"
    if "cannot start any token" in problem:
        tab = char == "\t"
        problem = "not YAML: a tab" if tab else f"not YAML: a text that starts with {char}"
        remedy = "indent with blanks" if tab else "put it in quotes"
    elif "mapping values" in problem:
        remedy = 'put a text that holds ": " in quotes, or correct the indentation'
    return InputError(problem, remedy=remedy, file=file, line=number + 1)


class _YamlBuilder:
    """Builds plain values from parser events: aliases, tags and duplicates are seen before anything is expanded."""

    def __init__(self, file: str, last_line: int) -> None:
        self.file = file
        self.last_line = max(1, last_line)
        self.lines: dict[Path_, int] = {}

    def document(self, events: Iterator[yaml.Event]) -> JSON:
        value: JSON = None
        seen = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    raise self._error(event, "a second document", "keep one document a file")
            elif isinstance(event, yaml.NodeEvent):
                value = self._node(event, events, ())
        return value

    def _error(self, event: yaml.Event, problem: str, remedy: str) -> InputError:
        return InputError(problem, remedy=remedy, file=self.file, line=self._line(event))

    def _line(self, event: yaml.Event) -> int:
        """Where nothing stands after the last line break, the parser names the line after it."""
        return min(event.start_mark.line + 1, self.last_line) if event.start_mark else 1

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path_) -> JSON:
        self._refuse_cleverness(event, path)
        self.lines.setdefault(path, self._line(event))
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _refuse_cleverness(self, event: yaml.Event, path: Path_) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._error(event, "an anchor or alias (& or *)", "write the value out, or quote it")
        if getattr(event, "tag", None) is not None:
            raise self._error(event, "a tag (!)", "remove it, or quote the value")
        if len(path) > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH}", "flatten it")

    def _sequence(self, events: Iterator[yaml.Event], path: Path_) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path_) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, items, path)
            items[key] = self._node(next(events), events, (*path, key))
        return items

    def _key(self, event: yaml.Event, items: Mapping[str, Any], path: Path_) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key that is not a word", "write a plain key")
        self._refuse_cleverness(event, path)
        key = str(event.value)
        if key == "<<" and event.implicit[0]:
            raise self._error(event, "a merge key (<<)", "write the keys out")
        if key in items:
            raise self._error(event, f"the key {quoted(key)} stands here twice", "keep one of them")
        self.lines[(*path, key)] = self._line(event)
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> JSON:
        word = str(event.value)
        if not event.implicit[0]:
            return word
        if word in _NULL:
            return None
        if word in _BOOLEAN:
            return _BOOLEAN[word]
        if _NOT_FINITE.fullmatch(word):
            raise self._error(event, "a number that is not finite", "write a finite number, or quote the word")
        if len(word) <= MAX_DIGITS and _INTEGER.fullmatch(word):
            return int(word)
        if len(word) <= MAX_DIGITS and FLOAT.fullmatch(word):
            number = float(word)
            if not math.isfinite(number):
                raise self._error(event, "a number too large", "write a smaller number, or quote the word")
            return number
        return word
