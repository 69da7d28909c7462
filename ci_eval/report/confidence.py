"""The section on confidence: how sure answers say they are, beside how often they are right."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ci_eval.figures.confidence import Calibration
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.report.document import Noun, Paragraph, Section, Table, Text
from ci_eval.report.numbers import decimal, plain

_SIDE = Noun("side", "sides")


def confidence(suite: SuiteOutcome) -> Iterator[Section]:
    """The table of both sides' confidence; nothing where no policy asks for it."""
    if suite.calibrations is None:
        return
    headers = ("side", "answers", "right", "calibration error", "escalate below", "escalated", "right of the rest")
    sides = zip(("base", "this PR"), suite.calibrations, strict=True)
    table = Table(headers, "lrrrrrr", tuple(_row(name, found) for name, found in sides), _SIDE)
    wanted = plain(100 * suite.calibrations[0].wanted)
    words = (
        "How sure the answers say they are, of 100, on one run a side. The calibration error is how far that is from "
        "the share that is right, on average. Below the threshold an answer is escalated, so that "
        f"{wanted} % of the rest are right on these cases."
    )
    yield Section("Confidence", (table, Paragraph((words,))), importance=55)


def _row(name: str, found: Calibration) -> tuple[Text, ...]:
    total = len(found.said)
    answers = f"{total:,} ({found.silent:,} without)" if found.silent else f"{total:,}"
    error = "unknown" if found.error is None else _of_100(found.error)
    cells = (name, answers, _of_100(found.right / total) if total else "unknown", error, *_threshold(found))
    return tuple((cell,) for cell in cells)


def _threshold(found: Calibration) -> tuple[str, str, str]:
    best = found.threshold
    if best is None:
        return ("no confidence is enough" if found.said else "unknown", "", "")
    low, high = best.interval
    share = f"{_of_100(best.right / best.kept)} ({_of_100(low)}–{_of_100(high)})"
    return decimal(Fraction(100 * best.confidence), 1), f"{best.escalated:,}", share


def _of_100(share: float) -> str:
    return decimal(Fraction(100 * share), 1)
