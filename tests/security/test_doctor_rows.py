"""What `ci-eval doctor` must see, by the rows of the threat model."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from command import ci_eval
from doctor_cases import (
    BARRED,
    EVAL,
    GOOD,
    ON,
    POLICY,
    SHA,
    changed,
    github,
    of_workflows,
    repository,
    required,
    reviews,
    wrong,
)
from github_standin import TOKEN, StandIn
from repo import Repo

from ci_eval.doctor.findings import exit_code

PRIVILEGED = ["pull_request_target", "workflow_run", "issue_comment"]
HEAD = "${{ github.event.pull_request.head.sha }}"


def checkout(**inputs: str) -> str:
    return action("actions/checkout", **inputs)


def action(name: str, **inputs: str) -> str:
    given = {key.replace("_", "-"): value for key, value in inputs.items()}
    return json.dumps({"uses": f"{name}@{SHA}", "with": given})


def script(text: str) -> str:
    return json.dumps({"run": text})


UNSAFE = {
    "told to": checkout(allow_unsafe_pr_checkout="true"),
    "told to, as a word": checkout(allow_unsafe_pr_checkout="x").replace('"x"', "true"),
    "told to, perhaps": checkout(allow_unsafe_pr_checkout="${{ inputs.x }}"),
    "git fetch": script("git fetch origin pull/1/head"),
    "git fetch, by its path": script("/usr/bin/git fetch origin $REF"),
    "git fetch, with options": script("git -c protocol.version=2 -C sub --no-pager fetch origin"),
    "git fetch, over two lines": script("git \\\n  fetch origin"),
    "git fetch, behind another": script("true;git fetch"),
    "git fetch, quoted": script("bash -c 'git fetch'"),
    "git pull": script("git pull https://github.com/x/y main"),
    "git clone": script('git clone "$URL"'),
    "gh pr checkout": script("gh  pr checkout $N"),
    "tarball": script("gh api repos/x/y/tarball/sha | tar x"),
    "head by its SHA": checkout(ref="${{ github.event.pull_request.head.sha }}"),
    "head by its name": checkout(ref="${{ github.head_ref }}"),
    "head in brackets": checkout(ref="${{ github.event['pull_request'].head.sha }}"),
    "head, or main": checkout(ref="${{ github.event.pull_request.head.sha || github.sha }}"),
    "head from an output": action("Actions/Checkout", ref="${{ steps.x.outputs.sha }}"),
    "head by its ref": checkout(ref="refs/pull/1/merge"),
    "the fork": checkout(repository="${{ github.event.pull_request.head.repo.full_name }}"),
    "workflow_run's head": checkout(ref="${{ github.event.workflow_run.head_sha }}"),
    "an artifact": action("actions/download-artifact", run_id="${{ github.event.workflow_run.id }}"),
    "an artifact, by another's action": action("dawidd6/action-download-artifact"),
    "an artifact, by hand": script("gh run download $ID"),
    "an artifact, by script": action("actions/github-script", script="github.rest.actions.downloadArtifact(x)"),
}


def workflow(event: str, step: str) -> str:
    return f"on: {event}\npermissions: {{}}\njobs:\n  j:\n    runs-on: x\n    steps:\n      - {step}\n"


@pytest.mark.parametrize("event", PRIVILEGED)
@pytest.mark.parametrize("step", UNSAFE.values(), ids=UNSAFE)
def test_row_3_a_strangers_files_beside_mains_secrets_are_refused(event: str, step: str) -> None:
    found = of_workflows(GOOD, other=workflow(event, step))
    assert ("no-unsafe-checkout", "problem") in wrong(found)
    assert exit_code(found, strict=False) == 2


@pytest.mark.parametrize(
    "step",
    [
        f"{{uses: actions/checkout@{SHA}}}",
        f"{{uses: actions/checkout@{SHA}, with: {{ref: main}}}}",
        f"{{uses: actions/checkout@{SHA}, with: {{ref: '${{{{ github.event.repository.default_branch }}}}'}}}}",
        f"{{uses: actions/checkout@{SHA}, with: {{ref: '${{{{ github.event.pull_request.base.sha }}}}'}}}}",
        f"{{uses: actions/checkout@{SHA}, with: {{allow-unsafe-pr-checkout: false}}}}",
        f"{{uses: actions/download-artifact@{SHA}, with: {{name: of-this-run}}}}",
        "{run: git log --oneline}",
        "{run: echo gitfetch fetch}",
    ],
)
def test_row_3_main_itself_may_be_checked_out(step: str) -> None:
    assert wrong(of_workflows(GOOD, other=workflow("pull_request_target", step))) == set()


def test_row_3_a_called_workflow_is_as_privileged_as_its_caller() -> None:
    called = workflow("workflow_call", UNSAFE["git fetch"])
    caller = "on: pull_request_target\njobs: {c: {uses: ./.github/workflows/called.yml}}\n"
    assert wrong(of_workflows(GOOD, called=called)) == set()
    assert wrong(of_workflows(GOOD, called=called, caller=caller)) == {("no-unsafe-checkout", "problem")}


@pytest.mark.parametrize(
    "pasted",
    [
        "github.event.pull_request.title",
        "github.event.pull_request.body",
        "github.event.pull_request.head.ref",
        "github.event['pull_request']['title']",
        "GITHUB.EVENT.Pull_Request.Title",
        "github.head_ref",
        "github.event.comment.body",
        "github.event.workflow_run.head_branch",
        "github.event.commits[0].message",
        "github.event.commits.*.author.name",
        "format('{0}', github.event.issue.title)",
        "toJSON(github.event)",
        "toJSON(github)",
        "toJSON(github.event.pull_request)",
    ],
)
def test_row_90_a_strangers_text_in_a_script_is_told(pasted: str) -> None:
    step = f'      - run: "echo ${{{{ {pasted} }}}}"\n      - uses: octo/ci-eval@{SHA}\n'
    text = changed((f"      - uses: octo/ci-eval@{SHA}\n", step))
    assert wrong(of_workflows(text)) == {("no-pasted-text", "problem")}


# --- with GitHub ------------------------------------------------------------------------------------------------------


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return repository(tmp_path / "clone")


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with github(monkeypatch) as server:
        yield server


def found(repo: Repo) -> dict[str, str]:
    """What is not in order, by id, with what is said of it."""
    ran = ci_eval("doctor", "--repo", str(repo.folder), "--repository", StandIn.repository, "--json")
    return {
        one["id"]: f"{one['state']}: {one['fact']}" for one in ran.json["findings"] if one["group"] == "protections"
    }


def test_row_30_doctor_says_what_keeps_a_pull_request_from_replacing_the_gate(repo: Repo, standin: StandIn) -> None:
    assert found(repo)["guarded-gate"] == "ok: code owners must agree to a change of a workflow"
    repo.write(".github/CODEOWNERS", f"* @octo/owners\n/{EVAL}\n")
    repo.commit()
    assert found(repo)["guarded-gate"] == "problem: nobody has to agree to a change of a workflow"
    repo.write(".github/CODEOWNERS", f"/{EVAL} @octo/owners\n")  # a new file may hold a job of the same name
    repo.commit()
    assert found(repo)["guarded-gate"].startswith("problem")


def test_row_31_doctor_says_from_where_the_check_counts(repo: Repo, standin: StandIn) -> None:
    assert found(repo)["check-source"].startswith("ok")
    standin.settings["rules/branches/main"] = [required(app=None), reviews()]
    assert found(repo)["check-source"] == "warning: the check ci-eval is taken from any app"
    standin.settings["rules/branches/main"] = [reviews()]
    assert found(repo)["required-check"] == "problem: the check ci-eval is not required"


def test_row_31_another_job_of_the_same_name_is_told() -> None:
    other = "on: pull_request\njobs: {x: {name: ci-eval, steps: [{run: 'true'}]}}\n"
    assert wrong(of_workflows(GOOD, other=other)) == {("check-name", "problem")}


@pytest.mark.parametrize(
    "key", ["needs: [other]", "if: github.repository == 'octo/shop'", "strategy: {matrix: {a: [1]}}"]
)
def test_row_32_a_job_that_may_be_skipped_is_told(key: str) -> None:
    assert {
        state for _, state in wrong(of_workflows(changed(("    name: ci-eval\n", f"    name: ci-eval\n    {key}\n"))))
    } == {"problem"}


def test_row_32_a_filter_is_told() -> None:
    text = changed((ON, f"{ON[:-2]}, paths: [prompts/**]}}\n"))
    assert wrong(of_workflows(text)) == {("no-filters", "problem")}


@pytest.mark.parametrize("place", ["permissions: {}\n", "    name: ci-eval\n"])
def test_row_103_keys_for_a_whole_job_are_told(place: str) -> None:
    indent = " " * (len(place) - len(place.lstrip()))
    text = changed((place, f"{place}{indent}env: {{K: '${{{{ secrets.KEY }}}}'}}\n"))
    assert wrong(of_workflows(text)) == {("keys-in-one-step", "problem")}


def test_row_116_an_open_baseline_branch_is_told(repo: Repo, standin: StandIn) -> None:
    assert found(repo)["baseline-branch"].startswith("ok")
    rules = "rules/branches/ci-eval-baselines"
    standin.settings[rules] = []
    assert found(repo)["baseline-branch"] == "problem: is open to deletion, force pushes, pushes"
    standin.settings[rules] = BARRED[:2]
    assert found(repo)["baseline-branch"].startswith("warning: everyone who may write can add to it")


# --- keys never show --------------------------------------------------------------------------------------------------

CANARY = "canary/Zx7+q9w=0123456789"
FORMS = [CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode(), CANARY[:12], CANARY[-12:]]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("README.md", "nothing"),
        (EVAL, changed(("    name: ci-eval\n", f'    name: "{CANARY}"\n'))),
        (EVAL, changed(("${{ secrets.KEY }}", f'"{CANARY}"'))),
        (EVAL, changed(("  gate:", f'  "{CANARY}":'))),
        (EVAL, changed((f"octo/ci-eval@{SHA}", f"octo/ci-eval@{CANARY}"))),
        (EVAL, f'"{CANARY}": &{CANARY[:6]} 1\n'),
        (EVAL, f'"{CANARY}": 1\n"{CANARY}": 2\n'),
        ("ci-eval.yaml", POLICY.replace("HOUSE_KEY", f'"{CANARY}"')),
        ("ci-eval.yaml", POLICY.replace("golden/*.jsonl", f"golden/{CANARY}")),
        ("ci-eval.yaml", f'{POLICY}"{CANARY}": 1\n'),
        ("m.yaml", f'{{provider: "{CANARY}", model: m}}'),
        (".github/CODEOWNERS", f"/{CANARY} @x"),
    ],
)
def test_row_99_no_key_shows_wherever_it_was_pasted(
    path: str, content: str, repo: Repo, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the environment, and by mistake in a file that doctor tells of."""
    monkeypatch.setenv("HOUSE_KEY", CANARY)
    repo.write(path, content)
    repo.git.run("config", "remote.origin.url", f"https://user:{quote(CANARY, safe='')}@github.com/octo-org/shop")
    repo.commit()
    where = ("--repo", str(repo.folder), "--repository", StandIn.repository)
    ways = (["--json"], ["--offline"], ["--offline", "--json"], ["--offline", "--strict", "-q"])
    runs = [ci_eval("doctor", *where, *way) for way in ways]
    assert all("ci-eval: a fault" not in ran.err for ran in runs)
    whole = "".join(ran.out + ran.err for ran in runs)
    assert not [form for form in [*FORMS, TOKEN] if form in whole]


@pytest.mark.parametrize("before", [0, 30, 70, 78, 480])
def test_row_99_no_part_of_a_key_shows_where_a_long_text_was_cut(
    before: int, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages quote the first characters of what they are about."""
    key = "qz" * 10 + CANARY * 30
    monkeypatch.setenv("HOUSE_KEY", key)
    name = "-" * before + key
    repo.write(EVAL, changed(("    name: ci-eval\n", f'    name: "{name}"\n')))
    repo.write(".github/workflows/twice.yml", f'"{name}": 1\n"{name}": 2\n')
    repo.write("m.yaml", f'{{provider: "{name}", model: m}}')
    repo.commit()
    for way in ([], ["--json"]):
        ran = ci_eval("doctor", "--repo", str(repo.folder), "--offline", *way)
        assert "qzqz" not in ran.out + ran.err
