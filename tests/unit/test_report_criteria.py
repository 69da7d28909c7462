"""The overall score and the criteria: told beside what is gated, and without any effect on it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from gated import POLICY, Product
from making import cell, record
from repo import Repo
from report_factory import comparison, joined, outcome, rows, section, some, suite

from ci_eval.errors import InputError
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.report.criteria import means
from ci_eval.report.json_report import to_json


def two_dimensions(**different: object) -> SuiteOutcome:
    """One that fell from 100 to 90, and one that stayed at 100."""
    fell = comparison(some(100, broke=10), dimension="accuracy")
    level = comparison(some(100), dimension="tone")
    return replace(suite(joined(fell, level)), **different)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weights", "score", "change"),
    [({}, "95.0", "−5.0"), ({"accuracy": Fraction(3)}, "92.5", "−7.5"), ({"tone": Fraction(9)}, "99.0", "−1.0")],
)
def test_the_overall_score_weighs_the_dimensions(weights: dict[str, Fraction], score: str, change: str) -> None:
    last = rows(outcome(two_dimensions(weights=weights)), "Dimensions")[-1]
    assert last[:5] == ["overall", "100.0", score, change, "not gated"]


def test_of_one_dimension_there_is_no_overall_score() -> None:
    assert suite(comparison(some(100, broke=3))).overall is None


def test_a_dimension_without_a_score_leaves_no_overall_score() -> None:
    one = two_dimensions()
    unknown = replace(one.dimensions[0], candidate=None)
    assert replace(one, dimensions=(unknown, one.dimensions[1])).overall is None


def test_a_weight_of_a_dimension_that_nobody_scores_is_refused(repo: Repo, tmp_path: object) -> None:
    policy = POLICY.replace("    gate:", "    weights: {tone: 2}\n    gate:")
    with pytest.raises(InputError, match="tone"):
        Product.new(repo, repo.folder, policy=policy).suite()


def test_criteria_are_averaged_over_the_answers_that_have_them() -> None:
    records = [
        record("one", cell(parts={"recall": 1, "precision": 0.5})),
        record("two", cell(parts={"recall": 0})),
        record("three", cell()),
    ]
    scorer = cell().scorer
    assert means(records) == {(scorer, "recall"): 0.5, (scorer, "precision"): 0.5}


def test_criteria_of_a_case_s_own_scorer_count_with_the_others() -> None:
    records = [
        record(name, cell(scorer=f"{name}:0:fields", parts={"recall": value})) for name, value in (("a", 1), ("b", 0))
    ]
    assert means(records) == {("fields", "recall"): 0.5}


def test_criteria_stand_side_by_side_in_report_and_json() -> None:
    compared = comparison(some(2))
    sides = (
        {
            name: one.model_copy(update={"cells": [one.cells[0].model_copy(update={"parts": {"recall": value}})]})
            for name, one in side.items()
        }
        for side, value in ((compared.base, 1), (compared.candidate, 0.25))
    )
    base, candidate = sides
    one = outcome(suite(replace(compared, base=base, candidate=candidate)))
    scorer = compared.base["case-0000"].cells[0].scorer
    assert rows(one, "Criteria") == [[scorer, "recall", "100.0", "25.0"]]
    assert to_json(one)["suites"][0]["criteria"] == [
        {"scorer": scorer, "criterion": "recall", "base": 1.0, "candidate": 0.25}
    ]
    assert section(one, "Criteria").folded
