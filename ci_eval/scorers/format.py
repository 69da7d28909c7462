"""`format`: the answer is a JSON object with the fields that others rely on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PrivateAttr

from ci_eval.config import FieldPath
from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Score, ScorerPolicy, Scoring, binary


class Format(ScorerPolicy):
    """One JSON object, and nothing around it, with all required fields; null is a field that is not there."""

    default_dimension: ClassVar[str] = "format"
    type: Literal["format"]
    required: Annotated[list[FieldPath], Field(min_length=1)] | None = None
    """Fields, as dotted paths; by default those that the suite's other scorers look at in a case."""

    _others: Sequence[ScorerPolicy] = PrivateAttr(default=())

    def beside(self, others: Sequence[ScorerPolicy]) -> Format:
        known = self.model_copy()
        known._others = [other for other in others if other.field and not other.step]
        return known

    def _needed(self, case: Case) -> Sequence[str]:
        if self.required is not None:
            return self.required
        return list(dict.fromkeys(other.field for other in self._others if other.field and other.applies(case)))

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - every answer has a form
        return True

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        whole = answer.json if self.field is None else answer.field(self.field)
        if not isinstance(whole, dict):
            return self.nothing() if whole is MISSING else binary(False, "not a JSON object")
        inner = f"{self.field}." if self.field else ""
        missing = [path for path in self._needed(case) if answer.field(inner + path) in (MISSING, None)]
        return binary(not missing, f"no {', '.join(missing)}" if missing else "a JSON object with all required fields")
