"""One case at a time: render, ask, score, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Provider, ProviderError, Reply, Request, Usage
from ci_eval.records import CellResult, Key, Record, Scoring, kept_calls, kept_output, kept_reason, kept_steps
from ci_eval.scorers.aside import Aside, Promise, Scores
from ci_eval.scorers.base import Answer, Score
from ci_eval.scorers.errand import Bill, Errand
from ci_eval.scorers.registry import BoundScorer, Scorer, ScorerSet
from ci_eval.targets.base import Target
from ci_eval.text import Untrusted

OUT_OF_TIME = "the budget of time ran out"


@dataclass(frozen=True, slots=True)
class Job:
    """One request to make for one case. It is rendered when it is asked for: thousands of them need no room."""

    case: Case
    repeat: int

    @property
    def key(self) -> Key:
        return self.case.id, self.repeat


@dataclass(frozen=True)
class Answered:
    """A job that has its answer, and not yet all of its scores."""

    job: Job
    reply: Reply
    seconds: float
    answer: Answer
    errand: Errand
    scores: Mapping[str, Score] = field(default_factory=dict)
    """By scorer: those that were made at once."""
    given: Promise | None = None
    """Those that another process makes."""

    def elsewhere(self) -> Scores:
        """What another process made; raises ProviderError when the time ends first."""
        if self.given is None:
            return {}
        try:
            return self.given.kept(self.errand.deadline)
        except TimeoutError:
            raise ProviderError(OUT_OF_TIME) from None


def unpriced(usage: Usage) -> Decimal | None:  # noqa: ARG001 - whatever it is
    return None


@dataclass(frozen=True)
class Evaluator:
    """One target under one set of scorers."""

    target: Target
    provider: Provider
    scorers: ScorerSet
    bound: Mapping[str, BoundScorer]
    concurrency: int
    cost: Callable[[Usage], Decimal | None] = unpriced
    """What one answer costs in USD; None where no price is known."""
    aside: Aside | None = None
    """Where those scorers are asked that can be asked in another process."""

    def is_deterministic(self, case: Case) -> bool:
        """Whether asking again about a case could only give the same answer and the same scores."""
        draws = any(self.bound[scorer.name].draws for scorer in self.scorers.for_case(case))
        return not draws and self.provider.is_deterministic(self.target.request(case))

    def jobs(self, cases: Iterable[Case], repeats: int) -> list[Job]:
        """Every request that there is to make; a sure answer is asked for once.

        Each is rendered here before any is sent, so that a bad prompt costs nothing; raises InputError for it.
        """
        return [Job(case, repeat) for case in cases for repeat in range(1 if self.is_deterministic(case) else repeats)]

    def request(self, job: Job) -> Request:
        return self.target.request(job.case)

    def ask(self, job: Job, deadline: Deadline) -> Record:
        """The record of one job; a ProviderError becomes one, too."""
        begun = self.begin(job, deadline)
        return self.finish(begun) if isinstance(begun, Answered) else begun

    def begin(self, job: Job, deadline: Deadline) -> Answered | Record:
        """The answer to one job, with the scores that are made here; or what became of it instead."""
        request = self.request(job)
        started = time.monotonic()
        try:
            reply = self._reply(request, job.repeat, deadline)
        except ProviderError as error:
            return self.without_answer(job, _in_time(error, deadline))
        seconds = time.monotonic() - started if reply.seconds is None else reply.seconds
        text = reply.text.text().encode("utf-8", "replace").decode()
        refused = reply.finish == "refusal"
        answer = Answer(text, reply.tool_calls, reply.steps, request.system, refused=refused)
        answered = Answered(job, reply, seconds, answer, Errand(job.repeat, deadline))
        return answered if reply.finish == "length" else self._begin_scoring(answered)

    def _begin_scoring(self, answered: Answered) -> Answered | Record:
        given = self.aside.give(answered.answer, answered.job.case) if self.aside else None
        apart = self.aside.names if self.aside and given else frozenset[str]()
        here = [one for one in self._first(answered.job.case) if one.name not in apart]
        try:
            scores = {one.name: self._score(one, answered) for one in here}
        except ProviderError as error:
            return self._lost(answered, error)
        return replace(answered, scores=scores, given=given)

    def finish(self, answered: Answered) -> Record:
        """The record of an answer, once its scores are there.

        Without one of them the case is lost, and was paid for all the same.
        """
        job = answered.job
        try:
            cells = self._cells(answered)
        except ProviderError as error:
            return self._lost(answered, error)
        return Record(
            case=job.case.id,
            repeat=job.repeat,
            request=self.request(job).digest,
            output=kept_output(answered.answer.text),
            steps=kept_steps(answered.reply.steps),
            tool_calls=kept_calls(answered.reply.tool_calls),
            cells=cells,
            latency_ms=None if answered.reply.cached_at else round(answered.seconds * 1000, 1),
            scoring=_billed(answered.errand.bill),
            **self._paid(answered.reply),
        )

    def _lost(self, answered: Answered, error: ProviderError) -> Record:
        lost = self.without_answer(answered.job, _in_time(error, answered.errand.deadline))
        return lost.model_copy(update={**self._paid(answered.reply), "scoring": _billed(answered.errand.bill)})

    def _paid(self, reply: Reply) -> dict[str, Any]:
        """What an answer took, whatever became of it."""
        cost = self.cost(reply.usage)
        usd = None if cost is None else float(cost)
        return {"finish": reply.finish, "cached_at": reply.cached_at, "cost_usd": usd, **vars(reply.usage)}

    def _reply(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        if deadline.remaining() <= 0:
            raise ProviderError(OUT_OF_TIME)
        return self.provider.complete(request, repeat, deadline)

    def without_answer(self, job: Job, error: ProviderError) -> Record:
        """A request that was refused for what it is failed; one that was lost on the way has no score at all."""
        kind = "request" if error.about_request else "infrastructure"
        reason = f"the provider refused the request: {error.cause}"
        return Record(
            case=job.case.id,
            repeat=job.repeat,
            request=self.request(job).digest,
            cells=self._all_failed(job.case, reason) if error.about_request else [],
            error=Untrusted(error.cause),
            error_kind=kind,  # type: ignore[arg-type]  # one of the two literals
        )

    def _cells(self, answered: Answered) -> list[CellResult]:
        """Raises ProviderError when a scorer that asks a provider gets no answer."""
        case = answered.job.case
        if answered.reply.finish == "length":
            return self._all_failed(case, "the answer was cut off at max_tokens")
        scores = {**answered.scores, **answered.elsewhere()}
        cells = [_cell(one, scores.get(one.name) or self._score(one, answered)) for one in self._first(case)]
        judged = replace(answered, answer=replace(answered.answer, judged=tuple(cells)))
        last = [one for one in self.scorers.for_case(case) if one.policy.judges_scores]
        return cells + [_cell(one, self._score(one, judged)) for one in last]

    def _first(self, case: Case) -> list[Scorer]:
        """The scorers of a case that do not look at the scores of others."""
        return [one for one in self.scorers.for_case(case) if not one.policy.judges_scores]

    def _score(self, scorer: Scorer, answered: Answered) -> Score:
        return self.bound[scorer.name].score(answered.answer, answered.job.case, answered.errand)

    def _all_failed(self, case: Case, reason: str) -> list[CellResult]:
        """But those that look at the scores of others: an answer that is not whole shows it."""
        return [
            CellResult(
                scorer=scorer.name,
                dimension=scorer.dimension,
                score=int(scorer.policy.judges_scores),
                passed=scorer.policy.judges_scores,
                reason=Untrusted(reason),
            )
            for scorer in self.scorers.for_case(case)
        ]


def _cell(scorer: Scorer, score: Score) -> CellResult:
    return CellResult(
        scorer=scorer.name,
        dimension=scorer.dimension,
        score=score.value,
        passed=score.passed,
        reason=kept_reason(score.reason),
        parts=dict(score.parts),
    )


def _in_time(error: ProviderError, deadline: Deadline) -> ProviderError:
    """What went wrong: after the deadline, that it is over."""
    return ProviderError(OUT_OF_TIME) if deadline.remaining() <= 0 and not error.about_request else error


def _billed(bill: Bill) -> Scoring | None:
    """A bill as a record has it; None where nothing was asked."""
    if not bill.calls and bill.cached_at is None:
        return None
    return Scoring(
        calls=bill.calls,
        tokens_in=bill.tokens_in,
        tokens_out=bill.tokens_out,
        cost_usd=None if bill.usd is None else float(bill.usd),
        seconds=round(bill.seconds, 3),
        cached_at=bill.cached_at,
    )


def replace_repeat(record: Record, repeat: int) -> Record:
    return record.model_copy(update={"repeat": repeat, "reused": True, "scoring": None})
