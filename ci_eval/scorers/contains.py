"""`contains`: the answer holds some words, and not others."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ci_eval.golden.cases import Case
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Comparing, Score, Scoring, as_text, binary
from ci_eval.scorers.normalise import Normal, normalised

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Contains(Comparing):
    """All of `all`, `at_least` so many of `any`, none of `none`; without any of them, the case's `expected` text."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["contains"]
    all: list[Text] = Field(default_factory=list)
    """Each has to be there."""
    any: list[Text] = Field(default_factory=list)
    """`at_least` so many of them have to be there."""
    none: list[Text] = Field(default_factory=list)
    """None of them may be there."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """How many of `any` there have to be."""
    normalise: list[Normal] = Field(default=["case"])
    """Differences that do not count; `[]`: the words as they are written."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Contains:
        for key in ("all", "any", "none"):
            words = getattr(self, key)
            if key in self.model_fields_set and not words:
                raise wrong(f'"{key}" is empty, which accepts everything', "list words, or remove it")
            if not all(self._folded(word).strip() for word in words):
                raise wrong(f'a word in "{key}" of which "normalise" leaves nothing', "write letters or digits")
        if self.at_least > max(1, len(self.any)):
            raise wrong('"at_least" is more than there are words in "any"', 'lower it, or list more in "any"')
        return self

    def applies(self, case: Case) -> bool:
        return bool(self.all or self.any or self.none) or self._wanted(case) != []

    def ready(self) -> Scoring:
        return self._score

    def _wanted(self, case: Case) -> list[str]:
        if self.all or self.any or self.none:
            return self.all
        expected: Any = self.expected(case)
        values = expected if isinstance(expected, list) else [expected]
        texts = (as_text(value) for value in values if isinstance(value, str | int | float))
        return [text for text in texts if self._folded(text).strip()]

    def _score(self, answer: Answer, case: Case) -> Score:
        got = answer.field(self.field)
        if got is MISSING:
            return self.nothing()
        text = self._folded(as_text(got))
        missing = [word for word in self._wanted(case) if self._folded(word) not in text]
        if missing:
            return binary(False, f"does not say {missing[0]}")
        found = [word for word in self.any if self._folded(word) in text]
        if self.any and len(found) < self.at_least:
            said = f"only {len(found)}" if found else "none"
            return binary(False, f"says {said} of {', '.join(self.any)}")
        wrong_words = [word for word in self.none if self._folded(word) in text]
        return binary(not wrong_words, f"says {wrong_words[0]}" if wrong_words else "says what it should")

    def _folded(self, text: str) -> str:
        return normalised(text, self.normalise)
