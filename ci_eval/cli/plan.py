"""`ci-eval plan`: what a gate would do, before money is spent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.gate import Outlook
    from ci_eval.gating.budgets import Work
    from ci_eval.plan.subset import Budget, Cost, Plan


@click.command()
@click.option("--base", "base_ref", metavar="REF", help="Compare with this; by default origin's main, or main.")
@click.option("--head", "head_ref", metavar="REF", help="Plan for this commit; by default the working tree.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--full", is_flag=True, help="Plan every golden case, as the merge queue does.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON, with every case's chance to be chosen.")
def plan(base_ref: str | None, head_ref: str | None, config_path: str, repo: Path, full: bool, as_json: bool) -> int:
    """Say what a gate would run and cost.

    Cases, calls, tokens, dollars, minutes, and the smallest drop it could see. Nothing is asked and no key is needed:
    times and tokens are those of main's stored runs. Exits 3 where the budget is too small for a gate.
    """
    from dataclasses import replace

    from ci_eval.cli.gate import on_laptop
    from ci_eval.cli.laptop import no_keys
    from ci_eval.gating.budgets import refuse_too_small
    from ci_eval.git import Git

    gate = on_laptop(Git.discover(repo), base_ref, head_ref, config_path, None, quiet=True)
    outlook = replace(gate, keys=no_keys, whole=full).plan()
    if as_json:
        click.echo(json.dumps(_as_json(outlook), indent=2))
    else:
        click.echo("\n".join(_lines(outlook)))
    if outlook.budget:
        refuse_too_small(outlook.work, outlook.plans, outlook.budget)
    return 0


# --- in words ---------------------------------------------------------------------------------------------------------


def _lines(outlook: Outlook) -> Iterator[str]:
    from ci_eval.report.headline import NOT_JUDGED

    if outlook.budget is None:
        yield f"Nothing to run: {NOT_JUDGED[outlook.reason]}."
        return
    for work, each in zip(outlook.work, outlook.plans, strict=True):
        yield from _suite(work, each)
    yield f"Budget: {', '.join(_limits(outlook.budget))}."


def _limits(budget: Budget) -> Iterator[str]:
    yield f"{budget.seconds:g} s"
    yield "no limit of money" if budget.usd is None else f"${budget.usd:.2f}"
    if budget.calls is not None:
        yield f"{budget.calls:,} calls"
    if budget.tokens is not None:
        yield f"{budget.tokens:,} tokens"


def _suite(work: Work, plan: Plan) -> Iterator[str]:
    from tabulate import tabulate

    prepared = work.prepared
    changed = ", ".join(f"{change.role} {log(change.path)}" for change in prepared.change.subject)
    part = "all" if plan.whole else f"{len(plan.cases):,} of"
    yield f"Suite {prepared.suite.name}: {part} {plan.of:,} golden cases"
    rows = [
        ["changed", changed],
        ["main", _main(work)],
        *([["canaries", _calls(work.canaries)]] if work.canaries.requests else []),
        ["first pass", _cost(plan.first, plan.first_seconds)],
        ["with confirmation", f"at most {_cost(plan.most, plan.most_seconds)} (in 95 of 100 gates)"],
        ["smallest drop seen", ", ".join(f"{name} {_points(drop)}" for name, drop in work.sees(plan).items())],
    ]
    yield tabulate(rows, tablefmt="plain", disable_numparse=True, maxcolwidths=[None, 90])
    yield ""


def _main(work: Work) -> str:
    recalled, objection = work.prepared.recalled, work.prepared.objection
    if recalled:
        return f"stored run of {log(str(recalled.header.commit)[:12])}, made {recalled.header.time}"
    return f"is asked as well: {log(objection) if objection else 'no stored run of these inputs'}"


def _cost(cost: Cost, seconds: float) -> str:
    return f"{_calls(cost)}, {f'about {seconds:.0f} s' if seconds else 'time unknown: main has no stored run'}"


def _calls(cost: Cost) -> str:
    from ci_eval.report.numbers import dollars

    usd = "unknown price" if cost.usd is None else dollars(cost.usd)
    calls = f"{cost.calls:,.0f} calls" + (f" and {cost.scoring:,.0f} by scorers" if cost.scoring else "")
    calls = calls if cost.calls or not cost.scoring else f"{cost.scoring:,.0f} calls by scorers"
    return f"{calls}, {cost.tokens_in:,.0f} tokens in, {cost.tokens_out:,.0f} out, {usd}"


def _points(drop: Fraction | Literal["any"]) -> str:
    return "any case that breaks" if drop == "any" else f"{float(drop):.3g} points"


# --- for programs -----------------------------------------------------------------------------------------------------


def _as_json(outlook: Outlook) -> dict[str, Any]:
    return {
        "reason": outlook.reason,
        "budget": vars(outlook.budget) if outlook.budget else None,
        "suites": [_suite_json(work, each) for work, each in zip(outlook.work, outlook.plans, strict=True)],
    }


def _suite_json(work: Work, plan: Plan) -> dict[str, Any]:
    drops = work.sees(plan)
    return {
        "suite": work.prepared.suite.name,
        "golden_cases": plan.of,
        "cases": list(plan.cases),
        "chance": dict(plan.chance),
        "whole": plan.whole,
        "fits": plan.fits,
        "canaries": vars(work.canaries),
        "first": vars(plan.first),
        "confirmation": vars(plan.confirmation),
        "first_seconds": plan.first_seconds,
        "most_seconds": plan.most_seconds,
        "smallest_drop": {name: drop if drop == "any" else f"{float(drop):.4f}" for name, drop in drops.items()},
        "base_stored": bool(work.prepared.recalled),
    }
