"""Whether an answer is right as often as it says, and what would be escalated."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from making import record
from report_factory import comparison, outcome, rows, said, some, suite
from sklearn.calibration import calibration_curve

from ci_eval.config import ConfidencePolicy
from ci_eval.figures.confidence import Calibration, Said, calibration
from ci_eval.outcome.model import GateOutcome
from ci_eval.report.json_report import to_json
from ci_eval.report.model import build
from ci_eval.text import JSON, Untrusted

FIELD = ConfidencePolicy(field="confidence")


def of(said: list[Said], wanted: str = "0.95") -> Calibration:
    return Calibration(tuple(said), 0, Fraction(wanted))


def reference(answers: list[Said], bins: int) -> float:
    """Expected calibration error over scikit-learn's curve of bins of equal mass, weighted by what is in each."""
    confidences, right = (np.array(column, dtype=float) for column in zip(*answers, strict=True))
    true, said_ = calibration_curve(right, confidences, n_bins=bins, strategy="quantile")
    edges = np.percentile(confidences, np.linspace(0, 1, bins + 1) * 100)
    counts = np.bincount(np.searchsorted(edges[1:-1], confidences), minlength=bins)
    return float(np.sum(counts[counts > 0] / len(answers) * np.abs(true - said_)))


hundredths = st.tuples(st.integers(0, 100).map(lambda number: number / 100), st.booleans())
thousands = st.tuples(st.floats(0, 1, allow_subnormal=False), st.booleans())


@given(st.lists(hundredths, min_size=20, max_size=400) | st.lists(thousands, min_size=20, max_size=100))
def test_the_calibration_error_is_that_of_scikit_learn(answers: list[Said]) -> None:
    bins = min(15, len(answers) // 10)
    assume(len({right for _, right in answers}) == 2)  # else its curve refuses the labels
    # Where an edge falls on an answer, it is on either side of it, as floats have it.
    assume(all(number * (len(answers) - 1) % bins for number in range(1, bins)))
    assert of(answers).error == pytest.approx(reference(answers, bins), abs=1e-9)


@given(st.lists(hundredths, min_size=1, max_size=300))
def test_bins_hold_every_answer_once_and_keep_equal_ones_together(answers: list[Said]) -> None:
    bins = of(answers).bins
    assert sum(one.answers for one in bins) == len(answers)
    assert len(bins) <= 15
    averages = [one.confidence for one in bins]
    assert averages == sorted(averages)
    assert len({round(one, 9) for one in averages}) == len(averages)


@given(st.lists(hundredths, max_size=60), st.integers(1, 99))
def test_the_threshold_is_the_least_that_is_enough(answers: list[Said], percent: int) -> None:
    wanted = Fraction(percent, 100)
    enough = [
        level
        for level in sorted({confidence for confidence, _ in answers})
        if (kept := [right for confidence, right in answers if confidence >= level])
        and Fraction(sum(kept), len(kept)) >= wanted
    ]
    found = of(answers, str(wanted)).threshold
    assert (found and found.confidence) == (enough[0] if enough else None)
    if found:
        assert found.escalated == sum(confidence < found.confidence for confidence, _ in answers)
        assert found.escalated + found.kept == len(answers)


def test_exactly_enough_is_enough() -> None:
    """19 of 20, in whole numbers."""
    best = of([(0.9, True)] * 19 + [(0.9, False)] + [(0.1, False)] * 5).threshold
    assert best is not None
    assert (best.confidence, best.escalated, best.kept, best.right) == (0.9, 5, 20, 19)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"confidence": 0.8}', 0.8),
        ('{"confidence": 1}', 1.0),
        ('{"confidence": true}', None),
        ('{"confidence": "0.8"}', None),
        ('{"confidence": 80}', None),
        ('{"confidence": -0.1}', None),
        ('{"confidence": NaN}', None),
        ('{"confidence": 1e400}', None),
        ("[" * 10_000, None),
        ("I am sure", None),
    ],
)
def test_what_is_no_confidence_counts_as_none(output: str, expected: float | None) -> None:
    found = calibration(FIELD, {"one": record(output=Untrusted(output))}, {"one": True})
    assert [confidence for confidence, _ in found.said] == ([] if expected is None else [expected])
    assert found.silent == (expected is None)


def test_percents_have_their_scale() -> None:
    policy = ConfidencePolicy(field="sure", scale=100)
    found = calibration(policy, {"one": record(output=Untrusted('{"sure": 80}'))}, {"one": True})
    assert found.said == ((0.8, True),)


# --- in the report ----------------------------------------------------------------------------------------------------


def told(confidence: ConfidencePolicy | None = FIELD, **outputs: JSON) -> GateOutcome:
    compared = comparison(some(100, broke=10))
    sure = {
        name: one.model_copy(update={"output": Untrusted(json.dumps({"confidence": 0.6 if number < 20 else 0.9}))})
        for number, (name, one) in enumerate(compared.candidate.items())
    }
    return outcome(suite(replace(compared, candidate=sure), confidence=confidence))


def test_both_sides_are_told() -> None:
    assert rows(told(), "Confidence") == [
        ["base", "0 (100 without)", "unknown", "unknown", "unknown", "", ""],
        ["this PR", "100", "90.0", "10.0", "90.0", "20", "100.0 (95.4–100.0)"],
    ]
    assert "so that 95 % of the rest are right on these cases" in said(told(), "Confidence")


def test_nothing_is_told_where_nobody_asked() -> None:
    one = told(None)
    assert "Confidence" not in [section.title for section in build(one).sections]
    assert to_json(one)["suites"][0]["confidence"] is None


def test_programs_read_it_too() -> None:
    base, candidate = to_json(told())["suites"][0]["confidence"]
    assert (base["answers"], base["calibration_error"], base["threshold"]) == (0, None, None)
    assert candidate["bins"] == [[20, 0.6, 0.5], [80, 0.9, 1.0]]
    assert (candidate["threshold"], candidate["escalated"], candidate["precision"]) == (0.9, 20, 1.0)
    json.dumps(candidate, allow_nan=False)
