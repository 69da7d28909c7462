"""The parcel desk's repository on GitHub, and a stranger with a fork of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from github_history import User
from github_hub import PULL, Hub, Job
from github_standin import DATA, PERSON
from parcel_desk import Files

FORK_ID = 424_242
FORKS = "forks"
"""The environment with required reviewers."""
Json = Any


def push_fork(hub: Hub, files: Files, base: str = "main") -> str:
    """A commit that GitHub's repository knows as the head of the pull request, and by no branch."""
    hub.developer.git("checkout", "--quiet", "-B", "stranger", base)
    head = hub.developer.commit(files)
    publish_head(hub, head)
    return head


def publish_head(hub: Hub, head: str) -> None:
    hub.developer.git("push", "--quiet", "--force", "origin", f"{head}:refs/pull/{PULL}/head")
    hub.developer.git("checkout", "--quiet", "--force", "main")


def pull_json(head: str, *, repository: Json = None, deleted: bool = False) -> Json:
    """The pull request as payloads and the API write it."""
    opened = json.loads((DATA / "webhooks/pull_request.opened.json").read_text(encoding="utf-8"))["pull_request"]
    owner = None if deleted else repository or {**opened["head"]["repo"], "id": FORK_ID, "fork": True}
    changes = {"sha": head, "repo": owner, "ref": "patch-1"}
    return {**opened, "number": PULL, "head": opened["head"] | changes, "base": opened["base"] | {"ref": "main"}}


def own(head: str) -> Json:
    """A pull request of the repository's own branch."""
    found = pull_json(head)
    return {**found, "head": found["head"] | {"repo": found["base"]["repo"]}}


def main_checked_out(hub: Hub) -> Path:
    return hub.checkout("refs/heads/main")


def stand(hub: Hub, pull: Json) -> None:
    """The pull request is open, and the environment asks for reviewers."""
    hub.api.pulls[PULL] = pull
    hub.api.add_environment(FORKS)


def as_data(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
    pull: Json,
    *,
    approved_by: User | None = PERSON,
    workspace: Path | None = None,
    action: str = "synchronize",
    **changes: str,
) -> Job:
    """A job of `pull_request_target`, by default with main checked out and approved."""
    workspace = workspace or main_checked_out(hub)
    if approved_by:
        hub.api.review(9000 + hub.runs, user=approved_by)
    payload: Mapping[str, Json] = {"action": action, "number": PULL, "pull_request": pull}
    return hub.run(capsys, "pull_request_target", payload, workspace, "refs/heads/main", **changes)


def on_pull_request(hub: Hub, capsys: pytest.CaptureFixture[str], pull: Json, **changes: str) -> Job:
    """A job of `pull_request`, which runs on the merge commit; GitHub makes it of the fork's head."""
    developer = hub.developer
    developer.git("checkout", "--quiet", "--detach", "main")
    developer.git("merge", "--quiet", "--no-ff", "--message=Merge", pull["head"]["sha"])
    developer.git("push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{PULL}/merge")
    developer.git("checkout", "--quiet", "main")
    workspace = hub.checkout(f"refs/pull/{PULL}/merge")
    payload = {"action": "opened", "number": PULL, "pull_request": pull}
    return hub.run(capsys, "pull_request", payload, workspace, f"refs/pull/{PULL}/merge", **changes)


def files_of(workspace: Path) -> dict[str, bytes]:
    """What lies in a checkout, beside git's own folder and what the job reports."""
    found = (path for path in workspace.rglob("*") if path.is_file())
    named = {str(path.relative_to(workspace)): path for path in found}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith((".git/", ".ci-eval-"))}
