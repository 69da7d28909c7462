"""Rows 1-5, 14-16, 19, 45 and 102 of the threat model: pull requests from people who may not push here. Each test is
named by its row; jobs are whole ones, over real git and GitHub's API as its own description has it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fork_desk import (
    FORKS,
    as_data,
    files_of,
    main_checked_out,
    on_pull_request,
    own,
    pull_json,
    push_fork,
    stand,
)
from github_hub import NO_PARCELS, PULL, Hub, Job, opened
from github_standin import BOT, PERSON, TOKEN
from openai_server import OpenAIServer
from parcel_desk import CONFIG, FILES, TRIAGE_PROMPT, Files, Repository, answers, edited
from repo import Repo

import ci_eval
from ci_eval.errors import InputError
from ci_eval.github.forks import refuse_other_checkout

Capture = pytest.CaptureFixture[str]
ROOT = Path(ci_eval.__file__).parent.parent
DEPENDABOT = {"login": "dependabot[bot]", "type": "Bot"}
UNRELATED = {"src/checkout.ts": "export const vat = 0.07\n"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        yield made


def refused(job: Job, hub: Hub, code: int) -> str:
    """Nothing was asked; returns what the pull request was told."""
    assert (job.code, hub.model.calls, job.outputs["verdict"]) == (code, 0, "inconclusive")
    return hub.api.bodies(PULL)[-1]


# --- 1 and 16: no key -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deleted", [False, True])
def test_1_a_watched_change_of_a_fork_without_a_key_is_red_and_says_what_to_do(
    deleted: bool, hub: Hub, capsys: Capture
) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS), deleted=deleted)

    told = refused(on_pull_request(hub, capsys, pull, DESK_KEY=""), hub, 3)

    assert "a maintainer must approve it" in told
    assert f"pr-number {PULL}" in told


def test_1_a_fork_that_changes_nothing_relevant_is_green_without_a_key(hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, UNRELATED))

    assert (on_pull_request(hub, capsys, pull, DESK_KEY="").code, hub.model.calls) == (0, 0)


def test_1_the_repository_s_own_branch_without_a_key_is_told_of_the_step(hub: Hub, capsys: Capture) -> None:
    told = refused(on_pull_request(hub, capsys, own(push_fork(hub, NO_PARCELS)), DESK_KEY=""), hub, 3)

    assert "set it in the shell or the step that runs ci-eval" in told
    assert "maintainer" not in told


@pytest.mark.parametrize("actor", ["dependabot[bot]", "octo-maintainer"])
def test_16_dependabot_is_told_of_its_own_secrets_whoever_started_the_run(
    actor: str, hub: Hub, capsys: Capture
) -> None:
    pull = {**own(push_fork(hub, NO_PARCELS)), "user": DEPENDABOT}

    told = refused(on_pull_request(hub, capsys, pull, DESK_KEY="", GITHUB_ACTOR=actor), hub, 3)

    assert "Dependabot" in told
    assert "a maintainer must approve it" in told


@pytest.mark.parametrize(
    "user", [None, {"login": "dependabot[bot]", "type": "User"}, {"login": "dependabot", "type": "Bot"}]
)
def test_16_nobody_else_is_dependabot(user: dict[str, str] | None, hub: Hub, capsys: Capture) -> None:
    pull = {**own(push_fork(hub, NO_PARCELS)), "user": user}

    told = refused(on_pull_request(hub, capsys, pull, DESK_KEY="", GITHUB_ACTOR="dependabot[bot]"), hub, 3)

    assert "Dependabot" not in told


def test_16_dependabot_s_pull_request_is_no_approval_of_itself(hub: Hub, capsys: Capture) -> None:
    pull = own(push_fork(hub, NO_PARCELS))
    pull["user"] |= DEPENDABOT
    stand(hub, pull)

    refused(as_data(hub, capsys, pull, approved_by=None, GITHUB_ACTOR="octo-maintainer"), hub, 3)


# --- 2: what is checked out -------------------------------------------------------------------------------------------


def _merged(hub: Hub, head: str) -> None:
    hub.developer.git("checkout", "--quiet", "--detach", "main")
    hub.developer.git("merge", "--quiet", "--no-ff", "--message=Merge", head)
    hub.developer.git("push", "--quiet", "origin", f"HEAD:refs/pull/{PULL}/merge")
    hub.developer.git("checkout", "--quiet", "main")


@pytest.mark.parametrize("what", ["head", "merge"])
@pytest.mark.parametrize("said", ["main", "checked out"])
def test_2_a_checkout_of_the_pull_request_beside_secrets_is_refused(
    what: str, said: str, hub: Hub, capsys: Capture
) -> None:
    """Whether the runner names main's commit, or something in the job has it name what is checked out."""
    head = push_fork(hub, NO_PARCELS)
    _merged(hub, head)
    stand(hub, pull_json(head))
    workspace = hub.checkout(f"refs/pull/{PULL}/{what}")
    named = "main" if said == "main" else f"refs/pull/{PULL}/{what}"
    sha = Repository(hub.bare).git("rev-parse", named)

    told = refused(as_data(hub, capsys, pull_json(head), workspace=workspace, GITHUB_SHA=sha), hub, 2)

    assert "the checkout is not the commit that this workflow comes from" in told
    assert not hub.remote.requests, "and nothing was fetched"


def test_2_a_dispatch_for_a_fork_refuses_its_checkout_as_well(hub: Hub, capsys: Capture) -> None:
    head = push_fork(hub, NO_PARCELS)
    stand(hub, pull_json(head))
    workspace = hub.checkout(f"refs/pull/{PULL}/head")
    payload = {"repository": {"id": 1, "default_branch": "main"}}

    job = hub.run(capsys, "workflow_dispatch", payload, workspace, "refs/heads/main", INPUT_PR__NUMBER=str(PULL))

    assert "the checkout is not the commit" in refused(job, hub, 2)


def test_2_a_dispatch_for_a_fork_needs_no_approval_because_a_writer_started_it(hub: Hub, capsys: Capture) -> None:
    stand(hub, pull_json(push_fork(hub, NO_PARCELS)))

    job = hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL))

    assert job.code == 1
    assert not [asked for asked in hub.api.requests if "/actions/" in asked]


def test_2_an_index_or_work_tree_of_the_head_is_not_looked_at(hub: Hub, capsys: Capture) -> None:
    """A step may put the head's files there without moving HEAD; ci-eval reads commits alone."""
    head = push_fork(hub, NO_PARCELS)
    stand(hub, pull_json(head))
    workspace = main_checked_out(hub)
    lax = {"quality/gate.yaml": "version: 1\nsuites: {}\n", TRIAGE_PROMPT: FILES[TRIAGE_PROMPT]}
    Repository(workspace).write(lax)
    Repository(workspace).git("add", "--all")
    before = files_of(workspace)

    assert as_data(hub, capsys, pull_json(head), workspace=workspace).code == 1
    assert files_of(workspace) == before


def test_2_only_the_trusted_commit_may_be_checked_out(repo: Repo) -> None:
    def check(trusted: str, head: str) -> None:
        refuse_other_checkout(repo.git, trusted, head)

    with pytest.raises(InputError):  # nothing is checked out at all
        check("e" * 40, "f" * 40)
    repo.write("a", "1")
    main = repo.commit()
    check(main, "f" * 40)
    for trusted, head in ((main, main), ("e" * 40, "f" * 40), ("HEAD", "f" * 40)):
        with pytest.raises(InputError, match="the checkout is not the commit"):
            check(trusted, head)
    repo.write("a", "2")
    on_top = repo.commit()
    with pytest.raises(InputError):  # a commit on top of the pull request's head
        check(on_top, main)


# --- 3 and 4: what no workflow, example or page of ours does ----------------------------------------------------------

SHOWN = sorted(
    path
    for pattern in (".github/**/*.yml", "docs/**/*.md", "examples/**/*", "*.md", "action.yml", "Dockerfile")
    for path in ROOT.glob(pattern)
    if path.is_file()
)
UNSAFE = re.compile(
    r"allow-unsafe-pr-checkout\s*:\s*true|gh\s+pr\s+checkout|gh\s+run\s+download|\brun-id\s*:|action-download-artifact"
    r"|\bworkflow_run\s*:|\bissue_comment\s*:|refs/pull/\$|ref:\s*\$\{\{[^}]*(head|merge|pull_request)"
    r"|git\s+(fetch|checkout|switch|merge|pull)\b[^\n]*(\bpull/|pr/|head_ref|head\.(sha|ref)|FETCH_HEAD)",
    re.IGNORECASE,
)


def test_3_there_is_something_to_look_at() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in SHOWN}

    assert {"README.md", "docs/github.md", "action.yml", ".github/workflows/eval.yml"} <= names
    assert "examples/forks/.github/workflows/eval.yml" in names


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_3_and_4_nothing_of_ours_checks_out_a_head_or_takes_another_run_s_artifact(path: Path) -> None:
    assert not UNSAFE.findall(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        "  with: {allow-unsafe-pr-checkout: true}",
        "- run: gh pr checkout 7",
        "- run: git fetch origin pull/7/head && git checkout FETCH_HEAD",
        "- run: git checkout ${{ github.event.pull_request.head.sha }}",
        "    ref: ${{ github.event.pull_request.head.sha }}",
        "    ref: ${{ github.head_ref }}",
        "    ref: refs/pull/${{ github.event.number }}/merge",
        "- uses: actions/download-artifact@v4\n  with: {run-id: 15}",
        "- uses: dawidd6/action-download-artifact@v6",
        "- run: gh run download 15",
        "on: {workflow_run: {workflows: [eval]}}",
    ],
)
def test_3_and_4_the_search_knows_what_it_looks_for(line: str) -> None:
    assert UNSAFE.search(line)


@pytest.mark.parametrize("event", ["workflow_run", "issue_comment"])
def test_4_a_second_step_that_would_trust_the_first_is_refused(event: str, hub: Hub, capsys: Capture) -> None:
    job = hub.run(capsys, event, {}, main_checked_out(hub), "refs/heads/main")

    assert (job.code, hub.model.calls, hub.api.requests) == (2, 0, [])


# --- 5: the files that change later steps -----------------------------------------------------------------------------

_FILES = {"GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"}


def test_5_no_file_that_changes_later_steps_is_named_in_the_code() -> None:
    """But in a docstring, and in the doctor, which looks for them in other people's workflows."""
    files = [path for path in Path(ci_eval.__file__).parent.rglob("*.py") if path.parent.name != "doctor"]
    trees = [ast.parse(path.read_bytes()) for path in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in prose]

    assert len(trees) > 100
    assert "GITHUB_OUTPUT" in texts, "the search finds what there is"
    assert not [text for text in texts if isinstance(text, str) and any(name in text for name in _FILES)]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_5_no_workflow_that_we_show_writes_to_them(path: Path) -> None:
    assert not re.search(r">\s*[\"']?\$\{?GITHUB_(ENV|PATH|STATE)|set-env|add-path", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("judged", [True, False])
def test_5_a_job_writes_to_none_of_them(judged: bool, hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    files = {name: hub.folder / name for name in sorted(_FILES)}
    for path in files.values():
        path.write_text("before\n", encoding="utf-8")
    by = PERSON if judged else None

    job = as_data(
        hub,
        capsys,
        pull,
        approved_by=by,
        GITHUB_ENV=str(files["GITHUB_ENV"]),
        GITHUB_PATH=str(files["GITHUB_PATH"]),
        GITHUB_STATE=str(files["GITHUB_STATE"]),
    )

    assert job.code == (1 if judged else 3)
    assert {path.read_text(encoding="utf-8") for path in files.values()} == {"before\n"}
    assert not re.search(r"::(set-env|add-path|save-state)", job.out)


# --- 15: the tool authorises by itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["rejected", "pending"])
def test_15_only_an_approval_approves(state: str, hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    workspace = main_checked_out(hub)
    hub.api.review(9000 + hub.runs, state)

    told = refused(as_data(hub, capsys, pull, approved_by=None, workspace=workspace), hub, 3)

    assert "a maintainer must approve this run, and nobody has" in told
    assert "Settings → Environments" in told


def test_15_another_run_s_approval_is_not_this_one_s(hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    hub.api.review(9000)

    refused(as_data(hub, capsys, pull, approved_by=None), hub, 3)


@pytest.mark.parametrize("user", [BOT, ("octo-maintainer", "Organization"), ("octo-maintainer", "")])
def test_15_only_a_person_approves(user: tuple[str, str], hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)

    refused(as_data(hub, capsys, pull, approved_by=user), hub, 3)


def test_15_an_environment_without_required_reviewers_protects_nothing(hub: Hub, capsys: Capture) -> None:
    """Also where it had some when an earlier attempt of this run was approved."""
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    hub.api.add_environment(FORKS, reviewers=0)

    told = refused(as_data(hub, capsys, pull, GITHUB_RUN_ATTEMPT="2"), hub, 3)

    assert "has required reviewers now" in told


def test_15_an_environment_that_is_gone_is_no_approval(hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    hub.api.environments.clear()

    refused(as_data(hub, capsys, pull), hub, 3)


@pytest.mark.parametrize("name", ["a/../b", "a b?c#d", "größe", "%2e%2e", "."])
def test_15_an_environment_is_looked_up_by_its_whole_name(name: str, hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, NO_PARCELS))
    stand(hub, pull)
    workspace = main_checked_out(hub)
    hub.api.review(9000 + hub.runs, environment=name)

    refused(as_data(hub, capsys, pull, approved_by=None, workspace=workspace), hub, 3)

    asked = [line for line in hub.api.requests if "/environments/" in line]
    assert all(FORKS not in line for line in asked)
    assert len(asked) == 1


@pytest.mark.parametrize("changes", [{"state": "closed"}, {"head": "a" * 40}, {"base": "release"}])
def test_14_what_was_approved_is_what_is_judged(changes: dict[str, str], hub: Hub, capsys: Capture) -> None:
    """A push, a retarget or a close while the run waited for its approval."""
    head = push_fork(hub, NO_PARCELS)
    stand(hub, pull_json(head))
    now = pull_json(changes.get("head", head))
    now["base"]["ref"] = changes.get("base", "main")
    hub.api.pulls[PULL] = {**now, "state": changes.get("state", "open")}

    job = as_data(hub, capsys, pull_json(head))

    assert (job.code, hub.model.calls, job.outputs["verdict"]) == (3, 0, "inconclusive")
    assert bool(hub.api.bodies(PULL)) is ("head" not in changes), "a new head is answered by its own run"


def push_branch(hub: Hub, name: str, files: Files) -> None:
    """A branch of the repository that nobody reviews."""
    hub.developer.git("checkout", "--quiet", "-B", name, "main")
    hub.developer.commit(files)
    hub.developer.git("push", "--quiet", "origin", f"{name}:{name}")


@pytest.mark.parametrize("whose", [pull_json, own])
def test_45_an_approval_sends_no_key_where_the_target_branch_says(
    whose: Callable[[str], Any], hub: Hub, capsys: Capture
) -> None:
    with OpenAIServer(answers) as elsewhere:
        policy = hub.developer.read(CONFIG).replace(hub.model.base_url, elsewhere.base_url)
        push_branch(hub, "next", {CONFIG: policy})
        pull = whose(push_fork(hub, NO_PARCELS))
        pull["base"] |= {"ref": "next"}
        stand(hub, pull)

        told = refused(as_data(hub, capsys, pull), hub, 3)

    assert elsewhere.asked == []
    assert "into another branch than the one that this workflow comes from" in told


def test_19_a_target_branch_that_has_the_change_already_makes_no_green_check(hub: Hub, capsys: Capture) -> None:
    """The check is the head's, and a pull request of the same head into main would have it, too."""
    push_branch(hub, "next", NO_PARCELS)
    pull = pull_json(push_fork(hub, NO_PARCELS))
    pull["base"] |= {"ref": "next"}
    stand(hub, pull)

    refused(as_data(hub, capsys, pull, approved_by=None), hub, 3)


FORKS_YML = ROOT / "examples/forks/.github/workflows/forks.yml"


def test_14_the_workflow_for_forks_shows_the_commit_that_is_approved() -> None:
    workflow = yaml.safe_load(FORKS_YML.read_text(encoding="utf-8"))
    gate, verdict = workflow["jobs"]["gate"], workflow["jobs"]["verdict"]

    assert "github.event.pull_request.head.sha" in gate["name"]
    assert "github.event.pull_request.head.sha" in workflow["run-name"]
    assert "${{" not in verdict["name"], "what is required has one name"
    assert verdict["needs"] == "gate"
    assert verdict["if"].startswith("always() &&")


def test_15_the_workflow_for_forks_waits_for_a_reviewer_and_may_little() -> None:
    workflow = yaml.safe_load(FORKS_YML.read_text(encoding="utf-8"))
    gate = workflow["jobs"]["gate"]

    assert workflow[True].keys() == {"pull_request_target"}  # YAML 1.1 reads `on` as true
    assert gate["environment"] == "ci-eval-forks"
    assert workflow["permissions"] == {}
    assert gate["permissions"] == {"contents": "read", "pull-requests": "write", "actions": "read"}
    assert [step["uses"].partition("@")[0] for step in gate["steps"]] == ["actions/checkout", "OWNER/ci-eval"]
    assert gate["steps"][0]["with"] == {"fetch-depth": 0, "persist-credentials": False}
    assert all(re.fullmatch(r"[^@]+@[0-9a-f]{40}", step["uses"]) for step in gate["steps"])


@pytest.mark.parametrize("path", [FORKS_YML, FORKS_YML.parent / "eval.yml", ROOT / ".github/workflows/eval.yml"])
def test_19_a_check_for_another_target_branch_is_none_for_main(path: Path) -> None:
    """GitHub keeps it by the head's commit: it must not be made for another branch, and be made anew for main."""
    on = yaml.safe_load(path.read_text(encoding="utf-8"))[True]
    pulls = on.get("pull_request") or on["pull_request_target"]

    assert pulls["branches"] == ["main"]
    assert "edited" in pulls["types"]


def test_14_the_page_shows_the_workflow_that_is_checked() -> None:
    page = (ROOT / "docs/github.md").read_text(encoding="utf-8")

    assert f"```yaml\n{FORKS_YML.read_text(encoding='utf-8')}```\n" in page


def test_1_in_the_example_every_pull_request_is_answered_by_one_of_the_two_required_checks() -> None:
    """Each is skipped, which counts as green, exactly where the other one is not."""
    own = yaml.safe_load((FORKS_YML.parent / "eval.yml").read_text(encoding="utf-8"))["jobs"]["gate"]
    forks = yaml.safe_load(FORKS_YML.read_text(encoding="utf-8"))["jobs"]["verdict"]

    assert "github.event.pull_request.head.repo.full_name == github.repository" in own["if"]
    assert forks["if"] == "always() && github.event.pull_request.head.repo.full_name != github.repository"
    assert own["name"] != forks["name"]


# --- 102: the token ---------------------------------------------------------------------------------------------------


def test_102_the_token_reaches_the_fetch_and_no_file(hub: Hub, capsys: Capture) -> None:
    pull = pull_json(push_fork(hub, edited(TRIAGE_PROMPT, "You route", "You route all")))
    stand(hub, pull)
    workspace = main_checked_out(hub)

    job = as_data(hub, capsys, pull, workspace=workspace)

    assert job.code == 0
    assert hub.remote.requests, "git asked the server, which wants the token"
    written = b"".join(path.read_bytes() for path in workspace.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written + job.out.encode() + job.summary.encode()


@pytest.mark.parametrize(
    "path", [path for path in SHOWN if "actions/checkout@" in path.read_text(encoding="utf-8")], ids=str
)
def test_102_every_checkout_that_we_show_leaves_no_token_behind(path: Path) -> None:
    steps = path.read_text(encoding="utf-8").split("actions/checkout@")[1:]

    assert all("persist-credentials: false" in step.partition("- ")[0] for step in steps)
