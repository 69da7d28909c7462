"""What answers cost: per case, per correct case, and how much more than base's. A price may be unknown. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ci_eval.confirm.evidence import Found
from ci_eval.figures.ratio import Ratio, judge
from ci_eval.records import Record
from ci_eval.stats import FEWEST_CLUSTERS, clustered_error, student_t


@dataclass(frozen=True)
class SideCost:
    """One answer to every case, on one side. A reused answer counts: in production each side pays for its own."""

    answers: int
    priced: int
    """Answers whose price is known; all that follows is about these."""
    dollars: float
    correct: int
    """Cases whose scores all passed."""

    @property
    def per_case(self) -> float | None:
        return self.dollars / self.priced if self.priced else None

    @property
    def per_correct(self) -> float | None:
        """What a right answer costs, with the wrong ones that had to be paid for; None where there is none."""
        return self.dollars / self.correct if self.correct else None


def side_cost(records: Mapping[str, Record], passed: Mapping[str, bool]) -> SideCost:
    """Count one side; `passed` says of a case whether all its scores did."""
    answered = [record for record in records.values() if record.error is None]
    priced = [record for record in answered if record.cost_usd is not None]
    dollars = math.fsum(record.cost_usd or 0 for record in priced)
    return SideCost(len(answered), len(priced), dollars, sum(passed.get(record.case, False) for record in priced))


@dataclass(frozen=True)
class CostComparison:
    """How many times as much the candidate's answers cost, by the cases that both sides answered."""

    pairs: int
    unpriced: int
    """Pairs of which a price is unknown."""
    ratio: Ratio | None
    """Of the mean cost of a case. None: too few pairs, or an unknown price: it is not guessed from the others."""
    per_correct: Ratio | None
    """Of the cost of a correct case; None also where a side has none."""


def compare_cost(
    base: Mapping[str, Record],
    candidate: Mapping[str, Record],
    passed: tuple[Mapping[str, bool], Mapping[str, bool]],
    clusters: Mapping[str, Hashable],
) -> CostComparison:
    """Compare two sides; `passed` says of both which cases' scores all passed, `clusters` which cases move together.

    The intervals take the cases for a sample of traffic, so they also hold what other cases would have cost: by the
    delta method on the logarithm of a ratio of sums, clustered, with Student's t.
    """
    cases = [case for case in base if case in candidate and base[case].error is None and candidate[case].error is None]
    prices = {case: (base[case].cost_usd, candidate[case].cost_usd) for case in cases}
    known = {case: (one, other) for case, (one, other) in prices.items() if one is not None and other is not None}
    unpriced = len(cases) - len(known)
    if unpriced or len({clusters[case] for case in cases}) < FEWEST_CLUSTERS:
        return CostComparison(len(cases), unpriced, None, None)
    spent = [known[case][0] for case in cases], [known[case][1] for case in cases]
    each = [1.0] * len(cases)
    right = [[float(side.get(case, False)) for case in cases] for side in passed]
    groups = [clusters[case] for case in cases]
    per_case = _ratio(_Costs(spent[0], each), _Costs(spent[1], each), groups)
    return CostComparison(
        len(cases), 0, per_case, _ratio(_Costs(spent[0], right[0]), _Costs(spent[1], right[1]), groups)
    )


class _Costs(NamedTuple):
    """What was spent on each case, and how much of what one pays for that case brought."""

    spent: Sequence[float]
    brought: Sequence[float]

    @property
    def price(self) -> float:
        return math.fsum(self.spent) / math.fsum(self.brought)

    def influences(self) -> list[float]:
        """What each case brings to the logarithm of the price."""
        spent, brought = math.fsum(self.spent), math.fsum(self.brought)
        return [one / spent - share / brought for one, share in zip(self.spent, self.brought, strict=True)]


def _ratio(base: _Costs, candidate: _Costs, clusters: Sequence[Hashable]) -> Ratio | None:
    """None where a side brought nothing."""
    if not (any(base.brought) and any(candidate.brought)):
        return None
    if not (base.price and candidate.price):
        return _without_price(base.price, candidate.price)
    both = zip(candidate.influences(), base.influences(), strict=True)
    error = clustered_error([other - one for other, one in both], clusters)
    factor = math.exp(student_t(len(set(clusters)) - 1) * error)
    value = candidate.price / base.price
    return Ratio(value, value / factor, value * factor)


def _without_price(base: float, candidate: float) -> Ratio:
    """Where an answer is free."""
    value = 1.0 if base == candidate else math.inf if candidate else 0.0
    return Ratio(value, value, value)


def judge_cost(comparison: CostComparison, max_increase: Fraction) -> Found:
    """The verdict of `gate.cost.max_increase`, in percent of base's cost of a case; inconclusive without all prices."""
    return judge(comparison.ratio, max_increase)
