"""What one job may spend on models, and what it has spent: counted as answers come in, by several threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

_HAIR = 1e-9


@dataclass
class Purse:
    """Money in USD. `limit` None: there is none, and what is spent is only counted."""

    limit: float | None = None
    expected: float = 0.0
    """What one call is likely to cost, before any was paid."""
    refused: bool = False
    """Whether a call could not begin for want of money."""
    _spent: float = 0.0
    _paid: int = 0
    _unpriced: int = 0
    _dearest: float = 0.0
    _begun: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def begin(self) -> bool:
        """Whether another call may begin. The largest price so far is set aside for it until it is settled."""
        if self.limit is None:
            return True
        with self._lock:
            aside = (self._begun + 1) * max(self._dearest, self.expected)
            if self._unpriced or self._spent >= self.limit or self._spent + aside > self.limit * (1 + _HAIR):
                self.refused = True
                return False
            self._begun += 1
            return True

    def pay(self, usd: float | None) -> None:
        """Settle one call; None: nobody knows its price."""
        with self._lock:
            self._begun = max(0, self._begun - 1)
            self._spent += usd or 0.0
            self._paid += usd is not None
            self._dearest = max(self._dearest, usd or 0.0)
            self._unpriced += usd is None

    def enough_for(self, calls: int) -> bool:
        """Whether so many more calls fit, at the average price of those so far."""
        with self._lock:
            average = self._spent / self._paid if self._paid else self.expected
        return self.left > 0 and calls * average <= self.left

    @property
    def spent(self) -> float:
        return self._spent

    @property
    def unpriced(self) -> int:
        """Answers of unknown price."""
        return self._unpriced

    @property
    def left(self) -> float:
        """Never negative; infinite without a limit, nothing where there is a limit and an unknown price."""
        if self.limit is None:
            return float("inf")
        return 0.0 if self._unpriced else max(0.0, self.limit - self._spent)
