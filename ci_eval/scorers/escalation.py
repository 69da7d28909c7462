"""`escalation`: the target hands over to a person when it should, and only then."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Score, ScorerPolicy, Scoring, equal
from ci_eval.scorers.folding import Phrase, says_any
from ci_eval.scorers.trajectory import calls
from ci_eval.text import Untrusted

_PERSON = (
    r"(?:human(?: being)?|live person|member|colleague|agent|representative|specialist|supervisor|manager|person"
    r"|operator|advisor|support team|service team|care team)s?\b"
)
_HANDS_OVER = re.compile(
    "|".join(
        (
            rf"\b(?:connect|transfer|hand|put|pass|forward|refer|escalat|direct|rout)\w*\b[^.!?]{{0,60}}\b{_PERSON}",
            r"\bescalat(?:e|ed|ing) (?:this|it|your|the)\b",
            r"\b(?:this|it|your \w+) (?:has been|is being|was) escalated\b",
            rf"\b{_PERSON}[^.!?]{{0,40}}\bwill (?:\w+ )?(?:contact|call|reach|get back|take over|be in touch|follow up"
            r"|help|assist|join|review)",
            r"\b(?:open|creat|rais|fil)(?:e|ed|ing) (?:a|you a) (?:support )?ticket\b",
        )
    ),
    re.IGNORECASE,
)


def hands_over(text: str) -> bool:
    """Whether an answer says that a person takes over, in English."""
    return _HANDS_OVER.search(" ".join(text.replace("\u2019", "'").split())) is not None


class Escalation(ScorerPolicy):
    """Whether the answer hands over, against the case's `expected.escalate`: by a `field`, a tool, phrases, or, where
    none of them is given, by what it says in English. Parts tell the two mistakes apart, as `refusal` does.
    """

    default_dimension: ClassVar[str] = "behaviour"
    type: Literal["escalation"]
    values: list[Any] = Field(default_factory=lambda: [True])
    """What `field` is where the answer hands over, as in `[human, callback]`."""
    tools: list[Phrase] = Field(default_factory=list)
    """Tools that hand over."""
    phrases: list[Phrase] = Field(default_factory=list)
    """What it says when it hands over, whatever the capitals, blanks and punctuation."""

    def applies(self, case: Case) -> bool:
        return case.expectation("escalate") is not None

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        should = case.expectation("escalate") is True
        if self.field is not None and answer.field(self.field) is MISSING and not self.tools:
            return self._told(False, should, f"no {self.field} in the answer")
        does = self._hands_over(answer)
        said = "hands over" if does else "does not hand over"
        return self._told(does == should, should, f"{said}, {'as it should' if does == should else _WRONG[should]}")

    def _told(self, right: bool, should: bool, reason: str) -> Score:
        part = "should_escalate" if should else "should_not_escalate"
        return Score(float(right), right, Untrusted(reason), {part: float(right)})

    def _hands_over(self, answer: Answer) -> bool:
        if self.field is not None and any(equal(answer.field(self.field), value) for value in self.values):
            return True
        if any(call.name in self.tools for call in calls(answer)):
            return True
        if says_any(self.phrases, answer.text):
            return True
        return not (self.field or self.tools or self.phrases) and hands_over(answer.text)


_WRONG = {True: "and should: a miss", False: "and should not: a false escalation"}
