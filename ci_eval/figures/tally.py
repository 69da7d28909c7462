"""The counts of a run that its scores are made of: passes by scorer, lost and refused answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from ci_eval.records import Record, missing_answers
from ci_eval.scorers.registry import ScorerSet
from ci_eval.stats import points


@dataclass
class Tally:
    """How the cells of a run came out, over all repeats."""

    cells: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """How often, by scorer and whether it passed."""
    lost: int = 0
    """Answers lost to infrastructure, which have no cells."""
    refused: int = 0
    answers: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    """What the lost and the refused ones are told to have failed by."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> Tally:
        tally = cls()
        for record in records:
            tally.add(record)
        return tally

    def add(self, record: Record) -> None:
        self.cells.update((cell.scorer, cell.passed) for cell in record.cells)
        self.lost += record.lost
        self.refused += record.error_kind == "request"
        self.answers += 1
        if record.error is not None:
            self.causes[record.error.text()] += 1

    @property
    def unanswered(self) -> int:
        """Lost answers, and refused ones where they are many (`records.missing_answers`)."""
        return missing_answers(self.lost, self.refused, self.answers)

    def scores(self, scorers: ScorerSet) -> dict[str, Fraction]:
        """The score of every dimension, in points; a dimension of which nothing is known is left out."""
        known, passed = defaultdict[str, Fraction](Fraction), defaultdict[str, Fraction](Fraction)
        for scorer in scorers.all():
            right, wrong = self.cells[scorer.name, True], self.cells[scorer.name, False]
            known[scorer.dimension] += scorer.weight * (right + wrong)
            passed[scorer.dimension] += scorer.weight * right
        return {name: points(passed[name] / known[name]) for name in scorers.dimensions() if known[name]}
