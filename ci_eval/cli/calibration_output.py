"""What `ci-eval judge calibrate` prints: how far a judge agrees with people, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from tabulate import tabulate

from ci_eval.evaluation.label_counts import CriterionCount
from ci_eval.evaluation.labels import PREFERENCES
from ci_eval.figures.agreement import Agreement, Estimate, Share
from ci_eval.figures.calibration import FEWEST
from ci_eval.report.judges import figures_of
from ci_eval.text import log

_SHOWN = 20
"""Answers over which judge and people differ, on a terminal."""


# --- in words ---------------------------------------------------------------------------------------------------------


def lines(every: Sequence[CriterionCount], answers: int, width: float) -> Iterator[str]:
    """For a terminal. `answers`: how many the judge ruled on; `width`: of the interval that is wanted, in [0, 1]."""
    yield f"{answers:,} labelled answers, judged by {log(every[0].judge.model)}"
    for count in every:
        yield ""
        yield from _about(count, width)


def _about(count: CriterionCount, width: float) -> Iterator[str]:
    found = count.compared
    agreement, detection = found.agreement, found.detection
    rows = [
        ["agreement", _share(agreement.agreed)],
        ["Cohen's kappa", _estimate(agreement.kappa)],
        ["Gwet's AC1" if len(found.table) == 2 else "Gwet's AC2", _estimate(agreement.gwet)],
        ["fails what people fail", _share(detection.sensitivity)],
        ["passes what people pass", _share(detection.specificity)],
    ]
    if found.people:
        people = Agreement(found.people)
        rows.append(["two people agree", f"{_share(people.agreed)}, kappa {_estimate(people.kappa)}"])
    yield f"{count.name}:"
    yield tabulate(rows, tablefmt="plain", disable_numparse=True)
    yield ""
    yield _matrix(found.table)
    yield from _advice(count, width)
    yield from _differing(count)


def _matrix(table: Sequence[Sequence[int]]) -> str:
    words = [_name(place, len(table)) for place in range(len(table))]
    rows = [[f"people: {word}", *map(str, row)] for word, row in zip(words, table, strict=True)]
    return tabulate(rows, ["", *(f"judge: {word}" for word in words)], disable_numparse=True)


def _advice(count: CriterionCount, width: float) -> Iterator[str]:
    found = count.compared
    total, needed = found.agreement.total, found.agreement.needed(width)
    more = f"{needed - total:,} more labels" if needed > total else "no more labels"
    yield f"For intervals of {width:g} from end to end it takes {more}."
    failed, passed = found.detection.judged
    if min(failed, passed) < FEWEST:
        yield (
            f"The judge failed {failed} of these answers and passed {passed}: label {FEWEST} of each or more, "
            "chosen at random, before you rely on these shares."
        )
    if count.split:
        yield f"Left out: {count.split} answers of which as many people said one thing as the other."


def _differing(count: CriterionCount) -> Iterator[str]:
    every = list(count.differing())
    for one, pair in islice(every, _SHOWN):
        people, judge = (_name(place, count.size) for place in (pair.people, pair.judge))
        (cell,) = one.record.cells
        yield f"- people {people}, judge {judge}: {log(one.labelled.answer, limit=160)} ({log(cell.reason, limit=160)})"
    if len(every) > _SHOWN:
        yield f"and {len(every) - _SHOWN} more (--json has all)"


def _name(place: int, size: int) -> str:
    """The word for a place on a scale of `size` places."""
    if size == len(PREFERENCES):
        return PREFERENCES[place]
    return ("fail", "pass")[place] if size == 2 else str(place + 1)


def _share(share: Share | None) -> str:
    if share is None:
        return "unknown: there is no such answer"
    low, high = share.interval
    return f"{100 * share.value:.0f} % ({100 * low:.0f} to {100 * high:.0f}; {share.part} of {share.of})"


def _estimate(found: Estimate | None) -> str:
    return "not defined" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


# --- for programs -----------------------------------------------------------------------------------------------------


def as_json(every: Sequence[CriterionCount], answers: int, width: float) -> dict[str, Any]:
    """The same figures for programs."""
    return {
        "model": log(every[0].judge.model),
        "answers": answers,
        "compared": {count.name: _count_json(count, width) for count in every},
    }


def _count_json(count: CriterionCount, width: float) -> dict[str, Any]:
    found = count.compared
    return {
        **figures_of(found),
        "labels_needed": found.agreement.needed(width),
        "left_out": count.split,
        "differing": [
            {
                "people": _name(pair.people, count.size),
                "judge": _name(pair.judge, count.size),
                "output": log(one.labelled.answer, limit=2000),
                "reason": log(one.record.cells[0].reason),
            }
            for one, pair in count.differing()
        ],
    }
