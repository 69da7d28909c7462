"""`similarity`: the answer means what the expected text means."""

from __future__ import annotations

from typing import ClassVar, Literal

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Judge, PassAt, Resources, Score, ScorerPolicy, as_text, binary
from ci_eval.text import Untrusted


class Similarity(ScorerPolicy):
    """Cosine of the sentence embeddings of answer and expectation; below 0 counts as 0."""

    default_dimension: ClassVar[str] = "output_quality"
    type: Literal["similarity"]
    pass_at: PassAt
    """The least cosine that passes."""

    def bind(self, resources: Resources) -> Judge:
        def score(answer: Answer, case: Case) -> Score:
            got, wanted = answer.field(self.field), self.expected(case)
            if got is MISSING:
                return binary(False, f"no {self.field} in the answer")
            if as_text(got) == as_text(wanted):  # whose cosine may be 0.9999999, below a pass_at of 1
                return Score(1.0, True, Untrusted("the expected text"))
            one, other = resources.embed([as_text(got), as_text(wanted)])
            cosine = min(1.0, max(0.0, float(sum(a * b for a, b in zip(one, other, strict=True)))))
            return Score(cosine, cosine >= self.pass_at, Untrusted(f"cosine {cosine:.2f}"))

        return score
