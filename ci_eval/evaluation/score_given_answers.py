"""Score answers that exist already, under the deadline, the budget and the progress display of a session."""

from __future__ import annotations

from collections.abc import Sequence

from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Suite
from ci_eval.plan.subset import NOTHING
from ci_eval.records import Record
from ci_eval.runner.given_answers import GivenAnswer, evaluator_for, jobs
from ci_eval.runner.pool import run_all
from ci_eval.scorers.registry import BoundScorer


def score_given(
    bound: BoundScorer, suite: Suite, session: Session, given: Sequence[GivenAnswer], repeat: int, what: str
) -> dict[str, Record]:
    """One record by case. A case that was not begun because the budget or the time ran out has none.

    `what` says on the progress display what is scored.
    """
    evaluator = evaluator_for(bound, given, suite.concurrency_of(bound.scorer))
    found: dict[str, Record] = {}

    def seen(_: int, record: Record) -> None:
        found[record.case] = record
        # The answer was there: only its scoring is a call.
        calls = record.scoring.calls if record.scoring else 0
        session.purse.pay(record.spent_usd, calls=calls, tokens=record.spent_tokens)
        session.progress.advance(record)

    most = [bound.takes(one.case, len(one.answer)) for one in given] or [NOTHING]
    session.purse.expect(
        max(one.usd or 0.0 for one in most), max(one.scoring for one in most), max(one.tokens for one in most)
    )
    session.progress.start(f"{suite.name}: {what} {bound.scorer.name}", len(given))
    try:
        run_all([(evaluator, job) for job in jobs(given, repeat)], session.deadline, seen, session.purse.begin)
    finally:
        session.progress.finish()
    return found
