"""Position bias of a pairwise judge: how often its verdict depends on which answer is shown first. Pure.

Both orders are asked. Where they disagree, the judge is not consistent, and may favour one place (Shi et al. 2024,
arXiv 2406.07791).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ci_eval.scorers.judge_pair import CONSISTENCY, FIRST

_FEWEST, _NOTABLE = 10, 0.25


@dataclass(frozen=True)
class PositionBias:
    """Counts of comparisons. One comparison is two answers under one criterion, asked in both orders."""

    comparisons: int
    swayed: int
    """How many of them came out differently in the two orders."""
    to_first: int
    """Of those swayed, how many favoured the answer shown first."""
    to_second: int
    """Of those swayed, how many favoured the answer shown second."""

    @classmethod
    def of(cls, scores: Iterable[Mapping[str, float]]) -> PositionBias:
        """From the parts of scores. Scores of other judges, and ties that took no call, do not count."""
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
        """The share of comparisons that are swayed, in [0, 1]; None without comparisons."""
        return self.swayed / self.comparisons if self.comparisons else None

    @property
    def notable(self) -> bool:
        """Whether it is so often that the judge should be looked at."""
        return self.comparisons >= _FEWEST and self.swayed >= _NOTABLE * self.comparisons

    @property
    def words(self) -> str:
        """Which place is favoured, to follow a sentence; empty where none is."""
        if self.to_first == self.to_second:
            return ""
        return f", mostly for the answer shown {'first' if self.to_first > self.to_second else 'second'}"
