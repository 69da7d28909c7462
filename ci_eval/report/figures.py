"""Sections of figures about scores: groups of cases, and what all traffic would show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice

from ci_eval.figures.traffic import Traffic, wider
from ci_eval.golden.cases import STRATA, clusters_of
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.outcome.slices import Kind, Passes, Slice, slices
from ci_eval.report.document import CASE, Listing, Noun, Paragraph, Piece, Section, Table, Text, listed
from ci_eval.report.numbers import decimal, signed
from ci_eval.text import Untrusted

_MANY: dict[Kind, str] = {"stratum": "strata", "category": "categories", "tag": "tags"}
_NAMED = 3


def groups(suite: SuiteOutcome) -> Iterator[Section]:
    """The tables of groups of cases: strata, categories and tags."""
    found = slices(suite)
    if found:
        told = [one for one in found if one.kind != "tag" or one.flips]
        tables = [_group_table(kind, [one for one in told if one.kind == kind]) for kind in _MANY]
        words = Paragraph((" ".join(_group_words(found, len(found) - len(told))),))
        shown = (table for table in tables if table.rows)
        yield Section("Strata, categories, tags", (words, *shown), importance=50)


def systematic(suite: SuiteOutcome) -> Iterator[Section]:
    """In the open: where to look first, the narrowest of what is equally sure."""
    worse = [one for one in slices(suite) if one.pattern == "systematic" and one.for_worse]
    if worse:
        items = [_where(one) for one in sorted(worse, key=lambda one: (one.p, one.cases))[:_NAMED]]
        if len(worse) > _NAMED:
            items.append((f"{Noun('group', 'groups').more(len(worse) - _NAMED)} in the tables below",))
        listing = Listing(tuple(items), Noun("group", "groups"))
        yield Section("Where it broke", (Paragraph(("The loss is systematic in:",)), listing), 94, folded=False)


def _where(one: Slice) -> Text:
    repaired = f", {len(one.repaired)} repaired" if one.repaired else ""
    return (f"{one.kind} ", _name(one), f": {len(one.broke)} of {CASE.count(one.cases)} broke{repaired}")


def _name(one: Slice) -> Piece:
    return one.name if one.kind == "stratum" and one.name in STRATA else Untrusted(one.name)


def _group_words(found: Sequence[Slice], left_out: int) -> Iterator[str]:
    yield "A case passes when all its scores do; in brackets Wilson's interval at 95 %."
    if any(one.flips for one in found):
        groups = f"all {len(found)} groups" if len(found) > 1 else "one group"
        yield "Systematic: a sign test on the cases that stayed broken or repaired rules out chance (5 %, Holm over"
        yield f"{groups}); otherwise they are scattered, and named."
    if left_out:
        yield f"{Noun('tag', 'tags').count(left_out)} without a change not listed."


def _group_table(kind: Kind, found: Sequence[Slice]) -> Table:
    headers = (kind, "cases", "base", "this PR", "broke", "repaired", "pattern")
    return Table(headers, "lrrrrrl", tuple(_group_row(one) for one in found), Noun(kind, _MANY[kind]))


def _group_row(one: Slice) -> tuple[Text, ...]:
    return (
        (_name(one),),
        (f"{one.cases:,}",),
        (_share(one.base),),
        (_share(one.candidate),),
        (str(len(one.broke)),),
        (str(len(one.repaired)),),
        tuple(_pattern(one)),
    )


def _share(passes: Passes) -> str:
    if not passes.known:
        return "unknown"
    low, high = (f"{100 * end:.1f}" for end in passes.interval)
    return f"{decimal(Fraction(100 * passes.passed, passes.known), 1)} ({low}–{high})"


def _pattern(one: Slice) -> Iterator[Piece]:
    if one.pattern:
        yield one.pattern
    if one.pattern == "scattered":
        yield ": "
        yield from listed(Untrusted(case) for case in islice(one.flips, _NAMED))
        more = len(one.flips) - _NAMED
        yield from (f" and {more} more",) if more > 0 else ()


# --- all traffic ------------------------------------------------------------------------------------------------------


def traffic_of(suite: SuiteOutcome) -> Iterator[Traffic]:
    """Every dimension that any case speaks of; none where only a part was run, which is chosen and so is no sample."""
    if suite.part:
        return
    clusters = clusters_of(suite.comparison.cases.values())
    for result in suite.dimensions:
        pairs = (pair for pair in suite.gated if pair.dimension == result.name)
        if found := wider(result.name, pairs, clusters):
            yield found


def traffic(suite: SuiteOutcome) -> Iterator[Section]:
    """What all traffic would show, one line a dimension."""
    items = tuple(_traffic(one) for one in traffic_of(suite))
    if items:
        words = (
            "Not what is judged here: the verdict is about these very cases. With them as a sample of all traffic like "
            "this golden set, by one run a side and at 95 %:"
        )
        listing = Listing(items, Noun("dimension", "dimensions"))
        yield Section("All traffic", (Paragraph((words,)), listing), importance=38)


def _traffic(one: Traffic) -> Text:
    clusters = f", {one.clusters:,} clusters" if one.clusters < one.cases else ""
    sample = f" ({CASE.count(one.cases)}{clusters})."
    if one.interval is None:
        return (Untrusted(one.dimension), ": too few to say anything of all traffic", sample)
    low, high = (signed(decimal(Fraction(end), 1)) for end in one.interval)
    return (Untrusted(one.dimension), f": the change is likely between {low} and {high} points", sample)
