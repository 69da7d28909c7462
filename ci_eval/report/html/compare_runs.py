"""Compared runs as an HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from ci_eval.compare_runs import CaseChange, RunComparison
from ci_eval.report.compare_runs import build, entry
from ci_eval.report.document import Text
from ci_eval.report.gallery import Card, Facet
from ci_eval.report.html.page import Page, Pictures, render
from ci_eval.report.plots import of_runs
from ci_eval.text import Untrusted

_STATUSES: Mapping[str, str] = {
    "worse": "a score that the candidate lost, or lost a part of",
    "better": "a score that the candidate gained, or gained a part of",
}


def to_html(found: Sequence[RunComparison], limit: Fraction | None = None) -> str:
    """One file, the same for the same runs."""
    pictures = tuple(_pictures(number, one, limit) for number, one in _numbered(found))
    return render(Page(build(found, limit), pictures, tuple(_cards(found)), _STATUSES))


def _numbered(found: Sequence[RunComparison]) -> Iterator[tuple[int | None, RunComparison]]:
    yield from ((number if len(found) > 1 else None, one) for number, one in enumerate(found, start=1))


def _name(number: int) -> str:
    return f"candidate {number}"


def _pictures(number: int | None, one: RunComparison, limit: Fraction | None) -> Pictures:
    heading: Text = ("Picture",) if number is None else (f"Picture of {_name(number)}",)
    return Pictures(heading, tuple(of_runs(one, limit)), {})


def _cards(found: Sequence[RunComparison]) -> Iterator[Card]:
    """Every candidate's losses come before any gain."""
    for worse in (True, False):
        for number, one in _numbered(found):
            for change in one.worse if worse else one.better:
                yield _card(number, one, change, worse=worse)


def _card(number: int | None, one: RunComparison, change: CaseChange, *, worse: bool) -> Card:
    made = entry(change, worse=worse)
    dimensions = dict.fromkeys(cell.dimension for cell in change.cells)
    facets: list[Facet] = [("dimension", Untrusted(name)) for name in dimensions]
    if number is not None:
        facets.append(("candidate", _name(number)))
    about: Text = () if number is None else (_name(number),)
    suite = one.base.header.suite
    return Card(suite, made.name, ("worse" if worse else "better",), about, tuple(facets), made.blocks)
