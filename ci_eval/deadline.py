"""One deadline for everything: a moment after which nothing is waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - time.monotonic()

    def sooner(self, seconds: float) -> Deadline:
        """Either this deadline, or the one that many seconds from now if that comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))
