"""The image, run as GitHub's runner runs it, on a real engine: `make container-test`.

GitHub is two servers on loopback: the API's stand-in of `tests/integration`, and a git server. Everything else is
real: the checkout, the merge commit, the payload, `docker run`. Its name keeps it out of a plain `pytest`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from actions_runner import OTHER_UID, ROOT, RUN_ID, RUNTIME_TOKEN, Event, Finished, Machine, Site, git

from ci_eval import __version__
from ci_eval.cli.scenarios import PROMPT, SCENARIOS, Files

sys.path.insert(0, str(ROOT / "tests/integration"))
from git_over_http import GitServer
from github_standin import DATA, TOKEN, StandIn
from model_server import Answer, Asked, ModelServer
from openai_server import OpenAIServer, says

IMAGE = "ci-eval:container-test"
REPOSITORY_ID = 186853002
FORK_ID = 424_242
PULL = 7
STORE = "refs/heads/ci-eval-baselines"
Say = Callable[[str], None]


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Say:
    """Prints though pytest captures: sizes and times are what a person wants to see of a run."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def speak(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n  {line}", end="", flush=True)

    return speak


@pytest.fixture(scope="session")
def image(say: Say) -> str:
    base = re.search(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert base
    engine = subprocess.run([ROOT / "tests/container/engine.sh", base[1]], check=False, capture_output=True, text=True)
    say(engine.stdout.strip().replace("\n", "\n  "))
    assert engine.returncode == 0, engine.stderr
    started = time.monotonic()
    build = ["docker", "build", "--quiet", "--network", "host", "--tag", IMAGE, str(ROOT)]
    built = subprocess.run(build, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    say(f"built in {time.monotonic() - started:.0f} s")
    return IMAGE


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


# --- a repository on GitHub -------------------------------------------------------------------------------------------


@dataclass
class Hub:
    """A help desk's repository, its pull requests, and the machines of its jobs."""

    standin: StandIn
    server: GitServer
    folder: Path
    image: str
    files: Files
    """Main's."""

    @property
    def site(self) -> Site:
        return Site(self.standin.api_url, self.server.url, self.standin.repository, REPOSITORY_ID, TOKEN)

    @property
    def bare(self) -> Path:
        return self.server.root / self.standin.repository

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    def create(self) -> None:
        self.bare.mkdir(parents=True)
        git(self.bare, "init", "--quiet", "--bare")
        self.clone.mkdir()
        git(self.clone, "init", "--quiet")
        git(self.clone, "remote", "add", "origin", str(self.bare))
        self.commit(self.files, "The help desk")
        git(self.clone, "push", "--quiet", "origin", "main")

    def commit(self, files: Files, message: str) -> str:
        for path, text in files.items():
            (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / path).write_text(text, encoding="utf-8")
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", message)
        return git(self.clone, "rev-parse", "HEAD")

    def pull_request(self, scenario: str, number: int = PULL) -> Event:
        """A branch off main, opened as a pull request."""
        return self.open(edited(self.files, scenario), scenario, number)

    def open(self, files: Files, title: str, number: int = PULL) -> Event:
        """The pull request of some files, merged as GitHub merges for a check: parents base and head, in that order."""
        branch = f"change-{number}"
        git(self.clone, "checkout", "--quiet", "-B", branch, "main")
        head = self.commit(files, title)
        git(self.clone, "push", "--quiet", "--force", "origin", branch, f"{branch}:refs/pull/{number}/head")
        git(self.clone, "checkout", "--quiet", "main")
        base = git(self.clone, "rev-parse", "main")
        tree = git(self.bare, "merge-tree", "--write-tree", base, head)
        merge = git(self.bare, "commit-tree", "-p", base, "-p", head, "-m", f"Merge {head} into {base}", tree)
        git(self.bare, "update-ref", f"refs/pull/{number}/merge", merge)
        return Event("pull_request", merge, f"refs/pull/{number}/merge", self._opened(number, branch, head, base))

    def fork(self, files: Files, number: int = PULL) -> Event:
        """A stranger's pull request: its head is another repository's, and here no branch's."""
        event = self.open(files, "From a fork", number)
        git(self.bare, "update-ref", "-d", f"refs/heads/change-{number}")
        pull = event.payload["pull_request"]
        pull["head"]["repo"] = self._repository() | {"id": FORK_ID, "full_name": "stranger/shop", "fork": True}
        self.standin.add_pull(number, head=pull["head"], base=pull["base"])
        return event

    def on_main(self, event: Event) -> Event:
        """The same pull request as a job of main's own workflow gets it."""
        main = git(self.clone, "rev-parse", "main")
        return Event("pull_request_target", main, "refs/heads/main", event.payload)

    def queued(self, event: Event) -> Event:
        """The same pull request in a merge queue, which has merged it on a branch of its own."""
        base = git(self.clone, "rev-parse", "main")
        ref = f"refs/heads/gh-readonly-queue/main/pr-{PULL}-{base}"
        git(self.bare, "update-ref", ref, event.sha)
        payload = webhook("merge_group.checks_requested") | {"repository": self._repository()}
        payload["merge_group"] |= {"base_sha": base, "head_sha": event.sha, "head_ref": ref}
        return Event("merge_group", event.sha, ref, payload)

    def merge(self, files: Files, message: str) -> None:
        """Something else lands on main."""
        self.commit(files, message)
        git(self.clone, "push", "--quiet", "origin", "main")

    def push(self) -> Event:
        """The push that brought main where it is."""
        sha = git(self.clone, "rev-parse", "main")
        payload = webhook("push.branch") | {"ref": "refs/heads/main", "after": sha, "repository": self._repository()}
        return Event("push", sha, "refs/heads/main", payload)

    def dispatch(self) -> Event:
        sha = git(self.clone, "rev-parse", "main")
        payload = webhook("workflow_dispatch") | {"ref": "refs/heads/main", "repository": self._repository()}
        return Event("workflow_dispatch", sha, "refs/heads/main", payload)

    def machine(self, event: Event, *, depth: int = 0) -> Machine:
        """A fresh machine with a checkout."""
        folder = self.folder / f"machine-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        machine = Machine(folder)
        machine.checkout(self.site, event.ref, event.sha, depth=depth)
        return machine

    def run(self, event: Event, *, attempt: int = 1, depth: int = 0, **inputs: str) -> Finished:
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        done = self.machine(event, depth=depth).step(self.image, self.site, event, attempt=attempt, inputs=given)
        for secret in (TOKEN, RUNTIME_TOKEN):
            assert secret not in done.log + done.summary
        return done

    def comments(self) -> list[str]:
        return self.standin.bodies(PULL)

    def _repository(self) -> dict[str, Any]:
        example = webhook("pull_request.opened")["repository"]
        name = self.standin.repository
        return {**example, "id": REPOSITORY_ID, "full_name": name, "default_branch": "main"}

    def _opened(self, number: int, branch: str, head: str, base: str) -> dict[str, Any]:
        payload = webhook("pull_request.opened")
        payload |= {"number": number, "repository": self._repository()}
        pull = payload["pull_request"]
        pull["number"] = number
        pull["head"] |= {"ref": branch, "sha": head, "repo": self._repository()}
        pull["base"] |= {"ref": "main", "sha": base, "repo": self._repository()}
        return payload


def webhook(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / f"webhooks/{name}.json").read_text(encoding="utf-8"))
    return loaded


def help_desk() -> Files:
    paths = [ROOT / "ci-eval.yaml", *(path for path in (ROOT / "golden").rglob("*") if path.is_file())]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def small_desk() -> Files:
    """The help desk with one file of cases, for tests that are about something else than the verdict."""
    unused = re.compile(r"golden/helpdesk/cases/(?!backup\.)")
    return {path: text for path, text in help_desk().items() if not unused.match(path)}


def edited(files: Files, scenario: str) -> Files:
    """The files as a pull request of the demo leaves them."""
    after = dict(files)
    next(each for each in SCENARIOS if each.name == scenario).edit(after, frozenset())
    return after


@pytest.fixture
def create(tmp_path: Path, image: str) -> Iterator[Callable[[Files], Hub]]:
    with StandIn() as standin, GitServer(tmp_path / "repositories", TOKEN) as server:

        def made(files: Files) -> Hub:
            hub = Hub(standin, server, tmp_path, image, files)
            hub.create()
            return hub

        yield made
    if os.geteuid() != 0:  # what root wrote in the container is ours to clear away
        owner = f"{os.getuid()}:{os.getgid()}"
        docker("run", "--rm", "-v", f"{tmp_path}:/made", "--entrypoint", "chown", image, "-R", owner, "/made")


@pytest.fixture
def hub(create: Callable[[Files], Hub]) -> Hub:
    return create(small_desk())


@pytest.fixture
def whole_hub(create: Callable[[Files], Hub]) -> Hub:
    return create(help_desk())


def first_visible_line(comment: str) -> str:
    return next(line for line in comment.splitlines() if line and not line.startswith("<!--"))


# --- the image --------------------------------------------------------------------------------------------------------


def test_the_image_says_its_version_at_once(image: str, say: Say) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image))
    started = time.monotonic()
    answer = docker("run", "--rm", image, "--version")
    seconds = time.monotonic() - started

    say(f"the image weighs {size / 1e6:.0f} MB; --version took {seconds:.2f} s")
    assert answer == f"ci-eval, version {__version__}"
    assert seconds < 5


def test_nothing_is_fetched_while_it_runs(image: str) -> None:
    """The whole way with every model, and no network at all."""
    shown = docker("run", "--rm", "--network", "none", image, "demo", "--quiet")

    assert all(re.search(rf"^{each.name} .*\b{each.expected}\b", shown, re.MULTILINE) for each in SCENARIOS)


def test_the_first_call_comes_soon_after_the_start(create: Callable[[Files], Hub], say: Say) -> None:
    """From `docker run` until a provider is asked: the engine, two starts of Python, the policy, git."""
    came: list[float] = []

    def note(_: Asked) -> Answer:
        came.append(time.monotonic())
        return Answer(500, {})

    with ModelServer(note) as server:
        hub = create(one_case(f"{{api: openai, base_url: '{server.url}/v1', max_concurrency: 1}}"))
        repository = ["--network", "host", "-v", f"{hub.clone}:/repo:ro", "--workdir", "/repo"]
        run = ["run", "--quiet", "--no-cache", "--ref", "HEAD", "-o", "/tmp/run.jsonl"]  # noqa: S108 - the container's own
        took = []
        for _ in range(5):
            came.clear()
            started = time.monotonic()
            subprocess.run(["docker", "run", "--rm", *repository, hub.image, *run], capture_output=True, check=False)
            took.append(came[0] - started)
    say(f"from docker run to the first call: {statistics.median(took):.2f} s, at best {min(took):.2f} s")


def one_case(provider: str) -> Files:
    return {
        "ci-eval.yaml": f"version: 1\nproviders: {{house: {provider}}}\nsuites:\n  s:\n"
        "    target: {prompt: p.md, model: m.yaml}\n    golden: g.jsonl\n    scorers: [{type: exact}]\n",
        "p.md": "Answer.\n",
        "m.yaml": "provider: house\nmodel: m\n",
        "g.jsonl": '{"id": "one", "input": "x", "expected": "y"}\n',
    }


# --- pull requests ----------------------------------------------------------------------------------------------------


def test_a_damaged_prompt_fails_and_is_answered_in_the_pull_request(whole_hub: Hub, say: Say) -> None:
    done = whole_hub.run(whole_hub.pull_request("damaged-prompt"))

    say(f"damaged prompt, base evaluated too: {done.seconds:.1f} s")
    assert done.code == 1, done.log
    assert len(whole_hub.comments()) == 1
    comment = whole_hub.comments()[0]
    assert re.match(r"<!-- ci-eval:[0-9a-f]{16} sha=[0-9a-f]{40} run=9000000001\.1 -->\n", comment)
    assert "regression" in first_visible_line(comment).lower()
    assert re.search(r"^\| `?output_quality`? .*\|$", comment, re.MULTILINE)
    assert done.outputs["verdict"] == "regression"
    assert done.outputs["worst-dimension"] == "output_quality"
    assert float(done.outputs["worst-drop"]) > 1
    assert re.fullmatch(r"https://github\.com/octo-org/shop/pull/7#issuecomment-\d+", done.outputs["comment-url"])
    assert "regression" in first_visible_line(done.summary).lower()
    assert re.search(rf"^::error file={PROMPT},line=[0-9]+::ci-eval: .*output_quality fell", done.log, re.MULTILINE)


def test_later_steps_find_the_report_and_may_read_it(hub: Hub) -> None:
    done = hub.run(hub.pull_request("damaged-prompt"))

    files = [done.workspace / done.outputs[name] for name in ("report-path", "results-path")]
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in files)
    assert all(folder.stat().st_mode & 0o555 == 0o555 for file in files for folder in file.parents[:1])
    assert json.loads(files[1].read_text(encoding="utf-8"))["verdict"] == "regression"


def test_a_harmless_edit_passes(whole_hub: Hub, say: Say) -> None:
    done = whole_hub.run(whole_hub.pull_request("harmless-edit"))

    say(f"harmless edit, base evaluated too: {done.seconds:.1f} s")
    assert (done.code, done.outputs["verdict"]) == (0, "pass"), done.log
    assert "pass" in first_visible_line(whole_hub.comments()[0]).lower()


def test_an_unrelated_change_passes_in_seconds(hub: Hub, say: Say) -> None:
    done = hub.run(hub.pull_request("unrelated"))

    say(f"unrelated change, with its comment: {done.seconds:.1f} s")
    assert (done.code, done.outputs["verdict"]) == (0, "pass"), done.log
    assert "nothing that ci-eval watches changed" in first_visible_line(hub.comments()[0])
    assert done.seconds < 15


def test_a_second_run_edits_the_comment_of_the_first(hub: Hub) -> None:
    first = hub.run(hub.pull_request("damaged-prompt"))
    second = hub.run(hub.pull_request("harmless-edit"), attempt=2)

    assert (first.code, second.code) == (1, 0)
    assert len(hub.comments()) == 1
    assert "run=9000000001.2 -->" in hub.comments()[0]
    assert "pass" in first_visible_line(hub.comments()[0]).lower()
    assert first.outputs["comment-url"] == second.outputs["comment-url"]


def test_a_checkout_of_the_merge_and_its_parents_is_enough(hub: Hub) -> None:
    assert hub.run(hub.pull_request("damaged-prompt"), depth=2).code == 1


def test_a_checkout_without_the_base_is_refused_with_what_to_write(hub: Hub) -> None:
    done = hub.run(hub.pull_request("harmless-edit"), depth=1)

    assert done.code == 2, done.log
    assert "fetch-depth: 0" in done.log
    assert done.outputs["verdict"] == "inconclusive"


def test_without_a_comment_the_verdict_is_the_same(hub: Hub) -> None:
    done = hub.run(hub.pull_request("damaged-prompt"), comment="off")

    assert (done.code, done.outputs["verdict"], hub.comments()) == (1, "regression", [])


def test_a_read_only_token_does_not_change_the_verdict(hub: Hub) -> None:
    """A fork's pull request: the comment is refused, the check is not."""
    done = hub.run(hub.pull_request("damaged-prompt"), github_token="ghs_ofafork0123456789")  # noqa: S106

    assert (done.code, done.outputs["verdict"], hub.comments()) == (1, "regression", [])
    assert "::warning::the comment was not posted" in done.log
    assert "regression" in first_visible_line(done.summary).lower()


def test_a_pull_request_named_by_hand_is_fetched_and_gated(hub: Hub) -> None:
    opened = hub.pull_request("damaged-prompt").payload["pull_request"]
    hub.standin.add_pull(PULL, head=opened["head"], base=opened["base"])

    done = hub.run(hub.dispatch(), pr_number=str(PULL))

    assert (done.code, done.outputs["verdict"]) == (1, "regression"), done.log
    assert len(hub.comments()) == 1


def test_a_merge_queue_s_group_is_judged_and_answered_in_the_summary(hub: Hub) -> None:
    done = hub.run(hub.queued(hub.pull_request("damaged-prompt")))

    assert (done.code, done.outputs["verdict"], hub.comments()) == (1, "regression", []), done.log
    assert "regression" in first_visible_line(done.summary).lower()
    assert "this group" in done.summary


# --- pull requests from forks -----------------------------------------------------------------------------------------

KEY = "sk-canary-7f3a9c51d0"


def hosted(server: OpenAIServer) -> Files:
    """One case, and a model that has to be given a key."""
    return one_case(f"{{api: openai, base_url: '{server.base_url}', key_env: HOUSE_KEY, max_concurrency: 1}}")


def obedient() -> OpenAIServer:
    """A model that is right as long as it is asked as main asks."""
    return OpenAIServer(lambda asked: says("y" if asked.system.startswith("Answer.") else "n"))


def test_a_fork_gets_no_key_and_is_told_what_a_maintainer_can_do(create: Callable[[Files], Hub]) -> None:
    """GitHub gives it no secrets, and a token that writes nothing."""
    with obedient() as server:
        hub = create(hosted(server))
        hub.standin.order("POST", 1, 403)
        done = hub.run(hub.fork({"p.md": "Guess.\n"}))

        assert (done.code, done.outputs["verdict"], server.calls) == (3, "inconclusive", 0), done.log
    assert (
        "a pull request from a fork: a maintainer must approve it; start the workflow with pr-number 7" in done.summary
    )
    assert "::warning::the comment was not posted" in done.log
    assert hub.comments() == []


def test_a_fork_that_changes_nothing_watched_passes_without_a_key(create: Callable[[Files], Hub]) -> None:
    with obedient() as server:
        hub = create(hosted(server))
        hub.standin.order("POST", 1, 403)
        done = hub.run(hub.fork({"NOTES.md": "A note.\n"}))

        assert (done.code, done.outputs["verdict"], server.calls) == (0, "pass", 0), done.log


@pytest.mark.parametrize("approved", [True, False])
def test_a_fork_is_judged_in_main_s_own_job_once_a_reviewer_approved_it(
    approved: bool, create: Callable[[Files], Hub]
) -> None:
    """`pull_request_target` behind an environment: the key is there, and nothing of the fork becomes a file."""
    with obedient() as server:
        hub = create(hosted(server))
        event = hub.on_main(hub.fork({"p.md": "Guess.\n", "requests.py": TRAP}))
        hub.standin.add_environment("forks")
        if approved:
            hub.standin.review(RUN_ID)
        machine = hub.machine(event)
        done = machine.step(hub.image, hub.site, event, variables={"HOUSE_KEY": KEY})

        asked = server.calls
    (comment,) = hub.comments()
    assert KEY not in done.log + done.summary + comment
    assert not any((done.workspace / name).exists() for name in ("requests.py", "NOTES.md"))
    assert (done.workspace / "p.md").read_text(encoding="utf-8") == "Answer.\n"
    if approved:
        assert (done.code, done.outputs["verdict"], asked > 0) == (1, "regression", True), done.log
        assert "regression" in first_visible_line(comment).lower()
    else:
        assert (done.code, done.outputs["verdict"], asked) == (3, "inconclusive", 0), done.log
        assert "a maintainer must approve this run, and nobody has" in comment


# --- main's baseline --------------------------------------------------------------------------------------------------


def test_a_push_to_main_is_remembered_and_spares_the_base(whole_hub: Hub, say: Say) -> None:
    pushed = whole_hub.run(whole_hub.push())

    say(f"push to main, stored: {pushed.seconds:.1f} s")
    assert (pushed.code, pushed.outputs["verdict"]) == (0, "pass"), pushed.log
    assert "Stored as main's baseline" in pushed.summary
    stored = git(whole_hub.bare, "ls-tree", "-r", "--name-only", STORE).splitlines()
    assert len(stored) == 1
    assert stored[0].startswith("runs/helpdesk/")

    judged = whole_hub.run(whole_hub.pull_request("damaged-prompt"))

    say(f"damaged prompt, base from the store: {judged.seconds:.1f} s")
    assert judged.code == 1, judged.log
    assert "main's stored baseline" in whole_hub.comments()[0]
    assert "base:" not in judged.log


def test_two_pushes_are_both_remembered(hub: Hub) -> None:
    hub.run(hub.push())
    hub.merge({"NOTES.md": "Something else.\n"}, "Unrelated")
    assert hub.run(hub.push()).code == 0

    assert len(git(hub.bare, "ls-tree", "-r", "--name-only", STORE).splitlines()) == 2


# --- the workspace is the pull request's ------------------------------------------------------------------------------

TRAP = "import pathlib; pathlib.Path('/github/runner_temp/sprung').touch(); raise SystemExit(0)\n"


def test_modules_in_the_workspace_are_not_imported(hub: Hub) -> None:
    """Threat 52. The container starts inside the workspace."""
    traps = ("requests", "click", "yaml", "json", "github", "sitecustomize", "usercustomize", "ci_eval/__init__")
    event = hub.open({f"{name}.py": TRAP for name in traps} | edited(hub.files, "damaged-prompt"), "Traps")
    machine = hub.machine(event)

    done = machine.step(hub.image, hub.site, event)

    assert done.code == 1, done.log
    assert not (machine.folder / "temp/sprung").exists()


# --- who ci-eval is in there ------------------------------------------------------------------------------------------


def as_ci_eval(image: str, code: str) -> str:
    """What a Python command says that is started as ci-eval itself is."""
    start = (
        "import sys; sys.executable = '/usr/local/bin/python3'; from ci_eval import container; "
        f"container._ours = lambda _: ['/usr/local/bin/python3', '-c', {code!r}]; sys.exit(container.main([], {{}}))"
    )
    return docker("run", "--rm", "--entrypoint", "/opt/ci-eval/bin/python", image, "-I", "-c", start)


def test_113_it_runs_without_rights_and_cannot_get_any(image: str) -> None:
    """Threat 113: a user that owns nothing, no group of root's, no capability, now or by starting something."""
    status = as_ci_eval(image, "print(open('/proc/self/status').read())")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    told = {name: fields[name].split() for name in ("Uid", "Gid", "Groups", "NoNewPrivs")}

    assert told == {"Uid": ["65532"] * 4, "Gid": ["65532"] * 4, "Groups": [], "NoNewPrivs": ["1"]}
    assert {int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


def test_113_nothing_in_the_image_can_be_changed_or_gives_rights(image: str) -> None:
    find = "find / -xdev -type f -perm /6000; find /opt /usr /etc /bin /sbin -xdev -writable ! -type l"
    look = ["sh", "-c", f"({find}) 2>/dev/null || true"]
    nobody = ["--user", "65532:65532", "--entrypoint", look[0]]

    assert docker("run", "--rm", *nobody, image, *look[1:]) == ""


def test_113_the_checkout_is_not_ours_and_what_we_write_is_the_runner_s(hub: Hub) -> None:
    """Who clears the workspace away has to be able to, on a machine of one's own too."""
    event = hub.pull_request("damaged-prompt")
    machine = hub.machine(event)
    workspace = machine.folder / "workspace"
    before = set(workspace.rglob("*"))

    done = machine.step(hub.image, hub.site, event)

    assert done.code == 1, done.log
    made = set(workspace.rglob("*")) - before
    assert {path.relative_to(workspace).parts[0][:9] for path in made} == {".ci-eval-"}
    assert {path.lstat().st_uid for path in (*workspace.rglob("*"), *(machine.folder / "file_commands").iterdir())} == {
        OTHER_UID
    }


def test_113_a_checkout_that_is_closed_to_others_is_judged_as_its_owner(hub: Hub) -> None:
    """A runner with umask 077."""
    event = hub.pull_request("damaged-prompt")
    machine = hub.machine(event)
    subprocess.run(["chmod", "-R", "go=", machine.folder], check=True)

    done = machine.step(hub.image, hub.site, event)

    assert (done.code, done.outputs["verdict"]) == (1, "regression"), done.log


def test_a_run_with_nothing_to_do_leaves_nothing_behind(hub: Hub) -> None:
    event = hub.push()
    other = replace(event, ref="refs/heads/topic", payload=event.payload | {"ref": "refs/heads/topic"})
    machine = hub.machine(event)

    done = machine.step(hub.image, hub.site, other)

    assert done.code == 0, done.log
    assert list((machine.folder / "workspace").glob(".ci-eval-*")) == []


def test_the_folder_of_main_s_cache_is_ours_for_the_run_and_then_the_runner_s(hub: Hub) -> None:
    """actions/cache saves it, and restores it, as the runner's user."""
    event = hub.push()
    machine = hub.machine(event)
    cache = machine.folder / "workspace/.ci-eval-cache"
    (cache / "ci-eval").mkdir(parents=True)
    (cache / "ci-eval/responses.sqlite").write_bytes(b"damaged")

    done = machine.step(hub.image, hub.site, event, variables={"XDG_CACHE_HOME": "/github/workspace/.ci-eval-cache"})

    assert done.code == 0, done.log
    assert {path.stat().st_uid for path in (cache, *cache.rglob("*"))} == {OTHER_UID}


SNOOP = """\
import glob, json, os, sys
found = []
others = [path for path in glob.glob("/proc/[0-9]*") if path != f"/proc/{os.getpid()}"]
places = [place for path in others for place in (f"{path}/environ", *glob.glob(f"{path}/fd/*"))]
for path in [*places, *glob.glob("/github/file_commands/*")]:
    try:
        if "file_commands" in path:
            open(path, "a").write("verdict=pass\\n")
            found.append(path)
        elif b"ghs_" in open(path, "rb").read(100_000):
            found.append(path)
    except OSError:
        pass
for line in sys.stdin:
    asked = json.loads(line)
    reply = {"id": asked["id"], "nonce": asked["nonce"], "output": repr(found)}
    os.write(int(os.environ["CI_EVAL_REPLY_FD"]), json.dumps(reply).encode() + b"\\n")
"""


def test_51_main_s_own_program_finds_neither_tokens_nor_the_runner_s_files(create: Callable[[Files], Hub]) -> None:
    files = {
        "ci-eval.yaml": "version: 1\nsuites:\n  desk:\n    target: {command: [python3, app.py], files: [app.py]}\n"
        "    golden: golden.jsonl\n    scorers: [{type: exact}]\nbaseline: {repeats: 1}\n",
        "golden.jsonl": '{"id": "one", "input": "x", "expected": "[]"}\n',
        "app.py": SNOOP,
    }
    hub = create(files)

    done = hub.run(hub.push())

    (file,) = done.workspace.glob(".ci-eval-*/desk/*.jsonl")
    assert json.loads(file.read_text().splitlines()[1])["output"] == "[]"
    assert done.outputs["verdict"] == "pass"


def cancelled(running: subprocess.Popen[str], begun: Callable[[], object]) -> None:
    """A job that is cancelled: GitHub sends SIGINT to `docker run`, and 7.5 seconds later is less patient."""
    until = time.monotonic() + 60
    while not begun():
        assert time.monotonic() < until, "the gate did not begin"
        time.sleep(0.02)
    asked = time.monotonic()
    running.send_signal(signal.SIGINT)
    log, _ = running.communicate(timeout=60)
    assert running.returncode == 130, log
    assert "cancelled" in log
    assert time.monotonic() - asked < 7.5


def test_a_job_that_is_cancelled_before_it_began_ends_in_time(hub: Hub) -> None:
    event = hub.pull_request("damaged-prompt")
    machine = hub.machine(event)
    with machine.start(hub.image, hub.site, event) as running:
        cancelled(running, lambda: list(machine.folder.glob("workspace/.ci-eval-*")))
    assert hub.comments() == []


def test_a_job_that_is_cancelled_while_it_asks_says_so_in_time(create: Callable[[Files], Hub]) -> None:
    """A model that does not answer keeps nobody."""
    over = threading.Event()

    def thinks(_: Asked) -> Answer:
        over.wait(60)
        return Answer(500, {})

    with ModelServer(thinks) as server:
        hub = create(one_case(f"{{api: openai, base_url: '{server.url}/v1', max_concurrency: 1}}"))
        event = hub.open({"p.md": "Guess.\n"}, "A change")
        machine = hub.machine(event)
        with machine.start(hub.image, hub.site, event) as running:
            cancelled(running, lambda: server.asked)
        over.set()
    (comment,) = hub.comments()
    assert first_visible_line(comment) == "### ⚠️ Inconclusive: the run was cancelled before it could judge"
    summary = (machine.folder / "file_commands/step_summary_8c6e").read_text(encoding="utf-8")
    assert "the run was cancelled" in summary
