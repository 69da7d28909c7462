"""In whose name a scorer asks a provider: about which repeat of an answer, until when, and on which bill."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ci_eval.deadline import Deadline
from ci_eval.providers.base import Usage


@dataclass
class Bill:
    """What scoring one answer has taken. Of one thread."""

    calls: int = 0
    tokens_in: int = 0
    """As far as the providers said."""
    tokens_out: int = 0
    usd: Decimal | None = Decimal(0)
    """None once a call was made whose price nobody knows."""
    seconds: float = 0.0
    cached_at: str | None = None
    """When the oldest reply out of the response cache was given; None where all are new."""

    def add(self, usage: Usage, usd: Decimal | None, seconds: float) -> None:
        """One call that was answered."""
        self.calls += 1
        self.tokens_in += usage.tokens_in or 0
        self.tokens_out += usage.tokens_out or 0
        self.usd = None if self.usd is None or usd is None else self.usd + usd
        self.seconds += seconds

    def add_cached(self, given: str) -> None:
        """A reply that need not be paid for: it was given at that time."""
        self.cached_at = min(given, self.cached_at or given)


@dataclass(frozen=True)
class Errand:
    """Scoring one answer: what is asked for it ends with its deadline and stands on its bill."""

    repeat: int
    deadline: Deadline
    bill: Bill = field(default_factory=Bill)
