"""Which model judges each dimension, and how far it agrees with people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ci_eval.figures.agreement import Agreement, Estimate, Share
from ci_eval.figures.calibration import Compared, compared, telling
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.report.document import Listing, Noun, Section, Text, in_words, joined
from ci_eval.scorers.rubric import OVERALL
from ci_eval.text import Untrusted, log

_LABEL = Noun("label", "labels")


def judges(found: Sequence[JudgeAgreement]) -> Iterator[Section]:
    if found:
        items = tuple(about(one) for one in found)
        yield Section("Judges", (Listing(items, Noun("judge", "judges")),), importance=94, folded=False)


def lines(found: Sequence[JudgeAgreement], encode: Callable[[Untrusted], str]) -> Iterator[str]:
    """The same for what is no report of a gate: a line a judge."""
    for one in found:
        yield in_words(about(one), encode)


def about(judge: JudgeAgreement) -> Text:
    """One judge in a sentence."""
    who: Text = (judge.dimension, " is judged by ", judge.model)
    every = compared(judge)
    found = telling(every)
    if found is None:
        return (*who, "; it was never compared with people (ci-eval judge calibrate).")
    agreed = found.agreement.agreed
    share = f"{100 * agreed.value:.0f} % of {_LABEL.count(agreed.of)}{_coefficients(found)}"
    stale: Text = (f" Stale: {judge.stale}.",) if judge.stale else ()
    of = "" if OVERALL in every else " of its weakest criterion"
    return (*who, f", which agrees with people in {share}{of}.", *_shrinks(found), *stale)


def of_dimension(name: str, found: Iterable[JudgeAgreement]) -> Text:
    """All judges of one dimension, each in its sentence; nothing where none judges it."""
    return joined(dict.fromkeys(about(one) for one in found if one.dimension.text() == name), " ")


def looks_at(name: str, found: Iterable[JudgeAgreement]) -> Text:
    """What a rule of a scanner looks at."""
    judged = of_dimension(name, found)
    return ("Golden cases in ", Untrusted(name), *((". ", *judged) if judged else ()))


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


def judges_json(found: Iterable[JudgeAgreement]) -> list[dict[str, Any]]:
    return [
        {
            "scorer": log(one.scorer),
            "dimension": log(one.dimension),
            "model": log(one.model),
            "stale": one.stale,
            "answers": one.answers,
            "compared": {name: figures_of(found) for name, found in compared(one).items()},
        }
        for one in found
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
