"""What a judge is asked outside a gate ends with the same budget: money, calls, tokens and time."""

from __future__ import annotations

from dataclasses import replace

from ci_eval.config import BudgetPolicy, ProviderPolicy
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive
from ci_eval.evaluation.session import Session
from ci_eval.plan.subset import Budget, Cost
from ci_eval.purse import Purse


def refuse_too_dear(what: str, cost: Cost, policy: BudgetPolicy, asked: ProviderPolicy) -> None:
    """Raises Inconclusive, before the first call, where the budget does not cover what it may take at most."""
    budget = Budget(float(policy.seconds), policy.usd, policy.calls, policy.tokens)
    if budget.usd is not None and cost.usd is None:
        raise Inconclusive(
            f"{what}: no price is known for its model, and budget.usd is set; "
            "name its prices under the provider in ci-eval.yaml"
        )
    seconds = 60 * cost.scoring / asked.requests_per_minute if asked.requests_per_minute else 0.0
    if not budget.affords(cost) or seconds > budget.seconds:
        usd = "" if cost.usd is None else f" and ${cost.usd:.4f}"
        time = f"{seconds:,.0f} s, " if seconds > budget.seconds else ""
        raise Inconclusive(
            f"{what} would take up to {time}{cost.scoring:,.0f} calls, {cost.tokens:,.0f} tokens{usd}, "
            "more than the budget of ci-eval.yaml; raise it, or have less judged"
        )


def within(session: Session, policy: BudgetPolicy) -> Session:
    """A session that ends with the budget."""
    purse = Purse()
    purse.hold(policy.usd, policy.calls, policy.tokens)
    return replace(session, deadline=Deadline.after(float(policy.seconds)), purse=purse)
