"""What the report says of the label that accepts a regression: who took on what, or why it does not count."""

from __future__ import annotations

from collections.abc import Iterator

from ci_eval.outcome.acceptance import Acceptance
from ci_eval.outcome.falls import Fall, falls
from ci_eval.outcome.model import GateOutcome
from ci_eval.report.document import Listing, Noun, Paragraph, Section, Text
from ci_eval.report.numbers import faithful, points
from ci_eval.text import Untrusted

_LABEL = "The label that accepts a regression"
_FALL = Noun("regression", "regressions")


def acceptance(outcome: GateOutcome) -> Iterator[Section]:
    """In the open, before everything else."""
    found = outcome.acceptance
    if found is None:
        return
    if not found.counts:
        words: Text = (_LABEL, *_by(found, " (", ")"), " does not count: ", *found.refused, ".")
        yield Section("Not accepted", (Paragraph(words),), importance=99, folded=False)
        return
    where = (
        "recognised in the merge queue: the head is the same, and no drop is larger"
        if found.queued
        else ("for this head alone; the next push takes the label off")
    )
    lead = Paragraph(("Accepted by ", *_by(found, "", ""), f", {where}."))
    every = Listing(tuple(_fall(one, named=len(outcome.suites) > 1) for one in falls(outcome)), _FALL)
    yield Section("Accepted", (lead, every), importance=99, folded=False)


def _by(found: Acceptance, before: str, after: str) -> Text:
    if found.by is None:
        return ()
    return (before, found.by, ", who opened the pull request" if found.own else "", after)


def _fall(one: Fall, *, named: bool) -> Text:
    suite: Text = (Untrusted(one.suite), ": ") if named else ()
    if one.unit == "percent":
        return (*suite, one.name, f" rose by {float(one.size):.1f} %")
    digits = faithful(one.size, one.limit) if one.limit != "any" else faithful(one.size)
    beside = " below the anchor" if one.beside == "anchor" else ""
    return (*suite, Untrusted(one.name), f" −{points(one.size, digits)}{beside}")
