"""A judge compared with people: for each criterion, what both said of the same labelled answers, counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median_high, median_low
from typing import NamedTuple

from ci_eval.evaluation.labels import PREFERENCES, Judged, Labelled
from ci_eval.figures.calibration import Compared
from ci_eval.records import Record
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.preference import TIE
from ci_eval.scorers.rubric import LEAST, MOST, OVERALL


class Pair(NamedTuple):
    """What people and the judge said of one answer: places on a scale from 0, worst first, and whether each passes."""

    people: int
    judge: int
    people_pass: bool
    judge_pass: bool


@dataclass(frozen=True)
class CriterionCount:
    """The answers that people labelled for one criterion (or `overall`), and what the judge said of them."""

    judge: Judge
    name: str
    judged: Sequence[Judged]

    @cached_property
    def compared(self) -> Compared:
        """The tables of counts. There has to be a pair: `counts` makes no others."""
        table, passes = _zeros(self.size), _zeros(2)
        for _, pair in self.pairs():
            table[pair.people][pair.judge] += 1
            passes[pair.people_pass][pair.judge_pass] += 1
        return Compared(table=table, passes=passes, people=self._people())

    def pairs(self) -> Iterator[tuple[Judged, Pair]]:
        """Each answer that can be compared. One on which people are split half and half is left out: no answer of the
        judge could be right about it.
        """
        for one in self.judged:
            settled = self._settled(one.labelled)
            if settled is not None and not one.record.lost:
                yield one, self._pair(settled, one.record)

    def differing(self) -> Iterator[tuple[Judged, Pair]]:
        """The answers on which judge and people differ, the farthest apart first."""
        found = [(one, pair) for one, pair in self.pairs() if pair.people != pair.judge]
        return iter(sorted(found, key=lambda item: -abs(item[1].people - item[1].judge)))

    @property
    def split(self) -> int:
        """How many answers people are split on, half and half."""
        marked = [one.labelled for one in self.judged if one.labelled.marks.get(self.name)]
        return sum(self._settled(one) is None for one in marked)

    def _marks(self, labelled: Labelled) -> list[int]:
        """People's marks as places on the scale, in the order of their names."""
        marks = [mark for _, mark in sorted(labelled.marks.get(self.name, {}).items())]
        if self.judge.is_pairwise:
            return [PREFERENCES.index(mark) for mark in marks]
        if not self._in_words():
            return [int(mark) - LEAST for mark in marks]
        return [int(self._passes(mark)) for mark in marks]

    def _settled(self, labelled: Labelled) -> int | None:
        marks = self._marks(labelled)
        if not marks or (self.size <= len(PREFERENCES) and median_low(marks) != median_high(marks)):
            return None
        return median_low(marks)

    def _pair(self, settled: int, record: Record) -> Pair:
        (cell,) = record.cells
        value = float(cell.score if self.name == OVERALL else cell.parts[self.name])
        passed = cell.passed if self.name == OVERALL else value >= self.judge.threshold
        if self.judge.is_pairwise:
            place = 1 + (value > TIE) - (value < TIE)
            return Pair(settled, place, settled / 2 >= self.judge.threshold, passed)
        if self.size == 2:
            return Pair(settled, int(passed), bool(settled), passed)
        place = int(value * (MOST - LEAST) + 0.5)  # a mean of criteria, to the nearest mark
        return Pair(settled, place, self._passes(settled + LEAST), passed)

    def _passes(self, mark: str | int) -> bool:
        return mark >= (self.judge.pass_at or LEAST) if isinstance(mark, int) else mark == "pass"

    def _in_words(self) -> bool:
        """Whether the scale is pass and fail: also for a graded judge, as soon as one label is."""
        return any(
            isinstance(mark, str) for one in self.judged for mark in one.labelled.marks.get(self.name, {}).values()
        )

    @cached_property
    def size(self) -> int:
        """How many places the scale has."""
        if self.judge.is_pairwise:
            return len(PREFERENCES)
        return 2 if self._in_words() else MOST - LEAST + 1

    def _people(self) -> list[list[int]] | None:
        """The table of two people: the first two of each answer that at least two labelled; None without any."""
        both = [marks for one in self.judged if len(marks := self._marks(one.labelled)) > 1]
        if not both:
            return None
        table = _zeros(self.size)
        for one, other, *_ in both:
            table[one][other] += 1
        return table


def _zeros(size: int) -> list[list[int]]:
    return [[0] * size for _ in range(size)]


def counts(judge: Judge, criteria: Iterable[str], judged: Sequence[Judged]) -> list[CriterionCount]:
    """One for each criterion that people labelled, `overall` first."""
    every = (CriterionCount(judge, name, judged) for name in (OVERALL, *criteria))
    return [count for count in every if any(count.pairs())]
