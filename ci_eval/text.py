"""`Untrusted`, and the four encoders that make it text.

Whatever a model, a file, a branch or a person wrote is hostile until one of these has encoded it: `fence` for a block
of a markdown comment, `cell` for a word within one, `log` for a line of a terminal or a CI log, `node` for a text in a
tree that a serializer escapes (HTML, XML, JSON). The type is a class, not an alias, because an alias passes the type
checker inside an f-string.
"""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

JSON = str | int | float | bool | None | list[Any] | dict[str, Any]


class Untrusted:
    """A JSON value somebody else wrote. It cannot be formatted; `reveal` is for computing, never for printing."""

    __slots__ = ("_value",)

    def __init__(self, value: JSON) -> None:
        self._value = value

    def reveal(self) -> Any:
        """The bare value. Every call is a place where a reader checks that nothing is printed from it."""
        return self._value

    def text(self) -> str:
        """The value as the text a model would see: a string as it is, anything else as JSON."""
        return self._value if isinstance(self._value, str) else canonical(self._value)

    def __str__(self) -> NoReturn:
        raise TypeError("untrusted text has no str(); send it through text.fence, text.cell, text.log or text.node")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError(
            "untrusted text cannot be formatted; send it through text.fence, text.cell, text.log or text.node"
        )

    def __repr__(self) -> str:
        return f"<Untrusted {type(self._value).__name__}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Untrusted) and self.text() == other.text()

    def __hash__(self) -> int:
        return hash(self.text())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415 - the ground floor imports nothing heavy

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(value),
            json_schema_input_schema=core_schema.any_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(cls.reveal),
        )


def canonical(value: object) -> str:
    """JSON with sorted keys and no spare blanks: the form that is hashed, compared and shown.

    >>> canonical({"b": 1, "a": "é"})
    '{"a":"é","b":1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


Hostile = Untrusted | str

# Longer than any fence GitHub needs; a run beyond it is cut so that one output cannot make every fence endless.
_MAX_BACKTICKS = 8
_LONG_RUN = re.compile(f"`{{{_MAX_BACKTICKS + 1},}}")
_COMMENT_OPEN = re.compile(r"<!--")


# Letters and marks by category that render as nothing: fillers, joiners, variation selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    chr(code) for block in (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0)) for code in block
)


class _Shown(dict[int, str]):
    r"""For `str.translate`: hidden characters as `\u{...}`, all others as they are; each is looked up once."""

    def __init__(self, keep: str = "", also: str = "") -> None:
        super().__init__((ord(char), char) for char in keep)
        self.update((ord(char), _escaped(ord(char))) for char in also)

    def __missing__(self, code: int) -> str:
        self[code] = _escaped(code) if _is_hidden(chr(code)) else chr(code)
        return self[code]


def _escaped(code: int) -> str:
    return f"\\u{{{code:x}}}"


def _is_hidden(char: str) -> bool:
    """Whether what is shown would differ from what is stored: controls, bidi, zero-width, tags, surrogates, private."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or char in _INVISIBLE


class _Visible(dict[int, str | None]):
    """For `str.translate`: hidden characters as none, blanks of all kinds and others as they are."""

    def __missing__(self, code: int) -> str | None:
        self[code] = None if _is_hidden(chr(code)) and not chr(code).isspace() else chr(code)
        return self[code]


_VISIBLE = _Visible()


def visible(value: str) -> str:
    """A text without what does not show in it: zero-width characters, controls, tags, variation selectors."""
    return value.translate(_VISIBLE)


_LINE = _Shown()
_BLOCK = _Shown(keep="\n\t")
_SPAN = _Shown(also="`|")


def _raw(value: Hostile) -> str:
    return value.text() if isinstance(value, Untrusted) else value


def shorten(value: str, limit: int) -> str:
    """At most `limit` characters, saying how many were cut.

    >>> shorten("abcdefgh", 5)
    'abcde… (3 more characters)'
    """
    return value if len(value) <= limit else f"{value[:limit]}… ({len(value) - limit} more characters)"


def _first_lines(value: str, lines: int) -> str:
    parts = value.split("\n")
    more = len(parts) - lines
    return value if more <= 0 else "\n".join([*parts[:lines], f"… ({more} more lines)"])


def fence(value: Hostile, *, limit: int = 4000, lines: int = 100) -> str:
    r"""A code block for a markdown comment, at column 0, that its content cannot leave.

    Hidden characters show as `\u{...}`; runs of more than eight backticks are cut; the info string is always `text`.
    """
    body = _raw(value).replace("\r\n", "\n").translate(_BLOCK)
    body = _COMMENT_OPEN.sub("<!\\\\u{2d}-", body)
    body = _LONG_RUN.sub("`" * _MAX_BACKTICKS, body)
    body = shorten(_first_lines(body, lines), limit)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{body}\n{ticks}"


def cell(value: Hostile, *, limit: int = 200) -> str:
    r"""Inline code for a sentence or a table cell; not for a line of HTML, where markdown is not read.

    A code span, since it alone is never searched for links: GitHub finds the address in `<code>a&#64;b.com</code>`. The
    two characters that could end the span or the table cell, backtick and pipe, show as `\u{60}` and `\u{7c}`.
    """
    body = _COMMENT_OPEN.sub("<!\\\\u{2d}-", shorten(_raw(value).translate(_SPAN), limit))
    # Without the blanks (which are not shown) an empty span would be no span, and "$`" would begin a formula.
    return f"` {body} `" if not body or body[0] in " $" or body[-1] in " $" else f"`{body}`"


# The runner reads `::command::` after leading white space and `##[command]` anywhere in a line.
_RUNNER_COMMAND = re.compile(r"::|##(?=\[)")


def log(value: Hostile, *, limit: int = 500) -> str:
    """One line for a terminal or a CI log: no control characters, no escape sequences, no workflow commands."""
    shown = shorten(_raw(value).translate(_LINE), limit)
    return _RUNNER_COMMAND.sub(lambda match: f"{match.group()[0]}\\u{{{ord(match.group()[1]):x}}}", shown)


def node(value: Hostile, *, limit: int | None = None) -> str:
    r"""Text or an attribute for a tree of HTML or XML, whose serializer does the escaping.

    Hidden characters show as `\u{...}`, so what is left is what XML allows; line ends and tabs stay.
    """
    raw = _raw(value)
    return (raw if limit is None else shorten(raw, limit)).translate(_BLOCK)


_MOST_MARKS = 30
"""On one letter, as in Unicode's stream-safe text: no language needs more, and ordering them takes quadratic time."""


def stream_safe(text: str) -> str:
    """A text that is normalised in linear time: of the marks on one letter, the first thirty."""
    if text.isascii():
        return text
    runs = ("".join(run)[: _MOST_MARKS if marks else None] for marks, run in groupby(text, _is_mark))
    return "".join(runs)


def _is_mark(char: str) -> bool:
    return char > "\u02ff" and unicodedata.combining(char) > 0
