"""`exact`: the answer, or a field of it, is what the case expects."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Comparing, Score, Scoring, as_text, binary, comparable
from ci_eval.scorers.normalise import Normal, normalised_value


class Exact(Comparing):
    """Equality of JSON values: 1 is 1.0, and neither true nor "1". Texts are compared without blanks at their ends."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["exact"]
    normalise: list[Normal] = Field(default_factory=list)
    """Differences between texts that do not count."""

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        wanted, got = self.expected(case), answer.field(self.field)
        if self.field is None and not isinstance(wanted, str):
            got = answer.json
        if got is MISSING:
            return self.nothing()
        if comparable(normalised_value(got, self.normalise)) == comparable(normalised_value(wanted, self.normalise)):
            return binary(True, f"{as_text(got)}, as expected")
        return binary(False, f"{as_text(got)} where {as_text(wanted)} is right")
