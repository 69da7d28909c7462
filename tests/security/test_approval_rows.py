"""Rows 6-9, 16, 18 and 41 of the threat model: what a person accepts is one head's regression, and nobody else's word
counts. Each test is named by its row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github_hub import PULL, Hub, Job, opened
from openai_server import Answer, Asked, fails
from parcel_desk import TRIAGE_PROMPT, answers, edited

from ci_eval.github.event import ACCEPT

NO_PARCELS = edited(TRIAGE_PROMPT, "* parcels\n", "")
WRITER = ("wilma", "User")
OLDER_MOVE = {
    "id": 1,
    "node_id": "M",
    "actor": None,
    "activity_type": "push",
    "ref": "refs/heads/feature",
    "before": "d" * 40,
    "after": "e" * 40,
    "timestamp": "2026-05-04T09:00:00Z",
}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        made.api.history.permissions["wilma"] = "write"
        yield made


def settled(hub: Hub, files: Any = NO_PARCELS) -> str:
    """A head that has stood for two minutes."""
    head = hub.push_head(files)
    hub.api.history.wait(120)
    return head


def red(job: Job) -> bool:
    return (job.code, job.outputs["verdict"]) == (1, "regression")


def green(job: Job) -> bool:
    return (job.code, job.outputs["verdict"]) == (0, "accepted")


def while_asked(hub: Hub, happens: Callable[[], object]) -> None:
    """Something happens once the model has been asked for the first time."""
    waiting = [happens]

    def behaviour(asked: Asked) -> Answer:
        if waiting:
            waiting.pop()()
        return answers(asked)

    hub.model.behaviour = behaviour


# --- row 6: label, then push ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["synchronize", "labeled"])
def test_row_6_a_head_that_moved_before_the_first_call_is_superseded(event: str, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    hub.api.pulls[PULL]["head"]["sha"] = "e" * 40

    job = hub.label_event(capsys, head, sender) if event == "labeled" else hub.pull_request(capsys, head, action=event)

    assert (job.code, job.outputs["verdict"], hub.model.calls) == (3, "inconclusive", 0)
    assert hub.api.bodies(PULL) == []
    assert "superseded" in job.out
    assert hub.api.labels(PULL) == [ACCEPT], "which is for the run of the new head to take off"


@pytest.mark.parametrize("event", ["synchronize", "labeled"])
def test_row_6_a_head_that_moves_while_it_is_judged_is_superseded(event: str, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    while_asked(hub, lambda: hub.api.pulls[PULL]["head"].update(sha="e" * 40))

    job = hub.labelled(capsys, head, WRITER) if event == "labeled" else hub.pull_request(capsys, head, action=event)

    assert (job.code, job.outputs["verdict"]) == (3, "inconclusive")
    assert hub.model.calls > 0
    assert hub.api.bodies(PULL) == []
    assert "newer head" in job.summary


def test_row_6_a_dispatch_does_not_answer_for_a_head_that_moved(hub: Hub, capsys: Capture) -> None:
    settled(hub)
    while_asked(hub, lambda: hub.api.pulls[PULL]["head"].update(sha="e" * 40))

    assert hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL)).code == 3
    assert hub.api.bodies(PULL) == []


def test_row_6_only_the_head_of_the_event_is_judged(hub: Hub, capsys: Capture) -> None:
    """The label was put on a harmless head, and the merge commit that is checked out is another one's."""
    harmless = settled(hub, {"src/checkout.ts": "export const vat = 0.07\n"})
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    settled(hub)
    hub.api.pulls[PULL]["head"]["sha"] = harmless

    job = hub.label_event(capsys, harmless, sender)

    assert (job.code, hub.model.calls) == (2, 0)


# --- row 7: the label that stays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["synchronize", "reopened", "edited", "opened", "unlabeled"])
def test_row_7_a_label_that_is_on_accepts_nothing_and_is_taken_off(action: str, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    hub.api.label(PULL, ACCEPT, WRITER)

    assert red(hub.pull_request(capsys, head, action=action))
    assert hub.api.labels(PULL) == []


def test_row_7_it_is_taken_off_also_where_nothing_can_be_judged(hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    hub.api.label(PULL, ACCEPT, WRITER)

    assert hub.pull_request(capsys, head, action="synchronize", DESK_KEY="").code == 3
    assert hub.api.labels(PULL) == []


def test_row_7_a_label_that_was_taken_off_again_accepts_nothing(hub: Hub, capsys: Capture) -> None:
    """Started again later, or taken off while it runs."""
    head = settled(hub)
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    hub.api.pulls[PULL]["labels"].clear()
    assert red(hub.label_event(capsys, head, sender))
    assert "it is not on any more" in hub.api.bodies(PULL)[0]

    while_asked(hub, hub.api.pulls[PULL]["labels"].clear)
    assert red(hub.labelled(capsys, head, WRITER))


def test_row_7_a_run_that_is_started_again_does_not_take_the_label_of_somebody_else(hub: Hub, capsys: Capture) -> None:
    """A triager's run, started again when a writer's label is on."""
    head = settled(hub)
    sender = hub.api.label(PULL, ACCEPT, ("tria", "User"))
    hub.api.pulls[PULL]["labels"].clear()
    hub.api.label(PULL, ACCEPT, WRITER)

    assert red(hub.label_event(capsys, head, sender))


@pytest.mark.parametrize("how", ["pushed", "forced back", "label left on", "taken off"])
def test_row_7_a_merge_queue_knows_an_acceptance_of_this_very_head_only(how: str, hub: Hub, capsys: Capture) -> None:
    base = hub.developer.git("rev-parse", "main")
    head = settled(hub)
    assert green(hub.labelled(capsys, head, WRITER))
    hub.api.history.wait(120)
    match how:
        case "pushed":
            hub.push_head({**NO_PARCELS, "src/checkout.ts": "export const vat = 0.07\n"})
        case "forced back":
            branch = (hub.api.repository, "refs/heads/feature")
            hub.api.history.move(*branch, "e" * 40)
            hub.api.history.move(*branch, head)
        case "label left on":
            hub.api.pulls[PULL]["head"]["sha"] = hub.developer.git("rev-parse", "main")
        case "taken off":
            hub.api.pulls[PULL]["labels"].clear()

    assert red(hub.merge_group(capsys, base))


def test_row_7_no_comment_is_believed(hub: Hub, capsys: Capture) -> None:
    """Nor does the bot's own comment, which anybody with a token of this repository can write."""
    head = settled(hub)
    line = "### ☑️ Accepted: `routing` fell by 50.0 points (limit 1); taken on by `wilma`"
    hub.api.add_comment(PULL, f"<!-- ci-eval:92d0d2bb770fcaa5 sha={head} run=1.1 -->\n{line}\n\nci-eval: accept")

    assert red(hub.pull_request(capsys, head))
    assert red(hub.merge_group(capsys, hub.developer.git("rev-parse", "main")))


# --- row 8: a push just before the label ------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "counts"), [(0, False), (59, False), (60, True)])
def test_row_8_a_head_is_not_accepted_before_it_has_stood_for_a_minute(
    seconds: int, counts: bool, hub: Hub, capsys: Capture
) -> None:
    head = hub.push_head(NO_PARCELS)
    hub.api.history.wait(seconds)

    job = hub.labelled(capsys, head, WRITER)

    assert (green(job), red(job), hub.api.labels(PULL)) == (counts, not counts, [ACCEPT] if counts else [])
    assert ("it was put on before the head was 60 seconds old" in hub.api.bodies(PULL)[0]) is not counts


def test_row_8_a_commit_that_was_parked_elsewhere_is_no_old_head(hub: Hub, capsys: Capture) -> None:
    """Its dates are its author's, and on another branch it is not what anybody looked at."""
    head = hub.push_head(NO_PARCELS, branch="parked")
    hub.api.history.wait(3600)
    hub.developer.git("branch", "--force", "feature", head)
    hub.api.history.move(hub.api.repository, "refs/heads/feature", "e" * 40)
    hub.api.history.wait(3600)
    hub.api.history.move(hub.api.repository, "refs/heads/feature", head)
    hub.api.pulls[PULL]["head"]["ref"] = "feature"
    hub.api.history.wait(5)

    assert red(hub.labelled(capsys, head, WRITER))


@pytest.mark.parametrize("known", [[], [OLDER_MOVE]], ids=["none", "an older one"])
def test_row_8_a_push_that_github_does_not_show_yet_is_no_old_head(known: Any, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    hub.api.history.moves[hub.api.repository, "refs/heads/feature"][:] = known

    assert red(hub.labelled(capsys, head, WRITER))
    assert "GitHub's list of pushes does not show this head" in hub.api.bodies(PULL)[0]


def test_row_8_the_branch_of_a_fork_is_looked_up_there(hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    hub.api.history.wait(3600)
    hub.api.pulls[PULL]["head"]["repo"] |= {"full_name": "mallory/shop"}
    hub.api.history.move("mallory/shop", "refs/heads/feature", head)

    assert red(hub.labelled(capsys, head, WRITER))

    hub.api.history.wait(60)
    assert green(hub.labelled(capsys, head, WRITER))


# --- row 9: who -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "counts"),
    [("admin", True), ("maintain", True), ("write", True), ("triage", False), ("read", False), ("none", False)],
)
def test_row_9_only_who_may_push_may_accept(role: str, counts: bool, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    hub.api.history.permissions["wilma"] = role

    job = hub.labelled(capsys, head, WRITER)

    assert (green(job), red(job)) == (counts, not counts)


@pytest.mark.parametrize("who", ["bot", "organization", "app for a person"])
def test_row_9_a_program_may_not(who: str, hub: Hub, capsys: Capture) -> None:
    """Whatever it may do otherwise: a labeller follows what a pull request holds."""
    head = settled(hub)
    kinds = {"bot": ("wilma[bot]", "Bot"), "organization": ("wilma", "Organization")}
    hub.api.history.permissions["wilma[bot]"] = "admin"

    assert red(hub.labelled(capsys, head, kinds.get(who, WRITER), app=APP if who == "app for a person" else None))
    assert "a program put it on" in hub.api.bodies(PULL)[0]


@pytest.mark.parametrize("name", ["ci-eval: Accept", "ci-eval: accept!", "not ci-eval: accept", "ci-eval: ассept"])
def test_row_9_a_look_alike_is_no_acceptance(name: str, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)

    assert red(hub.labelled(capsys, head, WRITER, name))
    assert hub.api.labels(PULL) == [name], "nor is it ours to take off"


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
def test_row_9_what_github_does_not_answer_is_a_no(nth: int, hub: Hub, capsys: Capture) -> None:
    """The pull request, its history, the permission, the pushes; and the pull request again."""
    head = settled(hub)
    hub.api.order("GET", nth, 403)

    job = hub.labelled(capsys, head, WRITER)

    assert red(job)
    assert "Not accepted" in job.summary or "does not count" in job.summary


def test_row_9_a_permission_of_somebody_else_is_not_theirs(hub: Hub, capsys: Capture) -> None:
    """A login may have another owner by the time that it is looked up."""
    head = settled(hub)
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    hub.api.users["wilma"] = ("walter", "User")
    hub.api.history.permissions["walter"] = "admin"

    assert red(hub.label_event(capsys, head, sender))


def test_row_9_who_lost_the_permission_meanwhile_has_accepted_nothing_in_a_queue(hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    assert green(hub.labelled(capsys, head, WRITER))
    hub.api.history.permissions["wilma"] = "read"

    assert red(hub.merge_group(capsys, hub.developer.git("rev-parse", "main")))


def test_row_9_another_label_of_a_writer_lends_nothing_to_that_of_a_triager(hub: Hub, capsys: Capture) -> None:
    """The triager's could not be taken off, and the writer's came later."""
    settled(hub)
    hub.api.label(PULL, ACCEPT, ("tria", "User"))
    hub.api.history.wait(10)
    hub.api.label(PULL, "documentation", WRITER)

    assert red(hub.merge_group(capsys, hub.developer.git("rev-parse", "main")))


def test_row_9_nobody_accepts_what_is_not_known(hub: Hub, capsys: Capture) -> None:
    """Returns are lost to an outage: whether courtesy broke there is not known, and routing fell all the same."""
    head = settled(hub)
    hub.model.behaviour = lambda asked: fails(500, "no") if "return" in asked.user else answers(asked)

    assert red(hub.labelled(capsys, head, WRITER))
    assert hub.api.labels(PULL) == []
    assert "beside the regression something is inconclusive" in hub.api.bodies(PULL)[0]


def test_row_9_an_outage_is_not_accepted(hub: Hub, capsys: Capture) -> None:
    head = settled(hub)

    job = hub.label_event(capsys, head, hub.api.label(PULL, ACCEPT, WRITER), DESK_KEY="")

    assert (job.code, job.outputs["verdict"], hub.api.labels(PULL)) == (3, "inconclusive", [])
    assert "there is no verdict yet" in job.summary


# --- rows 16 and 18: identities, malformed events ---------------------------------------------------------------------


def test_row_16_an_actor_or_sender_is_nobody_s_permission(hub: Hub, capsys: Capture) -> None:
    """The runner names a writer, the payload's sender has a writer's name: asked is about who GitHub says did it."""
    head = settled(hub)
    sender = hub.api.label(PULL, ACCEPT, ("tria", "User"))

    forged = hub.label_event(capsys, head, sender | {"login": "wilma", "type": "User"}, GITHUB_ACTOR="wilma")

    assert red(forged)
    assert "`tria`" in hub.api.bodies(PULL)[0]


@pytest.mark.parametrize("sender", [None, [], {"id": None}, {"id": "1"}, {"id": -1}, "wilma"])
def test_row_18_a_label_without_somebody_is_refused_in_one_line(sender: Any, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    hub.api.label(PULL, ACCEPT, WRITER)

    job = hub.label_event(capsys, head, sender)

    assert (job.code, hub.model.calls) == (2, 0)
    assert len([line for line in job.out.splitlines() if line.startswith("ci-eval: ")]) == 1
    assert "is not one that GitHub sends" in job.out


@pytest.mark.parametrize(
    "change",
    [
        {"created_at": "yesterday"},
        {"created_at": "2026-05-04T10:20:30"},
        {"created_at": 17},
        {"actor": {"id": 1, "login": "../../admin", "type": "User"}},
        {"actor": None},
        {"label": {"name": None}},
    ],
)
def test_row_18_a_history_that_cannot_be_read_is_no_acceptance(change: Any, hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    sender = hub.api.label(PULL, ACCEPT, WRITER)
    hub.api.history.events[PULL][-1] |= change

    assert red(hub.label_event(capsys, head, sender))
    hub.api.violations.clear()  # GitHub would not answer so


# --- row 41: again until it is green ----------------------------------------------------------------------------------


def test_row_41_the_attempt_stands_in_the_report(hub: Hub, capsys: Capture) -> None:
    head = settled(hub)
    first = hub.pull_request(capsys, head)
    second = hub.pull_request(capsys, head, GITHUB_RUN_ATTEMPT="3")

    results = hub.folder / f"workspace-{hub.runs}" / second.outputs["results-path"]
    assert "Attempt" not in first.summary
    assert "Attempt 3 of this job" in second.summary
    assert "Attempt 3 of this job" in hub.api.bodies(PULL)[0]
    assert json.loads(results.read_bytes())["attempt"] == 3


def test_row_41_an_accepted_run_does_not_make_the_next_one_green(hub: Hub, capsys: Capture) -> None:
    """Whichever run of this head is started again."""
    head = settled(hub)
    assert green(hub.labelled(capsys, head, WRITER))

    assert red(hub.pull_request(capsys, head, action="opened", GITHUB_RUN_ATTEMPT="2"))


APP = {
    "id": 1,
    "node_id": "A",
    "owner": {
        "login": "octo-org",
        "id": 1,
        "node_id": "O",
        "type": "Organization",
        "site_admin": False,
        "gravatar_id": "",
        **{
            f"{part}url": "https://api.github.com/"
            for part in (
                *("", "avatar_", "html_", "received_events_", "followers_", "following_", "gists_", "starred_"),
                *("subscriptions_", "organizations_", "repos_", "events_"),
            )
        },
    },
    "name": "labels for you",
    "description": None,
    "external_url": "https://example.com",
    "html_url": "https://github.com/apps/labels",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "permissions": {},
    "events": [],
}
