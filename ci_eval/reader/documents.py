"""Documents: text that was read, and plain values that know their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ci_eval.errors import InputError
from ci_eval.text import JSON, shorten

KIB = 1024
MIB = 1024 * KIB
CONFIG_LIMIT = 256 * KIB
ROW_LIMIT = MIB
FILE_LIMIT = 64 * MIB
ROWS_LIMIT = 4 * MIB  # of rows in one YAML or JSON value, where every line is remembered; JSONL may be larger
MAX_DEPTH = 50
MAX_DIGITS = 100

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
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


def text_lines(text: str) -> Iterator[str]:
    r"""Lines ended by \n only: `splitlines` would also split on U+2028, inside a JSON string."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[at:end]
        at = end + 1


# What ends a line to a parser, and to no editor or review page: a key could hide behind it at the end of a comment.
_HIDDEN_BREAK = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


def without_hidden_breaks(text: str, file: str) -> str:
    found = _HIDDEN_BREAK.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        problem = f"a line break that is not seen (U+{ord(found.group()):04X})"
        raise InputError(problem, remedy="end lines with LF or CRLF", file=file, line=line)
    return text


def quoted(word: str) -> str:
    return f'"{shorten(word, 80)}"'
