"""What the measures of how near a text is to a reference have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, PassAt, Score, Scoring, as_text
from ci_eval.scorers.references import WithReferences
from ci_eval.text import Untrusted


@dataclass(frozen=True)
class Nearness:
    """How near a text is to its references, from 0 to 1."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


Measure = Callable[[str, Sequence[str]], Nearness]


class TextMetric(WithReferences):
    """A graded comparison of texts: it passes at `pass_at`."""

    default_dimension: ClassVar[str] = "output_quality"
    takes_long: ClassVar[bool] = True
    pass_at: PassAt
    """The least score that passes."""

    def measure(self) -> Measure:
        """The measure, ready; raises InputError where what it needs is not installed."""
        raise NotImplementedError

    def ready(self) -> Scoring:
        measure = self.measure()

        def score(answer: Answer, case: Case) -> Score:
            got = answer.field(self.field)
            if got is MISSING:
                return self.nothing()
            near = measure(as_text(got), self.references(case))
            reason = f"{self.type} {near.value:.2f}{near.note}"
            return Score(near.value, near.value >= self.pass_at, Untrusted(reason), near.parts)

        return score


def nearest(one: Callable[[str, str], Nearness]) -> Measure:
    """A measure against one reference, as one against several: the nearest counts."""
    return lambda text, references: max((one(text, each) for each in references), key=lambda near: near.value)
