"""The candidate compared with the anchor, a fixed commit, so that main cannot get worse bit by bit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ci_eval.comparison import pair_up
from ci_eval.confirm.machine import Side
from ci_eval.evaluation.session import Session
from ci_eval.gating.asking import Asking
from ci_eval.gating.budgets import Work
from ci_eval.gating.first_pass import first_pass
from ci_eval.gating.rerun import Reruns
from ci_eval.outcome.model import AnchorOutcome
from ci_eval.records import Record
from ci_eval.runner.cache import FIRST_FRESH
from ci_eval.verdict import DimensionResult, Verdict, decide

_NAMES: Mapping[Side, str] = {"base": "anchor", "candidate": "candidate-beside-anchor"}
# Confirmations of the candidate beside main have the numbers below: no draw is used twice.
_FIRST_NUMBER = 2 * FIRST_FRESH


def judge_anchor(
    work: Work,
    cases: Collection[str],
    candidate: Mapping[str, Record],
    beside_main: Sequence[DimensionResult],
    session: Session,
) -> AnchorOutcome:
    """Compare the candidate's answers to some cases with the anchor's, and confirm what differs, as beside main."""
    prepared = work.prepared
    assert prepared.anchor_ref is not None, "an anchor has a name"  # noqa: S101 - whoever prepares one names it
    asking = Asking(prepared.suite, work.evaluators, session, _NAMES)
    first = first_pass(prepared, cases, asking, known=candidate)
    reruns = Reruns(asking, first, first_number=_FIRST_NUMBER)
    confirmation = reruns.confirm(work.question, frozenset(cases))
    asked = {name: case for name, case in prepared.suite.golden.cases.items() if name in confirmation.scope}
    comparison = pair_up(asked, prepared.suite.scorers, reruns.records("base"), reruns.records("candidate"))
    dimensions = decide(comparison, confirmation)
    return AnchorOutcome(
        ref=prepared.anchor_ref,
        commit=prepared.base.snapshot.commit,
        dimensions=dimensions,
        blamed=_blamed(dimensions, beside_main),
        calls=first.calls + reruns.calls,
    )


def _blamed(dimensions: Sequence[DimensionResult], beside_main: Sequence[DimensionResult]) -> tuple[str, ...]:
    """Where this change crossed the limit, or surely went further below it, or nobody knows."""
    main = {one.name: one for one in beside_main}
    red = [one for one in dimensions if one.verdict is not Verdict.PASS]
    return tuple(
        one.name
        for one in red
        if one.verdict is Verdict.INCONCLUSIVE or not _was_below(one, main[one.name]) or main[one.name].interval[0] > 0
    )


def _was_below(anchor: DimensionResult, main: DimensionResult) -> bool:
    """Whether main itself was below the limit, by one run a side: then a change that did nothing is not to blame."""
    if anchor.base is None or main.base is None or anchor.limit == "any":
        return False
    return (anchor.base - main.base) * anchor.cells / max(1, anchor.gated) >= anchor.limit
