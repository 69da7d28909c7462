"""The section on latency, tokens and cost of both sides. None of it is a score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from ci_eval.figures.costs import SideCost
from ci_eval.figures.ranks import Quantile, least_for, quantile
from ci_eval.figures.ratio import Ratio
from ci_eval.figures.timing import LatencyComparison, timed
from ci_eval.outcome.model import Costs, SuiteOutcome
from ci_eval.records import Record
from ci_eval.report.document import CASE, Noun, Paragraph, Section, Table, Text
from ci_eval.report.numbers import decimal, dollars, signed

QUANTILES = (0.5, 0.95, 0.99)
Records = Mapping[str, Record]


def performance(suite: SuiteOutcome) -> Iterator[Section]:
    costs = suite.costs
    sentences = [*_latency_words(suite), *_cost_words(costs)]
    blocks = (_latency_table(suite), _cost_table(suite, costs), Paragraph((" ".join(sentences),)))
    yield Section("Latency, tokens and cost", blocks, importance=45)


# --- latency ----------------------------------------------------------------------------------------------------------


def times(records: Records) -> list[float]:
    return [milliseconds for _, milliseconds in timed(records.values())]


def slower(suite: SuiteOutcome) -> Iterator[Text]:
    """The warning, where it surely is."""
    found = suite.latency
    if found.slower and found.ratio:
        yield (f"Slower: {_takes(found.ratio)} on {CASE.count(found.pairs)} that both sides were asked in this job.",)


def _latency_table(suite: SuiteOutcome) -> Table:
    headers = ("side", "answers timed", *(f"p{100 * q:.0f}" for q in QUANTILES))
    return Table(headers, "lrrrr", tuple(_latency_row(name, times(records)) for name, records in _sides(suite)))


def _sides(suite: SuiteOutcome) -> tuple[tuple[str, Records], tuple[str, Records]]:
    return ("base", suite.comparison.base), ("this PR", suite.comparison.candidate)


def _latency_row(name: str, latencies: Sequence[float]) -> tuple[Text, ...]:
    cells = (_quantile(quantile(latencies, q)) if latencies else "unknown" for q in QUANTILES)
    return tuple((text,) for text in (name, f"{len(latencies):,}", *cells))


def _quantile(found: Quantile) -> str:
    shown = f"{found.value:,.0f} ms"
    if found.low is None:
        return shown
    return f"{shown} (≥ {found.low:,.0f})" if found.high is None else f"{shown} ({found.low:,.0f}–{found.high:,.0f})"


def _latency_words(suite: SuiteOutcome) -> Iterator[str]:
    scoring = f", and {suite.scoring_calls:,} by scorers" if suite.scoring_calls else ""
    yield f"{Noun('call', 'calls').count(suite.calls)} made for this verdict{scoring}."
    if suite.base_stored:
        yield "The base's answers here were timed when main's baseline was stored."
    base, candidate = suite.comparison.base, suite.comparison.candidate
    sides = [candidate] if suite.base_stored else [candidate, base]
    cached = sum(record.cached_at is not None and not record.reused for side in sides for record in side.values())
    if cached:
        yield f"{Noun('answer', 'answers').count(cached)} came out of the response cache, not timed."
    reused = sum(record.reused for record in candidate.values())
    if reused:
        yield f"{CASE.count(reused)} asked the model the same on both sides: answered once, and not timed for this PR."
    yield from _bounds([len(times(records)) for _, records in _sides(suite)])
    yield from _compared(suite.latency)


def _bounds(counts: Sequence[int]) -> Iterator[str]:
    """What the brackets are; and what is missing from them, because so few answers cannot tell."""
    if any(counts):
        short = [q for q in QUANTILES if min(count for count in counts if count) < least_for(q)]
        needs = " and ".join(f"p{100 * q:.0f} takes {least_for(q)}" for q in short)
        yield "In brackets 95 % intervals" + (f"; too few answers have no upper end ({needs})." if short else ".")


def _compared(found: LatencyComparison) -> Iterator[str]:
    if not found.pairs:
        return
    if found.ratio is None:
        yield f"Only {CASE.count(found.pairs)} timed on both sides in this job: too few to compare latencies."
    else:
        yield f"On {CASE.count(found.pairs)} timed on both sides in this job {_takes(found.ratio)}."


def _takes(ratio: Ratio) -> str:
    return f"this PR's calls take {ratio.value:.2f} times as long ({ratio.low:.2f} to {ratio.high:.2f}, 98 % sure)"


# --- tokens and cost --------------------------------------------------------------------------------------------------


def _cost_table(suite: SuiteOutcome, costs: Costs) -> Table:
    """Without the columns of cost where no price is known, or nothing costs anything."""
    headers = ["side", "tokens in", "tokens out"]
    rows = [[name, *_tokens(list(records.values()))] for name, records in _sides(suite)]
    rows.append(["change", *(_token_change(suite, of) for of in (_tokens_in, _tokens_out))])
    if costs.base.dollars or costs.candidate.dollars:
        headers += ["cost per case", "per correct case", "in all"]
        rows[0] += _prices(costs.base)
        rows[1] += _prices(costs.candidate)
        rows[2] += [_change(costs.compared.ratio), _change(costs.compared.per_correct), ""]
    align = "l" + "r" * (len(headers) - 1)
    return Table(tuple(headers), align, tuple(tuple((cell,) for cell in row) for row in rows))


def _tokens_in(record: Record) -> int | None:
    return record.tokens_in


def _tokens_out(record: Record) -> int | None:
    return record.tokens_out


def _tokens(records: Sequence[Record]) -> tuple[str, str]:
    cached, reasoning = (total(records, of) for of in (lambda one: one.tokens_cached, lambda one: one.tokens_reasoning))
    return (
        _count(records, _tokens_in) + (f" ({cached:,} cached)" if cached else ""),
        _count(records, _tokens_out) + (f" ({reasoning:,} reasoning)" if reasoning else ""),
    )


def total(records: Iterable[Record], of: Callable[[Record], int | None]) -> int | None:
    """Over the answers that were counted; None where none was."""
    known = [count for record in records if (count := of(record)) is not None]
    return sum(known) if known else None


def _count(records: Sequence[Record], of: Callable[[Record], int | None]) -> str:
    found = total(records, of)
    if found is None:
        return "unknown"
    uncounted = any(of(record) is None for record in records if record.error is None)
    return f"≥ {found:,}" if uncounted else f"{found:,}"


def _token_change(suite: SuiteOutcome, of: Callable[[Record], int | None]) -> str:
    """Over the cases that both sides answered; nothing where one of them was not counted."""
    base, candidate = suite.comparison.base, suite.comparison.candidate
    both = [case for case in base if case in candidate and not (base[case].error or candidate[case].error)]
    before, after = ([of(side[case]) for case in both] for side in (base, candidate))
    known = [(one, other) for one, other in zip(before, after, strict=True) if one is not None and other is not None]
    spent = sum(one for one, _ in known)
    return f"{_percent(sum(other for _, other in known) / spent)} %" if spent and len(known) == len(both) else ""


def _prices(cost: SideCost) -> list[str]:
    if not cost.priced:
        return ["unknown" if cost.answers else "no answer"] * 3
    every = dollars(cost.dollars) if cost.priced == cost.answers else f"≥ {dollars(cost.dollars)}"
    return [_price(cost.per_case), _price(cost.per_correct), every]


def _price(usd: float | None) -> str:
    return "none correct" if usd is None else dollars(usd)


def _change(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    if math.isinf(ratio.value):
        return "base is free"
    return f"{_percent(ratio.value)} % ({_percent(ratio.low)} to {_percent(ratio.high)})"


def _percent(ratio: float) -> str:
    return signed(decimal(Fraction(100 * (ratio - 1)), 1))


def _cost_words(costs: Costs) -> Iterator[str]:
    """What no price is known of, and so is not in the cost."""
    sides = [("base", costs.base), ("this PR", costs.candidate)]
    if not any(cost.answers for _, cost in sides):
        yield "There is no answer whose cost could be told: all were lost, refused or never asked for."
        return
    if not any(cost.priced for _, cost in sides):
        yield "The price of this model is not known."
        return
    if not any(cost.dollars for _, cost in sides):
        yield "Answers cost nothing."
    for name, cost in sides:
        if cost.priced < cost.answers:
            yield f"No price is known of {cost.answers - cost.priced:,} of {cost.answers:,} answers of {name}."
