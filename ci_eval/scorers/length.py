"""`length`: the answer is neither too short nor too long."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ci_eval.golden.cases import Case
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Score, Scoring, as_text, binary
from ci_eval.scorers.references import WithReferences

Number = Annotated[int, Field(ge=0, le=1_000_000)]
Ratio = Annotated[int | float, Field(gt=0, le=1000)]
Unit = Literal["characters", "words", "sentences"]

_WORD = re.compile(r"\w+(?:['\u2019.,:-]\w+)*")
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\n]+")


def _sentences(text: str) -> int:
    parts = _SENTENCE_END.split(_WORD.sub("w", text))  # so that the point in 3.5 ends nothing
    return sum(1 for part in parts if "w" in part)


COUNT: Mapping[Unit, Callable[[str], int]] = {
    "characters": lambda text: len(text.strip()),
    "words": lambda text: sum(1 for _ in _WORD.finditer(text)),
    "sentences": _sentences,
}


class Length(WithReferences):
    """The number of characters, words or sentences, or its ratio to that of an expected text (of several, of any)."""

    default_dimension: ClassVar[str] = "format"
    type: Literal["length"]
    unit: Unit = "words"
    """Words are told apart by blanks and signs: where they are not, as in Chinese, write `characters`."""
    min: Number | None = None
    """The least length."""
    max: Number | None = None
    """The greatest length."""
    min_ratio: Ratio | None = None
    """The least length, as a multiple of the expected text's."""
    max_ratio: Ratio | None = None
    """The greatest length, as a multiple of the expected text's."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Length:
        if not self._absolute and not self._relative:
            raise wrong("a length without limits", "write min, max, min_ratio or max_ratio")
        for low, high in ((self.min, self.max), (self.min_ratio, self.max_ratio)):
            if low is not None and high is not None and low > high:
                raise wrong("a least length above the greatest", "swap them")
        return self

    @property
    def _absolute(self) -> bool:
        return self.min is not None or self.max is not None

    @property
    def _relative(self) -> bool:
        return self.min_ratio is not None or self.max_ratio is not None

    def applies(self, case: Case) -> bool:
        return not self._relative or bool(self.references(case))

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        got = answer.field(self.field)
        if got is MISSING:
            return self.nothing()
        count = COUNT[self.unit]
        size = count(as_text(got))
        if not _within(size, self.min, self.max):
            return binary(False, f"{size} {self.unit}, {_limits(self.min, self.max)}")
        if not self._relative:
            return binary(True, f"{size} {self.unit}")
        ratios = [size / max(1, count(text)) for text in self.references(case)]
        right = any(_within(ratio, self.min_ratio, self.max_ratio) for ratio in ratios)
        said = ", ".join(f"{ratio:.2f}" for ratio in ratios[:5])
        limits = "" if right else f", {_limits(self.min_ratio, self.max_ratio)}"
        return binary(right, f"{size} {self.unit}, {said} of what is expected{limits}")


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _limits(low: float | None, high: float | None) -> str:
    asked = [f"at least {low}" if low is not None else "", f"at most {high}" if high is not None else ""]
    return f"and should be {' and '.join(filter(None, asked))}"
