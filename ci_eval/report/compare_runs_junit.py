"""Compared runs as JUnit XML: a suite of tests for each candidate, a test for each case that both runs have.

A case fails where the candidate lost a score that base has, or a part of it: with no limit to judge by, every loss is
told. The test `verdict` is judged by the limit, where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from ci_eval.compare_runs import CaseChange, RunComparison
from ci_eval.report.compare_runs import build, dimension_table, entry
from ci_eval.report.document import Listing, Quote, Sides, Text, joined
from ci_eval.report.judges import of_dimension
from ci_eval.report.junit_xml import Test, TestSuite, Trouble, to_xml, verdict_suite
from ci_eval.text import Hostile, Untrusted


def to_junit(found: Sequence[RunComparison], limit: Fraction | None = None) -> str:
    judged = () if limit is None else (verdict_suite(build(found, limit)),)
    return to_xml([*judged, *(_suite(one, limit) for one in found)])


def _suite(found: RunComparison, limit: Fraction | None) -> TestSuite:
    worse = {change.case: change for change in found.worse}
    tests = tuple(_test(found, name, worse.get(name)) for name in found.shared)
    judges = {one.name: of_dimension(one.name, found.judges) for one in found.dimensions}
    return TestSuite(Untrusted(found.candidate.file), tests, dimension_table(found, limit), judges)


def _test(found: RunComparison, name: str, change: CaseChange | None) -> Test:
    group: Text = (Untrusted(found.candidate.header.suite),)
    lost = not found.base.cells[name] or not found.candidate.cells[name]
    trouble = Trouble("error", "lost", ("no score: an answer was lost or refused",)) if lost else None
    return Test(group, name, _worse(change) if change else trouble)


def _worse(change: CaseChange) -> Trouble:
    """With the words of the report."""
    blocks = entry(change, worse=True).blocks
    scores = [item for block in blocks if isinstance(block, Listing) for item in block.items]
    texts = tuple(text for block in blocks if isinstance(block, Sides) for text in _sides(block))
    kind = ", ".join(dict.fromkeys(cell.dimension for cell in change.cells))
    return Trouble("failure", kind, joined(scores, "; "), texts)


def _sides(sides: Sides) -> Iterator[tuple[str, Hostile]]:
    quotes: tuple[Quote, Quote] = (sides.base, sides.candidate)
    yield from ((quote.label, quote.text) for quote in quotes if quote.text)
