"""The section on a changed dataset: rows, labels, lengths, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice

from ci_eval.datasets.changes import LabelShift, Lengths
from ci_eval.datasets.duplicates import Duplicates
from ci_eval.datasets.formats import Refused
from ci_eval.outcome.data import DataOutcome
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.report.document import ROW, Block, Listing, Noun, Paragraph, Section, Table, Text
from ci_eval.report.numbers import decimal, signed
from ci_eval.text import Untrusted

_NAMED = 10
"""Rows and labels that are told one by one."""


def refused(suite: SuiteOutcome) -> Iterator[Section]:
    """In the open: a fine-tune of these rows would fail."""
    found = [one for data in suite.data for one in data.refused]
    if found:
        items = tuple(_refused(one) for one in islice(found, _NAMED))
        more = (Paragraph((f"{ROW.more(len(found) - _NAMED)} like these.",)),) if len(found) > _NAMED else ()
        words = Paragraph(("The provider would refuse these rows of the dataset, or not learn from them:",))
        blocks = (words, Listing(items, ROW), *more)
        yield Section("Rows that a provider would refuse", blocks, importance=94, folded=False)


def _refused(one: Refused) -> Text:
    return (Untrusted(f"{one.file}:{one.line}"), ": ", one.why)


def data(suite: SuiteOutcome) -> Iterator[Section]:
    for one in suite.data:
        lead = Paragraph((Untrusted(one.path), f": {ROW.count(one.rows)}."))
        yield Section("Dataset", (lead, *_blocks(one)), importance=62)


def _blocks(one: DataOutcome) -> Iterator[Block]:
    yield _lengths(one.lengths)
    for shift in one.shifts:
        yield from _shift(shift)
    if one.duplicates:
        yield Listing(tuple(_duplicates(one.duplicates)), Noun("remark", "remarks"))


def _lengths(told: Iterable[tuple[str, Lengths | None, Lengths | None]]) -> Table:
    rows = tuple(((name,), (_length(before),), (_length(after),)) for name, before, after in told)
    return Table(("words: median (p95)", "base", "this PR"), "lrr", rows)


def _length(found: Lengths | None) -> str:
    return f"{found.median:,} ({found.p95:,})" if found else ""


def _shift(shift: LabelShift) -> Iterator[Block]:
    share = f"{_percent(shift.moved)} % of the labels"
    lead: Text = (f"{share} in ", Untrusted(shift.field), " moved:") if shift.field else (f"{share} moved:",)
    yield Paragraph(lead)
    yield Table(("label", "base", "this PR", "change"), "lrrr", tuple(_labels(shift.labels)), Noun("label", "labels"))


def _labels(labels: Sequence[tuple[str, Fraction, Fraction]]) -> Iterator[tuple[Text, ...]]:
    for label, before, after in islice((one for one in labels if one[1] != one[2]), _NAMED):
        change = signed(_percent(after - before))
        yield ((Untrusted(label),), (f"{_percent(before)} %",), (f"{_percent(after)} %",), (change,))


def _percent(share: Fraction) -> str:
    return decimal(100 * share, 1)


def _duplicates(found: Duplicates) -> Iterator[Text]:
    if found.exact:
        yield (f"{ROW.count(found.exact)} said before: the same input and answer",)
    if found.contradicting:
        yield (f"{Noun('input', 'inputs').count(found.contradicting)} answered in more than one way",)
    if found.near:
        pairs = [f"{one.line} and {other.line}" for one, other in found.examples]
        yield (f"{ROW.count(found.near)} nearly said before (lines {', '.join(pairs)})",)
