"""Sections of figures: groups of cases, latency and tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci_eval.comparison import Pair
from ci_eval.golden.cases import STRATA, Case
from ci_eval.outcome import SuiteOutcome
from ci_eval.records import CellResult, Record
from ci_eval.report.cases import by_case
from ci_eval.report.document import CASE, Noun, Paragraph, Section, Table, Text
from ci_eval.report.numbers import decimal
from ci_eval.stats import percentile, wilson
from ci_eval.text import Untrusted


@dataclass(frozen=True)
class _Tally:
    """Cases of one group. A case passes a side when all its scores do; with an unknown one it is in neither tuple."""

    cases: int
    base: tuple[bool, ...]
    candidate: tuple[bool, ...]
    broke: int
    repaired: int


def groups(suite: SuiteOutcome) -> Iterator[Section]:
    strata = _tallies(suite, lambda case: case.stratum)
    categories = _tallies(suite, lambda case: case.category)
    worst_first = sorted(categories.items(), key=lambda item: (-item[1].broke, item[0]))
    tables = (
        _group_table("stratum", "strata", [(name, strata[name]) for name in STRATA if name in strata]),
        _group_table("category", "categories", worst_first),
    )
    words = "A case passes when all its scores do. The interval is Wilson's for this PR, at 95 %."
    if strata:
        shown = (table for table in tables if table.rows)
        yield Section("Strata and categories", (Paragraph((words,)), *shown), importance=50)


def _tallies(suite: SuiteOutcome, group_of: Callable[[Case], str | None]) -> dict[str, _Tally]:
    pairs = by_case(suite.comparison.pairs)
    members: dict[str, list[str]] = {}
    for name, case in suite.comparison.cases.items():
        group = group_of(case)
        if group is not None:
            members.setdefault(group, []).append(name)
    return {group: _tally(suite, names, pairs) for group, names in members.items()}


def _tally(suite: SuiteOutcome, names: Sequence[str], pairs: Mapping[str, Sequence[Pair]]) -> _Tally:
    cases = [pairs.get(name, ()) for name in names]
    return _Tally(
        cases=len(cases),
        base=_passed([pair.base for pair in pairs] for pairs in cases),
        candidate=_passed([pair.candidate for pair in pairs] for pairs in cases),
        broke=sum(name in suite.broken for name in names),
        repaired=sum(suite.repaired.get(name, False) for name in names),
    )


def _passed(groups: Iterable[list[CellResult | None]]) -> tuple[bool, ...]:
    known = (group for group in groups if group and None not in group)
    return tuple(all(cell and cell.passed for cell in group) for group in known)


def _group_table(kind: str, many: str, tallies: Sequence[tuple[str, _Tally]]) -> Table:
    headers = (kind, "cases", "base", "this PR", "interval", "broke", "repaired")
    rows = tuple(_group_row(name, tally) for name, tally in tallies)
    return Table(headers, "lrrrrrr", rows, Noun(kind, many))


def _group_row(name: str, tally: _Tally) -> tuple[Text, ...]:
    return (
        (name if name in STRATA else Untrusted(name),),
        (str(tally.cases),),
        (_share(tally.base),),
        (_share(tally.candidate),),
        (_interval(tally.candidate),),
        (str(tally.broke),),
        (str(tally.repaired),),
    )


def _share(passed: Sequence[bool]) -> str:
    return decimal(Fraction(100 * sum(passed), len(passed)), 1) if passed else "unknown"


def _interval(passed: Sequence[bool]) -> str:
    if not passed:
        return "unknown"
    low, high = wilson(sum(passed), len(passed))
    return f"{100 * low:.1f}–{100 * high:.1f}"


# --- latency and tokens -----------------------------------------------------------------------------------------------


def speed(suite: SuiteOutcome) -> Iterator[Section]:
    sides = (("base", suite.comparison.base), ("this PR", suite.comparison.candidate))
    rows = tuple(_speed_row(name, list(records.values())) for name, records in sides)
    headers = ("side", "answers timed", "p50", "p95", "p99", "tokens in", "tokens out")
    blocks = (Table(headers, "lrrrrrr", rows), Paragraph((" ".join(_speed_words(suite)),)))
    yield Section("Latency and tokens", blocks, importance=45)


def _speed_row(name: str, records: Sequence[Record]) -> tuple[Text, ...]:
    times = timed(records)
    quantiles = (f"{percentile(times, q):,.0f} ms" if times else "unknown" for q in (0.5, 0.95, 0.99))
    tokens = (_total(record.tokens_in for record in records), _total(record.tokens_out for record in records))
    return tuple((text,) for text in (name, f"{len(times):,}", *quantiles, *tokens))


def timed(records: Iterable[Record]) -> list[float]:
    """Latencies of the answers that were really asked for."""
    return [float(record.latency_ms) for record in records if record.latency_ms is not None and not record.reused]


def _total(counts: Iterable[int | None]) -> str:
    known = [count for count in counts if count is not None]
    return f"{sum(known):,}" if known else "unknown"


def _speed_words(suite: SuiteOutcome) -> Iterator[str]:
    yield f"{Noun('call', 'calls').count(suite.calls)} made for this verdict."
    if suite.base_stored:
        yield "The base's answers were timed when main's baseline was stored."
    sides = [suite.comparison.candidate] + ([] if suite.base_stored else [suite.comparison.base])
    cached = sum(record.cached_at is not None and not record.reused for side in sides for record in side.values())
    if cached:
        yield f"{Noun('answer', 'answers').count(cached)} came out of the response cache, not timed."
    reused = sum(record.reused for record in suite.comparison.candidate.values())
    if reused:
        yield f"{CASE.count(reused)} asked the model the same on both sides: answered once, and not timed for this PR."
