"""`ci-eval init`: from repositories of several kinds to one that `plan`, `gate` and the linters of workflows take."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Ran, ci_eval
from example_models import golden_rows
from parcel_desk import Files, Repository

import ci_eval as package
from ci_eval.scaffold.workflow import PATH, Job, render

PROJECT = Path(package.__file__).parent.parent
BIN = Path(sys.executable).parent
EMPTY: Files = {"README.md": "A shop.\n"}
PROMPT_FILE: Files = {
    "prompts/title.prompt.yml": (
        "name: title\nmodel: openai/gpt-4o-mini\nmessages:\n  - {role: system, content: Write a title.}\n"
        '  - {role: user, content: "{{article}} for {{readers}}"}\ntestData: []\n'
    )
}
ROW = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
OPENAI: Files = {
    "prompts/support.md": "You answer customers. Be brief.\n",
    "prompts/README.md": "What our prompts are.\n",
    "models/support.yaml": "provider: openai\nmodel: gpt-4o-mini\ntemperature: 0\nmax_tokens: 200\n",
    "data/train.jsonl": f"{json.dumps(ROW)}\n",
    "src/app.py": "1\n",
}
MONOREPO: Files = {
    "services/mail/prompts/system.md": "You sort mail.\n",
    "services/mail/models/main.yaml": "provider: claude\nmodel: claude-haiku-4-5\nmax_tokens: 100\n",
    "services/chat/system_prompt.txt": "You answer {{name}}.\n",
    "services/chat/model.json": '{"provider": "openai", "model": "gpt-4o-mini"}\n',
    "services/chat/node_modules/other/prompts/theirs.md": "Not ours.\n",
    ".github/workflows/test.yml": "on: push\njobs: {}\nenv: {K: '${{ secrets.CLAUDE_API_KEY }}'}\n",
}
KINDS = {"empty": EMPTY, "prompt file": PROMPT_FILE, "openai": OPENAI, "monorepo": MONOREPO}


def repository(folder: Path, files: Files) -> Repository:
    return Repository.create(folder / "shop", files)


def init(repo: Repository, *options: str) -> Ran:
    return ci_eval("init", "--repo", str(repo.folder), "--yes", *options)


def tree(repo: Repository) -> dict[str, bytes]:
    paths = (path for path in repo.folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(repo.folder)): path.read_bytes() for path in paths}


def policy(repo: Repository) -> Any:
    return yaml.safe_load(repo.read("ci-eval.yaml"))


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """A repository of each kind after `init`."""
    repo = repository(tmp_path, request.param)
    ran = init(repo)
    assert ran.code == 0, ran.err
    return repo


# --- every kind -------------------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_and_says_what_is_there(started: Repository) -> None:
    before = tree(started)

    again = init(started)

    assert (again.code, tree(started)) == (0, before)
    assert "There already: ci-eval.yaml\nThere already: .github/workflows/ci-eval.yml\nNothing to write.\n" in again.out


def test_what_was_there_is_as_it_was(started: Repository) -> None:
    assert started.git("status", "--porcelain", "--untracked-files=no") == ""


def test_plan_takes_what_was_written(started: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    started.commit({})
    suites = policy(started)["suites"]
    for suite in suites.values():
        path = suite["target"]["prompt"]
        started.write({path: started.read(path).replace("You ", "You always ").replace("Write", "Always write")})

    planned = ci_eval("plan", "--repo", str(started.folder), "--json")

    assert planned.code == 0, planned.err
    assert {suite["suite"] for suite in planned.json["suites"]} == set(suites)
    assert all(suite["golden_cases"] >= 12 for suite in planned.json["suites"])


def test_linters_find_nothing_in_the_workflow(started: Repository) -> None:
    file = str(started.folder / PATH)
    schema = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", file]
    audit = [str(BIN / "zizmor"), "--persona", "pedantic", "--offline", "--no-progress", file]
    for command in (schema, audit):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_dry_run_shows_the_files_and_writes_none(tmp_path: Path) -> None:
    repo = repository(tmp_path, EMPTY)
    before = tree(repo)

    ran = init(repo, "--dry-run")

    assert (ran.code, tree(repo)) == (0, before)
    assert "--- ci-eval.yaml\n" in ran.out
    assert "Would write golden/support/cases.jsonl\n" in ran.out
    assert "ci-eval.yaml loads: suites 1, golden cases 20.\n" in ran.out


def test_json_has_the_files_and_what_is_left_to_do(tmp_path: Path) -> None:
    repo = repository(tmp_path, OPENAI)
    repo.git("remote", "add", "origin", "git@github.com:octo-org/shop.git")

    ran = init(repo, "--json")

    assert ran.json["checked"] == {"suites": 1, "cases": 12}
    assert {path: repo.read(path) for path in ran.json["files"]} == ran.json["files"]
    steps = {step["what"]: step["where"] for step in ran.json["to_do"]}
    settings = "https://github.com/octo-org/shop/settings"
    assert steps["New repository secret. Name: OPENAI_API_KEY"] == f"{settings}/secrets/actions/new"
    assert [where for what, where in steps.items() if "ruleset" in what] == [f"{settings}/rules/new?target=branch"] * 2


def test_the_password_of_a_remote_is_not_shown(tmp_path: Path) -> None:
    repo = repository(tmp_path, OPENAI)
    repo.git("remote", "add", "origin", "https://me:secret-4711@github.com/octo-org/shop.git")

    assert "secret-4711" not in init(repo, "--json").out


# --- each kind --------------------------------------------------------------------------------------------------------


def test_an_empty_repository_gets_a_product_that_its_cases_pass(tmp_path: Path) -> None:
    repo = repository(tmp_path, EMPTY)
    init(repo, "--provider", "local")

    ran = ci_eval("run", "--repo", str(repo.folder), "--json", "--quiet")

    assert ran.json == {"support": {"format": "100.0000", "task_accuracy": "100.0000"}}
    assert {row["stratum"] for row in golden_rows(repo.folder)} == {"common", "edge", "adversarial"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [("You sort the mail of a shop.", "You sort all mail of a shop.", 0), ("- return: ", "- else: ", 1)],
)
def test_the_gate_judges_what_an_empty_repository_got(tmp_path: Path, old: str, new: str, code: int) -> None:
    repo = repository(tmp_path, EMPTY)
    init(repo, "--provider", "local")
    repo.commit({})
    repo.write({"prompts/support.md": repo.read("prompts/support.md").replace(old, new)})

    ran = ci_eval("gate", "--repo", str(repo.folder), "--quiet")

    assert ran.code == code, ran.out


def test_a_prompt_file_of_github_models_needs_no_secret(tmp_path: Path) -> None:
    repo = repository(tmp_path, PROMPT_FILE)

    ran = init(repo)

    assert policy(repo)["providers"] == {"github": {"api": "github"}}
    assert policy(repo)["suites"]["title"]["target"] == {"prompt": "prompts/title.prompt.yml"}
    assert "models: read" in repo.read(PATH)
    assert "secrets." not in repo.read(PATH)
    assert "repository secret" not in ran.out
    assert golden_rows(repo.folder)[0]["input"].keys() == {"article", "readers"}


def test_a_prompt_is_asked_as_its_model_config_says(tmp_path: Path) -> None:
    repo = repository(tmp_path, OPENAI)

    init(repo)

    assert policy(repo)["providers"] == {"openai": {"api": "openai", "key_env": "OPENAI_API_KEY"}}
    (suite,) = policy(repo)["suites"].values()
    assert suite["target"] == {"prompt": "prompts/support.md", "model": "models/support.yaml"}
    assert suite["datasets"] == ["data/train.jsonl"]


def test_each_service_of_a_monorepo_is_a_suite_with_its_own_model(tmp_path: Path) -> None:
    repo = repository(tmp_path, MONOREPO)

    init(repo)

    targets = {name: suite["target"] for name, suite in policy(repo)["suites"].items()}
    assert {name: target["model"] for name, target in targets.items()} == {
        "mail": "services/mail/models/main.yaml",
        "chat": "services/chat/model.json",
    }
    assert targets["chat"]["user"] == "{{message}}"
    assert policy(repo)["providers"]["claude"]["key_env"] == "CLAUDE_API_KEY", "as the workflows call it already"
    assert "CLAUDE_API_KEY: ${{ secrets.CLAUDE_API_KEY }}" in repo.read(PATH)


def test_golden_cases_that_are_there_are_not_joined_by_others(tmp_path: Path) -> None:
    row = '{"id": "one", "input": "Hello", "expected": {"answer": "hello"}}\n'
    repo = repository(tmp_path, {**OPENAI, "golden/support/ours.jsonl": row})

    ran = init(repo)

    assert "There already: golden/support/ours.jsonl\n" in ran.out
    assert len(golden_rows(repo.folder)) == 1


def test_a_workflow_that_uses_ci_eval_is_enough(tmp_path: Path) -> None:
    own = {".github/workflows/checks.yml": render(Job(["OPENAI_API_KEY"]))}
    repo = repository(tmp_path, {**OPENAI, **own})

    ran = init(repo)

    assert "There already: .github/workflows/checks.yml\n" in ran.out
    assert not (repo.folder / PATH).exists()


def test_a_config_that_is_there_gets_the_workflow_that_fits_it(tmp_path: Path) -> None:
    repo = repository(tmp_path, EMPTY)
    init(repo, "--provider", "mistral", "--model", "mistral-small-latest")
    (repo.folder / PATH).unlink()

    ran = init(repo, "--action", f"octo-org/ci-eval@{'a' * 40}", "--branch", "trunk")

    assert "Wrote .github/workflows/ci-eval.yml\n" in ran.out
    written = repo.read(PATH)
    assert "MISTRAL_API_KEY: ${{ secrets.MISTRAL_API_KEY }}" in written
    assert f"uses: octo-org/ci-eval@{'a' * 40}\n" in written
    assert "branches: [trunk]" in written


def test_for_code_of_ones_own_a_workflow_to_copy_is_named(tmp_path: Path) -> None:
    config = (
        "version: 1\nsuites:\n  s:\n    target: {python: app:answer, files: [app.py]}\n    golden: g.jsonl\n"
        "    scorers: [{type: exact}]\n"
    )
    case = '{"id": "a", "input": "x", "expected": "y"}\n'
    repo = repository(tmp_path, {"ci-eval.yaml": config, "g.jsonl": case, "app.py": "answer = str\n"})

    ran = init(repo)

    assert ran.code == 0, ran.err
    assert "Copy a workflow from the examples of ci-eval; " in ran.out
    assert not (repo.folder / PATH).exists()


def test_a_repository_without_a_commit_can_start(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--initial-branch=trunk", str(tmp_path / "new")], check=True)

    ran = ci_eval("init", "--yes", "--repo", str(tmp_path / "new"))

    assert ran.code == 0, ran.err
    assert "branches: [trunk]" in (tmp_path / "new" / PATH).read_text(encoding="utf-8")


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--provider", "nobody"], "no provider of that name; there are openai, anthropic,"),
        (["--provider", "groq"], "nothing says which model of groq is asked; name one with --model"),
        (["--prompt", "prompts/none.md"], "prompts/none.md is not among the prompts that were found (none)"),
        (["--branch", "a}}b"], "a}}b is a branch that a workflow cannot name"),
        (["--action", "octo-org/ci-eval@v1"], "--action is not a release"),
    ],
)
def test_a_wish_that_cannot_be_met_is_told_in_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    repo = repository(tmp_path, EMPTY)
    before = tree(repo)

    ran = init(repo, *options)

    assert (ran.code, tree(repo)) == (2, before)
    assert ran.err.startswith(f"ci-eval: {said}")
    assert ran.err.count("\n") == 1


def test_a_config_that_does_not_load_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    repo = repository(tmp_path, {**OPENAI, "ci-eval.yaml": "version: 1\nsuits: {}\n"})
    before = tree(repo)

    ran = init(repo)

    assert (ran.code, tree(repo)) == (2, before)
    assert ran.err.startswith("ci-eval: ci-eval.yaml:2: ")


def test_golden_rows_that_do_not_load_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    repo = repository(tmp_path, {**OPENAI, "golden/support/ours.jsonl": '{"id": "a b", "input": "x"}\n'})
    before = tree(repo)

    ran = init(repo)

    assert (ran.code, tree(repo)) == (2, before)
    assert "golden/support/ours.jsonl:1: " in ran.err


@pytest.mark.parametrize("ignored", ["models/", "cases.jsonl", ".github"])
def test_a_file_that_git_would_ignore_is_told_and_nothing_is_written(tmp_path: Path, ignored: str) -> None:
    repo = repository(tmp_path, {**EMPTY, ".gitignore": f"{ignored}\n"})
    before = tree(repo)

    ran = init(repo)

    assert (ran.code, tree(repo)) == (2, before)
    assert "would be ignored by git; take it out of .gitignore" in ran.err


@pytest.mark.parametrize("ignored", ["", "golden\n"])
def test_no_file_is_written_through_a_link(tmp_path: Path, ignored: str) -> None:
    repo = repository(tmp_path, {**EMPTY, ".gitignore": ignored})
    (tmp_path / "outside").mkdir()
    (repo.folder / "golden").symlink_to(tmp_path / "outside")

    ran = init(repo)

    assert ran.code == 2
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("why", ["ignored", "in a repository of its own"])
def test_a_file_that_git_does_not_see_stays_as_it_is(tmp_path: Path, why: str) -> None:
    repo = repository(tmp_path, {**EMPTY, ".gitignore": "prompts/support.md\n" if why == "ignored" else ""})
    if why != "ignored":
        Repository.create(repo.folder / "prompts", EMPTY)
    repo.write({"prompts/support.md": "Mine.\n"})

    assert init(repo).code == 2
    assert repo.read("prompts/support.md") == "Mine.\n"


HOSTILE = [
    b"prompts/a\n::add-mask::x.md",
    b"prompts/\xff\xfe.md",
    b"prompts/\x1b[31mred.md",
    b"prompts/a\xe2\x80\xae.md",
    b"prompts/back\\slash.md",
]
ODD = ["prompts/a'b.md", 'prompts/a"b.md', "prompts/a: b, {c}.md", "prompts/${{ secrets.X }}.md", "prompts/#1 -.md"]


def test_names_that_a_config_cannot_hold_are_passed_over_and_encoded(tmp_path: Path) -> None:
    repo = repository(tmp_path, OPENAI)
    for name in HOSTILE:
        place = repo.folder / os.fsdecode(name)
        place.write_text("You are kind.\n", encoding="utf-8")

    ran = init(repo)

    assert ran.code == 0, ran.err
    assert list(policy(repo)["suites"]) == ["support"]
    passed = [line for line in ran.out.splitlines() if line.startswith("Passed over prompts/")]
    assert len(passed) == len(HOSTILE)
    assert "::add-mask" not in ran.out
    assert ran.out.isprintable() or set("\x1b\u202e").isdisjoint(ran.out)
    assert json.loads(init(repo, "--json", "--dry-run").out)


def test_names_that_are_only_odd_are_quoted(tmp_path: Path) -> None:
    repo = repository(tmp_path, dict.fromkeys(ODD, "You are kind.\n"))

    ran = init(repo)

    assert ran.code == 0, ran.err
    assert sorted(suite["target"]["prompt"] for suite in policy(repo)["suites"].values()) == sorted(ODD)
    assert "secrets.X" not in repo.read(PATH)


def test_a_file_that_only_looks_like_one_of_ours_does_not_stop_it(tmp_path: Path) -> None:
    odd: Files = {
        "models/broken.yaml": "provider: [\n",
        "models/house.yaml": "provider: house\nmodel: x\n",
        "models/strange.yaml": "provider: openai\nmodel: x\ntemprature: 1\n",
        "models/list.json": "[1]\n",
        "data/broken.jsonl": "{\n",
        "data/empty.jsonl": "",
        "prompts/empty.md": "\n",
        "prompts/full.prompt.yml": "messages: [{role: user, content: Sing.}]\n",
    }
    repo = repository(tmp_path, {**OPENAI, **odd})

    ran = init(repo, "--json")

    assert {one["path"] for one in ran.json["passed_over"]} == {
        "models/house.yaml",
        "models/strange.yaml",
        "prompts/empty.md",
        "prompts/full.prompt.yml",
    }
    assert [suite["name"] for suite in ran.json["suites"]] == ["support"]


def test_of_many_prompts_the_first_are_taken_and_the_others_told(tmp_path: Path) -> None:
    repo = repository(tmp_path, {f"prompts/p{number:02}.md": "You are kind.\n" for number in range(12)})

    ran = init(repo)

    assert len(policy(repo)["suites"]) == 8
    assert "4 more prompts were found; init --prompt PATH takes those that you name\n" in ran.out


# --- questions --------------------------------------------------------------------------------------------------------


def test_on_a_terminal_it_asks_what_it_cannot_see(tmp_path: Path) -> None:
    repo = repository(tmp_path, {"prompts/a.md": "You are kind.\n", "prompts/b.md": "You are brief.\n"})
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ci_eval.cli.main", "init"]
    with subprocess.Popen(command, cwd=repo.folder, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        os.write(ours, b"2\nanthropic\n\n")
        said = b""
        while chunk := _read(ours):
            said += chunk
    os.close(ours)

    assert running.returncode == 0, said
    assert b"Which of these prompts are judged?" in said
    assert [suite["target"]["prompt"] for suite in policy(repo)["suites"].values()] == ["prompts/b.md"]
    assert yaml.safe_load(repo.read("models/default.yaml"))["model"] == "claude-haiku-4-5"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # its other end is closed
        return b""


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    repo = repository(tmp_path, {"prompts/a.md": "You are kind.\n", "prompts/b.md": "You are brief.\n"})
    command = [sys.executable, "-m", "ci_eval.cli.main", "init"]

    done = subprocess.run(command, cwd=repo.folder, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert list(policy(repo)["suites"]) == ["a", "b"]


# --- one truth --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("example", "job"),
    [
        ("chat-openai", Job(["OPENAI_API_KEY"])),
        ("anthropic-monorepo", Job(["ANTHROPIC_API_KEY"])),
        ("github-models", Job(["GITHUB_TOKEN"], minutes=30)),
        ("fine-tune", Job(["OPENAI_API_KEY"])),
        ("full-evaluation", Job(["OPENAI_API_KEY"])),
    ],
)
def test_the_examples_have_the_workflow_that_init_writes(example: str, job: Job) -> None:
    assert (PROJECT / "examples" / example / PATH).read_text(encoding="utf-8") == render(job)
