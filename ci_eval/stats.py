"""Formulas over plain numbers. Scores and drops are `Fraction`: floats miss 18 of 100 exact one-point drops."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def points(share: Fraction) -> Fraction:
    """A share in [0, 1] on the 0–100 scale that people read."""
    return share * 100


def percentile(values: Sequence[float], q: float) -> float:
    """The nearest-rank percentile, `q` in (0, 1]; raises ValueError on no values."""
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def wilson(passed: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share, in [0, 1] (Wilson 1927). Valid for the few cases that a stratum has."""
    if total <= 0 or not 0 <= passed <= total:
        raise ValueError("needs 0 <= passed <= total and total > 0")
    p = passed / total
    scale = 1 + z * z / total
    centre = (p + z * z / (2 * total)) / scale
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


Z95 = 1.96
"""Standard errors on either side of an estimate that make a 95 % interval of a normal distribution."""


def jeffreys_variance(passed: int, runs: int) -> float:
    """The variance of the share of `runs` fair repeats that passed, with Jeffreys' (passed + ½)/(runs + 1) for p.

    Unlike p(1 - p)/runs it is never 0: runs that all agreed are not proof that the next one will.
    """
    p = (passed + 0.5) / (runs + 1)
    return p * (1 - p) / runs


def sign_test(worse: int, better: int) -> float:
    """One-sided exact sign test: the chance of `worse` or more heads in `worse + better` tosses of a fair coin."""
    tosses = worse + better
    return float(Fraction(sum(math.comb(tosses, heads) for heads in range(worse, tosses + 1)), 2**tosses))


def fewest_unseen(total: int, drawn: int, seen: int, *, level: float = 0.05) -> int:
    """How many marked things a whole must hold for a random part of it to show more than `seen` of them, surely.

    The smallest number whose hypergeometric chance of showing `seen` or fewer is at most `level`; `total + 1` where
    even a whole of nothing else would not do. Raises ValueError unless 0 <= drawn <= total.
    """
    if not 0 <= drawn <= total:
        raise ValueError("needs 0 <= drawn <= total")
    surely = partial(_shows_at_most, total, drawn, seen)
    return bisect_left(range(total + 2), True, key=lambda marked: surely(marked) <= level)


def _shows_at_most(total: int, drawn: int, seen: int, marked: int) -> float:
    """The chance that a random part shows `seen` or fewer of the marked."""
    if marked > total:
        return 0.0
    shows = range(min(seen, drawn) + 1)
    ways = sum(math.comb(marked, shown) * math.comb(total - marked, drawn - shown) for shown in shows)
    return float(Fraction(ways, math.comb(total, drawn)))


def mid_p(worse: int, better: int) -> float:
    """Two-sided mid-p value of the sign test, which is McNemar's exact test of so many pairs that differ.

    Both tails beyond what was seen, and half of what was seen itself (Fagerland, Lydersen and Laake 2013: the exact
    test rejects far too rarely, this one nearly never too often); 1 where nothing differed.
    """
    tosses, fewer = worse + better, min(worse, better)
    seen = math.comb(tosses, fewer)
    beyond = sum(math.comb(tosses, heads) for heads in range(fewer + 1))
    return float(Fraction(2 * beyond - seen, 2**tosses))


def holm(p_values: Mapping[T, float]) -> dict[T, float]:
    """The same, corrected for how many there are (Holm 1979); valid however they depend on each other."""
    adjusted: dict[T, float] = {}
    least = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}


def could_reject(least: Mapping[T, float], level: float) -> list[T]:
    """The tests that could reject after a correction for their own number: only these need to be corrected for.

    `least` is the smallest p value that each could have reached, known before its outcome (Tarone 1990).
    """
    families = ([name for name, p in least.items() if p <= level / many] for many in range(1, len(least) + 1))
    return next((family for many, family in enumerate(families, start=1) if len(family) <= many), [])


def normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


def student_t(freedom: int, confidence: float = 0.95) -> float:
    """How many standard errors on either side hold that share of Student's t, with so many degrees of freedom.

    By bisection of its closed form (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4); beyond 1,000 degrees of freedom,
    the normal's, which is 0.2 % less.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError("needs at least one degree of freedom and a confidence between 0 and 1")
    if freedom > 1000:
        return normal_quantile((1 + confidence) / 2)
    angle = crossing(lambda angle: _t_within(angle, freedom) < confidence, 0.0, math.pi / 2)
    return math.sqrt(freedom) * math.tan(angle)


def _t_within(angle: float, freedom: int) -> float:
    """The chance that |T| is at most sqrt(freedom) * tan(angle)."""
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    terms = []
    for step in range(2 + odd, freedom + 1, 2):
        terms.append(term)
        term *= math.cos(angle) ** 2 * (step - 1) / step
    total = math.sin(angle) * math.fsum(terms)
    return 2 / math.pi * (angle + total) if odd else total


def crossing(below: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that holds at `low` ceases to on the way to `high`, as near as floats can tell."""
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        low, high = (middle, high) if below(middle) else (low, middle)


FEWEST_CLUSTERS = 10
"""With fewer a clustered standard error is too small, whatever the quantile (Cameron and Miller 2015)."""


def clustered_error(influences: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """The standard error of an estimate to which each case brings its influence, in clusters that move together.

    What the influences of one cluster add up to counts as one draw (Miller 2024, arXiv 2411.00640, with the usual
    G/(G - 1) for few clusters, Cameron and Miller 2015). Of a mean of n values an influence is (value - mean)/n, and
    without clusters this is s/sqrt(n). Raises ValueError for fewer than two clusters.
    """
    sums: dict[Hashable, list[float]] = {}
    for influence, cluster in zip(influences, clusters, strict=True):
        sums.setdefault(cluster, []).append(influence)
    if len(sums) < 2:
        raise ValueError("needs two clusters")
    squares = math.fsum(math.fsum(values) ** 2 for values in sums.values())
    return math.sqrt(squares * len(sums) / (len(sums) - 1))


def paired_shares(worse: float, better: float, total: float, z: float) -> tuple[float, float]:
    """The interval of (better - worse)/total, in [-1, 1], where so many of `total` pairs changed: Tango's (1998).

    It inverts a score test, so it holds where few pairs changed, or none, and an estimate with its standard error does
    not. Counts need not be whole: effective sample sizes are not.
    """
    seen = (better - worse) / total

    def holds(change: float) -> bool:
        missed = better - worse - total * change
        return missed * missed <= z * z * _score_variance(worse, better, total, change)

    return -crossing(lambda change: holds(-change), -seen, 1.0), crossing(holds, seen, 1.0)


def _score_variance(worse: float, better: float, total: float, change: float) -> float:
    """Of better - worse, with the likeliest share of worse pairs that goes with a true change."""
    linear = (2 * total - better + worse) * change - better - worse
    constant = -worse * change * (1 - change)
    root = math.sqrt(max(0.0, linear * linear - 8 * total * constant))
    share = (root - linear) / (4 * total)
    return max(0.0, total * (2 * share + change * (1 - change)))
