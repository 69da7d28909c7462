"""`retrieval`: whether the documents that a right answer needs were found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ci_eval.config import FieldPath
from ci_eval.golden.cases import Case
from ci_eval.scorers.base import (
    MISSING,
    Answer,
    Comparing,
    PassAt,
    Score,
    Scoring,
    comparable,
    lookup,
)
from ci_eval.scorers.overlap import Overlap
from ci_eval.text import Untrusted


class Retrieval(Comparing):
    """The documents found, best first, against those that the case needs; with `step`, those of all such steps."""

    default_dimension: ClassVar[str] = "retrieval"
    type: Literal["retrieval"]
    field: FieldPath = "documents"
    """Where the list of documents stands, in the step or in the answer."""
    against: FieldPath | None = "documents"
    """Where the case's `expected` lists those that are needed, by their ids."""
    key: FieldPath | None = None
    """For documents that are objects: the field that holds their id."""
    k: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many of the first are looked at; by default all."""
    report: Literal["recall", "precision", "mrr"] = "recall"
    """Which is the score; all are told. `mrr`: one divided by the rank of the first that is needed."""
    pass_at: PassAt = 1
    """The least score that passes."""

    def applies(self, case: Case) -> bool:
        return self.expected(case) not in (MISSING, None)

    def looked_at(self, answer: Answer) -> Answer | None:
        return answer if self.step is None or self.steps(answer) else None

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        places = [one.field(self.field) for one in (self.steps(answer) if self.step else [answer])]
        lists = [found for found in places if isinstance(found, list)]
        if not lists:
            return self.nothing()
        found = list(dict.fromkeys(self._id(document) for documents in lists for document in documents))[: self.k]
        wanted = self.expected(case)
        needed = list(dict.fromkeys(comparable(one) for one in (wanted if isinstance(wanted, list) else [wanted])))
        overlap = Overlap.of(found, needed)
        parts = {"recall": overlap.recall, "precision": overlap.precision, "mrr": _reciprocal_rank(found, needed)}
        value = parts[self.report]
        return Score(value, value >= self.pass_at, _reason(found, needed), parts)

    def _id(self, document: Any) -> str:
        found = lookup(document, self.key) if self.key else document
        return comparable(document if found is MISSING else found)


def _reciprocal_rank(found: Sequence[str], needed: Sequence[str]) -> float:
    if not needed:
        return 0.0 if found else 1.0
    wanted = set(needed)
    return next((1 / rank for rank, one in enumerate(found, start=1) if one in wanted), 0.0)


def _reason(found: Sequence[str], needed: Sequence[str]) -> Untrusted:
    seen = set(found)
    missing = [one for one in needed if one not in seen]
    if missing:
        return Untrusted(f"{len(missing)} of {len(needed)} not among the {len(found)} found: {', '.join(missing[:5])}")
    return Untrusted(f"all {len(needed)} among the {len(found)} found")
