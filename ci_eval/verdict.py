"""The decision, as data: did this golden set get worse by the limit or more, in any dimension?

`confirm` decides; here its decisions meet the scores that people read. Every dimension must pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from ci_eval.comparison import Comparison, Pair, base_passed, candidate_passed, share
from ci_eval.confirm.evidence import RULE, Flip, Limit, Why
from ci_eval.confirm.machine import Confirmation, Unanswered
from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REGRESSION
from ci_eval.stats import Z95, points


class Verdict(StrEnum):
    """The decision about a suite or a whole gate. Only pass and accepted are green."""

    PASS = "pass"  # noqa: S105 - not a password
    ACCEPTED = "accepted"
    """A regression that a person took on: said of a whole gate only."""
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """The exit code that stands for it; 0 is green."""
        return {
            Verdict.PASS: EXIT_PASS,
            Verdict.ACCEPTED: EXIT_PASS,
            Verdict.REGRESSION: EXIT_REGRESSION,
            Verdict.INCONCLUSIVE: EXIT_INCONCLUSIVE,
        }[self]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """A regression outweighs what is inconclusive, and that outweighs a pass; nothing at all is inconclusive."""
    found = set(verdicts)
    order = (Verdict.REGRESSION, Verdict.INCONCLUSIVE, Verdict.ACCEPTED, Verdict.PASS)
    return next((verdict for verdict in order if verdict in found), Verdict.INCONCLUSIVE)


Fate = Literal["stayed", "went", "unconfirmed"]


def fate(flip: Flip, limit: Limit) -> Fate:
    """Whether a flip was a change or chance: all that counts or lists flipped cells asks here.

    It stayed if half of the cell or more is lost, or gained; where any broken cell fails, if it is one that fails.
    """
    if not flip.known:
        return "unconfirmed"
    loss, _ = flip.effect(RULE, RULE.looks[-1])
    least = Fraction(1) if limit == "any" and flip.sign > 0 else Fraction(1, 2)
    return "stayed" if flip.sign * loss >= least else "went"


@dataclass(frozen=True)
class DimensionResult:
    """One dimension of one suite. Scores and drops are points on the 0-100 scale; None where nothing is known."""

    name: str
    verdict: Verdict
    why: Why | Unanswered
    """What the verdict stands on: the first look alone, or one of the looks at fresh runs."""
    base: Fraction | None
    """The share of gated cells that passed in the first look, one run a side."""
    candidate: Fraction | None
    drop: Fraction
    """By fresh runs, or by answers that cannot differ; what was not asked again, or is unknown, counts as unchanged."""
    worst_drop: Fraction
    """The same, taking unknown cells as broken."""
    error: float
    """The standard error of the drop in points; 0 where every answer is repeatable."""
    limit: Limit
    cells: int
    """Gated cells of the cases that were run."""
    gated: int
    """All gated cells: what a drop is counted against."""
    broke: int
    """Cells that broke and stayed broken, as `repaired` are those that stayed repaired."""
    repaired: int
    unsettled: int
    """Cells that differed and of which more reruns could tell more."""
    missing: int
    fresh: int
    """Answers of fresh runs that voted."""

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the drop, in points."""
        return float(self.drop) - Z95 * self.error, float(self.drop) + Z95 * self.error


def decide(comparison: Comparison, confirmation: Confirmation) -> tuple[DimensionResult, ...]:
    """The result of every dimension, in the order of the limits; quarantined cells are left out."""
    gated = [pair for pair in comparison.pairs if (pair.case, pair.scorer) not in confirmation.question.quarantined]
    return tuple(
        _dimension(name, [pair for pair in gated if pair.dimension == name], confirmation)
        for name in confirmation.question.limits
    )


def _dimension(name: str, pairs: Sequence[Pair], confirmation: Confirmation) -> DimensionResult:
    decision, limit = confirmation.decision()[name], confirmation.question.limits[name]
    flips = [flip for flip in confirmation.flips.values() if flip.cell.dimension == name]
    stayed = [flip.sign for flip in flips if fate(flip, limit) == "stayed"]
    missing = [pair for pair in pairs if pair.missing]
    total = confirmation.question.weight[name]
    return DimensionResult(
        name=name,
        verdict=Verdict(decision.verdict),
        why=decision.why,
        base=_points(share(pairs, base_passed)),
        candidate=_points(share(pairs, candidate_passed)),
        drop=decision.drop,
        worst_drop=decision.drop + _loss((pair.weight * pair.worst_loss for pair in missing), total),
        error=decision.standard_error,
        limit=limit,
        cells=len(pairs),
        gated=decision.gated,
        broke=stayed.count(1),
        repaired=stayed.count(-1),
        unsettled=sum(not flip.settled(RULE) for flip in flips),
        missing=len(missing),
        fresh=decision.fresh,
    )


def _loss(losses: Iterable[Fraction], total: Fraction) -> Fraction:
    return points(sum(losses, Fraction(0)) / total) if total else Fraction(0)


def _points(value: Fraction | None) -> Fraction | None:
    return None if value is None else points(value)
