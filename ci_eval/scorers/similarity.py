"""`similarity`: the answer means what the expected text means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ci_eval.config import Name
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import NOTHING, Cost
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Asking, Embed, PassAt, Resources, Score, Scoring, as_text
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.references import WithReferences
from ci_eval.text import Untrusted


class Similarity(WithReferences):
    """Cosine of the sentence embeddings of answer and expectation (of several, the nearest); below 0 counts as 0."""

    default_dimension: ClassVar[str] = "output_quality"
    type: Literal["similarity"]
    pass_at: PassAt
    """The least cosine that passes."""
    provider: Name | None = None
    """A provider of the policy whose embeddings are compared; without one, the local model's."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The provider's embedding model, as in `text-embedding-3-small`."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Similarity:
        if (self.provider is None) != (self.model is None):
            raise wrong("provider and model belong together", "write both, or none for the local model")
        return self

    def asks(self) -> str | None:
        return self.provider

    def bind(self, resources: Resources) -> Scoring:
        return lambda answer, case: self._score(answer, case, resources.embed)

    def bind_asking(self, resources: Resources) -> Asking:
        embedder = resources.embedder(self.provider or "", self.model or "")  # the validator knows that both are there

        def score(answer: Answer, case: Case, errand: Errand) -> Score:
            return self._score(answer, case, lambda texts: embedder.embed(texts, errand))

        def takes(case: Case, characters: int) -> Cost:
            wanted = self.references(case)
            return embedder.takes([" " * characters, *wanted]) if wanted else NOTHING

        return Asking(score, takes)

    def _score(self, answer: Answer, case: Case, embed: Embed) -> Score:
        got, wanted = answer.field(self.field), self.references(case)
        if got is MISSING:
            return self.nothing()
        if as_text(got) in wanted:  # whose cosine may be 0.9999999, below a pass_at of 1
            return Score(1.0, True, Untrusted("the expected text"))
        one, *others = embed([as_text(got), *wanted])
        cosine = max(_cosine(one, other) for other in others)
        return Score(cosine, cosine >= self.pass_at, Untrusted(f"cosine {cosine:.2f}"))


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return min(1.0, max(0.0, float(sum(a * b for a, b in zip(one, other, strict=True)))))
