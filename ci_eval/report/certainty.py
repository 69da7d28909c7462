"""How sure a verdict is, one sentence per suite: what was asked again, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain

from ci_eval.outcome.model import GateOutcome, SuiteOutcome
from ci_eval.plan.subset import smallest_drop
from ci_eval.report.document import CASE, SCORE, Paragraph, Piece, Section, Text, listed
from ci_eval.report.numbers import between, digits_for, faithful, plain, points
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult, Verdict

_UNKNOWN_PASSES = "A dimension passes only if it would with every unknown score broken."


def how_sure(outcome: GateOutcome) -> Iterator[Section]:
    """One section a suite on how sure its verdict is."""
    named = len(outcome.suites) > 1
    for suite in outcome.suites:
        name: Text = (Untrusted(suite.suite), ": ") if named else ()
        text = Paragraph((*name, *_certainty(suite), *_noise(suite)))
        yield Section("How sure", (text,), importance=93, folded=False)


def _noise(suite: SuiteOutcome) -> Iterator[Piece]:
    """How far main differs from itself, where that is known and not nothing."""
    told = [(name, found) for name, found in suite.noise.items() if found.differing]
    if suite.noise and not told and not suite.base_header.deterministic:
        yield " Main's own repeats never differed."
    for number, (name, found) in enumerate(told):
        yield "; in " if number else " Two runs of main alone differ in "
        share = f"{100 * float(found.differing):.1f} %"
        yield from ((Untrusted(name), f" in {share}") if number else (f"{share} of the scores of ", Untrusted(name)))
    if told:
        yield "."


def _certainty(suite: SuiteOutcome) -> Iterator[Piece]:
    unknown = len(suite.comparison.lost())
    repeatable = suite.repeatable and not any(result.error for result in suite.dimensions)
    if unknown:
        yield f"{CASE.count(unknown)} got no score. {_UNKNOWN_PASSES}"
        yield "" if repeatable else " "
    elif repeatable and not suite.part:
        yield "Every answer of this model is repeatable, so "
        yield from _resolution(suite)
    if not repeatable:
        yield from _confirmed(suite)
    if suite.part:
        yield from _excluded(suite)


def _resolution(suite: SuiteOutcome) -> Iterator[Piece]:
    """How few cases make a drop that fails, in the dimension that has the fewest."""
    gated = [(result, result.limit) for result in suite.dimensions if result.limit != "any" and result.cells]
    if not gated:
        yield "any case that broke would have been seen."
        return
    result, limit = min(gated, key=lambda item: item[0].cells)
    yield f"a drop of {points(limit, plain(limit))} or more would have been seen"
    pairs = suite.comparison.dimension(result.name)
    if len({pair.weight for pair in pairs}) == 1:
        few = -(-limit * result.cells // 100)
        noun = CASE if len({pair.case for pair in pairs}) == len(pairs) else SCORE
        yield f": {few} of {noun.count(result.cells)} in "
        yield Untrusted(result.name)
    yield "."


def _excluded(suite: SuiteOutcome) -> Iterator[Piece]:
    """What a pass on a part of the golden set does not leave open."""
    gated = [result for result in suite.dimensions if result.limit != "any" and result.verdict is Verdict.PASS]
    drops = [
        smallest_drop(result.limit, result.gated, result.cells, broke=_shown(suite, result.name))  # type: ignore[arg-type]  # not `any`
        for result in gated
    ]
    yield f" {CASE.count(len(suite.comparison.cases))} of {suite.golden_cases:,} were run"
    if drops:
        drop = max(drops)
        yield f"; on the whole set a drop of {points(drop, faithful(drop))} or more would have been seen, at 95 %"
    yield "."


def _shown(suite: SuiteOutcome, dimension: str) -> int:
    """Cells that broke and are not known to be chance."""
    return sum(
        flip.sign > 0 and flip.cell.dimension == dimension and suite.fates[key] != "went"
        for key, flip in suite.flips.items()
    )


# --- a model that may answer differently each time --------------------------------------------------------------------


def _confirmed(suite: SuiteOutcome) -> Iterator[Piece]:
    flipped = {flip.cell.dimension for flip in suite.flips.values()}
    told = [result for result in suite.dimensions if result.name in flipped or result.verdict is not Verdict.PASS]
    asked, lead = _asked(len({case for case, _ in suite.flips}), rerun_counts(suite))
    yield lead
    for number, clause in enumerate(_clauses(told)):
        yield "; " if number or not asked else ", and "
        yield from clause
    yield "."


def rerun_counts(suite: SuiteOutcome) -> tuple[int, ...]:
    """How often the cases that were asked again were asked on a side, lost answers included; in order of size."""
    found: dict[str, int] = {}
    for (case, _), flip in suite.flips.items():
        found[case] = max(found.get(case, 0), *(side.runs + side.lost for side in (flip.base, flip.candidate)))
    return tuple(sorted(count for count in found.values() if count))


def _asked(differed: int, times: tuple[int, ...]) -> tuple[bool, str]:
    """Whether any case was asked again, and how many differed and how often they were asked."""
    if not differed:
        return False, "No case answered differently, so none was asked again"
    lead = f"{CASE.count(differed)} answered differently"
    if not times:
        return False, lead
    which = f"{len(times)} of them" if len(times) < differed else "each" if differed > 1 else "it"
    often = f"{times[-1]}" if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
    return True, f"{lead}; main and this PR were asked {often} more times about {which}"


def _clauses(results: Iterable[DimensionResult]) -> Iterator[Text]:
    """What is to be said, once for all dimensions that it is true of. `{}` in the words stands for their names."""
    found: dict[str, list[Piece]] = {}
    for result in results:
        found.setdefault(_words(result), []).append(Untrusted(result.name))
    for words, names in found.items():
        before, after = words.split("{}")
        yield (before, *listed(names), after)


def _words(result: DimensionResult) -> str:
    match result.verdict:
        case Verdict.PASS:
            return _passed(result)
        case Verdict.REGRESSION | Verdict.ACCEPTED:
            return _failed(result)
        case Verdict.INCONCLUSIVE:
            return _open(result)


def _passed(result: DimensionResult) -> str:
    if result.why == "half margin":
        return "in {} too few cases differed to reach the limit, so none was asked again"
    if result.limit == "any":
        return "in {} no case broke" if result.why == "none broke" else "in {} no case stayed broken"
    return f"{{}} surely fell by less than {points(result.limit, plain(result.limit))}"


def _failed(result: DimensionResult) -> str:
    if result.why == "diffuse":
        few = f"{SCORE.count(result.broke)} stayed broken, and the other" if result.broke else ""
        flips = few or "no single case stayed broken, but the"
        return f"in {{}} {flips} flips fall on cases that are stable on main, mostly for the worse"
    if result.limit == "any":
        return f"in {{}} {SCORE.count(result.broke)} stayed broken"
    if result.why == "part":
        least = points(result.drop, faithful(result.drop, result.limit))
        return f"so much broke in {{}} that a part of it was enough to be sure of {least} or more"
    if result.drop < result.limit:
        return f"it is not sure that {{}} fell by less than {points(result.limit, plain(result.limit))}"
    digits = digits_for(result.drop, (result.limit, Fraction(0)))
    low, high = (end.replace("-", "−") for end in between(result.interval, digits, result.limit))
    sure = f" ({low} to {high} at 95 %)" if result.error else ""
    return f"{{}} fell by {points(result.drop, faithful(result.drop, result.limit))}{sure}"


def _open(result: DimensionResult) -> str:
    match result.why:
        case "deadline":
            return f"time ran out before {{}} was clear: {_lacking(result)}"
        case "budget":
            return f"the budget ran out before {{}} was clear: {_lacking(result)}"
        case "no answers":
            return "nothing is known of {}"
    return "too many answers were lost to be sure of {}"


def _lacking(result: DimensionResult) -> str:
    flips = f"{SCORE.count(result.unsettled)} that differed need{'s' if result.unsettled == 1 else ''} more reruns"
    lost = f"{SCORE.count(result.missing)} {'is' if result.missing == 1 else 'are'} unknown"
    return " and ".join(chain([flips] if result.unsettled else [], [lost] if result.missing else []))
