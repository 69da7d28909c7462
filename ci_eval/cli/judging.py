"""What the commands of `ci-eval judge` share: which judge is meant, and what asking it would cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ci_eval.errors import UsageError
from ci_eval.report.numbers import dollars

if TYPE_CHECKING:
    from ci_eval.evaluation.suite import Suite
    from ci_eval.plan.subset import Cost
    from ci_eval.scorers.registry import BoundScorer


def the_judge(suite: Suite, judges: Sequence[BoundScorer], wanted: str | None) -> BoundScorer:
    """The one of that name, or the only one; raises UsageError where there is none, or a choice."""
    if not judges:
        raise UsageError(f"the suite {suite.name} has no scorer of type judge")
    found = [bound for bound in judges if wanted in (None, bound.scorer.name)]
    if len(found) != 1:
        names = ", ".join(bound.scorer.name for bound in judges)
        raise UsageError(f"choose one of the judges of the suite {suite.name} with --scorer ({names})")
    return found[0]


def tell_cost(cost: Cost, number: int, what: str, key: str, *, as_json: bool) -> None:
    """What judging so many of something would take at most; `key` is its name in JSON."""
    if as_json:
        told = {"calls": cost.scoring, "tokens_in": cost.tokens_in, "tokens_out": cost.tokens_out, "usd": cost.usd}
        click.echo(json.dumps({key: number, **told}))
        return
    usd = "an unknown price" if cost.usd is None else f"about {dollars(cost.usd)}"
    click.echo(
        f"{number:,} {what}: at most {cost.scoring:,.0f} calls, "
        f"{cost.tokens_in:,.0f} tokens in, {cost.tokens_out:,.0f} out, {usd}. Nothing was asked."
    )
