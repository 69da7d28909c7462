"""Pull requests from forks: a whole job of `pull_request_target` over real git, where the head is on no branch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fork_desk import as_data, files_of, main_checked_out, own, publish_head, pull_json, push_fork, stand
from github_hub import HARMLESS, NO_PARCELS, PULL, Hub, opened
from github_standin import BOT, Failure
from parcel_desk import FILES, TRIAGE_CASES, TRIAGE_PROMPT, Repository, edited


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        yield made


def test_an_approved_fork_is_judged_and_answered(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)

    job = as_data(hub, capsys, pull)

    assert (job.code, job.outputs["verdict"]) == (1, "regression")
    assert hub.api.bodies(PULL)[0].split("\n")[1] == "### ❌ Regression: `routing` fell by 50.0 points (limit 1)"


def test_an_approved_fork_that_does_no_harm_is_green(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, HARMLESS))
    stand(hub, pull)

    job = as_data(hub, capsys, pull)

    assert (job.code, hub.model.calls) == (0, 2 * TRIAGE_CASES)


def test_a_fork_is_compared_with_main_as_it_is_now(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    """The checkout is older than main's tip, and what main did meanwhile is not held against the fork."""
    pull = pull_json(push_fork(hub, HARMLESS))
    stand(hub, pull)
    workspace = main_checked_out(hub)
    hub.push_main(edited("assistants/faq/system.txt", "nine to six", "ten to four"))

    job = as_data(hub, capsys, pull, workspace=workspace)

    assert (job.code, hub.model.calls) == (0, 2 * TRIAGE_CASES), "only what the fork changed was asked about"


def test_nothing_of_the_head_becomes_a_file(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {
        ".gitattributes": "* filter=evil merge=evil\n",
        "conftest.py": "raise SystemExit('the head ran')\n",
        "requests.py": "raise SystemExit('the head ran')\n",
        "-rf": "a name that is an option\n",
        "$(touch pwned)": "x\n",
        "a\nb": "x\n",
        "::error::x": "x\n",
    }
    pull = pull_json(push_fork(hub, {**NO_PARCELS, **hostile}))
    stand(hub, pull)
    workspace = main_checked_out(hub)
    before = files_of(workspace)

    job = as_data(hub, capsys, pull, workspace=workspace)

    assert job.code == 1
    assert files_of(workspace) == before
    assert Repository(workspace).git("rev-parse", "HEAD") == hub.developer.git("rev-parse", "main")
    assert "the head ran" not in job.out


def test_links_and_submodules_of_a_fork_lead_nowhere(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.developer.git("checkout", "--quiet", "-B", "stranger", "main")
    prompt = hub.developer.folder / TRIAGE_PROMPT
    prompt.unlink()
    prompt.symlink_to("/proc/self/environ")
    head = hub.developer.commit({})
    publish_head(hub, head)
    stand(hub, pull_json(head))

    job = as_data(hub, capsys, pull_json(head))

    assert (job.code, hub.model.calls) == (2, 0)


def test_without_an_approval_nothing_is_asked(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)

    job = as_data(hub, capsys, pull, approved_by=None)

    assert (job.code, hub.model.calls, job.outputs["verdict"]) == (3, 0, "inconclusive")
    assert "a maintainer must approve this run, and nobody has" in hub.api.bodies(PULL)[0]
    assert "required reviewers" in job.out


def test_an_unrelated_change_needs_no_approval(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, {"src/checkout.ts": "export const vat = 0.07\n"}))
    stand(hub, pull)

    assert (as_data(hub, capsys, pull, approved_by=None).code, hub.model.calls) == (0, 0)


def test_a_conflict_is_inconclusive(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    hub.push_main({TRIAGE_PROMPT: FILES[TRIAGE_PROMPT].replace("* parcels", "* packages")})
    stand(hub, pull)

    job = as_data(hub, capsys, pull)

    assert (job.code, hub.model.calls) == (3, 0)
    assert "base and head conflict" in hub.api.bodies(PULL)[0]


def test_a_deleted_fork_is_judged_by_what_github_kept_of_it(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS), deleted=True)
    stand(hub, pull)

    job = as_data(hub, capsys, pull)
    hub.api.violations.clear()  # the description says that a head has a repository, always; GitHub's answers say null

    assert job.code == 1


def test_a_head_that_github_does_not_have_is_no_verdict(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json("0123456789" * 4)
    stand(hub, pull)

    job = as_data(hub, capsys, pull)

    assert (job.code, hub.model.calls, job.outputs["verdict"]) == (3, 0, "inconclusive")


def test_a_branch_of_the_repository_itself_needs_the_same_approval(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = own(push_fork(hub, NO_PARCELS))
    stand(hub, pull)

    refused, judged = as_data(hub, capsys, pull, approved_by=None), as_data(hub, capsys, pull)

    assert (refused.code, judged.code) == (3, 1)


def test_a_bot_approves_nothing(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)

    assert (as_data(hub, capsys, pull, approved_by=BOT).code, hub.model.calls) == (3, 0)


def test_an_api_that_does_not_say_who_approved_is_no_approval(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    hub.api.failures = [Failure("GET", 2, 403)]  # the first one asks whether the head has moved

    job = as_data(hub, capsys, pull)

    assert (job.code, hub.model.calls) == (3, 0)
    assert "actions: read" in job.out


def test_a_closed_pull_request_is_nothing_to_do(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))

    assert (as_data(hub, capsys, pull, action="closed").code, hub.api.requests) == (0, [])
