"""How often one of two was preferred, and whether that may be chance. Pure.

Ties say nothing of which is better: the share and its test are over the decided ones, as the sign test has it, and what
the ties dilute it to is told beside it, by Tango's interval for paired shares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ci_eval.figures.agreement import Share
from ci_eval.stats import Z95, paired_shares, sign_test


@dataclass(frozen=True)
class Preferred:
    """Pairs by what was said of the one that is new."""

    better: int
    worse: int
    ties: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Preferred:
        """From preferences in [0, 1], of which ½ is a tie."""
        found = list(values)
        better, worse = sum(value > 0.5 for value in found), sum(value < 0.5 for value in found)
        return cls(better, worse, len(found) - better - worse)

    @property
    def total(self) -> int:
        return self.better + self.worse + self.ties

    @property
    def decided(self) -> Share | None:
        """The better ones of those that are no tie, with the Wilson interval of the share; None where all are."""
        return Share(self.better, self.better + self.worse) if self.better + self.worse else None

    @property
    def net(self) -> tuple[float, float, float] | None:
        """Better less worse as a share of all, in [-1, 1], and its 95 % interval; None of nothing."""
        if not self.total:
            return None
        return (self.better - self.worse) / self.total, *paired_shares(self.worse, self.better, self.total, Z95)

    @property
    def p(self) -> float:
        """Of the exact sign test, two-sided: 1 where nothing is decided."""
        return min(1.0, 2 * sign_test(max(self.better, self.worse), min(self.better, self.worse)))
