"""Intervals from the order of values alone. They assume no distribution, so long tails do no harm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from ci_eval.stats import crossing, normal_quantile, percentile

_EXACT = 50
"""Up to so many pairs the distribution of the signed ranks is counted out; beyond, the normal one is as good."""


class Quantile(NamedTuple):
    """A quantile of some values, and its 95 % interval; None at an end that so few values cannot bound."""

    value: float
    low: float | None
    high: float | None


def quantile(values: Sequence[float], q: float, confidence: float = 0.95) -> Quantile:
    """The nearest-rank quantile, with the interval between two order statistics (David and Nagaraja 2003, 7.1).

    How many of n values lie below the true quantile is binomial(n, q), whatever their distribution; each end misses
    with at most half of the error. Raises ValueError on no values.
    """
    ordered = sorted(values)
    low, high = _ranks(len(ordered), q, (1 - confidence) / 2)
    ends = (ordered[rank - 1] if rank else None for rank in (low, high))
    return Quantile(percentile(ordered, q), *ends)


def least_for(q: float, confidence: float = 0.95) -> int:
    """How many values bound a quantile on both sides."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(q, 1 - q)))


@lru_cache(maxsize=64)
def _ranks(n: int, q: float, tail: float) -> tuple[int, int]:
    """The largest rank that is surely at or below the quantile, the smallest surely above; 0 where there is none."""
    below = list(_binomial(n, q))
    low = sum(chance <= tail for chance in below)
    high = next((rank for rank, chance in enumerate(below, start=1) if chance >= 1 - tail), 0)
    return min(low, n), high if high <= n else 0


def _binomial(n: int, q: float) -> Iterator[float]:
    """P(B <= 0), P(B <= 1), … P(B <= n - 1)."""
    ways = (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n))
    return accumulate(math.exp(log + k * math.log(q) + (n - k) * math.log1p(-q)) for k, log in enumerate(ways))


# --- a shift, by signed ranks -----------------------------------------------------------------------------------------


class Shift(NamedTuple):
    """Where the middle of some differences lies."""

    middle: float
    low: float
    high: float


def shift(differences: Sequence[float], confidence: float) -> Shift | None:
    """The Hodges–Lehmann estimate with the interval that Wilcoxon's signed-rank test leaves; None of too few.

    The estimate is the median of all Walsh averages (x + y)/2; the ends are those of them at which the test just does
    not reject (Hollander, Wolfe and Chicken 2014, 3.2 and 3.3). It asks that differences lie evenly around their
    middle, as those between two draws of one distribution always do around 0; ties make it wider.
    """
    ordered = sorted(differences)
    total = len(ordered) * (len(ordered) + 1) // 2
    rank = _signed_rank(len(ordered), (1 - confidence) / 2)
    if rank < 1:
        return None
    middle = (walsh(ordered, (total + 1) // 2) + walsh(ordered, total // 2 + 1)) / 2
    return Shift(middle, walsh(ordered, rank), walsh(ordered, total + 1 - rank))


def walsh(ordered: Sequence[float], rank: int) -> float:
    """The Walsh average of this rank, from 1, without listing them: there are n(n + 1)/2."""
    return crossing(lambda value: _averages_up_to(ordered, value) < rank, ordered[0] - 1, ordered[-1] + 1)


def _averages_up_to(ordered: Sequence[float], value: float) -> int:
    """How many Walsh averages are at most this: as one of the pair rises the other may only fall."""
    found, other = 0, len(ordered) - 1
    for index, one in enumerate(ordered):
        while other >= index and one + ordered[other] > 2 * value:
            other -= 1
        if other < index:
            break
        found += other - index + 1
    return found


def _signed_rank(n: int, tail: float) -> int:
    """The rank, from 1, of the Walsh average that ends the interval; 0 where no interval is so sure."""
    if n > _EXACT:
        centre, spread = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return math.floor(centre - normal_quantile(1 - tail) * spread)
    least, seen = Fraction(tail) * 2**n, 0
    for rank, ways in enumerate(_rank_sums(n)):
        seen += ways
        if seen > least:
            return rank
    raise AssertionError("all ways together are more than a tail")


@lru_cache(maxsize=_EXACT + 1)
def _rank_sums(n: int) -> tuple[int, ...]:
    """In how many of the 2^n ways to sign the ranks 1 … n the positive ones sum to 0, 1, 2, …"""
    ways = [1]
    for rank in range(1, n + 1):
        longer = [0] * rank + ways
        ways = [more + same for more, same in zip(longer, ways + [0] * rank, strict=True)]
    return tuple(ways)
