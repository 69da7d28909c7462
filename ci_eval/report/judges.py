"""Who judges, and how far that judge agrees with people: beside every dimension that a model scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ci_eval.figures.agreement import Agreement, Estimate, Share
from ci_eval.figures.calibration import Compared, JudgeFact
from ci_eval.report.document import Listing, Noun, Section, Text
from ci_eval.scorers.rubric import OVERALL
from ci_eval.text import Untrusted, log


def judges(facts: Sequence[JudgeFact]) -> Iterator[Section]:
    if facts:
        items = tuple(about(fact) for fact in facts)
        yield Section("Judges", (Listing(items, Noun("judge", "judges")),), importance=94, folded=False)


def lines(facts: Sequence[JudgeFact], encode: Callable[[Untrusted], str]) -> Iterator[str]:
    """The same for what is no report of a gate: a line a judge."""
    for fact in facts:
        yield "".join(encode(piece) if isinstance(piece, Untrusted) else piece for piece in about(fact))


def about(fact: JudgeFact) -> Text:
    """One judge in a sentence."""
    who: Text = (Untrusted(fact.dimension), " is judged by ", Untrusted(fact.policy.model))
    found = fact.compared
    if found is None or fact.calibration is None:
        return (*who, "; it was never compared with people (ci-eval judge calibrate).")
    agreed = found.agreement.agreed
    share = f"{100 * agreed.value:.0f} % of {agreed.of:,} labels{_coefficients(found)}"
    stale: Text = (f" Stale: {fact.stale}.",) if fact.stale else ()
    of = "" if OVERALL in fact.calibration.compared else " of its weakest criterion"
    return (*who, f", which agrees with people in {share}{of}.", *_shrinks(found), *stale)


def _coefficients(found: Compared) -> str:
    gwet = "AC1" if len(found.table) == 2 else "AC2"
    named = (("κ", found.agreement.kappa), (gwet, found.agreement.gwet))
    told = [f"{name} {value.value:.2f}" for name, value in named if value]
    return f" ({', '.join(told)})" if told else ""


def _shrinks(found: Compared) -> Text:
    """An imperfect judge makes a true drop look smaller."""
    detection, shrinks = found.detection, found.detection.shrinks
    if shrinks is None or detection.sensitivity is None or detection.specificity is None:
        return ()
    fails, passes = (f"{100 * one.value:.0f} %" for one in (detection.sensitivity, detection.specificity))
    words = f" It fails {fails} of what people fail and passes {passes} of what they pass"
    return (f"{words}: a true drop of one point shows as about {max(0.0, shrinks):.2f}.",)


# --- for programs -----------------------------------------------------------------------------------------------------


def judges_json(facts: Sequence[JudgeFact]) -> list[dict[str, Any]]:
    return [
        {
            "scorer": log(fact.scorer),
            "dimension": log(fact.dimension),
            "model": log(fact.policy.model),
            "stale": fact.stale,
            "answers": fact.calibration.answers if fact.calibration else None,
            "compared": {name: figures_of(one) for name, one in fact.calibration.compared.items()}
            if fact.calibration
            else {},
        }
        for fact in facts
    ]


def figures_of(found: Compared) -> dict[str, Any]:
    """All figures of a comparison with people, each with its 95 % interval."""
    agreement, detection = found.agreement, found.detection
    people = Agreement(found.people) if found.people else None
    return {
        "labels": agreement.total,
        "table": found.table,
        "agreement": _share(agreement.agreed),
        "kappa": _estimate(agreement.kappa),
        "gwet": _estimate(agreement.gwet),
        "sensitivity": _share(detection.sensitivity),
        "specificity": _share(detection.specificity),
        "people_agreement": _share(people.agreed) if people else None,
        "people_kappa": _estimate(people.kappa) if people else None,
    }


def _share(share: Share | None) -> list[float] | None:
    return None if share is None else [round(number, 4) for number in (share.value, *share.interval)]


def _estimate(found: Estimate | None) -> list[float] | None:
    return None if found is None else [round(number, 4) for number in (found.value, found.low, found.high)]
