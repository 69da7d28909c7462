"""What was found of what was wanted: precision, recall and their harmonic mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Overlap:
    """Counts. Nothing given invents nothing, and of nothing wanted none is missed: both are 1 then, not 0."""

    shared: int
    given: int
    wanted: int

    @classmethod
    def of(cls, given: Iterable[Hashable], wanted: Iterable[Hashable]) -> Self:
        """Of two multisets."""
        one, other = Counter(given), Counter(wanted)
        return cls((one & other).total(), one.total(), other.total())

    @property
    def precision(self) -> float:
        return self.shared / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        return self.shared / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.shared / (self.given + self.wanted) if self.given + self.wanted else 1.0

    def parts(self) -> Mapping[str, float]:
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}
