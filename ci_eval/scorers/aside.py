"""Scores made in a process of their own, so that they take no time from asking: Python has one thread at work."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

from ci_eval import scorers
from ci_eval.child import Child, ChildError
from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.scorers.base import Answer, Score
from ci_eval.scorers.registry import Scorer
from ci_eval.text import JSON, Untrusted

Scores = Mapping[str, Score]
"""By scorer. Empty where none came: then they are made here, which takes longer and says the same."""

_WORTH_IT = 300
"""Answers; fewer are scored before the process has started."""
_MOST_WAITING = 128
"""Answers; those beyond are scored here, so that two processes share what is too much for one."""
_SEND_SECONDS = 60.0


@dataclass
class Aside:
    """The scorers of a suite that can be asked in another process; it is started once, and ends with this object."""

    scorers: Sequence[Scorer]
    ready: threading.Event = field(default_factory=threading.Event)
    """Set while the process takes answers."""
    _waiting: dict[int, Future[Scores]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _child: Child | None = None
    started: bool = False

    @classmethod
    def of(cls, found: Iterable[Scorer]) -> Aside:
        """Those that need nothing but an answer and its case, where one of them takes long."""
        alone = [scorer for scorer in found if scorer.policy.stands_alone()]
        return cls(alone if any(scorer.policy.takes_long for scorer in alone) else ())

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(scorer.name for scorer in self.scorers)

    def expect(self, answers: int) -> None:
        """Start the process where so many answers are worth it; nothing waits for it."""
        with self._lock:
            if self.started or not self.scorers or answers < _WORTH_IT:
                return
            self.started = True
        try:
            self._start()
        except ChildError:
            self._ended()

    def _start(self) -> None:
        command = [sys.executable, "-I", str(Path(scorers.__file__).with_name("aside_worker.py"))]
        child = Child(command, Path(tempfile.gettempdir()), {}, self._came, self._ended)
        policies = [
            [one.name, one.policy.model_dump(mode="json", by_alias=True, exclude_unset=True)] for one in self.scorers
        ]
        _send(child, policies)
        self._child = child

    def give(self, answer: Answer, case: Case) -> Future[Scores] | None:
        """The scores that an answer will have; None where they are to be made here."""
        with self._lock:
            if not self.ready.is_set() or self._child is None or len(self._waiting) >= _MOST_WAITING:
                return None
            number = next(self._numbers)
            found = self._waiting[number] = Future()
        try:
            _send(self._child, [number, _answer_json(answer), case.model_dump(mode="json", exclude_defaults=True)])
        except ChildError:
            self._ended()
        return found

    def _came(self, line: bytes) -> None:
        """The first line says that the process is there; each other has the scores of one answer."""
        if not self.ready.is_set():
            self.ready.set()
            return
        number, rows = json.loads(line)
        found = {
            name: Score(value, passed, Untrusted(why), parts) for name, (value, passed, why, parts) in rows.items()
        }
        with self._lock:
            waiting = self._waiting.pop(number, None)
        if waiting:
            waiting.set_result(found)

    def end(self) -> None:
        """End the process; what it owes is made here."""
        if child := self._child:
            child.kill()

    def _ended(self) -> None:
        with self._lock:
            self.ready.clear()
            self._child = None
            left, self._waiting = self._waiting, {}
        for waiting in left.values():
            waiting.set_result({})


def _send(child: Child, what: JSON) -> None:
    child.send(json.dumps(what).encode() + b"\n", Deadline.after(_SEND_SECONDS))


def _answer_json(answer: Answer) -> JSON:
    calls = [[call.name.reveal(), call.arguments.reveal()] for call in answer.tool_calls]
    return [answer.text, calls, [step.reveal() for step in answer.steps], answer.system]
