"""A gate's outcome as SARIF: a rule for each dimension, and results at the changed file that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ci_eval.outcome.model import ChangeNote, GateOutcome, SuiteOutcome
from ci_eval.report.document import SCORE, Text, listed
from ci_eval.report.headline import because, headline
from ci_eval.report.judges import looks_at
from ci_eval.report.sarif_log import LEVELS, Finding, Place
from ci_eval.report.sarif_log import to_sarif as log_of
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult, Verdict

_WHOLE = "verdict"
_NO_DIMENSION = "What is no dimension: latency, cost, the anchor, lost answers, a gate that could not judge"
_CONFIG = "ci-eval.yaml"
"""Where a result stands that no changed file is known of."""
_NAMED = 10
_FIRST_ROLES = ("prompt", "model")


def to_sarif(outcome: GateOutcome) -> str:
    accepted = outcome.verdict is Verdict.ACCEPTED
    findings = [finding for suite in outcome.suites for finding in _of_suite(suite, accepted=accepted)]
    judges = [judge for suite in outcome.suites for judge in suite.judges]
    names = [result.name for suite in outcome.suites for result in suite.dimensions]
    rules = {name: looks_at(name, judges) for name in names}
    if outcome.verdict is not Verdict.PASS and all(finding.level == "note" for finding in findings):
        findings.append(_of_whole(outcome))
        rules[_WHOLE] = (_NO_DIMENSION,)
    return log_of(findings, rules, outcome.verdict, headline(outcome))


def _of_whole(outcome: GateOutcome) -> Finding:
    """A verdict that no dimension stands behind."""
    problem: Text = (": ", outcome.problem) if outcome.problem else ()
    places = [place for suite in outcome.suites for place in _places(suite.notes)] or [Place(_CONFIG)]
    return Finding(_WHOLE, LEVELS[outcome.verdict], (*headline(outcome), *problem), tuple(places), "")


def _of_suite(suite: SuiteOutcome, *, accepted: bool) -> Iterator[Finding]:
    """What a person took on is told, and fails no check of its own."""
    places = tuple(_places(suite.notes)) or (Place(_CONFIG),)
    for result in suite.dimensions:
        if result.verdict is not Verdict.PASS or result.broke:
            message = _message(suite, result)
            red = result.verdict is Verdict.REGRESSION
            level = LEVELS[Verdict.ACCEPTED if red and accepted else result.verdict]
            yield Finding(result.name, level, message, places, suite.suite)


def _message(suite: SuiteOutcome, result: DimensionResult) -> Text:
    if result.verdict is Verdict.PASS:
        said: Text = (f"{SCORE.count(result.broke)} of ", Untrusted(result.name), " broke, within the limit")
    else:
        said = because(result)
    names = _broken(suite, result.name)
    more = len(names) - _NAMED
    told = listed(Untrusted(name) for name in islice(names, _NAMED))
    cases: Text = (". Broken: ", *told, *((f", and {more} more",) if more > 0 else ())) if names else ()
    return ("Suite ", Untrusted(suite.suite), ": ", *said, *cases, ".")


def _broken(suite: SuiteOutcome, dimension: str) -> Sequence[str]:
    stayed = (flip for flips in suite.broken.values() for flip in flips if suite.fates[flip.cell.key] == "stayed")
    return list(dict.fromkeys(flip.cell.case for flip in stayed if flip.cell.dimension == dimension))


# --- where ------------------------------------------------------------------------------------------------------------


def _places(notes: Sequence[ChangeNote]) -> Iterator[Place]:
    """The prompt first, then the model config, then what else changed."""
    ranks = {role: rank for rank, role in enumerate(_FIRST_ROLES)}
    for note in sorted(notes, key=lambda note: ranks.get(note.role, len(ranks))):
        yield Place(note.path, note.line)
