"""Rows 17, 82, 83, 105, 107, 130 and 132 of the threat model: what GitHub is told and keeps. Each is named by its row.

Jobs are whole ones, over real git; the comment is written over HTTP, to a stand-in that GitHub's description checks.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from commenting import MARKER, STRANGER, connect, marker, posts
from github_hub import HARMLESS, NO_PARCELS, PULL, Hub, opened
from github_standin import Failure, StandIn
from openai_server import Answer, Asked, says
from parcel_desk import CONFIG, KEY_ENV, TRIAGE_PROMPT, Repository, answers

from ci_eval.github.client import GitHub
from ci_eval.github.publish import upsert_comment


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def github(standin: StandIn) -> Iterator[GitHub]:
    with connect(standin) as client:
        yield client


# --- 17: a merge queue that reports nothing, or success for nothing ---------------------------------------------------


def test_17_a_merge_group_that_breaks_cases_is_red_and_answered_in_the_summary(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    base = hub.developer.git("rev-parse", "main")
    hub.push_head(NO_PARCELS)

    job = hub.merge_group(capsys, base)

    assert (job.code, job.outputs["verdict"], job.outputs["worst-drop"]) == (1, "regression", "50.0000")
    assert job.summary.startswith("### ❌ Regression: `routing` fell by 50.0 points (limit 1)")
    assert f"::error file={TRIAGE_PROMPT},line=3::ci-eval: routing fell by 50.00 points" in job.out.split("\n")
    assert "comment-url" not in job.outputs
    assert hub.api.bodies(PULL) == [], "there is no pull request to comment in"
    told = [hub.folder / f"workspace-{hub.runs}" / path for name, path in job.outputs.items() if name.endswith("-path")]
    assert all("this PR" not in text for text in (job.summary, *(file.read_text(encoding="utf-8") for file in told)))
    assert ", this group `" in job.summary


def test_17_a_merge_group_is_not_blamed_for_the_group_before_it(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """Its base is what GitHub built it on, not main."""
    before_it = hub.push_head(NO_PARCELS)
    hub.push_head({"src/checkout.ts": "export const vat = 0.07\n"}, branch="second", base="feature")

    assert hub.merge_group(capsys, before_it).code == 0
    assert hub.model.calls == 0


# --- 82: a report of an older commit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("newer", [{"run_id": 501}, {"run_id": 500, "run_attempt": 2}, {"run_id": 1000}])
def test_82_an_older_run_does_not_overwrite_a_newer_report(
    newer: dict[str, int], standin: StandIn, github: GitHub
) -> None:
    standin.add_comment(PULL, f"{marker(**newer).line}\nnewer")

    outcome = upsert_comment(github, PULL, "older", MARKER)

    assert standin.bodies(PULL) == [f"{marker(**newer).line}\nnewer"]
    assert outcome.url is not None
    assert outcome.warning is not None
    assert "newer run" in outcome.warning


@pytest.mark.parametrize("older", [{"run_id": 499, "run_attempt": 9}, {"run_id": 99}, {}])
def test_82_a_newer_run_and_the_same_run_overwrite(older: dict[str, int], standin: StandIn, github: GitHub) -> None:
    standin.add_comment(PULL, f"{marker(**older).line}\nolder")

    assert upsert_comment(github, PULL, "newer", MARKER).warning is None
    assert standin.bodies(PULL) == [f"{MARKER.line}\nnewer"]


@pytest.mark.parametrize("runs", [(800, 400), (400, 800)])
def test_82_of_two_comments_of_ours_the_newest_run_s_counts(
    runs: tuple[int, int], standin: StandIn, github: GitHub
) -> None:
    bodies = [f"{marker(run_id=run).line}\nreport of {run}" for run in runs]
    for body in bodies:
        standin.add_comment(PULL, body)

    assert upsert_comment(github, PULL, "report of 500", MARKER).warning is not None
    assert standin.bodies(PULL) == bodies


def test_82_the_report_names_its_commit_and_its_run(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    head = hub.push_head(HARMLESS)

    job = hub.pull_request(capsys, head)

    first = hub.api.bodies(PULL)[0].partition("\n")[0]
    assert f"sha={head} run={job.environ['GITHUB_RUN_ID']}.1 -->" in first


# --- 83: the second page of comments ----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 29, 30, 99, 100, 250])
def test_83_the_second_report_edits_the_first_on_whatever_page_it_is(
    before: int, standin: StandIn, github: GitHub
) -> None:
    for index in range(before):
        standin.add_comment(PULL, f"discussion {index}", STRANGER)
    mine = standin.add_comment(PULL, f"{MARKER.line}\nold")
    for index in range(50):
        standin.add_comment(PULL, f"more discussion {index}", STRANGER)

    outcome = upsert_comment(github, PULL, "new", marker(run_id=501))

    assert mine["body"] == f"{marker(run_id=501).line}\nnew"
    assert (outcome.url, outcome.warning) == (mine["html_url"], None)
    assert len(standin.bodies(PULL)) == before + 51
    assert posts(standin) == 0


def test_83_all_pages_are_read_a_hundred_at_a_time(standin: StandIn, github: GitHub) -> None:
    for index in range(250):
        standin.add_comment(PULL, str(index), STRANGER)

    assert [comment.body.text() for comment in github.comments(PULL)] == [str(index) for index in range(250)]
    assert len(standin.requests) == 3


# --- 105: outputs that should not be public ---------------------------------------------------------------------------


def test_105_hidden_outputs_are_in_neither_baseline_nor_comment(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    config = hub.developer.read(CONFIG).replace("baseline: {repeats: 1}", "baseline: {repeats: 1, outputs: hide}")
    hub.push(capsys, hub.push_main({CONFIG: config}))

    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert job.code == 1
    stored = Repository(hub.bare).git("grep", "-h", "-e", "", "ci-eval-baselines")
    shown = hub.api.bodies(PULL)[0] + job.summary + job.out
    assert "looking into it" not in stored + shown
    assert "`lost-parcel`" in shown


# --- 107: a response cache that somebody else filled ------------------------------------------------------------------


def test_107_main_does_not_believe_what_was_kept_by_someone_without_its_key(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever can write a cache of main's scope can put a file there, but no answer."""
    kept = str(hub.folder / "kept")
    hub.model.behaviour = lambda _: says("poison")
    hub.push(capsys, hub.push_main({}), XDG_CACHE_HOME=kept, **{KEY_ENV: "sk-of-an-attacker"})
    hub.model.behaviour = answers

    pushed = hub.push(capsys, hub.push_main({}), XDG_CACHE_HOME=kept)

    assert "| triage  | routing     | 100.00  |" in pushed.summary


# --- 130: a cancelled run ---------------------------------------------------------------------------------------------


def test_130_a_cancelled_job_leaves_nothing_that_says_it_is_under_way(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is posted before there is a verdict, so there is nothing to take back; that it was cancelled is said."""

    def cancelled(asked: Asked) -> Answer:
        assert hub.api.bodies(PULL) == [], "posted while the model is asked"
        if asked.number == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return answers(asked)

    hub.model.behaviour = cancelled
    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert (job.code, job.outputs["verdict"], posts(hub.api)) == (130, "inconclusive", 1)
    assert hub.api.bodies(PULL)[0].split("\n")[1].endswith("Inconclusive: the run was cancelled before it could judge")


# --- 132: GitHub's API is down, or refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 422, 500])
def test_132_a_comment_that_github_refuses_is_a_warning_and_the_verdict_stands(
    status: int, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.api.failures = [Failure("POST", nth, status) for nth in (1, 2)]

    job = hub.pull_request(capsys, hub.push_head(NO_PARCELS))

    assert job.code == 1
    assert hub.api.bodies(PULL) == []
    assert re.search(
        r"^::warning::the comment was not posted: .*; the verdict stands, and is in the summary$", job.out, re.M
    )
    assert job.outputs["verdict"] == "regression"
    assert "comment-url" not in job.outputs


def test_132_a_github_that_stays_down_is_a_warning(standin: StandIn, github: GitHub) -> None:
    standin.failures = [Failure("GET", nth, 502) for nth in range(1, 20)]

    outcome = upsert_comment(github, PULL, "report", MARKER)

    assert outcome.warning is not None
    assert "no answer" in outcome.warning
    assert posts(standin) == 0
