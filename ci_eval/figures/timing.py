"""Latency: both sides compared case by case, on calls that the same job made. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from ci_eval.confirm.evidence import Found
from ci_eval.figures.ranks import shift
from ci_eval.figures.ratio import Ratio, judge
from ci_eval.records import Record

Timing = tuple[str, float]
"""A case and how long one call about it took, in milliseconds."""

SLOWER = 1.2
"""Surely so many times as long, or more, is worth a warning: less comes and goes with a provider's load."""
CONFIDENCE = 0.98
"""Each end of an interval errs one time in a hundred, so at most one unchanged change in a hundred is called slower."""
_FINEST_MS = 0.1
"""What records round to; a call that took no time at all has no logarithm."""


@dataclass(frozen=True)
class LatencyComparison:
    """How many times as long the candidate's calls take, by the cases that both sides were asked about in one job."""

    pairs: int
    ratio: Ratio | None
    """None: too few pairs for an interval."""

    @property
    def slower(self) -> bool:
        return self.ratio is not None and self.ratio.low >= SLOWER


def timed(records: Iterable[Record]) -> list[Timing]:
    """The calls that were really made and answered: a reused answer took no time."""
    return [(one.case, float(one.latency_ms)) for one in records if one.latency_ms is not None and not one.reused]


def compare_latency(base: Iterable[Timing], candidate: Iterable[Timing]) -> LatencyComparison:
    """Compare calls of one job at one concurrency: times of another day, or of another load, tell nothing.

    The sides have to take turns. A provider that is slow for a while is then slow for both; asked one side after the
    other, more than a quarter of unchanged changes looked slower in simulation.

    Each case has one vote: the median of the logarithms of its calls, of as many on one side as on the other, so that
    without a change the two sides are exchangeable. The ratio is the Hodges–Lehmann shift of these with the interval of
    Wilcoxon's signed-rank test, which holds for any distribution, however long its tail. It speaks of the typical call:
    a tail that grows alone shows in the quantiles, not here.
    """
    sides = _by_case(base), _by_case(candidate)
    pairs = [(sides[0][case], sides[1][case]) for case in sides[0] if case in sides[1]]
    found = shift([_difference(*pair) for pair in pairs], CONFIDENCE)
    ratio = Ratio(math.exp(found.middle), math.exp(found.low), math.exp(found.high)) if found else None
    return LatencyComparison(len(pairs), ratio)


def _by_case(timings: Iterable[Timing]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for case, milliseconds in timings:
        found.setdefault(case, []).append(math.log(max(milliseconds, _FINEST_MS)))
    return found


def _difference(base: Sequence[float], candidate: Sequence[float]) -> float:
    calls = min(len(base), len(candidate))
    return median(candidate[:calls]) - median(base[:calls])


def judge_latency(comparison: LatencyComparison, max_increase: Fraction) -> Found:
    """The verdict of `gate.latency.max_increase`, in percent; inconclusive with too few pairs, or where it is close."""
    return judge(comparison.ratio, max_increase)
