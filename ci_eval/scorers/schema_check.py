"""A JSON Schema that is checked in time: at once where it cannot take long, else in a process that is killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from ci_eval import scorers
from ci_eval.child import Child, ChildError, start_worker
from ci_eval.deadline import Deadline
from ci_eval.providers.base import ProviderError
from ci_eval.scorers.schema_size import expanded_size
from ci_eval.text import JSON

MOST_SECONDS = 5.0
"""For one value; a value that takes longer has no score."""
MOST_TIMEOUTS = 3
"""After which a schema's values are not looked at any more."""

_AT_ONCE = 100_000
"""Looks of a schema's parts at a value's: they took 0.6 s at most on a busy core."""
_CHARACTERS = 64
"""Read as quickly as a look is taken."""
_START_SECONDS = 60.0

Check = Callable[[JSON], str | None]
"""Says what is wrong with a value."""


class BoundedCheck:
    """Safe to call from several threads; raises ProviderError where there is no telling in time."""

    def __init__(self, schema: JSON, at_once: Check) -> None:
        self._schema = schema
        self._size = expanded_size(schema)
        self._at_once = at_once
        self._apart = _Apart(schema)

    def __call__(self, value: JSON, characters: int) -> str | None:
        """`characters`: as long as the text in which the value stood."""
        if self._size is not None and self._size * (_parts(value) + characters // _CHARACTERS) <= _AT_ONCE:
            return self._at_once(value)
        return self._apart(value)


def _parts(value: JSON) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_parts, value.values()))
    return 1 + sum(map(_parts, value)) if isinstance(value, list) else 1


class _Apart:
    """The same check in another process, one value after another. It is started when it is first needed."""

    def __init__(self, schema: JSON) -> None:
        self._schema = schema
        self._timeouts = 0
        self._one_at_a_time = threading.Lock()
        self._running: tuple[Child, SimpleQueue[bytes | None]] | None = None

    def __call__(self, value: JSON) -> str | None:
        with self._one_at_a_time:
            if self._timeouts == MOST_TIMEOUTS:
                raise ProviderError("the json_schema took too long for other answers, and is given up")
            try:
                self._running = self._running or self._start()
                return self._ask(*self._running, value, MOST_SECONDS)
            except ChildError as error:
                if self._running:
                    self._running[0].kill()
                self._running = None
                self._timeouts += 1
                raise ProviderError(f"the json_schema {error}") from None

    def _start(self) -> tuple[Child, SimpleQueue[bytes | None]]:
        answers: SimpleQueue[bytes | None] = SimpleQueue()
        script = Path(scorers.__file__).with_name("schema_worker.py")
        child = start_worker(script, answers.put, lambda: answers.put(None))
        self._ask(child, answers, self._schema, _START_SECONDS)
        return child, answers

    def _ask(self, child: Child, answers: SimpleQueue[bytes | None], value: JSON, seconds: float) -> str | None:
        """Raises ChildError."""
        deadline = Deadline.after(seconds)
        child.send(json.dumps(value).encode() + b"\n", deadline)
        try:
            answer = answers.get(timeout=max(0.0, deadline.remaining()))
        except Empty:
            raise ChildError(f"took more than {seconds:.0f} s for the answer") from None
        if answer is None:
            raise ChildError("took more memory than there is for the answer")
        problem: str | None = json.loads(answer)
        return problem
