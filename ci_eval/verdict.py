"""The decision, as data: did this golden set get worse by the limit or more, in any dimension?

`confirm` decides; here its decisions meet the scores that people read. Every dimension must pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from ci_eval.comparison import Comparison, Pair, base_passed, candidate_passed, share
from ci_eval.config import GatePolicy
from ci_eval.confirm import DimensionDecision, Unanswered
from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REGRESSION
from ci_eval.evidence import Limit, Why
from ci_eval.stats import Z95, points


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - not a password
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        return {
            Verdict.PASS: EXIT_PASS,
            Verdict.REGRESSION: EXIT_REGRESSION,
            Verdict.INCONCLUSIVE: EXIT_INCONCLUSIVE,
        }[self]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """A regression outweighs what is inconclusive, and that outweighs a pass; nothing at all is inconclusive."""
    found = set(verdicts)
    order = (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next((verdict for verdict in order if verdict in found), Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class DimensionResult:
    """One dimension of one suite. Scores and drops are points on the 0-100 scale; None where nothing is known."""

    name: str
    verdict: Verdict
    why: Why | Unanswered
    """What the verdict stands on: the first look alone, or one of the looks at fresh runs."""
    base: Fraction | None
    """The share of cells that passed in the first look, one run a side."""
    candidate: Fraction | None
    drop: Fraction
    """By fresh runs where there were any, else by the first look; unknown cells count as unchanged."""
    worst_drop: Fraction
    """By the first look, taking unknown cells as broken: the most that may have been lost."""
    error: float
    """The standard error of the drop in points; 0 where every answer is repeatable."""
    limit: Limit
    cells: int
    broke: int
    repaired: int
    missing: int
    fresh: int
    """Answers of fresh runs that voted."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the drop, in points."""
        return float(self.drop) - Z95 * self.error, float(self.drop) + Z95 * self.error


def decide(
    comparison: Comparison, decisions: Mapping[str, DimensionDecision], gate: GatePolicy
) -> tuple[DimensionResult, ...]:
    """The result of every dimension that was decided, in their order."""
    return tuple(
        _dimension(name, comparison.dimension(name), decision, gate.limit(name)) for name, decision in decisions.items()
    )


def _dimension(name: str, pairs: Sequence[Pair], decision: DimensionDecision, limit: Limit) -> DimensionResult:
    total = sum((pair.weight for pair in pairs), Fraction(0))
    return DimensionResult(
        name=name,
        verdict=Verdict(decision.verdict),
        why=decision.why,
        base=_points(share(pairs, base_passed)),
        candidate=_points(share(pairs, candidate_passed)),
        drop=decision.drop,
        worst_drop=_loss((pair.weight * pair.worst_loss for pair in pairs), total),
        error=decision.standard_error,
        limit=limit,
        cells=len(pairs),
        broke=sum(pair.broke for pair in pairs),
        repaired=sum(pair.repaired for pair in pairs),
        missing=sum(pair.missing for pair in pairs),
        fresh=decision.fresh,
    )


def _loss(losses: Iterable[Fraction], total: Fraction) -> Fraction:
    return points(sum(losses, Fraction(0)) / total) if total else Fraction(0)


def _points(value: Fraction | None) -> Fraction | None:
    return None if value is None else points(value)
