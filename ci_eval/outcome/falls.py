"""What a person accepts who accepts a regression, and whether a later drop is larger. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ci_eval.confirm.evidence import Limit
from ci_eval.outcome.model import GateOutcome, SuiteOutcome
from ci_eval.verdict import DimensionResult, Verdict


@dataclass(frozen=True)
class Fall:
    """One thing that failed the gate."""

    suite: str
    name: str
    """The dimension; of an increase, what rose."""
    beside: Literal["main", "anchor"]
    unit: Literal["points", "percent"]
    size: Fraction
    most: Fraction | None
    """The size, taking what is unknown as broken; None where reruns ended before its size was known."""
    limit: Limit

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.suite, self.name, self.beside, self.unit


def falls(outcome: GateOutcome) -> list[Fall]:
    """Everything that is a regression, suite by suite."""
    return [fall for suite in outcome.suites for fall in _of_suite(suite)]


def _of_suite(suite: SuiteOutcome) -> Iterator[Fall]:
    yield from (_of_scores(suite, one, "main") for one in _red(suite.dimensions))
    yield from (_of_scores(suite, one, "anchor") for one in _red(suite.anchor.gated if suite.anchor else ()))
    for increase in suite.increases:
        if increase.verdict is Verdict.REGRESSION and increase.ratio:
            size = 100 * (Fraction(increase.ratio.value) - 1)
            yield Fall(suite.suite, increase.name, "main", "percent", size, size, increase.limit)


def _red(results: Sequence[DimensionResult]) -> Iterator[DimensionResult]:
    return (result for result in results if result.verdict is Verdict.REGRESSION)


def _of_scores(suite: SuiteOutcome, result: DimensionResult, beside: Literal["main", "anchor"]) -> Fall:
    known = result.why != "part" and (beside == "anchor" or not _unconfirmed(suite, result.name))
    most = result.worst_drop if known else None
    return Fall(suite.suite, result.name, beside, "points", result.drop, most, result.limit)


def _unconfirmed(suite: SuiteOutcome, dimension: str) -> bool:
    """Whether cells broke that were not asked again: they count as unchanged, so the drop may be larger."""
    return any(
        suite.fates[key] == "unconfirmed" and flip.sign > 0 and flip.cell.dimension == dimension
        for key, flip in suite.flips.items()
    )


def outgrown(now: Sequence[Fall], accepted: Sequence[Fall]) -> list[Fall]:
    """Of what fell now, what is more than was accepted, or may be."""
    sizes = {fall.key: fall.size for fall in accepted}
    return [fall for fall in now if fall.key not in sizes or fall.most is None or fall.most > sizes[fall.key]]
