"""Canaries: answers whose verdict is known, judged before any score counts. A judge that misses one ends the job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ci_eval.errors import Inconclusive
from ci_eval.evaluation.score_given_answers import score_given
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Suite
from ci_eval.plan.subset import NOTHING, Cost
from ci_eval.records import Record
from ci_eval.runner.cache import FIRST_FRESH
from ci_eval.runner.given_answers import GivenAnswer, part_of, with_reference
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.preference import TIE
from ci_eval.scorers.registry import BoundScorer
from ci_eval.scorers.rubric import Canary
from ci_eval.text import log


def check_judges(suites: Iterable[Suite], session: Session) -> None:
    """Raises Inconclusive where a judge misses a canary of its rubric, or does not answer.

    Before anything is asked; InputError for what is wrong with what is known of them.
    """
    chosen = list(suites)
    assert all(suite.judge_facts is not None for suite in chosen)  # noqa: S101 - reading it is what checks it
    for suite in chosen:
        for bound in suite.judges(session.keys):
            check_judge(suite, bound, session)


def check_judge(suite: Suite, bound: BoundScorer, session: Session) -> None:
    """The same for one judge."""
    policy = bound.scorer.policy
    assert isinstance(policy, Judge), "the suite's judges"  # noqa: S101
    canaries = policy.read_rubric(suite.snapshot).rubric.canaries
    if not canaries:
        return
    given = _given_by(policy, canaries)
    # Never out of the cache, by its number: it is today's judge that counts.
    records = score_given(bound, suite, session, given, FIRST_FRESH, "canaries (some have to fail) of")
    for number, canary in enumerate(canaries, start=1):
        record = records.get(f"canary-{number}")
        if record and record.lost:
            cause = record.error.text() if record.error else "no answer"
            raise Inconclusive(
                f'suite {suite.name}: the judge "{bound.scorer.name}" gave no verdict on canary {number} of '
                f"{policy.rubric} ({log(cause)}); see to its provider, or choose another model to judge"
            )
        problem = _problem(canary, record, policy)
        if problem:
            raise Inconclusive(
                f'suite {suite.name}: the judge "{bound.scorer.name}" cannot be relied on: {problem} '
                f"canary {number} of {policy.rubric}; correct the rubric, or choose another model to judge"
            )


def _given_by(policy: Judge, canaries: Sequence[Canary]) -> list[GivenAnswer]:
    """The answers that a judge is to know, as it looks at them."""
    return [_given(number, canary, policy) for number, canary in enumerate(canaries, start=1)]


def canaries_take(suite: Suite, bound: BoundScorer) -> Cost:
    """What asking a judge about its canaries will take."""
    policy = bound.scorer.policy
    assert isinstance(policy, Judge), "the suite's judges"  # noqa: S101
    given = _given_by(policy, policy.read_rubric(suite.snapshot).rubric.canaries)
    return sum((bound.takes(one.case, len(one.answer)) for one in given), NOTHING)


def _given(number: int, canary: Canary, policy: Judge) -> GivenAnswer:
    case = canary.case(number)
    if canary.reference is not None:
        case = with_reference(case, policy.reference_path, canary.reference)
    return GivenAnswer(case, part_of(policy.field, canary.output))


def _problem(canary: Canary, record: Record | None, policy: Judge) -> str | None:
    """What is wrong with a verdict; None where it is right."""
    if record is None:
        return "there is no money left to ask it about"
    (cell,) = record.cells
    if policy.is_pairwise:
        return _misses(canary, cell.score if canary.criterion is None else cell.parts[canary.criterion])
    passed = cell.passed if canary.criterion is None else cell.parts[canary.criterion] >= policy.threshold
    if passed == (canary.expect == "pass"):
        return None
    return f"it {'passes' if passed else 'fails'} a known {'good' if canary.expect == 'pass' else 'bad'} answer,"


def _misses(canary: Canary, preferred: float) -> str | None:
    """What is wrong with a preference, of which ½ is a tie; None where it is the known one."""
    found = preferred > TIE if canary.expect == "better" else preferred < TIE
    return None if found else f"it does not find an answer {canary.expect} that is known to be, in both orders,"
