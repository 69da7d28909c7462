"""Calibration of answers that state a confidence: are they right as often as they say? Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from ci_eval.config import ConfidencePolicy
from ci_eval.records import Record
from ci_eval.scorers.base import Answer
from ci_eval.stats import wilson

_MOST_BINS = 15
_FEWEST_IN_BIN = 10

Said = tuple[float, bool]
"""How sure an answer said it is, in [0, 1], and whether it was right."""


class Bin(NamedTuple):
    """Answers of like confidence."""

    answers: int
    confidence: float
    """On average."""
    right: float
    """The share of them."""


class Threshold(NamedTuple):
    """The least confidence from which on enough answers are right; those below it are escalated."""

    confidence: float
    escalated: int
    kept: int
    right: int
    """Of those that are kept."""

    @property
    def interval(self) -> tuple[float, float]:
        """Of the precision of those that are kept, 95 %."""
        return wilson(self.right, self.kept)


@dataclass(frozen=True)
class Calibration:
    """What one side's answers say of themselves, and what they are."""

    said: tuple[Said, ...]
    silent: int
    """Answers that say nothing of it, or no number of the scale."""
    wanted: Fraction

    @property
    def right(self) -> int:
        return sum(right for _, right in self.said)

    @property
    def error(self) -> float | None:
        """The expected calibration error, in [0, 1]: how far bins are from their share of right answers."""
        if not self.said:
            return None
        return sum(one.answers * abs(one.confidence - one.right) for one in self.bins) / len(self.said)

    @property
    def bins(self) -> tuple[Bin, ...]:
        """Of as many answers each as can be, 15 bins at most; equal confidences stay together."""
        ordered = sorted(self.said)
        cuts = _cuts([confidence for confidence, _ in ordered])
        return tuple(_bin(ordered[start:end]) for start, end in pairwise(cuts))

    @property
    def threshold(self) -> Threshold | None:
        """None where no confidence is enough."""
        ordered = sorted(self.said)
        right = self.right
        for place, (confidence, found) in enumerate(ordered):
            kept = len(ordered) - place
            begins = place == 0 or ordered[place - 1][0] < confidence
            if begins and Fraction(right, kept) >= self.wanted:
                return Threshold(confidence, place, kept, right)
            right -= found
        return None


def _cuts(ordered: Sequence[float]) -> list[int]:
    """Where bins begin and end: at the quantiles, as numpy's `percentile` has them, an equal value below its edge."""
    bins = max(1, min(_MOST_BINS, len(ordered) // _FEWEST_IN_BIN))
    cuts = {0, len(ordered)}
    for number in range(1, bins):
        cut = number * (len(ordered) - 1) // bins + 1
        while cut < len(ordered) and ordered[cut] == ordered[cut - 1]:
            cut += 1
        cuts.add(cut)
    return sorted(cuts)


def _bin(said: Sequence[Said]) -> Bin:
    confidence = sum(one for one, _ in said) / len(said)
    return Bin(len(said), confidence, sum(right for _, right in said) / len(said))


def calibration(policy: ConfidencePolicy, records: Mapping[str, Record], passed: Mapping[str, bool]) -> Calibration:
    """Of the answers of one side whose correctness is known (`passed`, by case)."""
    found = [(_confidence(policy, records[case]), right) for case, right in passed.items() if case in records]
    said = tuple((one, right) for one, right in found if one is not None)
    return Calibration(said, len(found) - len(said), Fraction(str(policy.wanted_precision)))


def _confidence(policy: ConfidencePolicy, record: Record) -> float | None:
    value = Answer(record.output.text()).field(policy.field) if record.output else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value / policy.scale if 0 <= value <= policy.scale else None
