"""GitHub's runner, as far as a container action meets it: the checkout, the variables, the folders, `docker run`.

Variables and mounts are those of a job's log (and of actions/runner, `ContainerActionHandler`). Left out is the mount
of the host's Docker socket, which no action should need.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RUNTIME_TOKEN = "runtime-token-0123456789"  # noqa: S105
RUN_ID = 9_000_000_001
OTHER_UID = 1001
"""The runner's own user on GitHub's machines; the container's is root."""

Json = dict[str, Any]

_GIT = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull} | {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Mona"), ("EMAIL", "mona@example.com"))
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, env=_GIT, check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Site:
    """Where GitHub is, and which repository this is about."""

    api_url: str
    server_url: str
    repository: str
    repository_id: int
    token: str

    @property
    def clone_url(self) -> str:
        return f"{self.server_url}/{self.repository}"

    @property
    def git_header(self) -> str:
        """What actions/checkout has git send."""
        basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        return f"http.{self.server_url}/.extraheader=AUTHORIZATION: Basic {basic}"


@dataclass(frozen=True)
class Event:
    name: str
    sha: str
    ref: str
    payload: Json


@dataclass(frozen=True)
class Finished:
    """What is left of a step."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str
    seconds: float
    workspace: Path


@dataclass(frozen=True)
class Machine:
    """One job's machine, with the folders that the runner mounts into every container action."""

    folder: Path

    def checkout(self, site: Site, ref: str, sha: str, *, depth: int = 0) -> None:
        """What actions/checkout does, with `persist-credentials: false`; depth 0 is everything."""
        workspace = self._made("workspace")
        local = ref.replace("refs/heads/", "refs/remotes/origin/").replace("refs/pull/", "refs/remotes/pull/")
        everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        how, wanted = ([f"--depth={depth}"], []) if depth else ([], everything)
        if depth or not ref.startswith("refs/heads/"):
            wanted = [*wanted, f"+{sha}:{local}"]
        git(workspace, "init", "--quiet")
        git(workspace, "remote", "add", "origin", site.clone_url)
        git(workspace, "-c", site.git_header, "fetch", "--quiet", "--no-tags", "--prune", *how, "origin", *wanted)
        git(workspace, "checkout", "--quiet", "--force", local)

    def step(
        self,
        image: str,
        site: Site,
        event: Event,
        *,
        attempt: int = 1,
        inputs: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run the action as a step and wait for it; `variables` are the step's `env`."""
        files = self._files(event)
        started = time.monotonic()
        with self.start(image, site, event, attempt=attempt, inputs=inputs, variables=variables) as running:
            log, _ = running.communicate(timeout=300)
        seconds = time.monotonic() - started
        outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
        summary = files["GITHUB_STEP_SUMMARY"].read_text()
        assert files["GITHUB_ENV"].read_text() == files["GITHUB_PATH"].read_text() == ""
        return Finished(running.returncode, log, outputs, summary, seconds, self.folder / "workspace")

    def start(
        self,
        image: str,
        site: Site,
        event: Event,
        *,
        attempt: int = 1,
        inputs: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        self._files(event)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{OTHER_UID}:{OTHER_UID}", self.folder], check=True)
        variables = {**_inputs(site, inputs or {}), **(variables or {}), **_variables(site, event, attempt)}
        mounts = {
            "runner_temp": "temp",
            "home": "home",
            "workflow": "workflow",
            "file_commands": "file_commands",
            "workspace": "workspace",
        }
        command = ["docker", "run", "--label", "6a6825", "--workdir", "/github/workspace", "--rm", "--network", "host"]
        for name in variables:
            command += ["-e", name]
        for inside, outside in mounts.items():
            command += ["-v", f"{self._made(outside)}:/github/{inside}"]
        return subprocess.Popen(
            [*command, image],
            env={"PATH": os.environ["PATH"], **_of_docker(), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _files(self, event: Event) -> dict[str, Path]:
        """The event, and empty files for the step's commands."""
        (self._made("workflow") / "event.json").write_text(json.dumps(event.payload))
        commands = self._made("file_commands")
        files = {variable: commands / name for variable, name in _FILE_COMMANDS.items()}
        for file in files.values():
            file.write_text("")
        return files


_FILE_COMMANDS = {
    "GITHUB_OUTPUT": "set_output_8c6e",
    "GITHUB_STEP_SUMMARY": "step_summary_8c6e",
    "GITHUB_ENV": "set_env_8c6e",
    "GITHUB_PATH": "add_path_8c6e",
    "GITHUB_STATE": "save_state_8c6e",
}


def _of_docker() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("DOCKER_") or name == "HOME"}


def _inputs(site: Site, given: Mapping[str, str]) -> dict[str, str]:
    """Every input of action.yml: what the workflow gave, else its default, else nothing."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert given.keys() <= action["inputs"].keys()
    values = {name: str(each.get("default", "")) for name, each in action["inputs"].items()} | dict(given)
    return {
        f"INPUT_{name.upper().replace(' ', '_')}": value.replace("${{ github.token }}", site.token)
        for name, value in values.items()
    }


def _variables(site: Site, event: Event, attempt: int) -> dict[str, str]:
    pull = event.payload.get("pull_request")
    return {
        "HOME": "/github/home",
        "GITHUB_JOB": "ci-eval",
        "GITHUB_REF": event.ref,
        "GITHUB_SHA": event.sha,
        "GITHUB_REPOSITORY": site.repository,
        "GITHUB_REPOSITORY_OWNER": site.repository.partition("/")[0],
        "GITHUB_REPOSITORY_OWNER_ID": "583231",
        "GITHUB_RUN_ID": str(RUN_ID),
        "GITHUB_RUN_NUMBER": "12",
        "GITHUB_RETENTION_DAYS": "90",
        "GITHUB_RUN_ATTEMPT": str(attempt),
        "GITHUB_REPOSITORY_ID": str(site.repository_id),
        "GITHUB_ACTOR_ID": "2000",
        "GITHUB_ACTOR": "mona",
        "GITHUB_TRIGGERING_ACTOR": "mona",
        "GITHUB_WORKFLOW": "eval",
        "GITHUB_HEAD_REF": pull["head"]["ref"] if pull else "",
        "GITHUB_BASE_REF": pull["base"]["ref"] if pull else "",
        "GITHUB_EVENT_NAME": event.name,
        "GITHUB_SERVER_URL": site.server_url,
        "GITHUB_API_URL": site.api_url,
        "GITHUB_GRAPHQL_URL": f"{site.api_url}/graphql",
        "GITHUB_REF_NAME": event.ref.removeprefix("refs/heads/").removeprefix("refs/pull/").removeprefix("refs/"),
        "GITHUB_REF_PROTECTED": "false",
        "GITHUB_REF_TYPE": "branch",
        "GITHUB_WORKFLOW_REF": f"{site.repository}/.github/workflows/eval.yml@{event.ref}",
        "GITHUB_WORKFLOW_SHA": event.sha,
        "GITHUB_WORKSPACE": "/github/workspace",
        "GITHUB_ACTION": "__self",
        "GITHUB_EVENT_PATH": "/github/workflow/event.json",
        "GITHUB_ACTION_REPOSITORY": "",
        "GITHUB_ACTION_REF": "",
        **{variable: f"/github/file_commands/{name}" for variable, name in _FILE_COMMANDS.items()},
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64",
        "RUNNER_NAME": "GitHub Actions 2",
        "RUNNER_ENVIRONMENT": "github-hosted",
        "RUNNER_TOOL_CACHE": "/opt/hostedtoolcache",
        "RUNNER_TEMP": "/github/runner_temp",
        "RUNNER_WORKSPACE": "/home/runner/work/shop",
        "ACTIONS_RUNTIME_URL": "https://pipelinesghubeus1.actions.githubusercontent.com/x/",
        "ACTIONS_RUNTIME_TOKEN": RUNTIME_TOKEN,
        "ACTIONS_CACHE_URL": "https://acghubeus1.actions.githubusercontent.com/x/",
        "ACTIONS_RESULTS_URL": "https://results-receiver.actions.githubusercontent.com/",
        "GITHUB_ACTIONS": "true",
        "CI": "true",
    }
