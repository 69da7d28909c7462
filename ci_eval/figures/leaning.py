"""How much a pairwise judge goes by the place in which an answer stands, from the parts of its scores. Pure.

Its position consistency, and which place it favours where it is not consistent (Shi et al. 2024, arXiv 2406.07791).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ci_eval.scorers.judge_pair import CONSISTENCY, FIRST

_FEWEST, _NOTABLE = 10, 0.25


@dataclass(frozen=True)
class Leaning:
    """Comparisons are two answers under one criterion, in both orders."""

    comparisons: int
    swayed: int
    """In which the orders did not say the same."""
    to_first: int
    """Of those, in which the answer shown first was favoured, as `to_second` has the others that leaned."""
    to_second: int

    @classmethod
    def of(cls, scores: Iterable[Mapping[str, float]]) -> Leaning:
        """From the parts of scores: those of other judges, and of ties without a call, count to nothing."""
        pairs = [
            (parts[name], parts.get(f"{name.removesuffix(CONSISTENCY)}{FIRST}", 0.5))
            for parts in scores
            for name in parts
            if name.endswith(CONSISTENCY)
        ]
        swayed = [first for consistent, first in pairs if consistent < 1]
        return cls(len(pairs), len(swayed), sum(one > 0.5 for one in swayed), sum(one < 0.5 for one in swayed))

    @property
    def share(self) -> float | None:
        """Of the comparisons that are swayed; None without any."""
        return self.swayed / self.comparisons if self.comparisons else None

    @property
    def notable(self) -> bool:
        """Whether it is so often that the judge should be looked at."""
        return self.comparisons >= _FEWEST and self.swayed >= _NOTABLE * self.comparisons

    @property
    def words(self) -> str:
        """Which place is favoured, as an apposition; nothing where none is."""
        if self.to_first == self.to_second:
            return ""
        return f", mostly for the answer shown {'first' if self.to_first > self.to_second else 'second'}"
