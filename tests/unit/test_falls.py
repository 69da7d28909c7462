"""What a person takes on, when a later drop is larger than that, and how each report tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import comparison, joined, outcome, rerun, some, suite

from ci_eval.config import GatePolicy
from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REFUSED
from ci_eval.gate import Gate, Tighter
from ci_eval.github.queue import in_time_left
from ci_eval.outcome.acceptance import Acceptance
from ci_eval.outcome.falls import Fall, falls, outgrown
from ci_eval.outcome.model import AnchorOutcome, GateOutcome
from ci_eval.plan.subset import Budget
from ci_eval.purse import Purse
from ci_eval.report.html.gate import to_html
from ci_eval.report.json_report import to_json
from ci_eval.report.junit import to_junit
from ci_eval.report.markdown import comment
from ci_eval.report.model import build
from ci_eval.report.sarif import to_sarif
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict, worst

BY = Acceptance(Untrusted("wilma"))
POINT = Fraction(1, 3)
"""Of 300 cases, what one is worth."""


def taken_on(one: GateOutcome, acceptance: Acceptance = BY) -> GateOutcome:
    return replace(one, verdict=Verdict.ACCEPTED, acceptance=acceptance)


def fall(size: int, most: int | None = None, **different: Any) -> Fall:
    known = Fraction(size if most is None else most)
    fields = {"suite": "helpdesk", "name": "tone", "beside": "main", "unit": "points", "limit": Fraction(1)}
    return Fall(**{**fields, "size": Fraction(size), "most": known, **different})


# --- what falls -------------------------------------------------------------------------------------------------------


def test_each_dimension_that_fell_is_one_fall_and_what_passed_is_none() -> None:
    both = joined(comparison(some(300, broke=12)), comparison(some(300, broke=1), "format"))
    [found] = falls(outcome(suite(both)))
    assert (found.name, found.size, found.most) == ("task_accuracy", 12 * POINT, 12 * POINT)


def test_what_is_lost_may_have_fallen_too() -> None:
    [found] = falls(outcome(suite(comparison(some(300, broke=12, lost=3)))))
    assert (found.size, found.most) == (12 * POINT, 15 * POINT)


def test_the_size_of_what_was_rerun_in_part_is_not_known() -> None:
    """A change that breaks far more than the limit is decided by a part of what broke."""
    changes = some(300, broke=60)
    [found] = falls(outcome(rerun(comparison(changes), dict.fromkeys(changes, ("+", "-")))))
    assert found.most is None
    assert found.size < 60 * POINT


def test_what_is_below_an_anchor_is_a_fall_of_its_own() -> None:
    one = suite(comparison(some(300, broke=12)))
    anchor = AnchorOutcome("v1", "a" * 40, one.dimensions, ("task_accuracy",), 0)
    assert [found.beside for found in falls(outcome(replace(one, anchor=anchor)))] == ["main", "anchor"]


@pytest.mark.parametrize(
    ("now", "accepted", "larger"),
    [
        pytest.param([fall(5)], [fall(5)], False, id="the same"),
        pytest.param([fall(4)], [fall(5)], False, id="smaller"),
        pytest.param([fall(6)], [fall(5)], True, id="larger"),
        pytest.param([fall(5, 6)], [fall(5)], True, id="larger at worst"),
        pytest.param([fall(5)], [fall(5, 9)], False, id="the worst of what was accepted does not count"),
        pytest.param([replace(fall(5), most=None)], [fall(50)], True, id="of unknown size"),
        pytest.param([fall(5), fall(1, name="facts")], [fall(5)], True, id="one more dimension"),
        pytest.param([fall(1, suite="faq")], [fall(5)], True, id="another suite"),
        pytest.param([fall(1, beside="anchor")], [fall(5)], True, id="below the anchor"),
        pytest.param([fall(1, unit="percent")], [fall(5)], True, id="slower"),
        pytest.param([fall(1)], [], True, id="nothing was accepted"),
        pytest.param([], [fall(5)], False, id="nothing falls"),
    ],
)
def test_nothing_may_fall_further_than_what_was_accepted(now: list[Fall], accepted: list[Fall], larger: bool) -> None:
    assert bool(outgrown(now, accepted)) is larger


@given(st.lists(st.integers(1, 9), max_size=4), st.lists(st.integers(1, 9), max_size=4))
def test_more_is_never_covered_by_less(now: list[int], accepted: list[int]) -> None:
    """Dimension by dimension: one that rose does not pay for another one."""
    left = [fall(size, name=f"d{number}") for number, size in enumerate(now)]
    right = [fall(size, name=f"d{number}") for number, size in enumerate(accepted)]
    covered = len(now) <= len(accepted) and all(one <= other for one, other in zip(now, accepted, strict=False))
    assert (not outgrown(left, right)) is covered


# --- the verdict ------------------------------------------------------------------------------------------------------


def test_accepted_is_green_and_outweighs_nothing_but_a_pass() -> None:
    assert Verdict.ACCEPTED.exit_code == EXIT_PASS
    assert worst([Verdict.ACCEPTED, Verdict.PASS]) is Verdict.ACCEPTED
    assert worst([Verdict.ACCEPTED, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert worst([Verdict.ACCEPTED, Verdict.REGRESSION]) is Verdict.REGRESSION


def test_what_is_inconclusive_beside_a_regression_is_seen() -> None:
    open_one = suite(comparison(some(100, lost=5)), gate=GatePolicy(max_drop=1))
    red = suite(comparison(some(300, broke=12)))
    assert outcome(red, open_one).verdict is Verdict.REGRESSION
    assert outcome(red, open_one).unclear
    assert outcome(suite(comparison(some(300, broke=12, lost=3)), policy=GatePolicy(max_errors=2))).unclear
    assert not outcome(red).unclear


def test_refused_input_has_its_own_exit_code() -> None:
    stopped = outcome(verdict=Verdict.INCONCLUSIVE, reason="stopped")
    assert stopped.exit_code == EXIT_INCONCLUSIVE
    assert replace(stopped, refused=True).exit_code == EXIT_REFUSED


# --- what is told -----------------------------------------------------------------------------------------------------

RED = outcome(suite(comparison(some(300, broke=12))))


def test_the_comment_names_who_and_what() -> None:
    text = comment(build(taken_on(RED)))
    assert text.startswith("### ☑️ Accepted: `task_accuracy` fell by 4.0 points (limit 1); taken on by `wilma`\n")
    assert "Accepted by `wilma`, for this head alone; the next push takes the label off." in text
    assert "- `task_accuracy` −4.0 points" in text


def test_a_label_that_does_not_count_changes_the_verdict_nowhere() -> None:
    refused = replace(RED, acceptance=BY.but("they are ", Untrusted("@everyone")))
    text = comment(build(refused))
    assert text.split("\n")[0] == comment(build(RED)).split("\n")[0]
    assert "The label that accepts a regression (`wilma`) does not count: they are `@everyone`." in text
    found = to_json(refused)
    assert (found["verdict"], found["acceptance"]["counts"]) == ("regression", False)
    assert found["acceptance"]["refused"] == "they are @everyone"


def test_no_machine_readable_report_of_an_accepted_regression_is_red() -> None:
    """A system that reads a file alone is as green as the exit code."""
    one = taken_on(RED)
    assert "<failure" in to_junit(RED)
    assert "<failure" not in to_junit(one)
    assert "<error" not in to_junit(one)
    assert {result["level"] for result in json.loads(to_sarif(RED))["runs"][0]["results"]} == {"error"}
    assert {result["level"] for result in json.loads(to_sarif(one))["runs"][0]["results"]} == {"warning"}


def test_the_page_tells_it_too() -> None:
    page = to_html(taken_on(RED))
    assert "wilma" in page
    assert "Accepted" in page


# --- what a merge queue may spend on judging again --------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "left"), [(0.0, 100.0), (30.0, 70.0), (100.0, None), (120.0, None)])
def test_what_was_accepted_is_judged_again_in_the_time_that_is_left(seconds: float, left: float | None) -> None:
    nothing: Any = None
    gate = Gate(nothing, nothing, "ci-eval.yaml", nothing, nothing, Path(), tighter=Tighter(Fraction(1)))

    found = in_time_left(gate, replace(RED, budget=Budget(100.0), seconds=seconds))

    assert (found and found.tighter.budget_seconds) == left
    assert found is None or found.tighter.max_drop == 1


def test_two_gates_of_one_purse_share_its_lowest_ceilings() -> None:
    purse = Purse()
    purse.hold(10, None, 500)
    purse.pay(9.0, tokens=100)
    purse.hold(20, 3, None)

    assert (purse.usd.left, purse.calls.left, purse.tokens.left) == (1.0, 2, 400)
