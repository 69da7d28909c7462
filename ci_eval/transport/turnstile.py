"""The one way in to an endpoint: threads that want to ask wait here, one behind the other, for their turn."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from ci_eval.deadline import Deadline
from ci_eval.transport.pacing import Advice, Limits, Pace, Ticket


class TooLate(Exception):
    """The turn would not come before the deadline."""


class Turnstile:
    """A `Pace` that threads share. `clock` and `sleep` are arguments so that a test need not wait."""

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._pace = Pace(limits)
        self._clock = clock
        self._lock = threading.Condition()
        self._first_in_line = threading.Lock()
        self._sleep = sleep or self._lock.wait

    def enter(self, deadline: Deadline) -> Ticket:
        """Wait for a turn, however long the server's limits make it; raises TooLate."""
        # One thread watches the pace and the others wait for it: a crowd that all wake up would only push each other.
        if not self._first_in_line.acquire(timeout=max(0.0, min(deadline.remaining(), threading.TIMEOUT_MAX))):
            raise TooLate
        try:
            with self._lock:
                while (wait := self._pace.wait(self._clock())) > 0:
                    self._wait(wait, deadline)
                if deadline.remaining() <= 0:
                    raise TooLate
                return self._pace.start(self._clock())
        finally:
            self._first_in_line.release()

    def _wait(self, wait: float, deadline: Deadline) -> None:
        remaining = deadline.remaining()
        if remaining <= 0 or self._pace.closed(self._clock()) >= remaining:
            raise TooLate
        if math.isinf(wait):
            self._lock.wait(min(remaining, threading.TIMEOUT_MAX))
        else:
            self._sleep(min(wait, remaining))

    def closed(self) -> float:
        """Seconds for which nobody may start."""
        with self._lock:
            return self._pace.closed(self._clock())

    def answered(self, ticket: Ticket, advice: Advice) -> None:
        with self._lock:
            self._pace.answered(ticket, self._clock(), advice)
            self._lock.notify()

    def refused(self, ticket: Ticket, advice: Advice) -> None:
        with self._lock:
            self._pace.refused(ticket, self._clock(), advice)
            self._lock.notify()

    def overloaded(self, ticket: Ticket, advice: Advice) -> None:
        with self._lock:
            self._pace.overloaded(ticket, self._clock(), advice)
            self._lock.notify()

    def failed(self) -> None:
        with self._lock:
            self._pace.failed()
            self._lock.notify()

    def used(self, tokens: int) -> None:
        """What an answer has cost, for a limit in tokens."""
        with self._lock:
            self._pace.used(tokens)

    def hopeless(self) -> bool:
        with self._lock:
            return self._pace.hopeless(self._clock())
