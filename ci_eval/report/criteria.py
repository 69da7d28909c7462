"""The table of criteria that scores are made of, and the row of the overall score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import fmean

from ci_eval.outcome.model import SuiteOutcome
from ci_eval.records import Record
from ci_eval.report.document import Noun, Paragraph, Section, Table, Text
from ci_eval.report.numbers import decimal, signed
from ci_eval.text import Untrusted

_CRITERION = Noun("criterion", "criteria")

Means = dict[tuple[str, str], float]
"""By scorer and criterion, in [0, 1]."""


def overall(suite: SuiteOutcome) -> Iterator[tuple[Text, ...]]:
    """The last row of the table of dimensions."""
    if found := suite.overall:
        base, candidate = (decimal(score, 1) for score in (found.base, found.candidate))
        change = signed(decimal(-found.drop, 1))
        yield (("overall",), (base,), (candidate,), (change,), ("not gated",), ("",), ("",), ("",))


def criteria(suite: SuiteOutcome) -> Iterator[Section]:
    """The table of criteria, for scorers whose score is made of several."""
    base, candidate = means(suite.comparison.base.values()), means(suite.comparison.candidate.values())
    names = dict.fromkeys((*base, *candidate))
    rows = tuple(_criterion(name, base.get(name), candidate.get(name)) for name in names)
    if rows:
        words = "Means over the answers of one run a side, of 100. Told, not gated: that is the score as a whole."
        table = Table(("scorer", "criterion", "base", "this PR"), "llrr", rows, _CRITERION)
        yield Section("Criteria", (Paragraph((words,)), table), importance=58)


def _criterion(name: tuple[str, str], base: float | None, candidate: float | None) -> tuple[Text, ...]:
    return ((Untrusted(name[0]),), (Untrusted(name[1]),), (_share(base),), (_share(candidate),))


def means(records: Iterable[Record]) -> Means:
    """The mean of each criterion over the cells that have it."""
    found = defaultdict[tuple[str, str], list[float]](list)
    for record in records:
        for cell in record.cells:
            for name, value in cell.parts.items():
                found[_shared_name(record, cell.scorer), name].append(float(value))
    return {key: fmean(values) for key, values in found.items()}


def _shared_name(record: Record, scorer: str) -> str:
    """A case's own scorers are called by the case: here they count with those of the others."""
    return scorer.removeprefix(f"{record.case}:").partition(":")[2] if scorer.startswith(f"{record.case}:") else scorer


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
