"""The section on failures: which wrong answers a user could notice, and which not."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ci_eval.figures.failures import Failures
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.report.document import CASE, Noun, Paragraph, Section, Table, Text, listed
from ci_eval.report.numbers import decimal, signed
from ci_eval.scorers.failure import LOUD, Mode
from ci_eval.text import Untrusted

_NAMED = 5
_WAY = Noun("way to fail", "ways to fail")


def how_it_fails(suite: SuiteOutcome) -> Iterator[Section]:
    """Nothing where no answer is wrong."""
    found = suite.failures
    base, candidate = found.counts
    wrong: tuple[Mode, ...] = ("silent", *LOUD)
    names = [name for name in wrong if base[name] or candidate[name]]
    if not names:
        return
    rows = tuple(((_shown(name),), (str(base[name]),), (str(candidate[name]),)) for name in names)
    table = Table(("wrong answers", "base", "this PR"), "lrr", rows, _WAY)
    yield Section("How it fails: loud or silent", (table, Paragraph(tuple(_words(found)))), importance=56)


def more_silent(suite: SuiteOutcome) -> Iterator[Text]:
    """The warning, where it surely is so."""
    found = suite.failures
    if found.more_silent:
        more = len(found.became_silent) - len(found.ceased)
        yield (f"Fails more silently: {CASE.count(more)} more than on base {'is' if more == 1 else 'are'} wrong "
               "without showing it.",)  # fmt: skip


def _shown(name: str) -> str:
    return "silent: valid, confident, wrong" if name == "silent" else f"loud: {name}"


def _words(found: Failures) -> Iterator[str | Untrusted]:
    yield f"Of {CASE.count(len(found.base))} that are known on both sides, one run a side. Silent failures: "
    low, high = (signed(decimal(Fraction(end), 1)) for end in found.interval or (0, 0))
    yield f"{signed(decimal(Fraction(found.change), 1))} points of all answers ({low} to {high}, 95 % sure)"
    became = [Untrusted(case) for case in found.became_silent]
    if became:
        yield f"; {len(became)} became silent: "
        yield from listed(became[:_NAMED])
        yield f" and {len(became) - _NAMED} more" if len(became) > _NAMED else ""
    yield f"; {len(found.ceased)} ceased to be." if found.ceased else "."
