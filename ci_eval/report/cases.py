"""Sections about single cases: broken, repaired, lost, edited, leaked. With `outputs: hide` no texts are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from ci_eval.comparison import Comparison, Effect, Pair, effects
from ci_eval.confirm.evidence import Flip, Key, Tally
from ci_eval.datasets.contamination import Leak
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.records import Record
from ci_eval.report.document import (
    CASE,
    SCORE,
    Block,
    Entries,
    Entry,
    Listing,
    Noun,
    Paragraph,
    Piece,
    Quote,
    Section,
    Sides,
    Table,
    Text,
    listed,
)
from ci_eval.report.numbers import decimal, digits_for
from ci_eval.text import Untrusted

_IDS_A_LINE = 8
_NEW_CASE = Noun("new case", "new cases")


def broken(suite: SuiteOutcome, *, show: bool) -> Iterator[Section]:
    """Those that stayed broken; and apart from them those that no rerun speaks of."""
    noun = Noun("broken case", "broken cases")
    if suite.broken:
        block = Entries(_broken_cases(suite, suite.broken, show=show), noun)
        yield Section("Cases that broke", (block,), importance=90, count=len(suite.broken))
    if unconfirmed := suite.unbroken("unconfirmed"):
        block = Entries(_broken_cases(suite, unconfirmed, show=show), noun)
        yield Section("Cases that broke in one run, not confirmed", (block,), importance=86, count=len(unconfirmed))


def went(suite: SuiteOutcome, *, show: bool) -> Iterator[Section]:
    """The cases that flipped in the first pass, and back in the reruns."""
    if cases := suite.unbroken("went"):
        pairs = pairs_of(suite)
        flips = [flip for of_case in cases.values() for flip in of_case]
        items = [(Untrusted(flip.cell.case), ", ", *reason(pairs[flip.cell.key], flip, show=show)) for flip in flips]
        title = "Cases that flipped once and did not stay broken"
        yield Section(title, (Listing(tuple(items), SCORE),), importance=42, count=len(cases))


def by_case(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.case, []).append(pair)
    return found


def pairs_of(suite: SuiteOutcome) -> dict[Key, Pair]:
    return {(pair.case, pair.scorer): pair for pair in suite.comparison.pairs}


def _broken_cases(suite: SuiteOutcome, cases: Mapping[str, Sequence[Flip]], *, show: bool) -> tuple[Entry, ...]:
    pairs = pairs_of(suite)
    return tuple(
        _broken_case(name, [reason(pairs[flip.cell.key], flip, show=show) for flip in flips], suite, show=show)
        for name, flips in cases.items()
    )


def _broken_case(name: str, reasons: Sequence[Text], suite: SuiteOutcome, *, show: bool) -> Entry:
    comparison = suite.comparison
    case = comparison.cases[name]
    about: Text = (case.stratum, ", ", Untrusted(case.category)) if case.category else (case.stratum,)
    failed = Listing(tuple(reasons), SCORE)
    if not show:
        return Entry(Untrusted(name), about, (failed,))
    sides = Sides(answer("base", comparison.base.get(name)), answer("this PR", comparison.candidate.get(name)))
    return Entry(Untrusted(name), about, (failed, Quote("input", case.input), sides))


def reason(pair: Pair, flip: Flip, *, show: bool) -> Text:
    where: Text = (Untrusted(pair.scorer), " (", Untrusted(pair.dimension), ")")
    why: Text = (": ", pair.candidate.reason) if show and pair.candidate else ()
    return (*where, *why, *reruns(flip))


def reruns(flip: Flip) -> Iterator[str]:
    """What they said, where there were any."""
    sides = (("main", flip.base), ("this PR", flip.candidate))
    if any(tally.runs or tally.lost for _, tally in sides):
        yield f" (reruns: {', '.join(f'{name} {_passes(tally)}' for name, tally in sides)})"


def _passes(tally: Tally) -> str:
    if tally.sure:
        return "always the same"
    lost = f" and {tally.lost} lost" if tally.lost else ""
    return f"{tally.passes} of {tally.runs}{lost}"


_FINISH = {"length": ", cut off at max_tokens", "refusal": ", refused"}


def answer(side: str, record: Record | None) -> Quote:
    if record is None or record.output is None:
        return Quote(f"{side}: no answer", record.error if record else None)
    return Quote(side + _FINISH.get(record.finish or "", ""), record.output)


def repaired(cases: Mapping[str, bool]) -> Iterator[Section]:
    """Those that stayed so; and the others, so that nobody takes them for a gain."""
    noun = Noun("repaired case", "repaired cases")
    stayed = [name for name, stays in cases.items() if stays]
    others = [name for name, stays in cases.items() if not stays]
    blocks = [ids(words, names, noun) for words, names in (("", stayed), ("not confirmed: ", others)) if names]
    if blocks:
        yield Section("Cases repaired", tuple(blocks), importance=40, count=len(stayed))


def flaky(quarantined: Sequence[Key]) -> Iterator[Section]:
    """In the open: what is not gated protects nobody."""
    if quarantined:
        words = "Coin flips on main, not gated; fix the case or the prompt:"
        lines = [quarantined[start : start + _IDS_A_LINE] for start in range(0, len(quarantined), _IDS_A_LINE)]
        block = Listing(tuple(tuple(_cells(line)) for line in lines), Noun("line", "lines"))
        yield Section("Coin flips on main", (Paragraph((words,)), block), importance=96, folded=False)


def _cells(keys: Sequence[Key]) -> Iterator[Piece]:
    for number, (case, scorer) in enumerate(keys):
        yield from (", ",) if number else ()
        yield from (Untrusted(case), " (", Untrusted(scorer), ")")


def ids(words: str, names: Sequence[str], noun: Noun) -> Listing:
    """Ids, some to a line."""
    lines = [names[start : start + _IDS_A_LINE] for start in range(0, len(names), _IDS_A_LINE)]
    return Listing(tuple((words, *listed(Untrusted(name) for name in line)) for line in lines), noun)


def lost(comparison: Comparison, *, show: bool) -> Iterator[Section]:
    """The cases that infrastructure lost, each with its cause."""
    missing = by_case(pair for pair in comparison.pairs if pair.missing)
    if missing:
        rows = tuple(row for name, pairs in missing.items() for row in _lost_case(name, pairs, comparison, show=show))
        table = Table(("case", "side", "cause"), "lll", rows, Noun("lost answer", "lost answers"))
        yield Section("Cases lost to errors", (table,), importance=85, count=len(missing))


def _lost_case(
    name: str, pairs: Sequence[Pair], comparison: Comparison, *, show: bool
) -> Iterator[tuple[Text, Text, Text]]:
    if any(pair.base is None for pair in pairs):
        yield (Untrusted(name),), ("base",), _cause(comparison.base.get(name), show=show)
    if any(pair.candidate is None for pair in pairs):
        yield (Untrusted(name),), ("this PR",), _cause(comparison.candidate.get(name), show=show)


def _cause(record: Record | None, *, show: bool) -> Text:
    if record is None:
        return ("not asked",)
    return (record.error,) if record.error and show else ("no score",)


# --- the golden set ---------------------------------------------------------------------------------------------------


def golden_set(suite: SuiteOutcome) -> Iterator[Section]:
    """What the candidate changes in the golden set, and what that would do to the scores."""
    edits = suite.edits
    if not edits:
        return
    blocks: list[Block] = []
    if edits.removed or edits.rewritten:
        blocks.append(Paragraph(("Removed and rewritten cases were judged by main's version.",)))
    blocks += [
        ids(words, names, CASE)
        for words, names in (("removed: ", edits.removed), ("rewritten: ", edits.rewritten))
        if names
    ]
    if edits.added:
        blocks += [Paragraph(("Added cases are shown, not gated.",)), _added(edits.added, suite.new_cases)]
        blocks += _with_added(suite)
    count = len(edits.added) + len(edits.removed) + len(edits.rewritten)
    yield Section("What this PR does to the golden set", tuple(blocks), importance=88, count=count)


def _with_added(suite: SuiteOutcome) -> Iterator[Paragraph]:
    """What the next pull request will find as its base."""
    answered = [record for record in suite.new_cases.values() if record.cells]
    told = f"With {_NEW_CASE.count(len(answered))} "
    for effect in effects(suite.gated, answered):
        yield Paragraph((told, *effect_text(effect, "would be"), "."))
    if unweighed := {cell.scorer for record in answered for cell in record.cells} - {p.scorer for p in suite.gated}:
        names = listed(Untrusted(scorer) for scorer in sorted(unweighed))
        yield Paragraph(("Of no case of main, so with a weight of 1: ", *names, "."))


def effect_text(effect: Effect, verb: str) -> Iterator[Piece]:
    """`task_accuracy is 81.2 instead of 83.0`"""
    yield Untrusted(effect.dimension)
    if effect.without is None:
        yield f" {verb} {decimal(effect.whole, 1)}; without, it has no score"
    elif effect.whole == effect.without:
        yield f" {verb} {decimal(effect.whole, 1)}, unchanged"
    else:
        digits = digits_for(effect.whole - effect.without, [Fraction(0)])
        yield f" {verb} {decimal(effect.whole, digits)} instead of {decimal(effect.without, digits)}"


def _added(names: Sequence[str], records: Mapping[str, Record]) -> Table:
    rows = tuple(((Untrusted(name),), *_result(records.get(name))) for name in names)
    return Table(("added case", "passed", "failed scorers"), "lrl", rows, Noun("added case", "added cases"))


def _result(record: Record | None) -> tuple[Text, Text]:
    if record is None or not record.cells:
        return ("unknown",), ("",)
    failed = [Untrusted(cell.scorer) for cell in record.cells if not cell.passed]
    return (f"{len(record.cells) - len(failed)} of {len(record.cells)}",), tuple(listed(failed))


def leaks(leaks: Sequence[Leak]) -> Iterator[Section]:
    """The golden cases whose texts stand in training or few-shot rows."""
    if leaks:
        words = "The model learns from texts that it is tested on, so its score says less about new ones."
        rows = tuple(_leak(leak) for leak in leaks)
        table = Table(("case", "part", "where", "match"), "llll", rows, Noun("match", "matches"))
        yield Section("Contamination", (Paragraph((words,)), table), importance=87, count=len(leaks))


def _leak(leak: Leak) -> tuple[Text, ...]:
    where = leak.file if leak.line is None else f"{leak.file}:{leak.line}"
    part = leak.part if leak.part in {"input", "answer"} else Untrusted(leak.part)
    return (Untrusted(leak.case),), (part,), (Untrusted(where),), (leak.match,)
