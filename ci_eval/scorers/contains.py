"""`contains`: the answer holds some words, and not others."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ci_eval.golden.cases import Case
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Resources, Score, ScorerPolicy, Scoring, as_text, binary

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Contains(ScorerPolicy):
    """All of `all`, at least one of `any`, none of `none`; without any of them, the case's `expected` text."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["contains"]
    all: list[Text] = Field(default_factory=list)
    any: list[Text] = Field(default_factory=list)
    none: list[Text] = Field(default_factory=list)
    ignore_case: bool = True

    @model_validator(mode="after")
    def _not_empty_lists(self) -> Contains:
        for key in ("all", "any", "none"):
            if key in self.model_fields_set and not getattr(self, key):
                raise wrong(f'"{key}" is empty, which accepts everything', "list words, or remove it")
        return self

    def applies(self, case: Case) -> bool:
        return bool(self.all or self.any or self.none) or self._wanted(case) != []

    def bind(self, resources: Resources) -> Scoring:  # noqa: ARG002 - needs none
        return self._score

    def _wanted(self, case: Case) -> list[str]:
        if self.all or self.any or self.none:
            return self.all
        expected: Any = self.expected(case)
        values = expected if isinstance(expected, list) else [expected]
        return [as_text(value) for value in values if isinstance(value, str | int | float) and as_text(value).strip()]

    def _score(self, answer: Answer, case: Case) -> Score:
        got = answer.field(self.field)
        if got is MISSING:
            return binary(False, f"no {self.field} in the answer")
        text = self._folded(as_text(got))
        missing = [word for word in self._wanted(case) if self._folded(word) not in text]
        if missing:
            return binary(False, f"does not say {missing[0]}")
        if self.any and not any(self._folded(word) in text for word in self.any):
            return binary(False, f"says none of {', '.join(self.any)}")
        said = [word for word in self.none if self._folded(word) in text]
        return binary(not said, f"says {said[0]}" if said else "says what it should")

    def _folded(self, text: str) -> str:
        return text.casefold() if self.ignore_case else text
