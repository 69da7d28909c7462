"""Run the cells: render, ask, score, record. Threads ask; scoring stays in their hands so that nothing waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from queue import Empty, SimpleQueue

from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Provider, ProviderError, Reply, Request, Usage
from ci_eval.records import CellResult, Key, Record, kept_calls, kept_output, kept_reason, kept_steps
from ci_eval.scorers.base import Answer
from ci_eval.scorers.registry import BoundScorer, ScorerSet
from ci_eval.targets.base import Target
from ci_eval.text import Untrusted

OnRecord = Callable[[Record], None]
OnAnswer = Callable[[int, Record], None]
"""Told where in the work a record belongs, as it comes in."""

_OUT_OF_TIME = "the budget of time ran out"
_GRACE_SECONDS = 0.2
"""In which those that end at the deadline by themselves can still say why."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request to make for one case."""

    case: Case
    repeat: int
    request: Request

    @property
    def key(self) -> Key:
        return self.case.id, self.repeat


def whole(record: Record) -> Record:
    return record


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
        self,
        jobs: Sequence[Job],
        deadline: Deadline,
        on_record: OnRecord,
        known: Mapping[str, Record] | None = None,
        keep: Callable[[Record], Record] = whole,
    ) -> list[Record]:
        """A record for every job, in the order of the jobs; `known` holds answers by case that may be used again.

        A case that the other side answered for the very same request is equal by definition and is not asked again.
        `keep` says what of a record is returned, once `on_record` has seen all of it.
        """
        done: dict[int, Record] = {}
        open_jobs: list[int] = []
        for index, job in enumerate(jobs):
            other = (known or {}).get(job.case.id)
            if other and other.request == job.request.digest and not other.lost:
                reused = replace_repeat(other, job.repeat)
                on_record(reused)
                done[index] = keep(reused)
            else:
                open_jobs.append(index)
        work = [(self, jobs[index]) for index in open_jobs]
        asked = run_all(work, deadline, lambda _, record: on_record(record), keep=keep)
        done.update({index: record for index, record in zip(open_jobs, asked, strict=True) if record})
        return [done[index] for index in range(len(jobs))]

    def ask(self, job: Job, deadline: Deadline) -> Record:
        """The record of one job; a ProviderError becomes one, too."""
        started = time.monotonic()
        try:
            reply = self._reply(job, deadline)
            seconds = time.monotonic() - started if reply.seconds is None else reply.seconds
            text = reply.text.text().encode("utf-8", "replace").decode()
            cells = self._cells(job.case, text, reply)
        except ProviderError as error:
            late = deadline.remaining() <= 0 and not error.about_request
            return self.without_answer(job, ProviderError(_OUT_OF_TIME) if late else error)
        cost = self.cost(reply.usage)
        return Record(
            case=job.case.id,
            repeat=job.repeat,
            request=job.request.digest,
            output=kept_output(text),
            finish=reply.finish,
            steps=kept_steps(reply.steps),
            tool_calls=kept_calls(reply.tool_calls),
            cells=cells,
            latency_ms=None if reply.cached_at else round(seconds * 1000, 1),
            cached_at=reply.cached_at,
            cost_usd=None if cost is None else float(cost),
            **vars(reply.usage),
        )

    def _reply(self, job: Job, deadline: Deadline) -> Reply:
        if deadline.remaining() <= 0:
            raise ProviderError(_OUT_OF_TIME)
        return self.provider.complete(job.request, job.repeat, deadline)

    def without_answer(self, job: Job, error: ProviderError) -> Record:
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


# --- one pool for all that is asked at once ---------------------------------------------------------------------------

Work = tuple[Evaluator, Job]


def always() -> bool:
    return True


def run_all(
    work: Sequence[Work],
    deadline: Deadline,
    on_record: OnAnswer,
    may_start: Callable[[], bool] = always,
    keep: Callable[[Record], Record] = whole,
) -> list[Record | None]:
    """A record for every job, in the order of the work, which may be of several evaluators: they run side by side.

    Where `may_start` says no, jobs that were not begun stay unasked: None, and not reported. `keep` says what of a
    record is returned, once `on_record` has seen all of it.

    At the deadline what is on its way is left behind: its job is lost to infrastructure, and no record of it comes
    later. `on_record` is called in the caller's thread. Raises whatever a scorer or provider raises that is no answer.
    """
    found: dict[int, Record | None] = {}
    with _Pool(work, deadline, may_start) as pool:
        for index, record in pool.records():
            found[index] = None
            if record:
                on_record(index, record)
                found[index] = keep(record)
    for index, (evaluator, job) in enumerate(work):
        if index not in found:
            lost = evaluator.without_answer(job, ProviderError(_OUT_OF_TIME))
            on_record(index, lost)
            found[index] = keep(lost)
    return [found[index] for index in range(len(work))]


@dataclass
class _Pool:
    """Threads that take the work in its order; for each provider as many as its policy allows.

    They are daemons, and nobody joins them: whoever stops a run does not wait for answers that are on their way.
    """

    work: Sequence[Work]
    deadline: Deadline
    may_start: Callable[[], bool]
    _came: SimpleQueue[tuple[int, Record | BaseException | None]] = field(default_factory=SimpleQueue)
    _stopped: bool = False

    def __enter__(self) -> _Pool:
        if self.deadline.remaining() > 0:
            for waiting, threads in self._lanes():
                for _ in range(threads):
                    threading.Thread(target=self._work_off, args=(waiting,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True

    def _lanes(self) -> Iterator[tuple[deque[int], int]]:
        lanes: dict[str, deque[int]] = {}
        for index, (evaluator, _) in enumerate(self.work):
            lanes.setdefault(evaluator.target.lane, deque()).append(index)
        for waiting in lanes.values():
            evaluator, _ = self.work[waiting[0]]
            yield waiting, min(evaluator.concurrency, len(waiting))

    def _work_off(self, waiting: deque[int]) -> None:
        with suppress(IndexError):  # nothing is left
            while not self._stopped:
                index = waiting.popleft()
                self._came.put((index, self._answer(index) if self.may_start() else None))

    def _answer(self, index: int) -> Record | BaseException:
        evaluator, job = self.work[index]
        try:
            return evaluator.ask(job, self.deadline)
        except BaseException as error:
            return error

    def records(self) -> Iterator[tuple[int, Record | None]]:
        """What comes in, or stays unasked, until everything is there or the time is out."""
        for _ in self.work:
            try:
                index, record = self._came.get(timeout=max(0.0, self.deadline.remaining() + _GRACE_SECONDS))
            except Empty:
                return
            if isinstance(record, BaseException):
                raise record
            yield index, record
