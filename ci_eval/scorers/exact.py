"""`exact`: the answer, or a field of it, is what the case expects."""

from __future__ import annotations

from typing import ClassVar, Literal

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Resources, Score, ScorerPolicy, Scoring, as_text, binary, comparable
from ci_eval.text import JSON


class Exact(ScorerPolicy):
    """Equality of JSON values: 1 is 1.0, and neither true nor "1". Texts are compared without blanks at their ends."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["exact"]
    ignore_case: bool = False

    def bind(self, resources: Resources) -> Scoring:  # noqa: ARG002 - needs none
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        wanted, got = self.expected(case), answer.field(self.field)
        if self.field is None and not isinstance(wanted, str):
            got = answer.json
        if got is MISSING:
            return binary(False, f"no {self.field} in the answer" if self.field else "the answer is not JSON")
        if comparable(self._folded(got)) == comparable(self._folded(wanted)):
            return binary(True, f"{as_text(got)}, as expected")
        return binary(False, f"{as_text(got)} where {as_text(wanted)} is right")

    def _folded(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return value.strip().casefold() if self.ignore_case else value.strip()
        if isinstance(value, dict):
            return {key: self._folded(item) for key, item in value.items()}
        return [self._folded(item) for item in value] if isinstance(value, list) else value
