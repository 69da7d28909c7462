"""A gate's outcome as JUnit XML: a suite of tests for each suite, a test for each golden case that was run.

A case fails where a score of it stayed broken in a dimension that fails; one that broke within the limit passes, and
says so. What was lost is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ci_eval.comparison import Pair
from ci_eval.confirm.evidence import Flip
from ci_eval.outcome.model import GateOutcome, SuiteOutcome
from ci_eval.records import Record
from ci_eval.report.cases import by_case, reason
from ci_eval.report.document import Text, calling, joined
from ci_eval.report.judges import of_dimension
from ci_eval.report.junit_xml import Test, TestSuite, Trouble, to_xml, verdict_suite
from ci_eval.report.model import build, dimension_table
from ci_eval.text import Hostile, Untrusted
from ci_eval.verdict import Verdict


def to_junit(outcome: GateOutcome) -> str:
    show = not outcome.hide_outputs
    accepted = outcome.verdict is Verdict.ACCEPTED
    suites = (calling(outcome.called, _suite(suite, show=show, accepted=accepted)) for suite in outcome.suites)
    return to_xml([verdict_suite(build(outcome)), *suites])


def _suite(suite: SuiteOutcome, *, show: bool, accepted: bool) -> TestSuite:
    """No test fails where a person took the regression on."""
    red = {result.name for result in suite.dimensions if result.verdict is Verdict.REGRESSION}
    failing = set() if accepted else red
    pairs = by_case(suite.comparison.pairs)
    tests = (_test(suite, name, pairs.get(name, ()), failing, show=show) for name in suite.comparison.cases)
    judges = {result.name: of_dimension(result.name, suite.judges) for result in suite.dimensions}
    return TestSuite(Untrusted(suite.suite), tuple(tests), dimension_table(suite), judges)


def _test(suite: SuiteOutcome, name: str, pairs: Sequence[Pair], failing: set[str], *, show: bool) -> Test:
    stayed = [flip for flip in suite.broken.get(name, ()) if suite.fates[flip.cell.key] == "stayed"]
    told = [flip for flip in stayed if flip.cell.dimension in failing]
    trouble = _broke(suite, name, pairs, told, show=show) if told else _lost(suite, name, pairs, show=show)
    within = _several(pairs, [flip for flip in stayed if flip not in told], show=show)
    candidate = suite.comparison.candidate.get(name)
    seconds = candidate.latency_ms if candidate and not candidate.reused else None
    return Test(
        group=_group(suite, name),
        name=name,
        trouble=trouble,
        seconds=None if seconds is None else seconds / 1000,
        note=("broke, and fails nothing: ", *within) if within else (),
    )


def _group(suite: SuiteOutcome, name: str) -> Text:
    case = suite.comparison.cases[name]
    category: Text = ("/", Untrusted(case.category)) if case.category else ()
    return (Untrusted(suite.suite), ".", case.stratum, *category)


def _several(pairs: Sequence[Pair], flips: Sequence[Flip], *, show: bool) -> Text:
    by_scorer = {pair.scorer: pair for pair in pairs}
    return joined((reason(by_scorer[flip.cell.scorer], flip, show=show) for flip in flips), "; ")


def _broke(suite: SuiteOutcome, name: str, pairs: Sequence[Pair], flips: Sequence[Flip], *, show: bool) -> Trouble:
    texts = tuple(_texts(suite, name)) if show else ()
    kind = ", ".join(dict.fromkeys(flip.cell.dimension for flip in flips))
    return Trouble("failure", kind, _several(pairs, flips, show=show), texts)


def _texts(suite: SuiteOutcome, name: str) -> Iterator[tuple[str, Hostile]]:
    compared = suite.comparison
    case = compared.cases[name]
    yield "input", case.input
    yield from (("expected", case.expected),) if case.expected else ()
    yield "base", _answer(compared.base.get(name))
    yield "this PR", _answer(compared.candidate.get(name))


def _answer(record: Record | None) -> Hostile:
    return record.output if record and record.output else "(no answer)"


def _lost(suite: SuiteOutcome, name: str, pairs: Sequence[Pair], *, show: bool) -> Trouble | None:
    if not any(pair.missing for pair in pairs):
        return None
    sides = (("base", suite.comparison.base), ("this PR", suite.comparison.candidate))
    records = ((side, records.get(name)) for side, records in sides)
    causes = tuple((side, record.error) for side, record in records if record and record.error) if show else ()
    return Trouble("error", "lost", ("no score: an answer was lost or refused",), causes)
