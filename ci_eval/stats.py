"""Formulas over plain numbers. Scores and drops are `Fraction`: floats miss 18 of 100 exact one-point drops."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from functools import partial


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
