"""One case at a time: render, ask, score, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Provider, ProviderError, Reply, Request, Usage
from ci_eval.records import CellResult, Key, Record, Scoring, kept_calls, kept_output, kept_reason, kept_steps
from ci_eval.scorers.base import Answer
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
        request = self.request(job)
        started = time.monotonic()
        try:
            reply = self._reply(request, job.repeat, deadline)
        except ProviderError as error:
            return self.without_answer(job, _in_time(error, deadline))
        seconds = time.monotonic() - started if reply.seconds is None else reply.seconds
        return self._scored(job, request, reply, seconds, Errand(job.repeat, deadline))

    def _scored(self, job: Job, request: Request, reply: Reply, seconds: float, errand: Errand) -> Record:
        """An answer with its scores. Without one of them the case is lost, and was paid for all the same."""
        text = reply.text.text().encode("utf-8", "replace").decode()
        try:
            cells = self._cells(job.case, text, reply, request, errand)
        except ProviderError as error:
            lost = self.without_answer(job, _in_time(error, errand.deadline))
            return lost.model_copy(update={**self._paid(reply), "scoring": _billed(errand.bill)})
        return Record(
            case=job.case.id,
            repeat=job.repeat,
            request=self.request(job).digest,
            output=kept_output(text),
            steps=kept_steps(reply.steps),
            tool_calls=kept_calls(reply.tool_calls),
            cells=cells,
            latency_ms=None if reply.cached_at else round(seconds * 1000, 1),
            scoring=_billed(errand.bill),
            **self._paid(reply),
        )

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

    def _cells(self, case: Case, text: str, reply: Reply, request: Request, errand: Errand) -> list[CellResult]:
        """Raises ProviderError when a scorer that asks a provider gets no answer."""
        if reply.finish == "length":
            return self._all_failed(case, "the answer was cut off at max_tokens")
        answer = Answer(text, reply.tool_calls, reply.steps, request.system)
        scorers = self.scorers.for_case(case)
        cells = [self._cell(one, answer, case, errand) for one in scorers if not one.policy.judges_scores]
        judged = replace(answer, judged=tuple(cells))
        return cells + [self._cell(one, judged, case, errand) for one in scorers if one.policy.judges_scores]

    def _cell(self, scorer: Scorer, answer: Answer, case: Case, errand: Errand) -> CellResult:
        score = self.bound[scorer.name].score(answer, case, errand)
        return CellResult(
            scorer=scorer.name,
            dimension=scorer.dimension,
            score=score.value,
            passed=score.passed,
            reason=kept_reason(score.reason),
            parts=dict(score.parts),
        )

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
