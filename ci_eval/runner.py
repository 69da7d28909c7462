"""Run the cells: render, ask, score, record. Threads ask; scoring stays in their hands so that nothing waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from decimal import Decimal

from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Provider, ProviderError, Reply, Request, Usage
from ci_eval.records import CellResult, Record, kept_calls, kept_output, kept_reason
from ci_eval.scorers.base import Answer
from ci_eval.scorers.registry import BoundScorer, ScorerSet
from ci_eval.targets.chat import ChatTarget
from ci_eval.text import Untrusted

OnRecord = Callable[[Record], None]


@dataclass(frozen=True)
class Job:
    """One request to make for one case."""

    case: Case
    repeat: int
    request: Request


@dataclass(frozen=True)
class Evaluator:
    """One target under one set of scorers."""

    target: ChatTarget
    provider: Provider
    scorers: ScorerSet
    bound: Mapping[str, BoundScorer]
    concurrency: int
    cost: Callable[[Usage], Decimal | None] = lambda _: None
    """What an answer cost, in USD; None where nobody knows."""

    def is_deterministic(self, case: Case) -> bool:
        """Whether asking again about a case could only give the same answer."""
        return self.provider.is_deterministic(self.target.request(case))

    def jobs(self, cases: Iterable[Case], repeats: int) -> list[Job]:
        """Every request, rendered before any is sent: a bad prompt costs nothing. A sure answer is asked for once."""
        rendered = [(case, self.target.request(case)) for case in cases]
        return [
            Job(case, repeat, request)
            for case, request in rendered
            for repeat in range(1 if self.provider.is_deterministic(request) else repeats)
        ]

    def run(
        self, jobs: Sequence[Job], deadline: Deadline, on_record: OnRecord, known: Mapping[str, Record] | None = None
    ) -> list[Record]:
        """A record for every job, in the order of the jobs; `known` holds answers by case that may be used again.

        A case that the other side answered for the very same request is equal by definition and is not asked again.
        """
        done: dict[int, Record] = {}
        open_jobs: list[tuple[int, Job]] = []
        for index, job in enumerate(jobs):
            other = (known or {}).get(job.case.id)
            if other and other.request == job.request.digest and not other.lost:
                done[index] = replace_repeat(other, job.repeat)
                on_record(done[index])
            else:
                open_jobs.append((index, job))
        done.update(self._ask_all(open_jobs, deadline, on_record))
        return [done[index] for index in range(len(jobs))]

    def _ask_all(
        self, jobs: Sequence[tuple[int, Job]], deadline: Deadline, on_record: OnRecord
    ) -> Iterable[tuple[int, Record]]:
        if not jobs:
            return []
        found: list[tuple[int, Record]] = []
        pool = ThreadPoolExecutor(max_workers=min(self.concurrency, len(jobs)))
        try:
            futures: dict[Future[Record], int] = {pool.submit(self._ask, job, deadline): index for index, job in jobs}
            for future in as_completed(futures):
                record = future.result()
                on_record(record)
                found.append((futures[future], record))
        finally:
            # Whoever stops a run does not wait for the answers that are still on their way.
            pool.shutdown(wait=False, cancel_futures=True)
        return found

    def _ask(self, job: Job, deadline: Deadline) -> Record:
        started = time.monotonic()
        try:
            reply = self._reply(job, deadline)
            latency = round((time.monotonic() - started) * 1000, 1)
            text = reply.text.text().encode("utf-8", "replace").decode()
            cells = self._cells(job.case, text, reply)
        except ProviderError as error:
            return self._without_answer(job, error)
        cost = self.cost(reply.usage)
        return Record(
            case=job.case.id,
            repeat=job.repeat,
            request=job.request.digest,
            output=kept_output(text),
            finish=reply.finish,
            tool_calls=kept_calls(reply.tool_calls),
            cells=cells,
            latency_ms=latency,
            cost_usd=None if cost is None else float(cost),
            **vars(reply.usage),
        )

    def _reply(self, job: Job, deadline: Deadline) -> Reply:
        if deadline.remaining() <= 0:
            raise ProviderError("the budget of time ran out")
        return self.provider.complete(job.request, job.repeat, deadline)

    def _without_answer(self, job: Job, error: ProviderError) -> Record:
        """A request that was refused for what it is failed; one that was lost on the way has no score at all."""
        kind = "request" if error.about_request else "infrastructure"
        reason = f"the provider refused the request: {error.cause}"
        return Record(
            case=job.case.id,
            repeat=job.repeat,
            request=job.request.digest,
            cells=self._all_failed(job.case, reason) if error.about_request else [],
            error=Untrusted(error.cause),
            error_kind=kind,  # type: ignore[arg-type]  # one of the two literals
        )

    def _cells(self, case: Case, text: str, reply: Reply) -> list[CellResult]:
        """Raises ProviderError when a scorer that asks a provider gets no answer."""
        if reply.finish == "length":
            return self._all_failed(case, "the answer was cut off at max_tokens")
        answer = Answer(text, reply.tool_calls)
        cells = []
        for scorer in self.scorers.for_case(case):
            score = self.bound[scorer.name].score(answer, case)
            cells.append(
                CellResult(
                    scorer=scorer.name,
                    dimension=scorer.dimension,
                    score=score.value,
                    passed=score.passed,
                    reason=kept_reason(score.reason),
                )
            )
        return cells

    def _all_failed(self, case: Case, reason: str) -> list[CellResult]:
        return [
            CellResult(scorer=scorer.name, dimension=scorer.dimension, score=0, passed=False, reason=Untrusted(reason))
            for scorer in self.scorers.for_case(case)
        ]


def replace_repeat(record: Record, repeat: int) -> Record:
    return record.model_copy(update={"repeat": repeat, "reused": True})
