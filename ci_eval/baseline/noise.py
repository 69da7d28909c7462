"""How far main differs from itself: two runs of the same prompt, told from counts alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci_eval.confirm.evidence import Cell, Key, Stored
from ci_eval.stats import points

_Z99 = 2.326


@dataclass(frozen=True)
class Noise:
    """The noise of one dimension, over its cells with two runs or more."""

    cells: int
    differing: Fraction
    """The share of cells, in [0, 1], that two runs of the same prompt are expected to differ in."""
    flaky: int
    """Cells that were seen to pass and to fail."""
    deviation: float
    """The standard deviation of one run's score, in points."""


def noise(cells: Iterable[Cell], stored: Mapping[Key, Stored]) -> dict[str, Noise]:
    """The noise of every dimension; one of which no cell was run twice is left out.

    Exact means over all pairs of runs. As on the gate, the errors of the cells of one case add up, since they share its
    answers, and cases err independently: a provider with good and bad moments deviates more than this says.
    """
    known: defaultdict[str, list[tuple[Cell, Stored]]] = defaultdict(list)
    for cell in cells:
        found = stored.get(cell.key)
        if found and found.runs >= 2:
            known[cell.dimension].append((cell, found))
    return {name: _noise(of_dimension) for name, of_dimension in known.items()}


def flakiest(stored: Mapping[Key, Stored]) -> list[Key]:
    """The flaky cells, those nearest to a coin flip first."""
    flaky = [key for key, found in stored.items() if _is_flaky(found)]
    return sorted(flaky, key=lambda key: (abs(Fraction(*stored[key]) - Fraction(1, 2)), key))


def fall_together(scores: Sequence[float], deviation: float) -> bool:
    """Whether the scores of whole runs differ by more than cells that err independently explain.

    At the 1 % level, for each dimension: a chi-square test by Wilson and Hilferty's approximation (1931).
    """
    free = len(scores) - 1
    if free < 1 or deviation == 0:
        return False
    mean = sum(scores) / len(scores)
    ratio = sum((score - mean) ** 2 for score in scores) / (free * deviation**2)
    spread = 2 / (9 * free)
    return (math.cbrt(ratio) - (1 - spread)) / math.sqrt(spread) > _Z99


def _noise(known: list[tuple[Cell, Stored]]) -> Noise:
    errors: defaultdict[str, float] = defaultdict(float)
    for cell, found in known:
        # Half of what two runs differ by is the variance of one, without the bias of p(1 - p) for few runs.
        errors[cell.case] += float(cell.weight) * math.sqrt(_differing(found) / 2)
    weight = sum((cell.weight for cell, _ in known), Fraction(0))
    return Noise(
        cells=len(known),
        differing=sum((_differing(found) for _, found in known), Fraction(0)) / len(known),
        flaky=sum(_is_flaky(found) for _, found in known),
        deviation=math.hypot(*errors.values()) * float(points(1 / weight)),
    )


def _differing(found: Stored) -> Fraction:
    """The share of the pairs of a cell's runs that differ."""
    return Fraction(2 * found.passes * (found.runs - found.passes), found.runs * (found.runs - 1))


def _is_flaky(found: Stored) -> bool:
    return 0 < found.passes < found.runs
