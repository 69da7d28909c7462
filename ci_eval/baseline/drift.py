"""Whether main's scores changed though nothing of main's did: the same inputs, asked again another day. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from ci_eval.baseline.store import Found, Trust
from ci_eval.confirm.evidence import Cell, Limit
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.records import Run
from ci_eval.stats import holm, points

_LEVEL = 0.01
"""By chance alone at most one night in a hundred finds something, over all suites and dimensions together."""

_STEPS = 10

_Answers = Mapping[str, Sequence[Fraction]]
"""Of one dimension, by case: the weight that each repeat's answer passed with."""


@dataclass(frozen=True)
class Again:
    """One suite's first run of its present inputs, and the one that was made now."""

    suite: str
    cells: Sequence[Cell]
    limits: Mapping[str, Limit]
    before: Run
    now: Run


@dataclass(frozen=True)
class Drift:
    """A dimension that scores differently than it did. Scores are points on the 0–100 scale."""

    suite: str
    dimension: str
    before: Fraction
    now: Fraction
    p: float
    """The chance of such a difference, or a larger one, without any change; after Holm."""
    judges: tuple[JudgeAgreement, ...] = ()
    """Models that score it: they may have changed as well as the one that answers."""

    @property
    def change(self) -> Fraction:
        return self.now - self.before


def first_run(found: Found, trust: Trust, cases: Collection[str]) -> Run | None:
    """The oldest whole run of these inputs that main's own jobs stored.

    The oldest, because what is stored after a change shows the change too, and would soon be all that there is.
    """
    oldest_first = (stored.run for stored in reversed(found.runs))
    return next((run for run in oldest_first if _serves(run, trust, cases)), None)


def _serves(run: Run, trust: Trust, cases: Collection[str]) -> bool:
    return trust.objection(run, any_age=True) is None and run.holds(cases)


def drifts(suites: Sequence[Again]) -> list[Drift]:
    """What differs by its limit or more, in either direction, and by more than chance would have it."""
    found = {(one.suite, drift.dimension): (one, drift) for one in suites for drift in _differences(one)}
    corrected = holm({key: drift.p for key, (_, drift) in found.items()})
    told = []
    for key, (again, drift) in found.items():
        limit = again.limits[drift.dimension]
        if corrected[key] <= _LEVEL and (limit == "any" or abs(drift.change) >= limit):
            judges = tuple(one for one in again.now.header.judges or () if one.dimension.text() == drift.dimension)
            told.append(replace(drift, p=corrected[key], judges=judges))
    return told


def _differences(again: Again) -> Iterator[Drift]:
    for name in again.limits:
        cells = [cell for cell in again.cells if cell.dimension == name]
        before, now = _answers(again.before, cells), _answers(again.now, cells)
        weight = sum((cell.weight for cell in cells), Fraction(0))
        if weight:
            first, second = (points(_sum_of_means(side) / weight) for side in (before, now))
            yield Drift(again.suite, name, first, second, chance(before, now))


def _answers(run: Run, cells: Sequence[Cell]) -> _Answers:
    weights = {cell.key: cell.weight for cell in cells}
    found = defaultdict[str, list[Fraction]](list)
    for record in run.records:
        own = [cell for cell in record.cells if (record.case, cell.scorer) in weights]
        passed = (weights[record.case, cell.scorer] for cell in own if cell.passed)
        if own:
            found[record.case].append(sum(passed, Fraction(0)))
    return found


def _sum_of_means(answers: _Answers) -> Fraction:
    return sum((sum(values, Fraction(0)) / len(values) for values in answers.values()), Fraction(0))


def chance(before: _Answers, now: _Answers) -> float:
    """How likely so large a difference is if which of a case's answers came when is mere chance. Two-sided, exact.

    The permutation test that is stratified by case (with one yes-or-no score a case it is the exact test of Cochran,
    Mantel and Haenszel; with one answer a side, the sign test). Answers are counted in tenths of the heaviest case:
    it is as exact on those, and a sum of them takes few values.
    """
    cases = [case for case in before if case in now]
    heaviest = max((value for case in cases for value in (*before[case], *now[case])), default=Fraction(0))
    if not heaviest:
        return 1.0
    sums, seen, expected = {0: 1.0}, 0, Fraction(0)
    for case in cases:
        earlier, later = (_in_steps(side[case], heaviest) for side in (before, now))
        seen += sum(later)
        expected += Fraction(len(later) * sum(earlier + later), len(earlier + later))
        sums = _joined(sums, _sums(tuple(sorted(earlier + later)), len(later)))
    distance = abs(seen - expected)
    return min(1.0, math.fsum(share for value, share in sums.items() if abs(value - expected) >= distance))


def _in_steps(values: Sequence[Fraction], heaviest: Fraction) -> list[int]:
    return [round(value / heaviest * _STEPS) for value in values]


@cache
def _sums(values: tuple[int, ...], drawn: int) -> Mapping[int, float]:
    """What so many of the values add up to, drawn without putting back: each sum with its probability."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(drawn))]
    for value in values:
        for taken in range(drawn, 0, -1):
            for found, count in ways[taken - 1].items():
                ways[taken][found + value] = ways[taken].get(found + value, 0) + count
    return {found: count / math.comb(len(values), drawn) for found, count in ways[drawn].items()}


def _joined(one: Mapping[int, float], other: Mapping[int, float]) -> dict[int, float]:
    """The probabilities of the sum of two that do not depend on each other."""
    if len(other) == 1:  # nearly every case: all of its answers are alike
        (only,) = other
        return {value + only: share for value, share in one.items()}
    found = defaultdict[int, float](float)
    for value, share in one.items():
        for more, part in other.items():
            found[value + more] += share * part
    return found
