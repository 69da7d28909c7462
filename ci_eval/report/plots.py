"""Plots as data: which values stand on which axis, with which words. Drawn elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ci_eval.compare_runs import DimensionChange, RunComparison
from ci_eval.figures.ranks import Quantile, quantile
from ci_eval.golden.cases import STRATA
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.outcome.slices import Passes, Slice, slices
from ci_eval.report.document import CANDIDATE, Piece
from ci_eval.report.numbers import decimal, digits_for, signed
from ci_eval.report.performance import QUANTILES, times
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult

Who = Literal["base", "candidate", "change"]
_MOST_GROUPS = 12


@dataclass(frozen=True)
class Dot:
    """A value, with its 95 % interval where there is one; `high` of None with a `low`: no upper end is known."""

    who: Who
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PlotRow:
    """One row of a plot: its name, the values on it, and what is written beside them."""

    name: Piece
    dots: tuple[Dot, ...]
    says: str
    limit: float | None = None
    """Where it fails."""


@dataclass(frozen=True)
class Plot:
    """Rows of values on one axis."""

    title: str
    rows: tuple[PlotRow, ...]
    about: str
    unit: str = ""
    zero: bool = False
    """Whether the axis shows zero, whatever the values."""
    candidate: str = CANDIDATE


def plots(suite: SuiteOutcome) -> Iterator[Plot]:
    """Those that have something to show."""
    yield from _shown(changes(suite.dimensions), _scores(suite), _groups(suite), _latency(suite))


def _shown(*found: Plot) -> Iterator[Plot]:
    return (plot for plot in found if plot.rows)


# --- dimensions -------------------------------------------------------------------------------------------------------


def changes(results: Iterable[DimensionResult]) -> Plot:
    about = "In points, with what reruns leave open. The red line is the limit: left of it the gate fails."
    return Plot("Change by dimension", tuple(_change(result) for result in results), about, zero=True)


def _change(result: DimensionResult) -> PlotRow:
    low, high = result.interval
    known = result.error > 0 or result.missing > 0
    least = min(-high, -float(result.worst_drop))
    dot = Dot("change", float(-result.drop), least if known else None, -low if known else None)
    marks = [Fraction(0)] if result.limit == "any" else [Fraction(0), -result.limit]
    return PlotRow(
        Untrusted(result.name),
        (dot,),
        _points(-result.drop, marks),
        None if result.limit == "any" else -float(result.limit),
    )


def _points(change: Fraction, marks: Sequence[Fraction]) -> str:
    return signed(decimal(change, digits_for(change, marks), *marks))


def _scores(suite: SuiteOutcome) -> Plot:
    rows = (_score(result) for result in suite.dimensions if result.base is not None and result.candidate is not None)
    return Plot("Scores", tuple(rows), "Of 100, from one run a side.")


def _score(result: DimensionResult) -> PlotRow:
    base, candidate = result.base or Fraction(0), result.candidate or Fraction(0)
    digits = digits_for(candidate - base, [Fraction(0)])
    says = f"{decimal(base, digits)} → {decimal(candidate, digits)}"
    return PlotRow(Untrusted(result.name), (Dot("base", float(base)), Dot("candidate", float(candidate))), says)


# --- groups of cases --------------------------------------------------------------------------------------------------


def _groups(suite: SuiteOutcome) -> Plot:
    """Strata, and the categories in which something changed."""
    found = [one for one in slices(suite) if one.kind == "stratum" or (one.kind == "category" and one.flips)]
    known = [one for one in found if one.base.known and one.candidate.known]
    rows = tuple(_group(one) for one in known[:_MOST_GROUPS])
    about = "Cases that passed all their scores, Wilson's interval at 95 %; how many broke (−) or were repaired (+)."
    return Plot("Strata and categories", rows, about, unit=" %")


def _group(one: Slice) -> PlotRow:
    name: Piece = one.name if one.kind == "stratum" and one.name in STRATA else Untrusted(one.name)
    says = f"−{len(one.broke)} +{len(one.repaired)} of {one.cases:,}"
    return PlotRow(name, (_share("base", one.base), _share("candidate", one.candidate)), says)


def _share(who: Who, passes: Passes) -> Dot:
    low, high = passes.interval
    return Dot(who, 100 * passes.passed / passes.known, 100 * low, 100 * high)


# --- latency ----------------------------------------------------------------------------------------------------------


def _latency(suite: SuiteOutcome) -> Plot:
    sides = times(suite.comparison.base), times(suite.comparison.candidate)
    rows = tuple(_quantiles(q, *sides) for q in QUANTILES) if all(sides) else ()
    stored = " Base's were timed when main's baseline was stored." if suite.base_stored else ""
    return Plot("Latency", rows, f"Milliseconds an answer, with 95 % intervals.{stored}", " ms", zero=True)


def _quantiles(q: float, base: Sequence[float], candidate: Sequence[float]) -> PlotRow:
    before, after = quantile(base, q), quantile(candidate, q)
    says = f"{before.value:,.0f} → {after.value:,.0f} ms"
    return PlotRow(f"p{100 * q:.0f}", (_timed("base", before), _timed("candidate", after)), says)


def _timed(who: Who, found: Quantile) -> Dot:
    return Dot(who, found.value, found.low, found.high)


# --- run files compared -----------------------------------------------------------------------------------------------


def of_runs(found: RunComparison, limit: Fraction | None) -> Iterator[Plot]:
    about = "In points, with the interval at 95 % where there are cases enough."
    told = "" if limit is None else " The red line is the limit."
    rows = tuple(_moved(one, limit) for one in found.dimensions)
    yield Plot("Change by dimension", rows, about + told, zero=True)


def _moved(one: DimensionChange, limit: Fraction | None) -> PlotRow:
    low, high = one.interval or (None, None)
    marks = [Fraction(0)] if limit is None else [Fraction(0), -limit]
    dot = Dot("change", float(one.change), low, high)
    return PlotRow(Untrusted(one.name), (dot,), _points(one.change, marks), None if limit is None else -float(limit))
