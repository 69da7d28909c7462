"""How fast an endpoint may be asked: how many requests at once, and how many a second.

Pure: no clock, no threads, no network; whoever asks says what time it is (seconds on any clock that only goes forward).
The number at once grows while latency holds and halves when the server refuses. How many a second it takes is unknown
until it refuses for the first time; what it lets in from one refusal to the next tells it, and starts are spaced by
that. `tests/unit/test_pacing.py` drives all of this against servers made of arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

_FIRST_WINDOW = 8
_UNANSWERED_SPACING = 0.005
"""Seconds between further starts while not even the first answer is there."""
_ROUNDS = 1.5
"""Rounds of answers in which the number at once doubles."""
_LATENCY_HOLDS = 2.0
"""Growth waits while answers take this many times as long as they did at best."""
_SHORT_HOLD = 0.05
"""Seconds of silence after a refusal: what is on its way by then is answered, and says nothing new."""
_LONGEST_HOLD = 30.0
"""Seconds of silence at most, where the server does not say how long."""
_IN_VAIN, _PATIENCE = 10, 300.0
"""Refusals in a row that name no pause, and seconds without any answer: then nothing more is expected."""
_FIRST_SPAN = 0.25
"""Seconds in which a server is first taken to let in again what it let in before it refused."""
_ENOUGH_STARTS = 8
"""Starts between two refusals from which a rate is learned from them alone."""
_LATE = 0.05
"""Seconds within which a start that came late is made good: a sleeping thread wakes late."""


@dataclass(frozen=True)
class Limits:
    """What the policy allows for an endpoint."""

    concurrency: int
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


@dataclass(frozen=True)
class Advice:
    """What an answer says of the server's limits."""

    pause: float = 0.0
    """Seconds for which it asks not to be asked."""
    rough: bool = False
    """Whether those are whole seconds, rounded up: then the moment may lie anywhere in the last of them."""


NOTHING_SAID = Advice()


class Ticket(NamedTuple):
    """One request under way: the first is number 1."""

    number: int
    started: float


@dataclass
class Window:
    """How many may be under way at once: it grows with every round of answers that come no slower."""

    most: int
    _size: float = field(init=False)
    _since: float | None = None
    _slow: bool = False
    _halved: bool = False
    _recent: float = 0.0
    best: float = math.inf
    """The shortest latency, averaged over some answers; endless before the first."""

    def __post_init__(self) -> None:
        self._size = float(min(_FIRST_WINDOW, self.most))

    def size(self, now: float) -> float:
        if self._since is None or self._waits_for_an_answer:
            return self._size
        if self.best == math.inf:
            return min(self.most, self._size + (now - self._since) / _UNANSWERED_SPACING)
        passed = min(now - self._since, self.best)  # silence is no reason to grow
        return min(self.most, self._size * 2 ** (passed / (_ROUNDS * self.best)))

    @property
    def _waits_for_an_answer(self) -> bool:
        return self._slow or (self._halved and self.best == math.inf)

    def until(self, size: int, now: float) -> float:
        """Seconds until it is that large; endless if only an answer can make it so."""
        if size > self.most or self._since is None or self._waits_for_an_answer:
            return math.inf
        if self.best == math.inf:
            return max(0.0, (size - self._size) * _UNANSWERED_SPACING + self._since - now)
        needed = math.log2(size / self._size) * _ROUNDS * self.best
        return max(0.0, needed + self._since - now) if needed <= self.best else math.inf

    def started(self, now: float) -> None:
        if self._since is None:
            self._since = now

    def answered(self, took: float, now: float) -> None:
        """`took`: the answer's latency in seconds."""
        first = self.best == math.inf
        self._size, self._since = self.size(now), now
        self._recent = took if first else self._recent + (took - self._recent) / 8
        self.best = max(0.001, min(self.best, self._recent))
        self._slow = self._recent > _LATENCY_HOLDS * self.best + _SHORT_HOLD

    def halve(self, now: float) -> None:
        self._size, self._since, self._halved = max(1.0, self.size(now) / 2), now, True


@dataclass(frozen=True)
class Rate:
    """Starts a second, learned from refusals: at each of them the server had nothing left to give."""

    mark: Ticket
    """The refused request that the last lesson was drawn from."""
    learned_at: float
    count: int
    """Requests let in before it, since the refusal before that."""
    span: float
    """Seconds that they took."""
    at_first: float
    """Starts a second from `since` on; then more and more, until the server refuses again."""
    since: float
    doubling: float
    """Seconds until the rate has doubled."""
    power: int = 1
    """2: it stays near `at_first` at first, which is known well, and grows faster later."""
    lessons: int = 1
    in_vain: int = 0
    """Lessons since anything was let in, of a server that does not say how long it wants to be left alone."""
    stale: int = 0
    """Refusals of what was under way already when the last lesson was drawn."""

    @classmethod
    def first(cls, ticket: Ticket, began: float, now: float, pause: float, latency: float) -> Rate:
        """A guess: what the server gave at once, it gives again within its pause."""
        count, span = max(1, ticket.number - 1), ticket.started - began
        held = now + max(pause, _SHORT_HOLD)
        guess = count / max(_FIRST_SPAN, span, pause)
        return cls(ticket, now, count, span, guess, held, doubling=0.1 + 2 * latency)

    def at(self, now: float) -> float:
        growth = float((max(0.0, now - self.since) / self.doubling) ** self.power)
        return self.at_first * math.pow(2.0, min(10.0, growth))

    def refused(self, ticket: Ticket, now: float, pause: float, asked: float, latency: float) -> Rate:
        """The next lesson. `pause`: seconds that must be kept; `asked`: those that the server named."""
        let_in = ticket.number - self.mark.number - 1 - self.stale
        gap = max(0.001, ticket.started - self.mark.started)
        if let_in <= 0:
            return self._too_early(now, gap, pause, asked, latency)
        known = self._pooled(let_in, gap)
        rising = known > 1.3 * self.at_first
        rate = min(known * (1.2 if self.lessons == 1 else 1.0), 0.95 * self.at(ticket.started))
        held = now + max(pause, min(1 / rate, asked or _LONGEST_HOLD), _SHORT_HOLD)
        slow = max(1.0 if self.lessons == 1 or rising else 4.0, 4 / rate)
        return Rate(ticket, now, let_in, gap, rate, held, slow, power=2, lessons=self.lessons + 1)

    def _pooled(self, let_in: int, gap: float) -> float:
        """Starts a second: of few the chance of their moment says more than the server's limit, so what was known
        before counts for those that are missing.
        """
        missing = max(0, _ENOUGH_STARTS - let_in) if self.lessons > 1 else 0
        return (let_in + missing) / (gap + missing / self.at_first)

    def _too_early(self, now: float, gap: float, pause: float, asked: float, latency: float) -> Rate:
        """Nothing was let in since: wait as long again, twice, but not longer than the server asks."""
        wait = max(pause, min(2 * gap, asked or _LONGEST_HOLD), _SHORT_HOLD)
        rate = self.count / max(_FIRST_SPAN, self.span + gap + wait)
        doubling = max(0.1 + 2 * latency, 2 * gap)
        return replace(
            self,
            learned_at=now,
            at_first=rate,
            since=now + wait,
            doubling=doubling,
            power=1,
            in_vain=0 if asked else self.in_vain + 1,
            stale=self.stale + 1,
        )


@dataclass
class Spacing:
    """Starts at a steady rate, in units a second: one that is late is made good within `late` seconds."""

    late: float = 0.0
    next: float = -math.inf

    def take(self, now: float, seconds: float) -> None:
        """Use the place, and the next `seconds` of it."""
        self.next = max(self.next, now - self.late) + seconds


@dataclass
class Pace:
    """The pace of one endpoint: `wait`, `start`, and then `answered`, `refused`, `overloaded` or `failed`."""

    limits: Limits
    under_way: int = 0
    _starts: int = 0
    _began: float = 0.0
    _let_in: float = 0.0
    _held: float = -math.inf
    _halved: float = -math.inf
    _rate: Rate | None = None
    _learned: Spacing = field(default_factory=lambda: Spacing(late=_LATE))
    _requests: Spacing = field(default_factory=Spacing)
    _tokens: Spacing = field(default_factory=Spacing)
    _tokens_each: float = 0.0

    def __post_init__(self) -> None:
        self.window = Window(self.limits.concurrency)

    def wait(self, now: float) -> float:
        """Seconds until the next request may start: 0 for now, endless where another must end first."""
        free = self.under_way + 1 <= self.window.size(now)
        room = 0.0 if free else max(0.0001, self.window.until(self.under_way + 1, now))
        return max(room, self.closed(now))

    def closed(self, now: float) -> float:
        """Seconds for which nothing may start, whatever ends."""
        opens = max(self._held, self._learned.next, self._requests.next, self._tokens.next)
        return max(0.0, opens - now)

    def hopeless(self, now: float) -> bool:
        """Whether the server has long let nothing in, and does not say when it will."""
        silent = self._rate is not None and self._rate.in_vain >= _IN_VAIN
        return silent and now - self._let_in > _PATIENCE

    def start(self, now: float) -> Ticket:
        if not self._starts:
            self._began = self._let_in = now
        self._starts += 1
        self.under_way += 1
        self.window.started(now)
        if self._rate:
            self._learned.take(now, 1 / self._rate.at(now))
        if self.limits.requests_per_minute:
            self._requests.take(now, 60 / self.limits.requests_per_minute)
        if self.limits.tokens_per_minute:
            self._tokens.take(now, 60 / self.limits.tokens_per_minute * self._tokens_each)
        return Ticket(self._starts, now)

    def answered(self, ticket: Ticket, now: float, advice: Advice = NOTHING_SAID) -> None:
        """An answer came; one may say that it was the last for a while."""
        self.under_way -= 1
        self._let_in = now
        self.window.answered(now - ticket.started, now)
        self._held = max(self._held, now + advice.pause)

    def failed(self) -> None:
        """No answer came, which says nothing about the pace."""
        self.under_way -= 1

    def overloaded(self, ticket: Ticket, now: float, advice: Advice = NOTHING_SAID) -> None:
        """The server is not well: fewer at once, whatever the rate."""
        self.under_way -= 1
        self._halve(ticket, now)
        self._held = max(self._held, now + max(advice.pause, _SHORT_HOLD))

    def _halve(self, ticket: Ticket, now: float) -> None:
        """Once for all that was under way together."""
        if ticket.started >= self._halved:
            self.window.halve(now)
            self._halved = now

    def refused(self, ticket: Ticket, now: float, advice: Advice = NOTHING_SAID) -> None:
        """The server takes no more for now. Of several refusals at once the first is the lesson."""
        self.under_way -= 1
        pause = max(0.0, advice.pause - 1.0) if advice.rough else advice.pause
        if self._rate and ticket.started < self._rate.learned_at:
            after = ticket.number > self._rate.mark.number
            self._rate = replace(self._rate, stale=self._rate.stale + after)
            self._held = max(self._held, now + pause)
            return
        self._halve(ticket, now)
        latency = self.window.best if self.window.best < math.inf else _SHORT_HOLD
        if self._rate is None:
            self._rate = Rate.first(ticket, self._began, now, pause, latency)
        else:
            self._rate = self._rate.refused(ticket, now, pause, advice.pause, latency)
        self._held = self._learned.next = self._rate.since

    def used(self, tokens: int) -> None:
        """What an answer has cost in tokens: the first is not known before, the next will cost about as much."""
        if self.limits.tokens_per_minute:
            owed = tokens - self._tokens_each
            self._tokens.next += 60 / self.limits.tokens_per_minute * owed
            self._tokens_each = tokens if not self._tokens_each else self._tokens_each + owed / 8
