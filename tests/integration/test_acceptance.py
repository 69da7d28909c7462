"""The life of a pull request: who may accept its regression, for how long, and what a merge queue makes of it."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fork_desk import main_checked_out, pull_json, push_fork, stand
from github_hub import HARMLESS, NO_PARCELS, PULL, Hub, Job, opened
from github_standin import PERSON
from openai_server import Answer, Asked, says_json
from parcel_desk import CONFIG, TRIAGE_CASES, TRIAGE_GOLDEN, Files, answers

from ci_eval import records
from ci_eval.github.event import ACCEPT

ONE_MORE_PARCEL = """\
- id: lost-again
  input: {shop: Nordlicht, customer: Eva, contact: Eva, ticket: Another parcel is lost}
  expected: {queue: parcels, reply: Dear Eva}
"""
ONE_MORE_INVOICE = """\
- id: old-invoice
  input: {shop: Nordlicht, customer: Eva, contact: Eva, ticket: An old invoice came again}
  expected: {queue: invoices, reply: Dear Eva}
"""
WRITER, TRIAGER, BOT = ("wilma", "User"), ("tria", "User"), ("labeler[bot]", "Bot")
LINE = 1
"""Of the comment, below its marker."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        made.api.history.permissions |= {"wilma": "maintain", "tria": "triage", "labeler[bot]": "admin"}
        yield made


def more_golden(hub: Hub, rows: str) -> Files:
    return {TRIAGE_GOLDEN: hub.developer.read(TRIAGE_GOLDEN) + rows}


def accepted(hub: Hub, capsys: pytest.CaptureFixture[str], files: Files = NO_PARCELS) -> str:
    """A head whose regression a writer has accepted."""
    head = hub.push_head(files)
    hub.api.history.wait(120)
    assert hub.labelled(capsys, head, WRITER).code == 0
    hub.api.history.wait(120)
    return head


def results(hub: Hub, job: Job) -> Any:
    return json.loads((hub.folder / f"workspace-{hub.runs}" / job.outputs["results-path"]).read_bytes())


def test_what_is_accepted_is_every_case(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """A workflow that leaves room for a part of the golden set gets no acceptance of what that part did not show."""
    rows = "".join(ONE_MORE_INVOICE.replace("old-invoice", f"inv-{number}") for number in range(120))
    prices = "timeout_seconds: 5, prices: {house-1: {input: 1, output: 1}}}"
    policy = hub.developer.read(CONFIG).replace("timeout_seconds: 5}", prices)
    hub.push_main({**more_golden(hub, rows), CONFIG: policy})
    head = hub.push_head(NO_PARCELS)
    hub.api.history.wait(120)

    part = hub.pull_request(capsys, head, INPUT_BUDGET__USD="0.08")
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    whole = hub.label_event(capsys, head, sender, INPUT_BUDGET__USD="0.08")

    assert "On a subset" in part.summary
    assert "On a subset" not in whole.summary
    assert (whole.code, whole.outputs["verdict"]) == (3, "inconclusive")


def test_the_life_of_a_pull_request(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    head = hub.push_head(NO_PARCELS)
    hub.api.history.wait(600)

    opened = hub.pull_request(capsys, head)
    assert (opened.code, opened.outputs["verdict"]) == (1, "regression")

    by_triage = hub.labelled(capsys, head, TRIAGER)
    assert (by_triage.code, hub.api.labels(PULL)) == (1, [])
    [body] = hub.api.bodies(PULL)
    assert "### ❌ Regression" in body
    assert "does not count: their permission here is read, and it takes write, maintain or admin." in body
    assert "`tria`" in body

    by_bot = hub.labelled(capsys, head, BOT)
    assert (by_bot.code, hub.api.labels(PULL)) == (1, [])
    assert "a program put it on, and only a person can accept a regression" in hub.api.bodies(PULL)[0]

    by_writer = hub.labelled(capsys, head, WRITER)
    assert (by_writer.code, by_writer.outputs["verdict"], hub.api.labels(PULL)) == (0, "accepted", [ACCEPT])
    [body] = hub.api.bodies(PULL)
    line = "### ☑️ Accepted: `routing` fell by 50.0 points (limit 1); taken on by `wilma`"
    assert body.split("\n")[LINE] == line
    assert by_writer.summary.split("\n")[0] == line
    assert "- `routing` −50.0 points" in body
    found = results(hub, by_writer)
    assert (found["verdict"], found["acceptance"]["by"], found["acceptance"]["counts"]) == ("accepted", "wilma", True)
    assert found["acceptance"]["falls"] == [
        {"suite": "triage", "name": "routing", "beside": "main", "size": "50.0000", "unit": "points"}
    ]
    assert "::error" not in by_writer.out

    base = hub.developer.git("rev-parse", "main")
    queued = hub.merge_group(capsys, base)
    assert (queued.code, queued.outputs["verdict"]) == (0, "accepted")
    assert "Accepted by `wilma`, recognised in the merge queue" in queued.summary

    pushed = hub.push_head({**NO_PARCELS, "src/checkout.ts": "export const vat = 0.07\n"}, base=head)
    again = hub.pull_request(capsys, pushed, action="synchronize")
    assert (again.code, again.outputs["verdict"], hub.api.labels(PULL)) == (1, "regression", [])
    [body] = hub.api.bodies(PULL)
    assert "### ❌ Regression" in body
    assert "does not count: it counts only in the run that putting it on starts" in body

    assert hub.merge_group(capsys, base).code == 1, "the queue forgets it, too"


# --- what else may happen to a pull request ---------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["unlabeled", "edited", "reopened", "ready_for_review", "assigned"])
def test_whatever_else_happens_takes_the_acceptance_back(
    action: str, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    head = accepted(hub, capsys)

    job = hub.pull_request(capsys, head, action=action)

    assert (job.code, hub.api.labels(PULL)) == (1, [])


def test_another_label_is_gated_as_usual_and_accepts_nothing(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    head = accepted(hub, capsys)

    assert hub.labelled(capsys, head, WRITER, "documentation").code == 1
    assert hub.api.labels(PULL) == ["documentation"]


def test_the_label_on_a_pass_is_taken_off_and_told(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else it would lie in wait for a merge queue that finds a regression."""
    head = hub.push_head(HARMLESS)
    hub.api.history.wait(120)

    job = hub.labelled(capsys, head, WRITER)

    assert (job.code, job.outputs["verdict"], hub.api.labels(PULL)) == (0, "pass", [])
    assert "there is no regression to accept" in hub.api.bodies(PULL)[0]


def test_an_accepted_regression_of_ones_own_says_so(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    head = hub.push_head(NO_PARCELS)
    hub.api.pulls[PULL]["user"] |= {"login": "wilma"}
    hub.api.history.wait(120)

    assert hub.labelled(capsys, head, WRITER).code == 0
    assert "Accepted by `wilma`, who opened the pull request" in hub.api.bodies(PULL)[0]


def test_a_label_that_may_not_be_taken_off_is_a_warning_and_counts_as_little(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    head = hub.push_head(NO_PARCELS)
    hub.api.history.wait(120)
    hub.api.order("DELETE", 1, 403)

    job = hub.labelled(capsys, head, TRIAGER)

    assert (job.code, hub.api.labels(PULL)) == (1, [ACCEPT])
    assert re.search(r"^::warning::the label ci-eval: accept could not be taken off: .*HTTP 403", job.out, re.M)


def test_the_regression_of_a_fork_is_accepted_in_main_s_own_job(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """Where its head is pushed to is another repository, and so is the list of its pushes."""
    head = push_fork(hub, NO_PARCELS)
    pull = pull_json(head)
    pull["head"]["repo"] |= {"full_name": "mallory/shop"}
    stand(hub, pull)
    hub.api.history.move("mallory/shop", "refs/heads/patch-1", head)
    hub.api.history.wait(120)
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    workspace = main_checked_out(hub)
    hub.api.review(9000 + hub.runs, user=PERSON)
    payload = {"action": "labeled", "number": PULL, "pull_request": pull, "sender": sender, "label": {"name": ACCEPT}}

    job = hub.run(capsys, "pull_request_target", payload, workspace, "refs/heads/main")

    assert (job.code, job.outputs["verdict"]) == (0, "accepted")


# --- the merge queue --------------------------------------------------------------------------------------------------


def test_a_queue_asks_nobody_twice_when_main_brought_nothing_that_matters(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted(hub, capsys)
    base = hub.push_main({"src/checkout.ts": "export const vat = 0.2\n"})
    hub.merge()
    before = hub.model.calls
    first = hub.merge_group(capsys, base)
    calls = hub.model.calls - before

    assert (first.code, first.outputs["verdict"]) == (0, "accepted")
    hub.api.pulls[PULL]["labels"].clear()
    before = hub.model.calls
    assert hub.merge_group(capsys, base).code == 1
    assert hub.model.calls - before == calls, "as many as without a label"


@pytest.mark.parametrize("kind", ["base_ref_changed", "automatic_base_change_succeeded"])
def test_another_target_branch_since_is_another_change(kind: str, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """What fell there was accepted, and no run took the label off: that of a fork may not."""
    hub.push_head(NO_PARCELS)
    hub.api.pulls[PULL]["base"] |= {"ref": "next"}
    hub.api.history.wait(120)
    author = hub.api.label(PULL, ACCEPT, WRITER)
    hub.api.history.event(PULL, kind, None, author)
    hub.api.pulls[PULL]["base"] |= {"ref": "main"}

    job = hub.merge_group(capsys, hub.developer.git("rev-parse", "main"))

    assert (job.code, job.outputs["verdict"]) == (1, "regression")
    assert "was given another target branch since; put it on again" in job.summary


def test_a_label_after_another_target_branch_counts(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    head = hub.push_head(NO_PARCELS)
    hub.api.history.event(PULL, "base_ref_changed", None, hub.api.label(PULL, "documentation", WRITER))
    hub.api.history.wait(120)

    assert hub.labelled(capsys, head, WRITER).code == 0


def test_an_acceptance_that_was_withdrawn_is_not_found_behind_an_account_that_is_gone(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.push_head(NO_PARCELS)
    hub.api.history.wait(120)
    hub.api.history.event(PULL, "unlabeled", ACCEPT, hub.api.label(PULL, ACCEPT, WRITER))
    hub.api.pulls[PULL]["labels"].clear()
    hub.api.label(PULL, ACCEPT, TRIAGER)
    hub.api.history.events[PULL][-1]["actor"] = None

    job = hub.merge_group(capsys, hub.developer.git("rev-parse", "main"))
    hub.api.violations.clear()  # the description says that somebody did it, always; GitHub's answers say null

    assert (job.code, job.outputs["verdict"]) == (1, "regression")
    assert "GitHub does not show who put it on" in job.summary


def test_a_larger_drop_in_the_queue_is_red(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """Main's golden set grew by a case that this head breaks: 60 points are more than the 50 that were accepted."""
    accepted(hub, capsys)
    base = hub.push_main(more_golden(hub, ONE_MORE_PARCEL))
    hub.merge()

    job = hub.merge_group(capsys, base)

    assert (job.code, job.outputs["verdict"], job.outputs["worst-drop"]) == (1, "regression", "60.0000")
    assert "this falls further now than what was accepted, in `routing`" in job.summary


def test_a_smaller_drop_in_the_queue_is_accepted(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    accepted(hub, capsys)
    base = hub.push_main(more_golden(hub, ONE_MORE_INVOICE))
    hub.merge()

    job = hub.merge_group(capsys, base)

    assert (job.code, job.outputs["verdict"], job.outputs["worst-drop"]) == (0, "accepted", "40.0000")


def test_both_judgements_of_a_queue_pay_from_one_purse(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """A ceiling that is enough for the group alone: what was accepted is not judged on other people's money."""
    limited = {CONFIG: hub.developer.read(CONFIG).replace("{seconds: 60}", "{seconds: 60, calls: 60}")}
    hub.push_main(limited)
    accepted(hub, capsys)
    base = hub.push_main(more_golden(hub, ONE_MORE_INVOICE))
    hub.merge()
    before = hub.model.calls

    job = hub.merge_group(capsys, base)

    assert job.code == 1
    assert hub.model.calls - before <= 60
    assert "what was accepted was not clear when judged again" in job.summary


def test_a_queue_that_is_cancelled_while_it_judges_again_says_so(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    accepted(hub, capsys)
    base = hub.push_main(more_golden(hub, ONE_MORE_INVOICE))
    hub.merge()
    hub.api.requests.clear()
    main_thread = threading.main_thread().ident
    assert main_thread

    def cancelled_after_the_pull_request_was_read(asked: Asked) -> Answer:
        if hub.api.requests:
            hub.api.requests.clear()
            signal.pthread_kill(main_thread, signal.SIGINT)
        return answers(asked)

    hub.model.behaviour = cancelled_after_the_pull_request_was_read
    job = hub.merge_group(capsys, base)

    assert (job.code, job.outputs["verdict"]) == (130, "inconclusive")
    assert job.summary.startswith("### ⚠️ Inconclusive: the run was cancelled before it could judge")


def test_a_drop_in_another_dimension_is_not_accepted_by_the_way(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    accepted(hub, capsys)
    base = hub.push_main(more_golden(hub, ONE_MORE_INVOICE))
    hub.merge()
    main_is_asked = False

    def rude_at_last(asked: Asked) -> Answer:
        """The head answers without a greeting, once main holds the new case."""
        nonlocal main_is_asked
        main_is_asked = main_is_asked or "old invoice" in asked.user
        if "* parcels" not in asked.system and "old invoice" in asked.user:
            return says_json(queue="invoices", reply="Hey Eva")
        return answers(asked)

    hub.model.behaviour = rude_at_last
    job = hub.merge_group(capsys, base)

    assert main_is_asked
    assert (job.code, job.outputs["verdict"]) == (1, "regression")
    assert "than what was accepted, in `courtesy`" in job.summary


def test_a_queue_does_not_accept_what_another_pull_request_brings(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """The group holds the accepted head and a commit of another one."""
    base = hub.developer.git("rev-parse", "main")
    accepted(hub, capsys)
    hub.developer.git("checkout", "--quiet", "--detach", "feature")
    hub.developer.commit({"src/checkout.ts": "export const vat = 0.07\n"})
    hub.developer.git("push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{PULL}/merge")

    job = hub.merge_group(capsys, base)

    assert job.code == 1
    assert "the group holds more, or other things, than the head that was accepted" in job.summary


def test_a_squashed_group_is_recognised(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no second parent to show: what it holds is compared."""
    accepted(hub, capsys)
    base = hub.developer.git("rev-parse", "main")
    tree = hub.developer.git("rev-parse", "feature^{tree}")
    squashed = hub.developer.git("commit-tree", tree, "-p", base, "-m", "squashed")
    hub.developer.git("push", "--quiet", "--force", "origin", f"{squashed}:refs/pull/{PULL}/merge")

    assert hub.merge_group(capsys, base).code == 0


def test_what_is_judged_again_does_not_overwrite_the_run_files_of_the_group(
    hub: Hub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In the container both have the one folder that was made for them."""
    accepted(hub, capsys)
    base = hub.push_main(more_golden(hub, ONE_MORE_INVOICE))
    hub.merge()
    workspace = hub.folder / f"workspace-{hub.runs + 1}"

    job = hub.merge_group(capsys, base, CI_EVAL_FOLDER=str(workspace / "report"))

    assert (job.code, job.outputs["verdict"]) == (0, "accepted")
    runs = [records.read(path) for path in sorted((workspace / "report").glob("triage/*.jsonl"))]
    assert runs
    assert all(len({record.case for record in run.records}) == TRIAGE_CASES + 1 for run in runs)
