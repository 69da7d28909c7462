"""What a job does for every event and action of GitHub's, over the payloads that GitHub really sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import webhooks
from test_github_event import ENVIRON, environment

from ci_eval.cli.progress import Silent
from ci_eval.github.event import (
    Activity,
    FullEvaluation,
    GateGroup,
    GatePull,
    GatePullAsData,
    GatePullByNumber,
    UpdateBaseline,
    activity,
)
from ci_eval.github.job import run_on_github

TABLE = """
pull_request         assigned                gates the merge commit
pull_request         auto_merge_disabled *   gates the merge commit
pull_request         auto_merge_enabled *    gates the merge commit
pull_request         closed                  nothing to do: the pull request is closed
pull_request         converted_to_draft      gates the merge commit
pull_request         demilestoned *          gates the merge commit
pull_request         dequeued *              gates the merge commit
pull_request         edited *                gates the merge commit
pull_request         enqueued *              gates the merge commit
pull_request         labeled                 gates the merge commit
pull_request         locked                  gates the merge commit
pull_request         milestoned *            gates the merge commit
pull_request         opened                  gates the merge commit
pull_request         ready_for_review        gates the merge commit
pull_request         reopened                gates the merge commit
pull_request         review_request_removed  gates the merge commit
pull_request         review_requested        gates the merge commit
pull_request         synchronize             gates the merge commit
pull_request         unassigned              gates the merge commit
pull_request         unlabeled               gates the merge commit
pull_request         unlocked                gates the merge commit
pull_request_target  closed                  nothing to do: the pull request is closed
pull_request_target  edited *                gates the head as data
pull_request_target  labeled                 gates the head as data
pull_request_target  opened                  gates the head as data
pull_request_target  reopened                gates the head as data
pull_request_target  synchronize             gates the head as data
pull_request_target  unlabeled               gates the head as data
merge_group          checks_requested        gates the group
merge_group          destroyed *             nothing to do: the merge group is gone
push                 branch *                stores the baseline
push                 branch-baselines *      nothing to do: this push is not to master; only the default branch has a baseline
push                 branch-created          stores the baseline
push                 branch-deleted *        nothing to do: the branch master was deleted
push                 branch-forced *         stores the baseline
push                 branch-other *          nothing to do: this push is not to master; only the default branch has a baseline
push                 tag-created             nothing to do: this push is not to master; only the default branch has a baseline
push                 tag-deleted             nothing to do: this push is not to master; only the default branch has a baseline
schedule             *                       evaluates everything and stores it
workflow_dispatch                            evaluates everything and stores it
"""  # noqa: E501 - a row is a row
"""Event, action (of a push what was pushed), and what is done. `*`: GitHub's is not in the package, so it was made."""

WORDS = {
    GatePull: "gates the merge commit",
    GatePullAsData: "gates the head as data",
    GatePullByNumber: "gates the pull request of that number",
    GateGroup: "gates the group",
    UpdateBaseline: "stores the baseline",
}
REFUSED = "the event {} is not supported; use pull_request, pull_request_target, merge_group, push, schedule or workflow_dispatch"  # noqa: E501


def _rows() -> list[tuple[str, str, bool, str]]:
    rows = [(line[:21].strip(), line[21:45].strip(), line[45:]) for line in TABLE.strip().split("\n")]
    return [(event, kind.rstrip(" *"), kind.endswith("*"), does) for event, kind, does in rows]


def _sent_as(event: str) -> str:
    """The runner hands `pull_request_target` the payload of the same webhook."""
    return "pull_request" if event == "pull_request_target" else event


def _does(found: Activity) -> str:
    if isinstance(found, FullEvaluation):
        return "evaluates everything" + (" and stores it" if found.on_default_branch else "")
    return WORDS[type(found)]


def _job(tmp_path: Path, event: str, payload: Any) -> int:
    """The whole job. Only one that asks nobody comes to an end here: nobody is there to be asked."""
    file = tmp_path / "event.json"
    file.write_text(json.dumps(payload), encoding="utf-8")
    changes = {"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(file), "GITHUB_WORKSPACE": str(tmp_path)}
    return run_on_github({**ENVIRON, **changes, "GITHUB_OUTPUT": "", "GITHUB_STEP_SUMMARY": ""}, Silent())


@pytest.mark.parametrize(("event", "kind", "made", "does"), _rows())
def test_what_is_done_for_each_event_and_action(
    event: str, kind: str, made: bool, does: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for payload in webhooks.payloads(_sent_as(event), kind):
        if does.startswith("nothing to do"):
            assert _job(tmp_path, event, payload) == 0
            assert capsys.readouterr().out == f"ci-eval: {does}\n"
        else:
            branch = payload["repository"]["default_branch"]
            started = environment(event, GITHUB_REF=f"refs/heads/{branch}")
            assert _does(activity(started, payload)) == does


@pytest.mark.parametrize("event", sorted({*webhooks.events()} - {event for event, *_ in _rows()}))
def test_every_other_event_of_github_s_is_refused(
    event: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Green would claim a verdict; among them are all that somebody could wire by mistake."""
    for payload in webhooks.real(event):
        assert _job(tmp_path, event, payload) == 2
        assert capsys.readouterr().err == f"ci-eval: {REFUSED.format(event)}\n"


def test_a_dispatch_elsewhere_stores_nothing_and_one_with_a_number_gates_it() -> None:
    for payload in webhooks.real("workflow_dispatch"):
        elsewhere = environment("workflow_dispatch", GITHUB_REF="refs/heads/topic")
        numbered = environment("workflow_dispatch", **{"GITHUB_REF": "refs/heads/topic", "INPUT_PR-NUMBER": "7"})
        assert _does(activity(elsewhere, payload)) == "evaluates everything"
        assert _does(activity(numbered, payload)) == "gates the pull request of that number"


# --- the table itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("event", "kind", "made", "does"), _rows())
def test_the_table_says_which_payloads_github_did_not_send(event: str, kind: str, made: bool, does: str) -> None:
    assert bool(webhooks.real(_sent_as(event), kind)) is not made


def test_the_table_has_every_action_that_github_sent() -> None:
    rows = {(event, kind) for event, kind, *_ in _rows()}
    for event in ("pull_request", "merge_group", "push", "workflow_dispatch"):
        assert {(event, webhooks.kind_of(event, payload)) for payload in webhooks.real(event)} <= rows


def test_what_somebody_could_wire_by_mistake_is_among_the_payloads() -> None:
    mistakes = ("issue_comment", "pull_request_review", "release", "workflow_run", "repository_dispatch", "create")
    assert all(webhooks.real(event) for event in mistakes)
