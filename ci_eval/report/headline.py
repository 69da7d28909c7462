"""The headline: verdict and reason in our own words, made of enums and numbers. Names stay untrusted text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain

from ci_eval.confirm.evidence import Limit
from ci_eval.outcome.model import GateOutcome, SuiteOutcome
from ci_eval.report.document import CASE, SCORE, Text
from ci_eval.report.limits import anchor_sentence, sentence
from ci_eval.report.numbers import faithful, plain, points
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult, Verdict

_AT_MOST = 3

NOT_JUDGED = {
    "nothing relevant changed": "nothing that ci-eval watches changed",
    "only policy changed": "only the policy changed; no model was called",
    "bootstrap": "nothing on main to compare with; merge, then require the check",
    "superseded": "the pull request has a newer head by now, which has a run of its own",
    "cancelled": "the run was cancelled before it could judge",
}


_ENDED = "the gate ended before it could judge"
_RAN_OUT = {"deadline": "time", "budget": "the budget"}


def headline(outcome: GateOutcome) -> Text:
    """What stands behind the verdict's word."""
    if outcome.reason in NOT_JUDGED:
        return (NOT_JUDGED[outcome.reason],)
    if outcome.reason == "stopped":
        return (_ENDED,)
    if outcome.verdict is Verdict.PASS:
        return (*_passed(result for suite in outcome.suites for result in suite.dimensions), *_parts(outcome))
    why = list(_reasons(outcome))
    return (*_several(why), *_taken_on(outcome)) if why else (_ENDED,)


def _taken_on(outcome: GateOutcome) -> Text:
    by = outcome.acceptance.by if outcome.acceptance else None
    return ("; taken on by ", by) if by and outcome.verdict is Verdict.ACCEPTED else ()


def _reasons(outcome: GateOutcome) -> Iterator[Text]:
    """Everything that is behind the verdict, the largest drop first; with the suite's name where there are several."""
    sought = Verdict.REGRESSION if outcome.verdict is Verdict.ACCEPTED else outcome.verdict
    found: list[tuple[Fraction, Text]] = []
    for suite in outcome.suites:
        name: Text = (Untrusted(suite.suite), ": ") if len(outcome.suites) > 1 else ()
        named = [result for result in suite.dimensions if result.verdict is sought]
        if named and all(_is_unknown(result) for result in suite.dimensions) and not outcome.hide_outputs:
            cause = _cause(suite)
            if cause:
                found.append((named[0].worst_drop, (*name, "no case got a score: ", cause)))
                continue
        found += [(result.worst_drop, (*name, *because(result))) for result in named]
        found += [(Fraction(0), (*name, *words)) for words in _beside_scores(suite, sought)]
    yield from (words for _, words in sorted(found, key=lambda one: -one[0]))


def _is_unknown(result: DimensionResult) -> bool:
    return not result.cells or result.missing == result.cells


def _cause(suite: SuiteOutcome) -> Untrusted | None:
    """What most answers were lost by, of both sides."""
    records = chain(suite.comparison.base.values(), suite.comparison.candidate.values())
    causes = Counter(record.error.text() for record in records if record.lost and record.error)
    return Untrusted(causes.most_common(1)[0][0]) if causes else None


def _beside_scores(suite: SuiteOutcome, verdict: Verdict) -> Iterator[Text]:
    anchor = suite.anchor
    if anchor:
        blamed = (one for one in anchor.dimensions if one.name in anchor.blamed and one.verdict is verdict)
        yield from (anchor_sentence(anchor, one) for one in blamed)
    yield from (sentence(one) for one in suite.increases if one.verdict is verdict)
    if suite.too_many_errors and verdict is Verdict.INCONCLUSIVE:
        yield (f"{CASE.count(len(suite.comparison.lost()))} lost, more than max_errors ({suite.policy.max_errors})",)


def _several(parts: list[Text]) -> Text:
    shown = [(*part, "; ") for part in parts[:_AT_MOST]]
    more = len(parts) - _AT_MOST
    last: Text = (f"and {more} more",) if more > 0 else ()
    joined = tuple(chain.from_iterable(shown))
    return (*joined, *last) if last else joined[:-1]


def limit_text(limit: Limit) -> str:
    return "any broken case" if limit == "any" else plain(limit)


def because(result: DimensionResult) -> Text:
    """What is behind the verdict of a dimension that does not pass."""
    return _fell(result) if result.verdict is Verdict.REGRESSION else _unknown(result)


def _fell(result: DimensionResult) -> Text:
    name = Untrusted(result.name)
    if result.limit == "any":
        return (f"{SCORE.count(result.broke)} of ", name, " broke (limit: any broken case)")
    limit = f"(limit {plain(result.limit)})"
    if result.why == "diffuse":
        return (name, f" lost a little on many cases {limit}")
    if result.why == "part":
        return (name, f" fell by {points(result.drop, faithful(result.drop, result.limit))} or more {limit}")
    if result.drop < result.limit:
        return (name, f" may have fallen by its limit or more {limit}")
    drop = points(result.drop, faithful(result.drop, result.limit))
    return (name, f" fell by {drop} {limit}")


def _unknown(result: DimensionResult) -> Text:
    name = Untrusted(result.name)
    if _is_unknown(result):
        return ("nothing is known of ", name)
    limit = "(limit: any broken case)" if result.limit == "any" else f"(limit {plain(result.limit)})"
    if result.why in _RAN_OUT:
        return (f"{_RAN_OUT[result.why]} ran out before ", name, f" was clear {limit}")
    if not result.missing:
        return ("too many reruns were lost to be sure of ", name, f" {limit}")
    known = f"{result.missing:,} of {SCORE.count(result.cells)} of "
    if result.limit == "any":
        return (known, name, f" {_are(result.missing)} unknown, and may be broken {limit}")
    drop = points(result.worst_drop, faithful(result.worst_drop, result.limit))
    return (known, name, f" {_are(result.missing)} unknown: it may have fallen by {drop} {limit}")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _passed(results: Iterable[DimensionResult]) -> Iterator[str | Untrusted]:
    by_name = {result.name: result.limit for result in results}
    limits = sorted({limit for limit in by_name.values() if isinstance(limit, Fraction)})
    strict = [Untrusted(name) for name, limit in by_name.items() if limit == "any"]
    if limits:
        yield f"no dimension fell by {_limits(limits)} or more"
    if strict:
        yield ", and no case broke" if limits else "no case broke"
        yield from chain.from_iterable(zip((" in ", *(", " for _ in strict[1:])), strict, strict=True))


def _parts(outcome: GateOutcome) -> Iterator[str]:
    """A pass on a part of the golden set is no pass on all of it."""
    parts = [suite for suite in outcome.suites if suite.part]
    if parts:
        run = sum(len(suite.comparison.cases) for suite in parts)
        yield f", on a subset of {run:,} of {CASE.count(sum(suite.golden_cases for suite in parts))}"


def _limits(limits: list[Fraction]) -> str:
    if len(limits) == 1:
        return points(limits[0], plain(limits[0]))
    return f"its limit ({plain(limits[0])} to {plain(limits[-1])} points)"
