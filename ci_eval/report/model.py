"""From a gate's outcome to a report: which facts are told, in which order, in which words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import get_args

from ci_eval.changes import Role
from ci_eval.outcome.model import ChangeNote, GateOutcome, SuiteOutcome
from ci_eval.report import criteria, data, limits, naive
from ci_eval.report.acceptance import acceptance
from ci_eval.report.cases import broken, flaky, golden_set, leaks, lost, repaired, went
from ci_eval.report.certainty import how_sure, rerun_counts
from ci_eval.report.confidence import confidence
from ci_eval.report.document import (
    CASE,
    Listing,
    Noun,
    Paragraph,
    Piece,
    Quote,
    Report,
    Section,
    Table,
    Text,
    calling,
    listed,
)
from ci_eval.report.failures import how_it_fails, more_silent
from ci_eval.report.figures import groups, systematic, traffic
from ci_eval.report.headline import headline, limit_text
from ci_eval.report.judges import judges
from ci_eval.report.numbers import between, decimal, digits_for, dollars, signed
from ci_eval.report.performance import performance, slower
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult

_ROLES = frozenset(get_args(Role))
_COMMIT = 12


def build(outcome: GateOutcome, *, show_outputs: bool = True) -> Report:
    """The report of a gate. Hidden texts are left out here, so that no renderer has them to show."""
    show = show_outputs and not outcome.hide_outputs
    several = len(outcome.suites) > 1
    sections = chain(
        _problem(outcome),
        acceptance(outcome),
        chain.from_iterable(_suite(suite, show=show, named=several) for suite in outcome.suites),
        _policy(outcome),
        how_sure(outcome),
        _provenance(outcome),
    )
    return calling(outcome.called, Report(outcome.verdict, headline(outcome), tuple(sections)))


def _suite(suite: SuiteOutcome, *, show: bool, named: bool) -> Iterator[Section]:
    yield _dimensions(suite, named=named)
    yield from limits.anchor(suite)
    yield from _tampering(suite)
    yield from _warnings(suite)
    yield from judges(suite.judges)
    yield from flaky(suite.quarantined)
    yield from systematic(suite)
    yield from data.refused(suite)
    yield from _changed(suite.notes, show=show)
    yield from data.data(suite)
    yield from broken(suite, show=show)
    yield from went(suite, show=show)
    yield from repaired(suite.repaired)
    yield from golden_set(suite)
    yield from leaks(suite.leaks)
    yield from groups(suite)
    yield from criteria.criteria(suite)
    yield from naive.naive(suite)
    yield from how_it_fails(suite)
    yield from confidence(suite)
    yield from performance(suite)
    yield from traffic(suite)
    yield from lost(suite.comparison, show=show)


def _problem(outcome: GateOutcome) -> Iterator[Section]:
    if outcome.problem:
        yield Section("Problem", (Paragraph((outcome.problem,)),), importance=95, folded=False)


# --- the table --------------------------------------------------------------------------------------------------------


def _dimensions(suite: SuiteOutcome, *, named: bool) -> Section:
    table = dimension_table(suite)
    name = Untrusted(suite.suite) if named else None
    return Section("Dimensions", (table, *_about_scores(suite)), importance=100, folded=False, suite=name)


def dimension_table(suite: SuiteOutcome) -> Table:
    """One row a dimension; then their mean, and latency and cost where policy limits them."""
    headers = ("dimension", "base", "this PR", "change", "limit", "broke", "repaired", "verdict")
    rows = (*(_dimension(result) for result in suite.dimensions), *criteria.overall(suite), *limits.rows(suite))
    return Table(headers, "lrrrrrrl", rows, Noun("dimension", "dimensions"))


def _about_scores(suite: SuiteOutcome) -> Iterator[Paragraph]:
    """Why base, this PR and the change between them need not add up."""
    if suite.part:
        counts = f"{len(suite.comparison.cases):,} of {CASE.count(suite.golden_cases)}"
        yield Paragraph((f"On a subset: scores are of the {counts} that were run; changes are of the whole set.",))
    if runs := rerun_counts(suite):
        most = f"{runs[-1]}" if runs[0] == runs[-1] else f"up to {runs[-1]}"
        words = f"the change is by {most} further runs a side of what differed"
        yield Paragraph((f"Scores are of one run a side; {words}.",))
    elif any(result.error for result in suite.dimensions):
        yield Paragraph(("Scores are of one run a side; what differed and was not asked again is not in the change.",))


def _dimension(result: DimensionResult) -> tuple[Text, ...]:
    limit = [] if result.limit == "any" else [result.limit]
    marks = (*limit, Fraction(0))
    drops = [result.drop, *([result.worst_drop] if result.missing else [])]
    digits = max(digits_for(drop, marks) for drop in drops)
    change, *worst = (signed(_turned(decimal(drop, digits, *marks))) for drop in drops)
    return (
        (Untrusted(result.name),),
        (_score(result.base, digits),),
        (_score(result.candidate, digits),),
        (_in_brackets(change, [*_interval(result, digits, marks), *(f"at worst {text}" for text in worst)]),),
        (limit_text(result.limit),),
        (str(result.broke),),
        (str(result.repaired),),
        (result.verdict,),
    )


def _interval(result: DimensionResult, digits: int, marks: Sequence[Fraction]) -> Iterator[str]:
    """What reruns leave open. A pass without any does not stand on an interval, so it shows none."""
    if result.error and result.why not in {"half margin", "none broke"}:
        least, most = between(result.interval, digits, *marks)
        yield f"{signed(_turned(most))} to {signed(_turned(least))}"


def _in_brackets(change: str, more: Sequence[str]) -> str:
    return f"{change} ({'; '.join(more)})" if more else change


def _turned(drop: str) -> str:
    """A drop is a change the other way round."""
    return drop[1:] if drop.startswith("-") else f"-{drop}"


def _score(value: Fraction | None, digits: int) -> str:
    return "unknown" if value is None else decimal(value, digits)


def _tampering(suite: SuiteOutcome) -> Iterator[Section]:
    """In the open, not in a fold: the change breaks cases and takes away what would have shown it."""
    touched = {*suite.edits.removed, *suite.edits.rewritten}
    hidden = touched & suite.broken.keys()
    if hidden:
        told = f"This change removes or rewrites {CASE.count(len(touched))} of the golden set and breaks {len(hidden)}"
        words = f"{told} of them. They were judged by main's version."
        yield Section("Golden cases that it breaks", (Paragraph((words,)),), importance=98, folded=False)


def _warnings(suite: SuiteOutcome) -> Iterator[Section]:
    items = (*((warning,) for warning in suite.warnings), *slower(suite), *more_silent(suite))
    if items:
        yield Section("Warnings", (Listing(items, Noun("warning", "warnings")),), importance=97, folded=False)


# --- what changed -----------------------------------------------------------------------------------------------------


def _changed(notes: Sequence[ChangeNote], *, show: bool) -> Iterator[Section]:
    if notes:
        listing = Listing(tuple(_note(note) for note in notes), Noun("changed file", "changed files"))
        diffs = [Quote("", note.diff, diff=True) for note in notes if note.diff and show]
        yield Section("What changed", (listing, *diffs), importance=80, count=len(notes))


def _note(note: ChangeNote) -> Text:
    role: Piece = note.role if note.role in _ROLES else Untrusted(note.role)
    return (role, " ", note.path, *((": ", *listed(note.words)) if note.words else ()))


# --- policy, provenance -----------------------------------------------------------------------------------------------


def _policy(outcome: GateOutcome) -> Iterator[Section]:
    if outcome.policy_notes:
        items = tuple((note,) for note in outcome.policy_notes)
        block = Listing(items, Noun("policy note", "policy notes"))
        folded = outcome.reason != "only policy changed"
        yield Section("Policy changes, without effect on this verdict", (block,), 60, folded, len(items))


def _provenance(outcome: GateOutcome) -> Iterator[Section]:
    if outcome.base_commit or outcome.candidate_commit:
        text: Text = ("Base ", _commit(outcome.base_commit), ", this PR ", _commit(outcome.candidate_commit), ". ")
        stored = [piece for suite in outcome.suites for piece in _origin(suite, named=len(outcome.suites) > 1)]
        yield Section(
            "Provenance",
            (Paragraph((*text, *stored, _took(outcome), *_attempt(outcome))),),
            importance=92,
            folded=False,
        )


def _attempt(outcome: GateOutcome) -> Iterator[str]:
    if outcome.attempt > 1:
        yield f" Attempt {outcome.attempt} of this job; nothing of an earlier one counts here."


def _took(outcome: GateOutcome) -> str:
    """Time and money, beside what there was of them."""
    if not outcome.seconds:
        return ""
    seconds = f"Took {outcome.seconds:.1f} s"
    if not outcome.suites or outcome.budget is None:
        return f"{seconds}."
    if outcome.usd == 0 and outcome.budget.usd is None:
        return f"{seconds} of {outcome.budget.seconds:g}."
    usd = "an unknown price" if outcome.usd is None else dollars(outcome.usd)
    most = f" of {dollars(outcome.budget.usd)}" if outcome.budget.usd is not None else ""
    return f"{seconds} of {outcome.budget.seconds:g}, and {usd}{most}."


def _commit(commit: str | None) -> Piece:
    return Untrusted(commit[:_COMMIT]) if commit else "is no commit (a working tree or a merge)"


def _origin(suite: SuiteOutcome, *, named: bool) -> Iterator[Piece]:
    if named:
        yield Untrusted(suite.suite)
        yield ": "
    if not suite.base_stored:
        yield "The base was evaluated in this job. "
        return
    header = suite.base_header
    yield "The base's answers are main's stored baseline of "
    yield _commit(header.commit)
    yield f", made {header.time}. "
