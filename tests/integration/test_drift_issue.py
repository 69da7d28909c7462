"""The issue about scores that changed by themselves, over HTTP against a GitHub that its OpenAPI description checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from commenting import STRANGER, connect
from github_standin import BOT, Failure, StandIn

from ci_eval.baseline.drift import Drift
from ci_eval.github.drift_issue import DriftIssue
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.text import Untrusted

NOW = datetime(2026, 5, 4, tzinfo=UTC)
RUN_URL = "https://github.com/octo-org/shop/actions/runs/9"
FELL = Drift("triage", "routing", Fraction(98), Fraction(90), 0.0001)
ROSE = Drift("faq", "facts", Fraction(80), Fraction(250, 3), 0.0001)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def issue(standin: StandIn) -> Iterator[DriftIssue]:
    with connect(standin) as github:
        yield DriftIssue(github, "0123456789abcdef", RUN_URL, NOW)


def bodies(standin: StandIn) -> list[str]:
    return [issue["body"] for issue in standin.opened]


def states(standin: StandIn) -> list[str]:
    return [issue["state"] for issue in standin.opened]


def test_a_change_opens_an_issue_that_tells_it(standin: StandIn, issue: DriftIssue) -> None:
    assert issue.keep([FELL, ROSE]) is None

    (body,) = bodies(standin)
    assert body.startswith(issue.marker)
    assert "| `triage` | `routing`   | 98.00  | 90.00 | −8.00    |" in body
    assert "+3.33" in body
    assert f"[this evaluation]({RUN_URL})" in body


def test_the_next_night_updates_it(standin: StandIn, issue: DriftIssue) -> None:
    issue.keep([FELL])
    issue.keep([FELL, ROSE])

    (body,) = bodies(standin)
    assert "`faq`" in body
    assert states(standin) == ["open"]


def test_it_is_closed_when_nothing_differs_and_the_next_change_gets_a_new_one(
    standin: StandIn, issue: DriftIssue
) -> None:
    issue.keep([FELL])
    issue.keep([])
    closed = bodies(standin)[0]
    issue.keep([])
    assert bodies(standin) == [closed]
    issue.keep([ROSE])

    assert states(standin) == ["closed", "open"]
    assert closed.startswith(f"**Over:** [this evaluation]({RUN_URL}) found no change.")
    assert "`routing`" in closed


def test_nothing_is_opened_where_nothing_changed(standin: StandIn, issue: DriftIssue) -> None:
    assert issue.keep([]) is None
    assert standin.opened == []


def test_an_issue_that_somebody_closed_stays_closed_and_is_kept_true(standin: StandIn, issue: DriftIssue) -> None:
    issue.keep([FELL])
    standin.opened[0]["state"] = "closed"

    issue.keep([FELL, ROSE])

    assert states(standin) == ["closed"]
    assert "`faq`" in bodies(standin)[0]


@pytest.mark.parametrize("before", [0, 99, 100, 250])
def test_it_is_found_on_whatever_page_it_is(before: int, standin: StandIn, issue: DriftIssue) -> None:
    issue.keep([FELL])
    for number in range(before):
        standin.add_issue(f"issue {number}", None, STRANGER)

    issue.keep([ROSE])

    assert len(standin.opened) == before + 1
    assert "`facts`" in bodies(standin)[0]


@pytest.mark.parametrize(
    ("author", "changes"),
    [
        pytest.param(STRANGER, {}, id="a stranger's"),
        pytest.param(("echo[bot]", "Bot"), {}, id="another bot's"),
        pytest.param((BOT[0], "User"), {}, id="a bot's name, not its type"),
        pytest.param(BOT, {"pull_request": dict.fromkeys(("url", "diff_url", "html_url", "patch_url"))}, id="PR"),
        pytest.param(BOT, {"user": None}, id="a deleted account's"),
    ],
)
def test_what_only_looks_like_our_issue_is_left_alone(
    author: tuple[str, str], changes: dict[str, Any], standin: StandIn, issue: DriftIssue
) -> None:
    forged = f"{issue.marker}forged"
    standin.add_issue("forged", forged, author, **changes)

    issue.keep([FELL])
    issue.keep([])

    assert bodies(standin)[0] == forged
    assert states(standin) == ["open", "closed"]


def test_an_issue_of_another_config_is_another_one(standin: StandIn, issue: DriftIssue) -> None:
    DriftIssue(issue.github, "f" * 16, RUN_URL, NOW).keep([FELL])
    issue.keep([ROSE])
    issue.keep([])

    assert states(standin) == ["open", "closed"]


@pytest.mark.parametrize(("method", "nth"), [("GET", 1), ("POST", 1)])
def test_a_refusal_is_a_warning_that_says_which_right_is_missing(
    method: str, nth: int, standin: StandIn, issue: DriftIssue
) -> None:
    standin.failures = [Failure(method, nth, 403, body='{"message":"::error::x"}')]

    warning = issue.keep([FELL])

    assert warning is not None
    assert "issues: write" in warning
    assert "::error" not in warning
    assert standin.opened == []


def test_an_issue_whose_answer_was_lost_is_not_opened_twice(standin: StandIn, issue: DriftIssue) -> None:
    standin.failures = [Failure("POST", 1, 502, lands=True)]

    assert issue.keep([FELL]) is not None
    assert issue.keep([FELL]) is None
    assert len(standin.opened) == 1


def test_a_dimension_that_a_model_judges_is_told_with_its_judge(standin: StandIn, issue: DriftIssue) -> None:
    judge = JudgeAgreement(scorer=Untrusted("judge"), dimension=Untrusted("routing"), model=Untrusted("judge-1"))
    issue.keep([replace(FELL, judges=(judge,)), ROSE])
    (body,) = bodies(standin)
    assert "- `routing` is judged by `judge-1`; it was never compared with people" in body
