"""GitHub as a job sees it, and a developer who pushes to it: merge commits, the API, git over HTTP, a model."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import webhooks
from git_over_http import GitServer
from github_history import User, label_json
from github_standin import DATA, TOKEN, StandIn
from openai_server import OpenAIServer
from parcel_desk import CONFIG, FILES, KEY, KEY_ENV, TRIAGE_PROMPT, Files, Repository, answers, edited

from ci_eval.cli.progress import Silent
from ci_eval.errors import EXIT_CANCELLED
from ci_eval.github.client import GitHub
from ci_eval.github.environment import Token
from ci_eval.github.event import ACCEPT
from ci_eval.github.job import run_on_github

PULL = 7
NO_PARCELS = edited(TRIAGE_PROMPT, "* parcels\n", "")
"""Breaks two of four cases: routing falls by 50 points."""
HARMLESS = edited(TRIAGE_PROMPT, "You route", "You route all")


def without_pauses(api_url: str, repository: str, token: Token) -> GitHub:
    return GitHub(api_url, repository, token, 0, 0, 0)


@dataclass(frozen=True)
class Job:
    """What a job left behind."""

    code: int
    out: str
    outputs: dict[str, str]
    summary: str
    environ: Mapping[str, str]
    """The environment afterwards."""


@dataclass
class Hub:
    """GitHub as a job sees it, and a developer who pushes to it."""

    folder: Path
    api: StandIn
    remote: GitServer
    model: OpenAIServer
    developer: Repository
    runs: int = 0

    @property
    def bare(self) -> Path:
        return self.remote.root / self.api.repository

    def push_main(self, files: Files) -> str:
        """A commit on main, published; returns it."""
        self.developer.git("checkout", "--quiet", "main")
        sha = self.developer.commit(files)
        self._publish("main")
        self.api.history.move(self.api.repository, "refs/heads/main", sha)
        return sha

    def push_head(self, files: Files, branch: str = "feature", base: str = "main") -> str:
        """A commit of the pull request; and the merge commit that GitHub makes of it."""
        self.developer.git("checkout", "--quiet", "-B", branch, base)
        head = self.developer.commit(files)
        self.merge(branch)
        self.developer.git("push", "--quiet", "--force", "origin", f"{branch}:{branch}")
        self.api.history.move(self.api.repository, f"refs/heads/{branch}", head)
        self._head_is(branch, head)
        return head

    def merge(self, branch: str = "feature") -> None:
        """GitHub merges the pull request into main as it is now."""
        self.developer.git("checkout", "--quiet", "--detach", "main")
        self.developer.git("merge", "--quiet", "--no-ff", "--message=Merge", branch)
        self.developer.git("push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{PULL}/merge")
        self.developer.git("checkout", "--quiet", "main")

    def _head_is(self, branch: str, head: str) -> None:
        pull = self.api.pulls.get(PULL) or self.api.add_pull(PULL)
        repository = pull["head"]["repo"] | {"full_name": self.api.repository}
        pull["head"] |= {"sha": head, "ref": branch, "repo": repository}
        pull["base"] |= {"ref": "main"}

    def _publish(self, branch: str) -> None:
        self.developer.git("push", "--quiet", "--force", "origin", f"{branch}:{branch}")

    def checkout(self, ref: str, *, depth: int | None = None) -> Path:
        """What actions/checkout leaves: a clone with one commit checked out."""
        self.runs += 1
        workspace = Repository(self.folder / f"workspace-{self.runs}")
        workspace.folder.mkdir()
        workspace.git("init", "--quiet")
        limit = [f"--depth={depth}"] if depth else []
        wanted = (
            [f"+{ref}:refs/remotes/work"] if depth else ["+refs/*:refs/remotes/origin/*", f"+{ref}:refs/remotes/work"]
        )
        workspace.git("fetch", "--quiet", "--no-tags", *limit, f"file://{self.bare}", *wanted)
        workspace.git("checkout", "--quiet", "--detach", "refs/remotes/work")
        return workspace.folder

    def run(
        self,
        capsys: pytest.CaptureFixture[str],
        event: str,
        payload: Mapping[str, Any],
        workspace: Path,
        ref: str,
        **changes: str,
    ) -> Job:
        """One job. `changes` are further variables; a hyphen of an input is written as `__`."""
        runner = self.folder / f"runner-{self.runs}"
        runner.mkdir()
        (runner / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(runner / "event.json"),
            "GITHUB_SHA": Repository(workspace).git("rev-parse", "HEAD"),
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": self.api.repository,
            "GITHUB_REPOSITORY_ID": "186853002",
            "GITHUB_RUN_ID": str(9000 + self.runs),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW": "eval",
            "GITHUB_SERVER_URL": self.remote.url,
            "GITHUB_API_URL": self.api.api_url,
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_OUTPUT": str(runner / "output"),
            "GITHUB_STEP_SUMMARY": str(runner / "summary"),
            "INPUT_CONFIG": CONFIG,
            "INPUT_GITHUB-TOKEN": TOKEN,
            KEY_ENV: KEY,
            **{name.replace("__", "-"): value for name, value in changes.items()},
        }
        try:
            code = run_on_github(environ, Silent(), without_pauses)
        except KeyboardInterrupt:  # as the command does
            code = EXIT_CANCELLED
        captured = capsys.readouterr()
        lines = _text_of(runner / "output").splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        return Job(code, captured.out + captured.err, outputs, _text_of(runner / "summary"), environ)

    def pull_request(
        self,
        capsys: pytest.CaptureFixture[str],
        head: str,
        *,
        action: str = "opened",
        depth: int | None = None,
        **changes: str,
    ) -> Job:
        workspace = self.checkout(f"refs/pull/{PULL}/merge", depth=depth)
        payload = self.event(action, head)
        return self.run(capsys, "pull_request", payload, workspace, f"refs/pull/{PULL}/merge", **changes)

    def event(self, action: str, head: str) -> dict[str, Any]:
        """The payload of a pull request's event, with the labels that are on now."""
        payload = webhooks.payloads("pull_request", action)[-1] | {"number": PULL}
        labels = copy.deepcopy(self.api.pulls[PULL]["labels"])
        payload["pull_request"] |= {"number": PULL, "head": payload["pull_request"]["head"] | {"sha": head}}
        payload["pull_request"] |= {"labels": labels}
        return payload

    def labelled(
        self, capsys: pytest.CaptureFixture[str], head: str, by: User, name: str = ACCEPT, app: Any = None
    ) -> Job:
        """Somebody puts a label on, and the job that it starts."""
        sender = self.api.label(PULL, name, by, app)
        return self.label_event(capsys, head, sender, name)

    def label_event(
        self, capsys: pytest.CaptureFixture[str], head: str, sender: Any, name: str = ACCEPT, **changes: str
    ) -> Job:
        """The job of a label, as it is started, or started again later."""
        workspace = self.checkout(f"refs/pull/{PULL}/merge")
        payload = self.event("labeled", head) | {"label": label_json(name), "sender": sender}
        return self.run(capsys, "pull_request", payload, workspace, f"refs/pull/{PULL}/merge", **changes)

    def push(self, capsys: pytest.CaptureFixture[str], sha: str, **changes: str) -> Job:
        payload = json.loads((DATA / "webhooks/push.branch.json").read_text(encoding="utf-8"))
        payload |= {"ref": "refs/heads/main", "after": sha}
        payload["repository"]["default_branch"] = "main"
        return self.run(capsys, "push", payload, self.checkout("refs/heads/main"), "refs/heads/main", **changes)

    def merge_group(
        self, capsys: pytest.CaptureFixture[str], base: str, *, depth: int | None = None, **changes: str
    ) -> Job:
        """The queue's own branch is what it merged for the pull request."""
        workspace = self.checkout(f"refs/pull/{PULL}/merge", depth=depth)
        payload = json.loads((DATA / "webhooks/merge_group.checks_requested.json").read_text(encoding="utf-8"))
        payload["merge_group"] |= {"base_sha": base, "head_sha": Repository(workspace).git("rev-parse", "HEAD")}
        payload["merge_group"] |= {"head_ref": f"refs/heads/gh-readonly-queue/main/pr-{PULL}-{base}"}
        return self.run(capsys, "merge_group", payload, workspace, "refs/heads/gh-readonly-queue/main/pr-7", **changes)

    def schedule(self, capsys: pytest.CaptureFixture[str], **changes: str) -> Job:
        workspace = self.checkout("refs/heads/main")
        return self.run(capsys, "schedule", {"schedule": "17 3 * * *"}, workspace, "refs/heads/main", **changes)

    def dispatch(self, capsys: pytest.CaptureFixture[str], branch: str = "main", **changes: str) -> Job:
        payload = json.loads((DATA / "webhooks/workflow_dispatch.json").read_text(encoding="utf-8"))
        payload["repository"]["default_branch"] = "main"
        ref = f"refs/heads/{branch}"
        return self.run(capsys, "workflow_dispatch", payload, self.checkout(ref), ref, **changes)

    def baselines(self) -> list[str]:
        """The files of the baseline branch."""
        refs = Repository(self.bare).git("for-each-ref", "--format=%(refname:short)")
        if "ci-eval-baselines" not in refs.split():
            return []
        return Repository(self.bare).git("ls-tree", "-r", "--name-only", "ci-eval-baselines").split("\n")


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


@contextmanager
def opened(folder: Path) -> Iterator[Hub]:
    with ExitStack() as stack:
        api = stack.enter_context(StandIn())
        remote = stack.enter_context(GitServer(folder / "served", TOKEN))
        model = stack.enter_context(OpenAIServer(answers))
        bare = remote.root / api.repository
        bare.mkdir(parents=True)
        Repository(bare).git("init", "--quiet", "--bare", "--initial-branch=main")
        policy = FILES[CONFIG].replace("BASE_URL", model.base_url)
        developer = Repository.create(folder / "developer", {**FILES, CONFIG: policy})
        developer.git("remote", "add", "origin", str(bare))
        made = Hub(folder, api, remote, model, developer)
        made.push_main({})
        yield made
