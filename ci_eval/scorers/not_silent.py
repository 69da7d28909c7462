"""`not_silent`: an answer that is wrong shows it, so that whoever gets it can catch it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import Answer, Score, Scoring, WholeScorer, binary
from ci_eval.scorers.failure import mode
from ci_eval.scorers.folding import Phrases, readings, says_any


class NotSilent(WholeScorer):
    """Passes unless another scorer failed the answer and it is valid and confident: no error, cut, wrong form, refusal
    (also by the provider's own word), hand-over or doubt. A dimension of its own, it is gated as any other.
    """

    default_dimension: ClassVar[str] = "not_silent"
    judges_scores: ClassVar[bool] = True
    type: Literal["not_silent"]
    phrases: Phrases = Field(default_factory=list)
    """What else a loud answer says: refusals, hand-overs and doubts in another language than English."""

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - any answer may be wrong
        return True

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:  # noqa: ARG002 - the other scores are enough
        finish = "refusal" if answer.refused else None
        found = mode(answer.text, finish, answer.judged, acts=bool(answer.tool_calls))
        if found == "silent" and not any(says_any(self.phrases, read) for read in readings(answer.text)):
            return binary(False, "wrong, and does not look it")
        looks = "a phrase" if found == "silent" else found
        return binary(True, "right" if found == "right" else f"wrong, and looks it: {looks}")
