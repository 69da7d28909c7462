"""The candidate's answers to golden cases that it adds: they are shown, and not gated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_eval.evaluation.prepare import Prepared
from ci_eval.evaluation.session import Session
from ci_eval.gating.asking import Asking
from ci_eval.gating.estimate import most_of
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import NOTHING
from ci_eval.records import Record
from ci_eval.runner.evaluator import Evaluator


def answers_to_new_cases(
    prepared: Prepared, evaluator: Evaluator, added: Sequence[Case], session: Session
) -> Mapping[str, Record]:
    """The records by case. Empty unless time is left, and the budget covers all of the added cases."""
    if not added or session.deadline.remaining() <= 0:
        return {}
    most = [most_of(evaluator, case) for case in added]
    together = sum(most, NOTHING)
    if not session.purse.covers(together.usd, together.requests, together.tokens):
        return {}
    session.purse.expect(
        max(one.usd or 0.0 for one in most), max(one.requests for one in most), max(one.tokens for one in most)
    )
    asking = Asking(prepared.suite, {"candidate": evaluator}, session, {"candidate": "new-cases"})
    jobs = evaluator.jobs(added, 1)
    asking.files["candidate"].start(
        prepared.suite.header(evaluator, jobs, prepared.candidate.snapshot.commit, session.origin)
    )
    answers = asking.ask("new cases", [("candidate", job) for job in jobs])
    return {job.case.id: record for _, job, record in answers if record}
