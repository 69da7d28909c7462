"""Limits on latency and cost: how much more the candidate takes, and whether policy allows it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ci_eval.config import GatePolicy
from ci_eval.figures.costs import CostComparison, judge_cost
from ci_eval.figures.ratio import Ratio
from ci_eval.figures.timing import LatencyComparison, judge_latency
from ci_eval.verdict import Verdict


@dataclass(frozen=True)
class Increase:
    """How many times as much the candidate takes as main, and whether policy allows it."""

    name: Literal["latency", "cost"]
    verdict: Verdict
    ratio: Ratio | None
    """None where it is not known: too few calls of this job on both sides, or an unknown price."""
    limit: Fraction
    """In percent."""
    pairs: int
    """Cases that both sides answered."""
    unpriced: int = 0
    """Those of which a price is not known."""


def increases(policy: GatePolicy, latency: LatencyComparison, cost: CostComparison) -> Iterator[Increase]:
    """What policy limits, judged; doubt is no pass."""
    if policy.latency:
        limit = Fraction(str(policy.latency.max_increase))
        verdict = Verdict(judge_latency(latency, limit))
        yield Increase("latency", verdict, latency.ratio, limit, latency.pairs)
    if policy.cost:
        limit = Fraction(str(policy.cost.max_increase))
        verdict = Verdict(judge_cost(cost, limit))
        yield Increase("cost", verdict, cost.ratio, limit, cost.pairs, cost.unpriced)
