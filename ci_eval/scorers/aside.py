"""Scores made in a process of their own, so that they take no time from asking: Python has one thread at work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

from ci_eval import scorers
from ci_eval.child import Child, ChildError, start_worker
from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.scorers.base import Answer, Score
from ci_eval.scorers.registry import Scorer
from ci_eval.text import JSON, Untrusted

Scores = Mapping[str, Score]
"""By scorer. Empty where none came: then they are made here, which takes longer and says the same."""

_WORTH_IT = 300
"""Answers; fewer are scored before the process has started."""
_MOST_WAITING = 512
"""Answers: as many as come while the process starts. Those beyond are scored here, so that two processes share what is
too much for one."""
_SEND_SECONDS = 10.0
"""In which an answer is taken; a process that takes none for so long is stuck, and is ended."""
_OWED_SECONDS = 30.0
"""In which its scores come, or the same: whoever waits for one answer holds up all that came after it."""


@dataclass(frozen=True)
class Promise:
    """The scores that an answer will have."""

    scores: Future[Scores]
    end: Callable[[], object]
    """Gives up the process that owes them."""

    def kept(self, deadline: Deadline) -> Scores:
        """Raises TimeoutError at the deadline."""
        try:
            return self.scores.result(deadline.sooner(_OWED_SECONDS).remaining())
        except TimeoutError:
            if deadline.remaining() <= 0:
                raise
        self.end()
        return {}


@dataclass
class _Owed:
    """What the process has still to say. It does not hold the process, from which it hears as long as that runs."""

    open: bool = False
    """Whether answers are taken: also while the process starts."""
    _waiting: dict[int, Future[Scores]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def another(self) -> tuple[int, Future[Scores]] | None:
        """A number for an answer, and where its scores will be; None while none is taken."""
        with self._lock:
            if not self.open or len(self._waiting) >= _MOST_WAITING:
                return None
            number = next(self._numbers)
            found = self._waiting[number] = Future()
            return number, found

    def came(self, line: bytes) -> None:
        """A line has the scores of one answer."""
        number, rows = json.loads(line)
        found = {
            name: Score(value, passed, Untrusted(why), parts) for name, (value, passed, why, parts) in rows.items()
        }
        with self._lock:
            waiting = self._waiting.pop(number)
        waiting.set_result(found)

    def ended(self) -> None:
        with self._lock:
            self.open = False
            left, self._waiting = self._waiting, {}
        for waiting in left.values():
            waiting.set_result({})


@dataclass
class Aside:
    """The scorers of a suite that can be asked in another process; it is started once, and ends with this object."""

    scorers: Sequence[Scorer]
    started: bool = False
    _owed: _Owed = field(default_factory=_Owed)
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _child: Child | None = None

    @classmethod
    def of(cls, found: Iterable[Scorer]) -> Aside:
        """Those that need nothing but an answer and its case, where one of them takes long."""
        alone = [scorer for scorer in found if scorer.policy.stands_alone()]
        return cls(alone if any(scorer.policy.takes_long for scorer in alone) else ())

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(scorer.name for scorer in self.scorers)

    @property
    def open(self) -> bool:
        """Whether it takes answers."""
        return self._child is not None and self._owed.open

    def expect(self, answers: int) -> None:
        """Start the process where so many answers are worth it; nothing waits for it."""
        with self._starting:
            if self.started or not self.scorers or answers < _WORTH_IT:
                return
            self.started = True
        with suppress(ChildError):  # then every score is made here
            child = self._start()
            _send(child, self._policies())
            self._child = child  # from now on answers are given, which come after the policies

    def _start(self) -> Child:
        self._owed.open = True  # before it can end
        return start_worker(Path(scorers.__file__).with_name("aside_worker.py"), self._owed.came, self._owed.ended)

    def _policies(self) -> JSON:
        """By name, as the config has them."""
        return {one.name: one.policy.model_dump(mode="json", by_alias=True, exclude_unset=True) for one in self.scorers}

    def give(self, answer: Answer, case: Case) -> Promise | None:
        """None where its scores are to be made here."""
        taken = self._owed.another() if self._child else None
        if taken is None:
            return None
        number, found = taken
        assert self._child, "it has begun"  # noqa: S101
        try:
            _send(
                self._child,
                [number, [*answer.said, answer.system], case.model_dump(mode="json", exclude_defaults=True)],
            )
        except ChildError:
            self.end()
        return Promise(found, self.end)

    def end(self) -> None:
        """End the process; what it owes is made here."""
        if self._child:
            self._child.kill()


def _send(child: Child, what: JSON) -> None:
    """Raises ChildError where the process does not take it; whoever waits for the process hears that it ends."""
    child.send(json.dumps(what).encode() + b"\n", Deadline.after(_SEND_SECONDS))
