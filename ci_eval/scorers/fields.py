"""`fields`: which of the expected fields or entities an answer has, and which it invents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from ci_eval.config import FieldPath as Dotted
from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Comparing, PassAt, Score, Scoring, comparable
from ci_eval.scorers.normalise import Normal, normalised_value
from ci_eval.scorers.overlap import Overlap
from ci_eval.text import JSON, Untrusted, shorten

Item = tuple[str, str]
"""What it is called, empty in a list; and its value, as comparable JSON."""

_NAMED = 5
"""Items that a reason names, of those missed and of those invented."""


class Fields(Comparing):
    """The fields of an object, or the entries of a list, against those expected: each is right, missed or invented."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["fields"]
    key: list[Dotted] = Field(default_factory=list)
    """For a list of objects: the fields that make an entry the same, as in `[type, value]`; by default all of it."""
    ignore: list[Dotted] = Field(default_factory=list)
    """Fields that do not count."""
    normalise: list[Normal] = Field(default_factory=list)
    """Differences between texts that do not count."""
    report: Literal["f1", "precision", "recall"] = "f1"
    """Which of the three is the score; all are told."""
    pass_at: PassAt = 1
    """The least score that passes; 1: all of it, and nothing else."""

    def applies(self, case: Case) -> bool:
        return isinstance(self.expected(case), dict | list)

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        got = answer.json if self.field is None else answer.field(self.field)
        if got is MISSING:
            return self.nothing()
        given, wanted = Counter(self._items(got)), Counter(self._items(self.expected(case)))
        parts = Overlap.of(given.elements(), wanted.elements()).parts()
        value = parts[self.report]
        return Score(value, value >= self.pass_at, _reason(given, wanted), parts)

    def _items(self, value: JSON) -> Iterator[Item]:
        if isinstance(value, list):
            yield from (("", comparable(self._entry(normalised_value(entry, self.normalise)))) for entry in value)
        else:
            yield from (
                (path, comparable(normalised_value(leaf, self.normalise))) for path, leaf in self._leaves(value)
            )

    def _entry(self, entry: JSON) -> JSON:
        """What makes an entry the same as another: of an object, the fields that count."""
        if not isinstance(entry, dict):
            return entry
        found: dict[str, list[JSON]] = {}
        for path, leaf in self._leaves(entry):
            if not self.key or _within(path, self.key):
                found.setdefault(path, []).append(leaf)
        return {
            path: sorted(leaves, key=comparable) if len(leaves) > 1 else leaves[0] for path, leaves in found.items()
        }

    def _leaves(self, value: JSON) -> Iterator[tuple[str, JSON]]:
        return ((path, leaf) for path, leaf in _leaves(value) if not _within(path, self.ignore))


def _within(path: str, names: Iterable[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, JSON]]:
    """The values of an object with the paths of their fields. Null is a field that is not there."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from [(path, item)] if isinstance(item, dict | list) else _leaves(item, path)
    elif value is not None:
        yield path, value


def _reason(given: Counter[Item], wanted: Counter[Item]) -> Untrusted:
    if not given and not wanted:
        return Untrusted("nothing was to be found, and nothing was")
    invented, missed = (given - wanted).elements(), (wanted - given).elements()
    parts = [_named("invented", invented), _named("missed", missed)]
    return Untrusted("; ".join(filter(None, parts)) or "all found, and nothing else")


def _named(word: str, items: Iterable[Item]) -> str:
    found = [shorten(f"{name} {value}".strip(), 100) for name, value in items]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{word} {', '.join(found[:_NAMED])}{more}" if found else ""
