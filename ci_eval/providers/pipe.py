"""The user's own program: one process for many cases, a JSON line in for each, a JSON line out.

A line counts as an answer only on the pipe made for answers, with this run's nonce, for a request that is open. A
program that dies is started again a few times; what it had not answered is lost to infrastructure, never a score.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_eval.child import Child, ChildError
from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.providers.base import ProviderError, Reply, Request
from ci_eval.providers.own_reply import to_reply
from ci_eval.reader import parse_reply

_MOST_STARTS = 4

OnLine = Callable[[bytes], None]
OnEnd = Callable[[], None]
Start = Callable[[OnLine, OnEnd], Child]


class _Late(ChildError):
    """It says nothing."""


@dataclass
class _Inbox:
    """Answers as they come in, for whoever waits for them."""

    nonce: str
    ended: bool = False
    forged: bool = False
    _open: set[int] = field(default_factory=set)
    _came: dict[int, dict[str, Any]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def expect(self, number: int) -> None:
        with self._changed:
            self._open.add(number)

    def put(self, line: bytes) -> None:
        """A line that answers nothing that was asked ends the talk: whoever wrote it is not to be believed."""
        try:
            value = parse_reply(line)
        except InputError:
            value = None
        with self._changed:
            if self.ended:
                return
            number = value.pop("id", None) if isinstance(value, dict) else None
            told = value.pop("nonce", None) if isinstance(value, dict) else None
            if told == self.nonce and type(number) is int and number in self._open and isinstance(value, dict):
                self._open.remove(number)
                self._came[number] = value
            else:
                self.forged = self.ended = True
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def take(self, number: int, deadline: Deadline) -> dict[str, Any]:
        """Raises ChildError when no answer comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: number in self._came or self.ended, max(0.0, deadline.remaining()))
            self._open.discard(number)
            if number in self._came:
                return self._came.pop(number)
            if self.forged:
                raise ChildError("wrote something that is no answer")
            raise ChildError("ended") if self.ended else _Late


class Pipe:
    """One program. Safe to call from several threads at once; it may answer in any order."""

    def __init__(self, start: Start, timeout_seconds: float, whose: str = "the target") -> None:
        self._start = start
        self._timeout = timeout_seconds
        self._whose = whose
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._starts = 0
        self._running: tuple[Child, _Inbox] | None = None

    def ask(self, question: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        """One question and its answer; raises ProviderError."""
        return self._exchange(question, deadline.sooner(self._timeout))

    def start(self) -> None:
        """Start the program, if it does not run; raises ProviderError."""
        self._program()

    def ready(self, deadline: Deadline) -> dict[str, Any]:
        """What `python_runner.py` says of its function once it was imported; raises ProviderError."""
        return self._exchange({"are you": "ready"}, deadline)

    def _exchange(self, question: Mapping[str, Any], until: Deadline) -> dict[str, Any]:
        child, inbox = self._program()
        number = next(self._numbers)
        inbox.expect(number)
        asked = {**question, "id": number, "nonce": inbox.nonce}
        try:
            child.send(json.dumps(asked).encode() + b"\n", until)
            return inbox.take(number, until)
        except ChildError as error:
            self._stop(child)
            raise self._no_answer(error) from error

    def _no_answer(self, error: ChildError) -> ProviderError:
        return ProviderError("timeout" if isinstance(error, _Late) else f"{self._whose}'s program {error}")

    def _program(self) -> tuple[Child, _Inbox]:
        with self._lock:
            if self._running and not self._running[1].ended:
                return self._running
            if self._starts == _MOST_STARTS:
                raise self._no_answer(ChildError("ended too often"))
            self._starts += 1
            inbox = _Inbox(secrets.token_hex(16))
            try:
                self._running = (self._start(inbox.put, inbox.end), inbox)
            except ChildError as error:
                raise self._no_answer(error) from error
            return self._running

    def _stop(self, child: Child) -> None:
        """What hangs, lies or died does not come back; others that wait for it are told at once."""
        with self._lock:
            if self._running and self._running[0] is child:
                self._running = None
        child.kill()


class PipeProvider:
    """A program as a target."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        return to_reply(self._pipe.ask({**(request.body or {}), "repeat": repeat}, deadline))

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - no program promises it
        return False
