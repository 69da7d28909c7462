"""One pull request from its opening to main: the comment, the job's summary and the baseline branch after each step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from github_hub import HARMLESS, NO_PARCELS, PULL, Hub, Job, opened
from openai_server import Answer, Asked
from parcel_desk import Files, answers

from ci_eval.github.event import ACCEPT

WRITER, STRANGER = ("wilma", "User"), ("mallory", "User")
RED = "### ❌ Regression: `routing` fell by 50.0 points (limit 1)"
GREEN = "### ✅ Pass: no dimension fell by 1 point or more, and no case broke in `courtesy`"
TALK = 150
BOTH = {**NO_PARCELS, "src/checkout.ts": "export const vat = 0.07\n"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        made.api.history.permissions["wilma"] = "write"
        yield made


@dataclass
class Life:
    """A pull request on GitHub, and what is told of it."""

    hub: Hub
    capsys: pytest.CaptureFixture[str]
    stored: list[str] = field(default_factory=list)

    def push(self, files: Files) -> str:
        """A new head in the old one's place; some minutes later."""
        head = self.hub.push_head(files)
        self.hub.api.history.wait(120)
        return head

    def run(self, head: str, action: str = "synchronize", **changes: Any) -> Job:
        return self.hub.pull_request(self.capsys, head, action=action, **changes)

    def report(self) -> str:
        """The one comment of ours, wherever it stands; what others said is all there."""
        mine = [body for body in self.hub.api.bodies(PULL) if body.startswith("<!-- ci-eval:")]
        assert len(mine) == 1
        assert self.hub.api.requests.count(f"POST /repos/{self.hub.api.repository}/issues/{PULL}/comments") == 1
        return mine[0]

    def tells(self, job: Job, head: str, line: str) -> str:
        """Comment and summary say this of this head, and main's memory is as it was; returns the comment."""
        marker, first, *_ = self.report().split("\n")
        assert (first, job.summary.split("\n")[0]) == (line, line)
        assert f" sha={head} run={job.environ['GITHUB_RUN_ID']}.{job.environ['GITHUB_RUN_ATTEMPT']} -->" in marker
        assert job.outputs["comment-url"].endswith("#issuecomment-1001")
        assert self.hub.baselines() == self.stored
        return self.report()

    def once_asked(self, happens: Callable[[], object]) -> None:
        """Something happens while a model is asked."""
        waiting = [happens]

        def behaviour(asked: Asked) -> Answer:
            if waiting:
                waiting.pop()()
            return answers(asked)

        self.hub.model.behaviour = behaviour


def test_the_life_of_a_pull_request(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    life = Life(hub, capsys)
    assert hub.push(capsys, hub.push_main({})).code == 0
    life.stored = hub.baselines()
    assert len(life.stored) == 2

    head = life.push(NO_PARCELS)
    job = life.run(head, "opened")
    assert job.code == 1
    assert "main's stored baseline" in life.tells(job, head, RED)

    head = life.push(HARMLESS)
    job = life.run(head)
    assert job.code == 0
    life.tells(job, head, GREEN)

    _pushed_to_while_a_run_is_under_way(life)
    _two_runs_of_one_head(life)
    _others_talk(life)
    _cancelled(life)
    head = _accepted(life)
    _merged(life, head)


def _pushed_to_while_a_run_is_under_way(life: Life) -> None:
    """The older run finds a newer head when it is done, and leaves the comment to the run of that one."""
    newer: list[tuple[str, Job]] = []
    old = life.push(NO_PARCELS)

    def force_push() -> None:
        head = life.push(HARMLESS)
        newer.append((head, life.run(head)))

    life.once_asked(force_push)
    older = life.run(old)

    ((head, job),) = newer
    assert (older.code, older.outputs["verdict"], job.code) == (3, "inconclusive", 0)
    assert "newer head" in older.summary
    assert "comment-url" not in older.outputs
    life.tells(job, head, GREEN)


def _two_runs_of_one_head(life: Life) -> None:
    """A title is edited while the run of the push is under way, and its run is done first: it has the last word."""
    newer: list[Job] = []
    head = life.push(NO_PARCELS)
    life.once_asked(lambda: newer.append(life.run(head, "edited")))
    older = life.run(head)

    (job,) = newer
    assert (older.code, job.code) == (1, 1)
    assert "a newer run has reported already" in older.out
    life.tells(job, head, RED)


def _others_talk(life: Life) -> None:
    before = life.report()
    for number in range(TALK):
        life.hub.api.add_comment(PULL, before if number == 30 else f"What about {number}?", STRANGER)
    said = life.hub.api.bodies(PULL)[1:]

    head = life.push(HARMLESS)
    job = life.run(head)

    assert job.code == 0
    assert life.hub.api.bodies(PULL)[1:] == said
    del life.hub.api.issues[PULL][31]  # what a stranger copied of ours
    life.tells(job, head, GREEN)


def _cancelled(life: Life) -> None:
    """It says so, over what was green; and it is started once more."""
    head = life.push(NO_PARCELS)
    main_thread = threading.main_thread().ident
    assert main_thread
    life.once_asked(lambda: signal.pthread_kill(main_thread, signal.SIGINT))
    job = life.run(head)

    assert (job.code, job.outputs["verdict"]) == (130, "inconclusive")
    life.tells(job, head, "### ⚠️ Inconclusive: the run was cancelled before it could judge")

    again = life.run(head, GITHUB_RUN_ID=job.environ["GITHUB_RUN_ID"], GITHUB_RUN_ATTEMPT="2")
    assert again.code == 1
    told = "Attempt 2 of this job; nothing of an earlier one counts here."
    assert told in life.tells(again, head, RED)
    assert told in again.summary


def _accepted(life: Life) -> str:
    head = life.push(BOTH)
    job = life.hub.labelled(life.capsys, head, WRITER)

    assert (job.code, life.hub.api.labels(PULL)) == (0, [ACCEPT])
    line = "### ☑️ Accepted: `routing` fell by 50.0 points (limit 1); taken on by `wilma`"
    assert "Accepted by `wilma`" in life.tells(job, head, line)
    return head


def _merged(life: Life, head: str) -> None:
    """Main remembers itself as it is now; what was said in the pull request stays."""
    said = life.hub.api.bodies(PULL)
    main = life.hub.push_main(BOTH)

    closed = life.run(head, "closed")
    assert (closed.code, closed.out) == (0, "ci-eval: nothing to do: the pull request is closed\n")
    assert life.hub.baselines() == life.stored

    pushed = life.hub.push(life.capsys, main)
    assert pushed.code == 0
    assert "Stored as main's baseline." in pushed.summary
    new = [path for path in life.hub.baselines() if path not in life.stored]
    assert len(new) == len(life.hub.baselines()) - len(life.stored) == 2
    assert life.hub.api.bodies(PULL) == said
    assert len(said) == TALK
