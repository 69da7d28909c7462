"""What one job may take of models, and what it has taken: counted as answers come in, by several threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

_HAIR = 1e-9
"""Of a limit: what sums of many amounts may be off by."""


@dataclass
class Ceiling:
    """One thing of which each call takes some. `limit` None: there is none, and what is taken is only counted."""

    limit: float | None = None
    expected: float = 0.0
    """What one call is likely to take, before any was settled."""
    spent: float = 0.0
    unknown: int = 0
    """Answers of which nobody knows what they took."""
    _settled: int = 0
    _most: float = 0.0
    """That one call took."""

    def allows_another(self, begun: int) -> bool:
        """Beside those that are under way, for each of which the most so far is set aside."""
        if self.limit is None:
            return True
        aside = (begun + 1) * max(self._most, self.expected)
        return not self.unknown and self.spent < self.limit and self.spent + aside <= self.limit * (1 + _HAIR)

    def settle(self, amount: float | None) -> None:
        self.spent += amount or 0.0
        self._settled += amount is not None
        self._most = max(self._most, amount or 0.0)
        self.unknown += amount is None

    def enough_for(self, calls: int) -> bool:
        """Whether so many more calls fit, at the average of those so far."""
        average = self.spent / self._settled if self._settled else self.expected
        return self.left > 0 and self.covers(calls * average)

    def covers(self, amount: float) -> bool:
        """Whether this much is left."""
        return amount <= self.left + _HAIR * (self.limit or 0.0)

    @property
    def left(self) -> float:
        """Never negative; infinite without a limit, nothing where there is a limit and an unknown amount."""
        if self.limit is None:
            return float("inf")
        return 0.0 if self.unknown else max(0.0, self.limit - self.spent)


@dataclass
class Purse:
    """Three ceilings, of which the first to be reached ends the asking."""

    usd: Ceiling = field(default_factory=Ceiling)
    calls: Ceiling = field(default_factory=lambda: Ceiling(expected=1))
    tokens: Ceiling = field(default_factory=Ceiling)
    """In and out together."""
    refused: bool = False
    """Whether a call could not begin because a ceiling was reached."""
    _begun: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def hold(self, usd: float | None, calls: float | None, tokens: float | None) -> None:
        """No more than this, with what was taken already; a ceiling that is lower stays."""
        with self._lock:
            for ceiling, limit in zip(self._all, (usd, calls, tokens), strict=True):
                ceiling.limit = min((one for one in (ceiling.limit, limit) if one is not None), default=None)

    @property
    def _all(self) -> tuple[Ceiling, Ceiling, Ceiling]:
        return self.usd, self.calls, self.tokens

    def expect(self, usd: float, calls: float, tokens: float) -> None:
        """What one answer and its scoring are likely to take, so that the first ones under way do not take too much."""
        with self._lock:
            self.usd.expected, self.calls.expected, self.tokens.expected = usd, calls, tokens

    def begin(self) -> bool:
        """Whether another call may begin. What it may take is set aside until it is settled."""
        with self._lock:
            if not all(ceiling.allows_another(self._begun) for ceiling in self._all):
                self.refused = True
                return False
            self._begun += 1
            return True

    def pay(self, usd: float | None, *, calls: int = 1, tokens: int | None = 0) -> None:
        """Settle one call; None: nobody knows how much."""
        with self._lock:
            self._begun = max(0, self._begun - 1)
            self.usd.settle(usd)
            self.calls.settle(calls)
            self.tokens.settle(tokens)

    def enough_for(self, calls: int) -> bool:
        """Whether so many more calls fit, at the average of those so far."""
        with self._lock:
            return all(ceiling.enough_for(calls) for ceiling in self._all)

    def covers(self, usd: float | None, calls: float, tokens: float) -> bool:
        """Whether this much is left; an unknown price is more than any limit."""
        if usd is None and self.usd.limit is not None:
            return False
        return self.usd.covers(usd or 0.0) and self.calls.covers(calls) and self.tokens.covers(tokens)

    @property
    def spent(self) -> float | None:
        """In USD; None where a price is not known."""
        return None if self.usd.unknown else self.usd.spent
