"""Which of two answers is better, said twice: once with ours as A, once with ours as B. Pure.

A model that judges pairs prefers a place as well as an answer (Zheng et al. 2023, arXiv 2306.05685; Shi et al. 2024,
arXiv 2406.07791). What it says in one order alone is therefore no preference: only what it says in both is.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Literal, NamedTuple

from ci_eval.text import Untrusted

Better = Literal["A", "B", "tie"]
WORSE, TIE, BETTER = Fraction(0), Fraction(1, 2), Fraction(1)
_FIRST = {"A": BETTER, "tie": TIE, "B": WORSE}


class Choice(NamedTuple):
    """A judge's word on one criterion, in one order."""

    better: Better
    reason: Untrusted


class BothOrders(NamedTuple):
    """A judge's words on one criterion."""

    as_a: Choice
    """Where our answer was A."""
    as_b: Choice

    @property
    def value(self) -> Fraction:
        """1 where ours is better in both orders, 0 where it is worse in both, ½ for anything else."""
        named = (self.as_a.better, self.as_b.better)
        return BETTER if named == ("A", "B") else WORSE if named == ("B", "A") else TIE

    @property
    def consistent(self) -> bool:
        """Whether both orders say the same."""
        return self.value != TIE or self.as_a.better == self.as_b.better == "tie"

    @property
    def first(self) -> Fraction:
        """The share of what was said that favours the answer shown first: ½ where the place decides nothing."""
        return (_FIRST[self.as_a.better] + _FIRST[self.as_b.better]) / 2


def mean(values: Iterable[Fraction]) -> Fraction:
    """Raises ZeroDivisionError for none."""
    found = list(values)
    return sum(found, Fraction(0)) / len(found)
