"""Win rate: how often the candidate's answer was preferred, and whether that may be chance. Pure.

The win rate and its sign test leave ties out, since a tie does not say which is better. The net share counts ties as
zero; its interval is Tango's for paired shares.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ci_eval.figures.agreement import Share
from ci_eval.stats import Z95, paired_shares, sign_test


@dataclass(frozen=True)
class WinRate:
    """Pairs of answers, counted by what the judge said of the candidate's."""

    better: int
    worse: int
    ties: int

    @classmethod
    def of(cls, values: Iterable[float]) -> WinRate:
        """From preferences in [0, 1]: above ½ for the candidate, ½ a tie."""
        found = list(values)
        better, worse = sum(value > 0.5 for value in found), sum(value < 0.5 for value in found)
        return cls(better, worse, len(found) - better - worse)

    @property
    def total(self) -> int:
        return self.better + self.worse + self.ties

    @property
    def decided(self) -> Share | None:
        """The win rate: better of better and worse, with its Wilson interval; None where all are ties."""
        return Share(self.better, self.better + self.worse) if self.better + self.worse else None

    @property
    def net(self) -> tuple[float, float, float] | None:
        """Better less worse as a share of all pairs, in [-1, 1], and its 95 % interval; None without pairs."""
        if not self.total:
            return None
        return (self.better - self.worse) / self.total, *paired_shares(self.worse, self.better, self.total, Z95)

    @property
    def p(self) -> float:
        """The p-value of the exact two-sided sign test; 1 where all are ties."""
        return min(1.0, 2 * sign_test(max(self.better, self.worse), min(self.better, self.worse)))
