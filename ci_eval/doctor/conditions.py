"""Whether a job's `if:` lets it run on an event, as far as that can be said without running it.

GitHub counts a job that is skipped as a success. So a condition is worked out with what is known of the run, the name
of its event, and everything else in it is unknown: true, false, or perhaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<operator>\|\||&&|==|!=|<=|>=|[!<>(),])|(?P<text>'(?:[^']|'')*')|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:\.(?:[A-Za-z0-9_-]+|\*))*))"
)
_LONGEST = 2000
_DEEPEST = 40
_UNKNOWN = object()
_WORDS = {"true": True, "false": False, "null": None}
_STATUS = frozenset({"always", "success", "failure", "cancelled"})


class _Unclear(Exception):
    """What is written is no expression that is read here."""


def runs(condition: object, event: str, *, after_others: bool, fork: bool | None = None) -> bool | None:
    """Whether a job runs on an event; None: perhaps.

    `after_others`: it needs jobs, any of which may fail. `fork`: whether the pull request comes from one, where that
    is given.
    """
    if condition is None:
        return None if after_others else True
    if isinstance(condition, bool):
        return condition and (None if after_others else True)
    expression = _expression(condition)
    if expression is None:
        return None
    try:
        known = {"github.event_name": event, **_WORDS, **_comes_from(fork)}
        reader = _Reader(list(_tokens(expression)), known, after_others)
        value = reader.whole()
    except _Unclear:
        return None
    if value is _UNKNOWN:
        return None
    # Without a function of status in it GitHub reads `success() && (…)`.
    return None if value and after_others and not reader.asks_status else bool(value)


def _comes_from(fork: bool | None) -> Mapping[str, Any]:
    if fork is None:
        return {}
    return {
        "github.repository": "own",
        "github.event.pull_request.head.repo.full_name": "other" if fork else "own",
        "github.event.pull_request.head.repo.fork": fork,
    }


def _expression(condition: object) -> str | None:
    """The text of a condition without its `${{ }}`, which may be left out; None where it is none."""
    if not isinstance(condition, str) or len(condition) > _LONGEST:
        return None
    text = condition.strip()
    if text.startswith("${{") and text.endswith("}}"):
        text = text[3:-2]
    return None if "${{" in text or "}}" in text else text.strip() or None


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _Unclear
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


@dataclass
class _Reader:
    """Reads and works out in one go; a value is JSON, or `_UNKNOWN`."""

    tokens: list[tuple[str, str]]
    known: Mapping[str, Any]
    after_others: bool
    asks_status: bool = False
    _at: int = 0
    _depth: int = field(default=0, repr=False)

    def whole(self) -> Any:
        value = self._either()
        if self._at != len(self.tokens):
            raise _Unclear
        return value

    def _take(self, *operators: str) -> str | None:
        if self._at < len(self.tokens) and self.tokens[self._at] in {("operator", one) for one in operators}:
            self._at += 1
            return self.tokens[self._at - 1][1]
        return None

    def _either(self) -> Any:
        value = self._both()
        while self._take("||"):
            value = _or(value, self._both())
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._take("&&"):
            value = _and(value, self._compared())
        return value

    def _compared(self) -> Any:
        value = self._negated()
        operator = self._take("==", "!=", "<", ">", "<=", ">=")
        if operator is None:
            return value
        same = _same(value, self._negated())
        if same is _UNKNOWN or operator not in {"==", "!="}:
            return _UNKNOWN
        return same if operator == "==" else not same

    def _negated(self) -> Any:
        if not self._take("!"):
            return self._single()
        value = self._nested(self._negated)
        return value if value is _UNKNOWN else not value

    def _nested(self, read: Any) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Unclear
        value = read()
        self._depth -= 1
        return value

    def _single(self) -> Any:
        if self._take("("):
            value = self._nested(self._either)
            if not self._take(")"):
                raise _Unclear
            return value
        if self._at >= len(self.tokens):
            raise _Unclear
        kind, word = self.tokens[self._at]
        self._at += 1
        if kind == "text":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return float(word)
        if kind != "name":
            raise _Unclear
        return self._called(word.lower()) if self._take("(") else self.known.get(word.lower(), _UNKNOWN)

    def _called(self, name: str) -> Any:
        while not self._take(")"):
            self._nested(self._either)
            if not self._take(",") and self.tokens[self._at : self._at + 1] != [("operator", ")")]:
                raise _Unclear
        self.asks_status |= name in _STATUS
        if name == "always":
            return True
        if name == "cancelled":
            return False
        if name in {"success", "failure"}:
            return _UNKNOWN if self.after_others else name == "success"
        return _UNKNOWN


def _or(one: Any, other: Any) -> Any:
    if one is _UNKNOWN:
        return other if other is not _UNKNOWN and other else _UNKNOWN
    return one or other


def _and(one: Any, other: Any) -> Any:
    if one is _UNKNOWN:
        return _UNKNOWN if other is _UNKNOWN or other else other
    return one and other


def _same(one: Any, other: Any) -> Any:
    """Texts are equal whatever their case; values of two kinds are not compared here."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return one == other if type(one) is type(other) and one is not _UNKNOWN else _UNKNOWN
