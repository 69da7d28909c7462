"""The report of `ci-eval compare`: which facts are told of compared runs, in which order, in which words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ci_eval.compare_runs import CaseChange, CellChange, DimensionChange, Extra, RunComparison
from ci_eval.figures.counted_run import CountedRun, PassCount, ScoreKey
from ci_eval.records import Record
from ci_eval.report.cases import effect_text, ids
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
    Report,
    Section,
    Sides,
    Table,
    Text,
    listed,
)
from ci_eval.report.judges import about
from ci_eval.report.numbers import between, decimal, digits_for, faithful, plain, points, signed
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict, worst

_ANSWER = Noun("answer", "answers")
_DIMENSION = Noun("dimension", "dimensions")
_NOTE = Noun("note", "notes")
_HOW = (
    "Over the cases that both runs have, every score counting the same: a run file does not hold the scorers' weights. "
    "In brackets the interval at 95 %, with these cases as a sample; p is of McNemar's exact test on the cases that "
    "changed. "
    "Nothing was asked again, so a change may be chance; the gate asks."
)


def build(found: Sequence[RunComparison], limit: Fraction | None = None) -> Report:
    """Candidates beside their base; a verdict only with a limit, in points."""
    verdict = None if limit is None else worst(one.verdict(limit) for one in found)
    return Report(verdict, tuple(_headline(found, limit, verdict)), tuple(_sections(found, limit)))


def _sections(found: Sequence[RunComparison], limit: Fraction | None) -> Iterator[Section]:
    if len(found) == 1:
        yield from _candidate(found[0], limit)
    else:
        yield _overview(found, limit)
        for number, one in enumerate(found, start=1):
            for section in _candidate(one, limit):
                yield replace(section, title=f"Candidate {number}: {section.title.lower()}", folded=True)
    yield from _judges(found)
    yield _provenance(found)


# --- the first line ---------------------------------------------------------------------------------------------------


def _headline(found: Sequence[RunComparison], limit: Fraction | None, verdict: Verdict | None) -> Iterator[Piece]:
    """The largest drop of those that stand behind the verdict; of all where there is none."""
    drops = [
        (-dimension.change, number, dimension)
        for number, one in enumerate(found, start=1)
        for dimension in one.dimensions
        if limit is None or verdict is Verdict.PASS or dimension.verdict(limit) is verdict
    ]
    if not drops:
        yield "some of what should have been compared is missing"
        return
    drop, number, worst_one = max(drops, key=lambda one: (one[0], -one[1]))
    if drop <= 0 or (limit is not None and drop < limit):
        yield "no dimension fell" if limit is None else f"no dimension fell by {points(limit, plain(limit))} or more"
    else:
        yield f"candidate {number}: " if len(found) > 1 else ""
        yield from fell(worst_one, limit)
        if verdict is Verdict.INCONCLUSIVE:
            yield ", but answers are missing" if worst_one.fell else ", which may be chance"
    if len(found) == 1:
        yield f", over {CASE.count(len(found[0].shared))} that both runs have"


def fell(one: DimensionChange, limit: Fraction | None) -> Iterator[Piece]:
    """`format fell by 2.4 points (limit 1)`"""
    drop = -one.change
    yield Untrusted(one.name)
    yield f" fell by {points(drop, faithful(drop, *([limit] if limit else [])))}"
    yield from (f" (limit {plain(limit)})",) if limit is not None else ()


# --- tables -----------------------------------------------------------------------------------------------------------


def _overview(found: Sequence[RunComparison], limit: Fraction | None) -> Section:
    """One row a dimension, one column a candidate. Base's score is over the cells that it shares with each."""
    names = sorted({dimension.name for one in found for dimension in one.dimensions})
    by_name = [{dimension.name: dimension for dimension in one.dimensions} for one in found]
    rows: list[tuple[Text, ...]] = [
        ((Untrusted(name),), *((_beside(known[name], limit) if name in known else "",) for known in by_name))
        for name in names
    ]
    if limit is not None:
        rows.append((("verdict",), *((one.verdict(limit),) for one in found)))
    headers = ("dimension", *(f"candidate {number}" for number in range(1, len(found) + 1)))
    about = Paragraph(("Base → candidate (change), over the cases that each shares with base.",))
    table = Table(headers, "l" + "r" * len(found), tuple(rows), _DIMENSION)
    return Section("Dimensions", (table, about), importance=100, folded=False)


def _beside(one: DimensionChange, limit: Fraction | None) -> str:
    base, candidate, change = _scores(one, limit)
    return f"{base} → {candidate} ({change})"


def _scores(one: DimensionChange, limit: Fraction | None) -> tuple[str, str, str]:
    marks = (Fraction(0), *([-limit] if limit is not None else []))
    digits = digits_for(one.change, marks)
    change = signed(decimal(one.change, digits, *marks))
    return decimal(one.base, digits), decimal(one.candidate, digits), change


def _dimensions(found: RunComparison, limit: Fraction | None) -> Section:
    return Section("Dimensions", (dimension_table(found, limit), Paragraph((_HOW,))), importance=100, folded=False)


def dimension_table(found: RunComparison, limit: Fraction | None) -> Table:
    """One row a dimension; with a verdict where there is a limit."""
    headers = ("dimension", "cases", "base", "candidate", "change", "worse", "better", "p")
    judged = () if limit is None else ("verdict",)
    rows = tuple(_row(one, limit) for one in found.dimensions)
    return Table((*headers, *judged), "lrrrrrrr" + "l" * len(judged), rows, _DIMENSION)


def _row(one: DimensionChange, limit: Fraction | None) -> tuple[Text, ...]:
    base, candidate, change = _scores(one, limit)
    change = f"{change} ({_interval(one.interval)})" if one.interval else change
    own = (f"{one.cases:,}", base, candidate, change, f"{one.worse:,}", f"{one.better:,}", _p(one.p))
    judged = () if limit is None else (one.verdict(limit),)
    return ((Untrusted(one.name),), *((text,) for text in (*own, *judged)))


def _interval(interval: tuple[float, float]) -> str:
    low, high = (signed(end) for end in between(interval, 1))
    return f"{low} to {high}"


def _p(p: float) -> str:
    return "below 0.001" if p < 0.001 else faithful(Fraction(p), Fraction(1, 20), least=3)


# --- one candidate ----------------------------------------------------------------------------------------------------


def _candidate(found: RunComparison, limit: Fraction | None) -> Iterator[Section]:
    yield _dimensions(found, limit)
    notes = tuple(_notes(found))
    if notes:
        yield Section("What to know", (Listing(notes, _NOTE),), importance=97, folded=False)
    yield from _extra(found.only_candidate, "New cases, which base does not have", "the candidate's")
    yield from _extra(found.only_base, "Cases that only base has", "base's")
    yield from _changed("Cases that got worse", found.worse, importance=90, worse=True)
    yield from _changed("Cases that got better", found.better, importance=60, worse=False)


def _notes(found: RunComparison) -> Iterator[Text]:
    base, candidate = found.base.header, found.candidate.header
    if base.fingerprint.target == candidate.fingerprint.target:
        yield ("Prompt, model config and data are the same in both runs: what differs is not theirs.",)
    if base.deterministic and candidate.deterministic:
        yield ("Both models repeat themselves, so no change is chance.",)
    if base.repeats != candidate.repeats:
        yield (f"Base was asked {base.repeats} times a case, the candidate {candidate.repeats} times.",)
    yield from _golden_notes(found)
    if base.fingerprint.scorers != candidate.fingerprint.scorers:
        yield ("The scorers differ: one of the same name may have judged by other rules.",)
    for side, scores in zip(("base", "the candidate"), found.strangers, strict=True):
        if scores:
            yield (f"Only {side} was scored by ", *listed(_scorer(score) for score in scores), ": not compared.")
    for side, run in (("Base", found.base), ("The candidate", found.candidate)):
        if run.lost:
            yield (f"{side} lost {_ANSWER.count(run.lost)} to infrastructure: no score, and not compared.",)


def _golden_notes(found: RunComparison) -> Iterator[Text]:
    if found.another_golden_set:
        yield (
            "The golden sets differ. Cases are compared by id: a new expectation cannot be told from an old one here.",
        )
    if found.rewritten:
        told = f"{CASE.count(len(found.rewritten))} sent another request by the same prompt, so rewritten: "
        yield (told, *_some(found.rewritten))
    for side, extra in (("The candidate", found.only_base), ("Base", found.only_candidate)):
        if extra.cases and not found.another_golden_set:
            yield (f"{side} lacks {CASE.count(len(extra.cases))} of the same golden set: a part, or not whole.",)


def _scorer(score: ScoreKey) -> Untrusted:
    scorer, dimension = score
    return Untrusted(f"{scorer} ({dimension})")


_NAMED = 8


def _some(names: Sequence[str]) -> Iterator[Piece]:
    yield from listed(Untrusted(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    yield from (f" and {more:,} more",) if more > 0 else ()


def _extra(extra: Extra, title: str, whose: str) -> Iterator[Section]:
    if extra.cases:
        told = f"With {'it' if len(extra.cases) == 1 else 'them'} {whose} "
        sentences = [Paragraph((told, *effect_text(effect, "is"), ".")) for effect in extra.effects]
        blocks: tuple[Block, ...] = (*sentences, ids("", extra.cases, CASE))
        yield Section(title, blocks, importance=88, count=len(extra.cases))


def _changed(title: str, cases: Sequence[CaseChange], *, importance: int, worse: bool) -> Iterator[Section]:
    if cases:
        entries = tuple(entry(case, worse=worse) for case in cases)
        yield Section(title, (Entries(entries, CASE),), importance=importance, count=len(cases))


def entry(found: CaseChange, *, worse: bool) -> Entry:
    failing = found.candidate if worse else found.base
    scores = Listing(tuple(_cell(cell, failing) for cell in found.cells), SCORE)
    sides = Sides(_answer("base", found.base), _answer("candidate", found.candidate))
    return Entry(Untrusted(found.case), (), (scores, sides))


def _cell(cell: CellChange, failing: Record) -> Text:
    reason = next((one.reason for one in failing.cells if one.scorer == cell.scorer and not one.passed), None)
    change = f") {_passed(cell.base)} → {_passed(cell.candidate)}"
    return (Untrusted(cell.scorer), " (", Untrusted(cell.dimension), change, *((": ", reason) if reason else ()))


def _passed(tally: PassCount) -> str:
    if tally.runs == 1:
        return "passed" if tally.passes else "failed"
    return f"passed {tally.passes} of {tally.runs}"


def _answer(side: str, record: Record) -> Quote:
    if record.output is None:
        return Quote(f"{side}: no answer stored", record.error)
    return Quote(side, record.output)


# --- where they come from ---------------------------------------------------------------------------------------------


def _named(found: Sequence[RunComparison]) -> list[tuple[str, CountedRun]]:
    several = len(found) > 1
    named = [("base", found[0].base)]
    named += [(f"candidate {number}" if several else "candidate", one.candidate) for number, one in enumerate(found, 1)]
    return named


def _judges(found: Sequence[RunComparison]) -> Iterator[Section]:
    """As each run knew them; whose they are is said where the runs do not agree."""
    runs = _named(found)
    by_text: dict[Text, list[str]] = {}
    for name, run in runs:
        for text in _judges_of(run):
            by_text.setdefault(text, []).append(name)
    if by_text:
        items = (text if len(of) == len(runs) else (f"{', '.join(of)}: ", *text) for text, of in by_text.items())
        yield Section("Judges", (Listing(tuple(items), Noun("judge", "judges")),), importance=94, folded=False)


def _judges_of(run: CountedRun) -> Iterator[Text]:
    if run.header.judges is not None:
        yield from dict.fromkeys(about(judge) for judge in run.header.judges)
    elif any(record.scoring for records in run.cases.values() for record in records):
        yield ("models scored it, and its file does not say which, nor how far they agree with people: evaluate again",)


def _provenance(found: Sequence[RunComparison]) -> Section:
    listing = Listing(tuple(_origin(name, run) for name, run in _named(found)), Noun("run", "runs"))
    return Section("Runs", (listing,), importance=92, folded=False)


def _origin(name: str, run: CountedRun) -> Text:
    header = run.header
    commit: Iterable[Piece] = ("commit ", Untrusted(header.commit[:12])) if header.commit else ("no commit",)
    made = f", made {header.time} by ci-eval "
    return (f"{name}: ", Untrusted(run.file), ", ", *commit, made, Untrusted(header.version))
