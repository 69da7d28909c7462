"""The one door to files, and the one reader of YAML, JSON and JSONL.

Strict on purpose: what a person skims in review and what the program acts on must be the same thing. So no duplicate
keys, no aliases or merge keys, no NaN, no number that a second parser would read otherwise, and caps on size and
depth. Whatever is wrong is an InputError that names file, line and remedy.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from ci_eval.errors import InputError, UsageError
from ci_eval.text import JSON, shorten

KIB = 1024
MIB = 1024 * KIB
CONFIG_LIMIT = 256 * KIB
ROW_LIMIT = MIB
FILE_LIMIT = 64 * MIB
_ROWS_LIMIT = 4 * MIB  # of rows in one YAML or JSON value, where every line is remembered; JSONL may be larger
MAX_DEPTH = 50
_MAX_DIGITS = 100

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """Plain values out of a file, and the line on which each of them stands."""

    file: str
    value: JSON
    first_line: int = 1
    lines: Mapping[Path_, int] = field(default_factory=dict)

    def line(self, path: Path_) -> int:
        """The line of a value, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return self.first_line

    def error(self, path: Path_, problem: str, remedy: str) -> InputError:
        return InputError(problem, remedy=remedy, file=self.file, line=self.line(path))


# --- text -------------------------------------------------------------------------------------------------------------


def decode(data: bytes, file: str, *, limit: int = FILE_LIMIT) -> str:
    """Strict UTF-8 without a byte-order mark, at most `limit` bytes."""
    if len(data) > limit:
        raise InputError(f"larger than {limit // KIB} KiB", remedy="split it or make it smaller", file=file)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8", remedy="save the file as UTF-8", file=file, line=line) from None
    if text.startswith("\ufeff"):
        raise InputError("starts with a byte-order mark", remedy="save as UTF-8 without BOM", file=file, line=1)
    return text


def text_lines(text: str) -> list[str]:
    r"""Lines ended by \n only: `splitlines` would also split on U+2028, inside a JSON string."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


# What ends a line to a parser, and to no editor or review page: a key could hide behind it at the end of a comment.
_HIDDEN_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


def _without_hidden_breaks(text: str, file: str) -> str:
    found = _HIDDEN_BREAK.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        problem = f"a line break that is not seen (U+{ord(found.group()):04X})"
        raise InputError(problem, remedy="end lines with LF or CRLF", file=file, line=line)
    return text


# --- YAML -------------------------------------------------------------------------------------------------------------

# The core schema of YAML 1.2. The 1.1 rules of most libraries read `on` as true, `1:30` as 90 and `010` as 8.
_NULL = frozenset({"", "~", "null"})
_BOOLEAN = {"true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)


def read_yaml(data: bytes, file: str, *, limit: int = CONFIG_LIMIT) -> Document:
    """One YAML document."""
    text = _without_hidden_breaks(decode(data, file, limit=limit), file)
    builder = _YamlBuilder(file, len(text_lines(text)))
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
            raise self._error(event, f"the key {_quoted(key)} stands here twice", "keep one of them")
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
        if len(word) <= _MAX_DIGITS and _INTEGER.fullmatch(word):
            return int(word)
        if len(word) <= _MAX_DIGITS and _FLOAT.fullmatch(word):
            number = float(word)
            if not math.isfinite(number):
                raise self._error(event, "a number too large", "write a smaller number, or quote the word")
            return number
        return word


# --- JSON -------------------------------------------------------------------------------------------------------------


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
            raise _Refused(f"the key {_quoted(key)} stands here twice", "keep one of them", key, is_key=True)
        found[key] = value
    return found


def _no_constant(word: str) -> float:
    raise _Refused(f"{word} is not a number in JSON", "write a finite number or null", word)


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise _Refused("a number too large", "write a finite number", word)
    return number


def _integer(word: str) -> int:
    if len(word) > _MAX_DIGITS:
        raise _Refused(f"a number of more than {_MAX_DIGITS} digits", "write it as text", word)
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


def _quoted(word: str) -> str:
    return f'"{shorten(word, 80)}"'


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
    documents = []
    for number, line in enumerate(text_lines(decode(data, file, limit=limit)), start=1):
        if line.strip(" \t\r"):
            if len(line) > ROW_LIMIT:
                raise InputError("a row of more than 1 MiB", remedy="shorten it", file=file, line=number)
            documents.append(Document(file, parse_json(line, file, first_line=number), number))
    return documents


# --- any of them ------------------------------------------------------------------------------------------------------


def read_document(data: bytes, file: str, *, limit: int = CONFIG_LIMIT) -> Document:
    """YAML or JSON, by the file's name."""
    return read_json(data, file, limit=limit) if file.endswith(".json") else read_yaml(data, file, limit=limit)


def read_rows(data: bytes, file: str) -> list[Document]:
    """The rows of a JSONL, JSON, YAML or CSV file, each with its line."""
    if file.endswith((".yaml", ".yml", ".json")):
        return _rows_of(read_document(data, file, limit=_ROWS_LIMIT))
    if file.endswith(".csv"):
        return list(_read_csv(data, file))
    return read_jsonl(data, file)


def _rows_of(document: Document) -> list[Document]:
    if not isinstance(document.value, list):
        raise document.error((), "not a list of rows", "write a list, one item a row")
    lines: dict[str | int, dict[Path_, int]] = defaultdict(dict)
    for path, line in document.lines.items():
        if path:
            lines[path[0]][path[1:]] = line
    return [
        Document(document.file, value, document.line((index,)), lines[index])
        for index, value in enumerate(document.value)
    ]


def _read_csv(data: bytes, file: str) -> Iterator[Document]:
    """A cell that starts with { or [ is JSON; an empty cell is not there."""
    text = _without_hidden_breaks(decode(data.removeprefix(b"\xef\xbb\xbf"), file), file)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        names = next(rows, [])
        if len(set(names)) != len(names) or (names and not all(names)):
            raise InputError("two columns of one name, or one without", remedy="name each once", file=file, line=1)
        line = rows.line_num + 1
        for cells in rows:
            if cells and len(cells) != len(names):
                raise InputError("more or fewer cells than columns", remedy="quote the commas", file=file, line=line)
            if cells:
                row = {name: _csv_cell(cell, file, line) for name, cell in zip(names, cells, strict=True) if cell}
                yield Document(file, row, line)
            line = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"not CSV: {error}", remedy="correct the quoting", file=file, line=line) from None


def _csv_cell(text: str, file: str, line: int) -> JSON:
    return parse_json(text, file, first_line=line) if text[:1] in {"{", "["} else text


# --- models -----------------------------------------------------------------------------------------------------------


class Strict(BaseModel):
    """A model that takes exactly its own keys and types."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True, populate_by_name=False
    )

    @model_validator(mode="before")
    @classmethod
    def _name_the_unknown_key(cls, data: object) -> object:
        known = [info.alias or name for name, info in cls.model_fields.items()]
        for key in data if isinstance(data, dict) else ():
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
                remedy = f'write "{near[0]}"' if near else f"remove it; known are {', '.join(known)}"
                raise PydanticCustomError("unknown_key", "unknown key", {"key": str(key), "remedy": remedy})
        return data


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: Document) -> Model:
    """The document as a model; raises InputError for the first thing that is wrong."""
    value = document.value
    if not isinstance(value, dict):
        raise document.error((), "not a mapping of keys to values", "write key: value pairs")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = _most_telling(error.errors(include_url=False, include_input=False), value)
    except RecursionError:
        raise document.error((), "nested too deeply", "flatten it") from None
    raise _as_input_error(details, document)


_KINDS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "none_required": "null",
    "string_type": "text",
}
_LIMITS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
    "string_pattern_mismatch": ("must match", "pattern"),
    "string_too_long": ("has more characters than", "max_length"),
    "string_too_short": ("has fewer characters than", "min_length"),
    "too_long": ("has more entries than", "max_length"),
    "too_short": ("has fewer entries than", "min_length"),
}


def _most_telling(errors: Sequence[ErrorDetails], value: JSON) -> ErrorDetails:
    """The first error; where several types are allowed, that of the type which was meant, or one that names them all.

    Of `golden: text | list[text]` pydantic says for `[1]` that the list is no text, and then that 1 is none.
    """
    first = errors[0]
    path = _path_in(value, first["loc"])
    same_place = [error for error in errors if _path_in(value, error["loc"])[: len(path)] == path]
    if not _words(first):
        return first
    meant = [error for error in same_place if not _words(error) or len(_path_in(value, error["loc"])) > len(path)]
    if meant:
        return _most_telling(meant, value)
    words = dict.fromkeys(_words(error) for error in same_place)
    if "a number" in words:
        words.pop("a whole number", None)
    return {**first, "type": "kind", "ctx": {"words": " or ".join(words)}}


def _words(error: ErrorDetails) -> str:
    """What was expected; empty where something of the right type is wrong."""
    return str(error["ctx"]["expected"]) if error["type"] == "literal_error" else _KINDS.get(error["type"], "")


def _as_input_error(details: ErrorDetails, document: Document) -> InputError:
    path = _path_in(document.value, details["loc"])
    context = details.get("ctx", {})
    name = ".".join(str(part) for part in path)
    if details["type"] == "unknown_key":
        problem = f"unknown key {_quoted(context['key'])}" + (f" in {name}" if name else "")
        return document.error((*path, context["key"]), problem, context["remedy"])
    if details["type"] == "missing":
        key = details["loc"][-1]
        problem, remedy = f'"{key}" is missing', f'add "{key}"'
    else:
        problem, remedy = _problem(details, context, _value_at(document.value, path))
    return document.error(path, f"{name}: {problem}" if name else problem, remedy)


def _problem(details: ErrorDetails, context: Mapping[str, Any], value: object) -> tuple[str, str]:
    if details["type"] == "kind":
        return f"must be {context['words']}", _remedy(context["words"], value)
    if details["type"] in _LIMITS:
        words, limit = _LIMITS[details["type"]]
        if context[limit] == 1 and "fewer" in words:
            return "is empty", "write a value"
        return f"{words} {context[limit]}", "correct the value"
    return details["msg"][:1].lower() + details["msg"][1:], str(context.get("remedy", "correct the value"))


def _remedy(words: str, value: object) -> str:
    if value is None:
        return "write a value"
    if words == "text" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if words.endswith("number") and isinstance(value, str) and _FLOAT.fullmatch(value):
        return "write it without quotes"
    return _EXAMPLES.get(words, "correct the value")


_EXAMPLES = {
    "a list": "write [one, another], or one item a line after a dash",
    "a mapping": "write key: value pairs",
}


def _value_at(value: Any, path: Path_) -> object:
    for part in path:
        value = value[part]
    return value


def _path_in(value: object, location: Iterable[str | int]) -> Path_:
    """The part of pydantic's location that the file knows: it also names union branches and missing keys."""
    path: list[str | int] = []
    for part in location:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]  # type: ignore[index]
            path.append(part)
    return tuple(path)


def wrong(problem: str, remedy: str) -> PydanticCustomError:
    """What a validator raises: `validate` adds file and line."""
    return PydanticCustomError("refused", "{problem}", {"problem": problem, "remedy": remedy})


# --- files ------------------------------------------------------------------------------------------------------------


def read_file(path: Path, *, limit: int = FILE_LIMIT) -> bytes:
    """A regular file that the user or the runner named; never a path out of a pull request."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the path", file=str(path)) from None
    if len(data) > limit:
        raise InputError(f"larger than {limit // MIB} MiB", remedy="make it smaller", file=str(path))
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file or none of it: a reader never sees half, and a link is replaced, not followed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); name a folder that you may write to") from None


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file that somebody else made (the runner's output and summary files)."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
