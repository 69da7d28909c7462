"""The decision, as data: did this golden set get worse by the limit or more, in any dimension?

Exact arithmetic throughout. A case that was lost to infrastructure stays in: a dimension passes only if it would pass
with that case broken, fails only if it would fail with it unchanged, and is inconclusive between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from ci_eval.comparison import Comparison, Pair, base_passed, candidate_passed, share
from ci_eval.config import GatePolicy
from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REGRESSION
from ci_eval.stats import points


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


Limit = Fraction | Literal["any"]


@dataclass(frozen=True)
class DimensionResult:
    """One dimension of one suite. Scores and drops are points on the 0-100 scale; None where nothing is known."""

    name: str
    verdict: Verdict
    base: Fraction | None
    candidate: Fraction | None
    drop: Fraction
    """Taking unknown cells as unchanged: the least that was lost."""
    worst_drop: Fraction
    """Taking unknown cells as broken: the most that may have been lost."""
    limit: Limit
    cells: int
    broke: int
    repaired: int
    missing: int


def decide(comparison: Comparison, dimensions: Sequence[str], gate: GatePolicy) -> tuple[DimensionResult, ...]:
    """The result of every dimension, in the order given."""
    return tuple(_dimension(name, comparison.dimension(name), gate.limit(name)) for name in dimensions)


def _dimension(name: str, pairs: Sequence[Pair], limit: Limit) -> DimensionResult:
    total = sum((pair.weight for pair in pairs), Fraction(0))
    drop = _loss((pair.weight * pair.known_loss for pair in pairs), total)
    worst_drop = _loss((pair.weight * pair.worst_loss for pair in pairs), total)
    broke = sum(pair.broke for pair in pairs)
    return DimensionResult(
        name=name,
        verdict=_verdict(pairs, limit, drop, worst_drop),
        base=_points(share(pairs, base_passed)),
        candidate=_points(share(pairs, candidate_passed)),
        drop=drop,
        worst_drop=worst_drop,
        limit=limit,
        cells=len(pairs),
        broke=broke,
        repaired=sum(pair.repaired for pair in pairs),
        missing=sum(pair.missing for pair in pairs),
    )


def _loss(losses: Iterable[Fraction], total: Fraction) -> Fraction:
    return points(sum(losses, Fraction(0)) / total) if total else Fraction(0)


def _points(value: Fraction | None) -> Fraction | None:
    return None if value is None else points(value)


def _verdict(pairs: Sequence[Pair], limit: Limit, drop: Fraction, worst_drop: Fraction) -> Verdict:
    if not pairs or all(pair.missing for pair in pairs):
        return Verdict.INCONCLUSIVE
    if limit == "any":
        failed, passed = any(pair.broke for pair in pairs), not any(pair.worst_loss > 0 for pair in pairs)
    else:
        failed, passed = drop >= limit, worst_drop < limit
    if failed:
        return Verdict.REGRESSION
    return Verdict.PASS if passed else Verdict.INCONCLUSIVE
