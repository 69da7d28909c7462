"""One pool for all that is asked at once. Threads ask, and score what is scored here; the caller's tells records."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Queue

from ci_eval.deadline import Deadline
from ci_eval.providers.base import ProviderError
from ci_eval.records import Record
from ci_eval.runner.evaluator import OUT_OF_TIME, Answered, Evaluator, Job

OnRecord = Callable[[Record], None]
OnAnswer = Callable[[int, Record], None]
"""Told where in the work a record belongs, as it comes in."""

_GRACE_SECONDS = 0.2
"""In which those that end at the deadline by themselves can still say why."""

Work = tuple[Evaluator, Job]
Came = Answered | Record | BaseException | None
"""What became of a job; None: it was not begun."""
_AHEAD = 12
"""Answers for each thread that may wait to be told, or for the scores that another process makes."""


def always() -> bool:
    return True


def run_all(
    work: Sequence[Work],
    deadline: Deadline,
    on_record: OnAnswer,
    may_start: Callable[[], bool] = always,
) -> None:
    """Tell a record for every job of the work, which may be of several evaluators: they run side by side.

    Nothing of a record is kept here. Where `may_start` says no, jobs that were not begun stay unasked and unreported.

    At the deadline what is on its way is left behind: its job is lost to infrastructure, and no record of it comes
    later. `on_record` is called in the caller's thread. Raises whatever a scorer or provider raises that is no answer.
    """
    settled = bytearray(len(work))
    with _Pool(work, deadline, may_start) as pool:
        for index, record in pool.records():
            settled[index] = True
            if record:
                on_record(index, record)
    for index, (evaluator, job) in enumerate(work):
        if not settled[index]:
            on_record(index, evaluator.without_answer(job, ProviderError(OUT_OF_TIME)))


def run(evaluator: Evaluator, jobs: Iterable[Job], deadline: Deadline, on_record: OnRecord) -> None:
    """The same for the jobs of one evaluator."""
    run_all([(evaluator, job) for job in jobs], deadline, lambda _, record: on_record(record))


@dataclass
class _Pool:
    """Threads that take the work in its order; for each provider as many as its policy allows.

    They are daemons, and nobody joins them: whoever stops a run does not wait for answers that are on their way. An
    answer waits to be told until there is room for it: a quick server would else fill the memory.
    """

    work: Sequence[Work]
    deadline: Deadline
    may_start: Callable[[], bool]
    _came: Queue[tuple[int, Came]] = field(default_factory=Queue)
    _stopped: bool = False

    def __enter__(self) -> _Pool:
        if self.deadline.remaining() > 0:
            for aside in {id(one.aside): one.aside for one, _ in self.work if one.aside}.values():
                aside.expect(len(self.work))
            lanes = list(self._lanes())
            self._came = Queue(_AHEAD * sum(threads for _, threads in lanes))
            for waiting, threads in lanes:
                for _ in range(threads):
                    threading.Thread(target=self._work_off, args=(waiting,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        with suppress(Empty):  # makes room for what each thread still brings, so that none waits for ever
            while True:
                self._came.get_nowait()

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

    def _answer(self, index: int) -> Came:
        evaluator, job = self.work[index]
        try:
            return evaluator.begin(job, self.deadline)
        except BaseException as error:
            return error

    def records(self) -> Iterator[tuple[int, Record | None]]:
        """What comes in, or stays unasked, until everything is there or the time is out."""
        for _ in self.work:
            try:
                index, came = self._came.get(timeout=max(0.0, self.deadline.remaining() + _GRACE_SECONDS))
            except Empty:
                return
            if isinstance(came, BaseException):
                raise came
            yield index, self.work[index][0].finish(came) if isinstance(came, Answered) else came
