"""How far two raters agree, from the table of what each said: rows one of them, columns the other. Pure.

Cohen's kappa falls to nothing where nearly all answers are of one kind, however well raters agree; Gwet's coefficient
does not. So both are told. On a scale of more than two values a near miss counts in part, by quadratic weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ci_eval.stats import Z95, wilson

Counts = Sequence[Sequence[int]]
_Table = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Estimate:
    """A coefficient with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """Some of so many, with the Wilson interval of the share; raises ValueError where there is none of any kind."""

    part: int
    of: int

    @property
    def value(self) -> float:
        return self.part / self.of

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.part, self.of)


@dataclass(frozen=True)
class Agreement:
    """The table of two raters, in the order of the scale's values. Raises ValueError for one that is none."""

    counts: Counts

    def __post_init__(self) -> None:
        size = len(self.counts)
        whole = all(len(row) == size and all(count >= 0 for count in row) for row in self.counts)
        if size < 2 or not whole or not self.total:
            raise ValueError("needs a square table of two or more values, with something in it")

    @cached_property
    def total(self) -> int:
        return sum(sum(row) for row in self.counts)

    @property
    def agreed(self) -> Share:
        """What both called the same."""
        return Share(sum(row[index] for index, row in enumerate(self.counts)), self.total)

    @property
    def kappa(self) -> Estimate | None:
        """Cohen's (1960, 1968); None where both always said one and the same thing, and it is not defined."""
        return self._estimate(cohen_chance)

    @property
    def gwet(self) -> Estimate | None:
        """Gwet's AC1 (2008), and with more than two values his AC2 (2014)."""
        return self._estimate(gwet_chance)

    def _estimate(self, chance: Chance) -> Estimate | None:
        value = _coefficient(self._shares(0.0), chance)
        if value is None:
            return None
        half = Z95 * self._error(chance, self.total)
        return Estimate(value, max(-1.0, value - half), min(1.0, value + half))

    def _error(self, chance: Chance, total: float) -> float:
        """The standard error by the delta method, with one observation spread over all cells.

        Without it, raters who never disagreed so far would be sure to agree for ever.
        """
        return math.sqrt(_variance(self._shares(1.0), chance) / total)

    def _shares(self, spread: float) -> _Table:
        size, total = len(self.counts), self.total + spread
        return [[(count + spread / size**2) / total for count in row] for row in self.counts]

    def needed(self, width: float) -> int:
        """How many labels in all make an interval of that width, from end to end, of both coefficients."""
        errors = [self._error(chance, 1.0) for chance in (cohen_chance, gwet_chance)]
        return math.ceil((2 * Z95 * max(errors) / width) ** 2)


# --- two values: pass or fail -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Detection:
    """A judge beside people, who are taken to be right. `counts` is people's word by judge's: fail, pass."""

    counts: Counts

    @property
    def sensitivity(self) -> Share | None:
        """Of the answers that people fail, those that the judge fails; None where people failed none."""
        return _share(self.counts[0][0], sum(self.counts[0]))

    @property
    def specificity(self) -> Share | None:
        """Of those that people pass, those that the judge passes."""
        return _share(self.counts[1][1], sum(self.counts[1]))

    @property
    def shrinks(self) -> float | None:
        """Youden's J: a true drop of one point shows as so much of one; None where one of both is not known."""
        if self.sensitivity is None or self.specificity is None:
            return None
        return self.sensitivity.value + self.specificity.value - 1

    @property
    def judged(self) -> tuple[int, int]:
        """How many answers the judge failed, and passed."""
        return self.counts[0][0] + self.counts[1][0], self.counts[0][1] + self.counts[1][1]


def _share(part: int, of: int) -> Share | None:
    return Share(part, of) if of else None


# --- coefficients -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """What chance alone would agree in, and how that changes with each cell's share."""

    value: float
    slope: Callable[[int, int], float]


Chance = Callable[[_Table], Expected]


def weight(row: int, column: int, size: int) -> float:
    """How far two values agree: 1 for the same, 0 for the ends of the scale; of two values, all or nothing."""
    return 1 - ((row - column) / (size - 1)) ** 2


def cohen_chance(table: _Table) -> Expected:
    """Each rater as often at each value as they were, but by chance."""
    size = range(len(table))
    rows, columns = _margins(table)
    by_row = [sum(weight(i, j, len(size)) * columns[j] for j in size) for i in size]
    by_column = [sum(weight(i, j, len(size)) * rows[i] for i in size) for j in size]
    value = sum(rows[i] * by_row[i] for i in size)
    return Expected(value, lambda i, j: by_row[i] + by_column[j])


def gwet_chance(table: _Table) -> Expected:
    """Only the answers that are hard to rate are rated by chance, and then each value is as likely."""
    size = len(table)
    weights = sum(weight(i, j, size) for i in range(size) for j in range(size))
    scale = weights / (size * (size - 1))
    both = [(row + column) / 2 for row, column in zip(*_margins(table), strict=True)]
    value = scale * sum(share * (1 - share) for share in both)
    return Expected(value, lambda i, j: scale * (1 - both[i] - both[j]))


def _margins(table: _Table) -> tuple[list[float], list[float]]:
    return [math.fsum(row) for row in table], [math.fsum(column) for column in zip(*table, strict=True)]


def _observed(table: _Table) -> float:
    cells = ((i, j, share) for i, row in enumerate(table) for j, share in enumerate(row))
    return math.fsum(share * weight(i, j, len(table)) for i, j, share in cells)


_NOTHING_LEFT = 1e-12


def _coefficient(table: _Table, chance: Chance) -> float | None:
    expected = chance(table).value
    return None if 1 - expected < _NOTHING_LEFT else (_observed(table) - expected) / (1 - expected)


def _variance(table: _Table, chance: Chance) -> float:
    """Of one observation: the variance of the coefficient's slope over the cells (the delta method)."""
    expected, observed = chance(table), _observed(table)
    left = 1 - expected.value
    cells = [
        (share, (weight(i, j, len(table)) * left - expected.slope(i, j) * (1 - observed)) / left**2)
        for i, row in enumerate(table)
        for j, share in enumerate(row)
    ]
    mean = math.fsum(share * slope for share, slope in cells)
    return math.fsum(share * (slope - mean) ** 2 for share, slope in cells)
