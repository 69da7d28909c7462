"""Rows for what policy limits beside the scores: latency, cost, and the drop below the anchor."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ci_eval.figures.ratio import Ratio
from ci_eval.outcome.increases import Increase
from ci_eval.outcome.model import AnchorOutcome, SuiteOutcome
from ci_eval.report.document import CASE, Noun, Paragraph, Piece, Section, Table, Text
from ci_eval.report.numbers import decimal, digits_for, faithful, plain, points, signed
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult, Verdict

_PER_CENT = {"latency": "the time of a call", "cost": "the cost of an answer"}


def rows(suite: SuiteOutcome) -> Iterator[tuple[Text, ...]]:
    """Latency and cost as rows of the table of dimensions."""
    for one in suite.increases:
        change = _change(one.ratio) if one.ratio else "unknown"
        limit = f"+{plain(one.limit)} %"
        yield tuple((cell,) for cell in (one.name, "", "", change, limit, "", "", one.verdict))


def _change(ratio: Ratio) -> str:
    value, low, high = (signed(f"{100 * (number - 1):.1f}") for number in ratio)
    return f"{value} % ({low} to {high})"


def sentence(one: Increase) -> Text:
    """For the headline: why it is no pass."""
    limit = f"(limit +{plain(one.limit)} %)"
    what = _PER_CENT[one.name]
    if one.ratio is None:
        why = "a price is not known" if one.unpriced else f"only {CASE.count(one.pairs)} could be compared"
        return (f"nothing is known of {what} {limit}: {why}",)
    if one.verdict is Verdict.REGRESSION:
        return (f"{what} rose by {100 * (one.ratio.value - 1):.1f} % {limit}",)
    return (f"{what} may have risen by its limit or more {limit}",)


# --- the anchor -------------------------------------------------------------------------------------------------------


def anchor(suite: SuiteOutcome) -> Iterator[Section]:
    """In the open where it fails the change."""
    found = suite.anchor
    if found is None:
        return
    headers = ("dimension", "anchor", "this PR", "change", "limit", "verdict")
    table = Table(headers, "lrrrrl", tuple(_row(one) for one in found.dimensions), Noun("dimension", "dimensions"))
    passed = found.verdict is Verdict.PASS
    yield Section("Beside the anchor", (Paragraph(_words(found)), table), 99 if not passed else 48, folded=passed)


def _words(found: AnchorOutcome) -> Text:
    commit: Piece = Untrusted(found.commit[:12]) if found.commit else "no commit"
    lead: Text = ("Main may not creep below ", Untrusted(found.ref), " (", commit, ").")
    spared = [one for one in found.dimensions if one.verdict is not Verdict.PASS and one.name not in found.blamed]
    if not spared:
        return lead
    names: tuple[Piece, ...] = tuple(piece for one in spared for piece in (Untrusted(one.name), " "))
    return (*lead, " Main is below it already in ", *names, "and this change does not add to that.")


def _row(result: DimensionResult) -> tuple[Text, ...]:
    limit = result.limit if result.limit != "any" else Fraction(0)
    digits = digits_for(result.drop, (limit, Fraction(0)))
    scores = ("unknown" if score is None else decimal(score, digits) for score in (result.base, result.candidate))
    change = signed(decimal(-result.drop, digits, -limit, Fraction(0)))
    cells = (*scores, change, plain(limit), result.verdict)
    return ((Untrusted(result.name),), *((cell,) for cell in cells))


def anchor_sentence(found: AnchorOutcome, result: DimensionResult) -> Text:
    """For the headline: why it is no pass."""
    name, limit = Untrusted(result.name), result.limit if result.limit != "any" else Fraction(0)
    if result.verdict is Verdict.REGRESSION:
        drop = points(result.drop, faithful(result.drop, limit))
        return (name, f" is {drop} below the anchor ", Untrusted(found.ref), f" (limit {plain(limit)})")
    return ("it is not clear whether ", name, " is below the anchor ", Untrusted(found.ref))
