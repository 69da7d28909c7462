"""The command line as a developer uses it, on a repository with uncommitted work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from command import Ran, ci_eval, ci_eval_process
from openai_server import OpenAIServer, fails
from parcel_desk import (
    CONFIG,
    FAQ_CASES,
    FILES,
    KEY,
    KEY_ENV,
    SETTLING,
    TRIAGE_CASES,
    TRIAGE_PROMPT,
    Repository,
    answers,
    edited,
)

from ci_eval.cli.main import COMMANDS
from ci_eval.cli.schema import FORMATS
from ci_eval.git import Git

PROJECT = Path(__file__).parents[2]
NO_PARCELS = edited(TRIAGE_PROMPT, "* parcels\n", "")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(answers) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv(KEY_ENV, KEY)
    policy = FILES[CONFIG].replace("BASE_URL", server.base_url)
    return Repository.create(tmp_path / "desk", {**FILES, CONFIG: policy})


class Shell:
    """Commands in one repository, each with a fresh environment."""

    def __init__(self, desk: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = desk
        self.monkeypatch = monkeypatch

    def __call__(self, command: str, *options: str) -> Ran:
        self.monkeypatch.setenv(KEY_ENV, KEY)
        return ci_eval(*command.split(), "--repo", str(self.desk.folder), "--config", CONFIG, *options)


@pytest.fixture
def shell(desk: Repository, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(desk, monkeypatch)


# --- gate -------------------------------------------------------------------------------------------------------------


def test_gate_in_a_process_of_its_own_judges_uncommitted_work(desk: Repository) -> None:
    desk.write(NO_PARCELS)

    ran = ci_eval_process("gate", "--config", CONFIG, cwd=desk.folder, environ={KEY_ENV: KEY})

    assert ran.code == 1
    assert ran.out.startswith("Regression: routing fell by 50.0 points (limit 1)\n")
    assert "triage: first look: 8/8 answered, 6 all right, 0 errors" in ran.err


def test_gate_sees_untracked_and_deleted_files(desk: Repository, shell: Shell, server: OpenAIServer) -> None:
    desk.write({"assistants/triage/tools/new.md": "New.\n", "assistants/triage/tools/lookup.md": None})

    subject = shell("gate -q --json").json["changes"][0]["subject"]

    assert [(change["path"].rpartition("/")[2], change["kind"]) for change in subject] == [
        ("lookup.md", "removed"),
        ("new.md", "added"),
    ]


def test_gate_leaves_no_trace_in_git_status_and_does_not_see_its_own_files(desk: Repository, shell: Shell) -> None:
    shell("gate -q")
    desk.write(NO_PARCELS)

    first = shell("gate -q --json")

    assert desk.git("status", "--porcelain") == f"M {TRIAGE_PROMPT}"
    assert (desk.folder / ".ci-eval/triage/candidate.jsonl").exists()
    assert first.json["policy_notes"] == []


def test_gate_on_main_with_nothing_changed_is_green(shell: Shell) -> None:
    assert shell("gate -q").out.startswith("Pass: nothing that ci-eval watches changed\n")


def test_gate_compares_two_refs_and_leaves_the_working_tree_out(desk: Repository, shell: Shell) -> None:
    desk.git("checkout", "--quiet", "-b", "damage")
    desk.commit(NO_PARCELS)
    desk.write({TRIAGE_PROMPT: FILES[TRIAGE_PROMPT]})

    assert shell("gate -q").code == 0
    assert shell("gate -q --head damage").code == 1
    assert shell("gate -q --base damage --head damage").code == 0


def test_gate_compares_with_where_the_branch_left_main(desk: Repository, shell: Shell) -> None:
    desk.git("checkout", "--quiet", "-b", "old-branch")
    desk.git("checkout", "--quiet", "main")
    desk.commit(NO_PARCELS)
    desk.git("checkout", "--quiet", "old-branch")

    ran = shell("gate -q --json")

    assert (ran.code, ran.json["reason"]) == (0, "nothing relevant changed")


def test_gate_as_json_is_json_alone(desk: Repository, shell: Shell) -> None:
    desk.write(NO_PARCELS)

    ran = shell("gate --json")

    assert ran.json["format"] == "ci-eval report 1"
    assert ran.json["verdict"] == "regression"
    assert ran.json["suites"][0]["calls"] == 2 * TRIAGE_CASES + 2 * SETTLING


def test_gate_writes_reports_by_the_ends_of_their_names(desk: Repository, shell: Shell, tmp_path: Path) -> None:
    desk.write(NO_PARCELS)
    files = [tmp_path / "reports" / name for name in ("a.html", "b.md", "c.json", "d.xml", "e.sarif")]

    ran = shell("gate", *(part for file in files for part in ("--report", str(file))))

    assert ran.code == 1
    assert "routing fell by 50.0 points" in ran.out
    texts = [file.read_text(encoding="utf-8") for file in files]
    begins = ("<!doctype html>\n", "### ❌ Regression", "{\n", "<?xml version", "{\n")
    assert [text.startswith(begin) for text, begin in zip(texts, begins, strict=True)] == [True] * 5
    assert all("lost-parcel" in text for text in texts)
    assert (json.loads(texts[2])["verdict"], json.loads(texts[4])["version"]) == ("regression", "2.1.0")


def test_a_second_gate_writes_the_same_reports_apart_from_times(desk: Repository, shell: Shell, tmp_path: Path) -> None:
    desk.write(NO_PARCELS)
    shell("gate")  # from here on answers come out of the cache, untimed
    first, second = (tmp_path / name for name in ("first", "second"))
    names = ("a.html", "d.xml", "e.sarif")
    for folder in (first, second):
        shell("gate", *(part for name in names for part in ("--report", str(folder / name))))

    def without_times(file: Path) -> str:
        return re.sub(r"[0-9.,]+ s\b|[0-9]{2}:[0-9]{2}:[0-9]{2}Z", "", file.read_text(encoding="utf-8"))

    assert [without_times(first / name) == without_times(second / name) for name in names] == [True] * 3


def test_a_report_of_no_known_kind_is_refused_before_anything_is_asked(
    desk: Repository, shell: Shell, server: OpenAIServer, tmp_path: Path
) -> None:
    desk.write(NO_PARCELS)

    ran = shell("gate", "--report", str(tmp_path / "report.pdf"))

    assert (ran.code, server.calls) == (2, 0)
    assert "report.pdf does not say which report it is; end it with .html, .md, .json, .xml, .sarif" in ran.err


def test_gate_as_markdown_is_the_comment(desk: Repository, shell: Shell) -> None:
    desk.write(NO_PARCELS)

    assert shell("gate --markdown").out.startswith("### ❌ Regression: `routing` fell by 50.0 points (limit 1)\n\n|")


def test_quiet_says_nothing_but_the_result(desk: Repository, shell: Shell) -> None:
    desk.write(NO_PARCELS)

    assert shell("gate").err != ""
    assert shell("gate -q").err == ""


def test_out_names_the_folder_of_the_run_files(desk: Repository, shell: Shell, tmp_path: Path) -> None:
    desk.write(NO_PARCELS)

    shell("gate -q", "--out", str(tmp_path / "elsewhere"))

    written = sorted(path.name for path in (tmp_path / "elsewhere/triage").iterdir())
    assert written == ["base.jsonl", "candidate.jsonl"]
    assert not (desk.folder / ".ci-eval/triage").exists()


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_has_the_requests_of_both_sides_before_anything_was_asked(
    desk: Repository, shell: Shell, server: OpenAIServer
) -> None:
    desk.write(NO_PARCELS)

    ran = shell("show lost-parcel")

    main, _, change = ran.out.partition("=== this change ===")
    assert (ran.code, server.calls) == (0, 0)
    assert "model house-1 of provider desk, temperature 0, max_tokens 50\n" in main
    assert "  * parcels\n" in main
    assert "  * parcels\n" not in change
    assert change.endswith("no answer stored: run ci-eval gate first, or add --run\n")


def test_show_has_the_answers_of_the_last_gate(desk: Repository, shell: Shell) -> None:
    desk.write(NO_PARCELS)
    shell("gate -q")

    main, _, change = shell("show lost-parcel").out.partition("=== this change ===")

    assert "pass  routing          exact:queue          1.00  parcels, as expected\n" in main
    assert "FAIL  routing          exact:queue          0.00  front desk where parcels is right\n" in change


def test_show_has_mains_answer_when_it_came_out_of_the_store(desk: Repository, shell: Shell) -> None:
    shell("baseline update -q")
    desk.write(NO_PARCELS)
    shell("gate -q")

    main, _, _ = shell("show lost-parcel").out.partition("=== this change ===")

    assert "parcels, as expected" in main


def test_show_does_not_pass_an_old_answer_off_as_the_new_requests(desk: Repository, shell: Shell) -> None:
    desk.write(NO_PARCELS)
    shell("gate -q")
    desk.write(edited(TRIAGE_PROMPT, "You route", "You route all"))

    _, _, change = shell("show lost-parcel").out.partition("=== this change ===")

    assert change.endswith("the stored answer is to another request: run ci-eval gate again, or add --run\n")


def test_show_asks_the_model_again_when_told_to(desk: Repository, shell: Shell, server: OpenAIServer) -> None:
    desk.write(NO_PARCELS)

    ran = shell("show --run lost-parcel")

    assert (ran.code, server.calls) == (0, 2)
    assert "FAIL  routing" in ran.out


def test_show_says_why_there_is_no_answer(desk: Repository, shell: Shell, server: OpenAIServer) -> None:
    server.behaviour = lambda _: fails(500, "no")

    assert "none: HTTP 500" in shell("show --run postage").out


# --- run and baseline -------------------------------------------------------------------------------------------------


def test_run_prints_the_scores_of_every_suite(desk: Repository, shell: Shell, server: OpenAIServer) -> None:
    desk.write(NO_PARCELS)

    ran = shell("run")

    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()[2:]] == [
        ["triage", "routing", "50.00"],
        ["triage", "courtesy", "100.00"],
        ["faq", "facts", "100.00"],
    ]
    assert server.calls == TRIAGE_CASES + FAQ_CASES


def test_run_takes_a_suite_a_commit_and_repeats(desk: Repository, shell: Shell, server: OpenAIServer) -> None:
    desk.write(NO_PARCELS)

    ran = shell("run -q --json --suite triage --ref main --repeats 2")

    assert ran.json == {"triage": {"routing": "100.0000", "courtesy": "100.0000"}}
    assert server.calls == 2 * TRIAGE_CASES


def test_run_with_holes_is_no_result(shell: Shell, server: OpenAIServer) -> None:
    server.behaviour = lambda asked: fails(500, "no") if "postage" in asked.user else answers(asked)

    ran = shell("run -q")

    assert ran.code == 3
    assert "1 answer was refused or lost to infrastructure (HTTP 500); run again" in ran.err


def test_a_stored_baseline_spares_main_a_run(desk: Repository, shell: Shell, server: OpenAIServer) -> None:
    updated = shell("baseline update -q")
    desk.write(NO_PARCELS)
    before = server.calls

    gate = shell("gate -q --json")

    assert updated.out.endswith("stored on the branch ci-eval-baselines of this clone\n")
    assert (gate.code, server.calls - before) == (1, TRIAGE_CASES + 2 * SETTLING)
    assert gate.json["suites"][0]["base"]["stored"] is True


def test_the_store_is_listed_for_people_and_for_programs(desk: Repository, shell: Shell) -> None:
    assert shell("baseline list").out == "no stored runs; make one with: ci-eval baseline update\n"
    assert shell("baseline list --json").json == []
    shell("baseline update -q --suite faq")

    listed = shell("baseline list")

    commit = desk.git("rev-parse", "main")
    suite, at, run = listed.out.split("\n")[1].split()[:3]
    assert (suite, at, run[:6]) == ("faq", commit[:12], "local.")
    assert [path.split("/")[1] for path in shell("baseline list --json").json] == ["faq"]


def test_a_baseline_of_the_clone_hides_answers_where_the_policy_does(desk: Repository, shell: Shell) -> None:
    policy = desk.read(CONFIG).replace("baseline: {repeats: 1}", "baseline: {repeats: 1, outputs: hide}")
    desk.commit({CONFIG: policy})

    shell("baseline update -q")

    assert "looking into it" not in desk.git("grep", "-h", "-e", "", "ci-eval-baselines")


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("gate --base nope", "no commit is called nope; name a branch, a tag or a commit that this clone holds"),
        ("gate --head=", "no commit is called nothing; name a branch, a tag or a commit that this clone holds"),
        ("gate --base=", "no commit is called nothing; name a branch, a tag or a commit that this clone holds"),
        ("run --ref=", "no commit is called nothing; name a branch, a tag or a commit that this clone holds"),
        ("gate --head nope", "no commit is called nope; name a branch, a tag or a commit that this clone holds"),
        ("gate --json --markdown", "--json and --markdown are two answers; choose one. (see ci-eval gate --help)"),
        ("gate --bse main", "No such option '--bse'. Did you mean '--base'? (see ci-eval gate --help)"),
        ("run --suite tirage", "no suite of that name; there are triage, faq"),
        ("run --ref nope", "no commit is called nope; name a branch, a tag or a commit that this clone holds"),
        ("run --repeats 0", "Invalid value for '--repeats': 0 is not in the range 1<=x<=20. (see ci-eval run --help)"),
        (
            "baseline update --ref nope",
            "no commit is called nope; name a branch, a tag or a commit that this clone holds",
        ),
        ("show lost-parcle", "no golden case lost-parcle on main; did you mean lost-parcel?"),
        ("show lost-parcel --suite tirage", "no suite of that name; there are triage, faq"),
        ("show", "Missing argument 'CASE'. (see ci-eval show --help)"),
        ("gate --out /proc/none", "cannot be written (No such file or directory); name a folder that you may write to"),
    ],
)
def test_what_is_asked_for_wrongly_is_told_in_one_line(command: str, said: str, desk: Repository, shell: Shell) -> None:
    desk.write(NO_PARCELS)

    ran = shell(command)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("ci-eval: ")
    assert ran.err.endswith(f"{said}\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("command", ["gate", "plan", "show lost-parcel", "baseline update", "doctor --offline"])
def test_a_repository_without_a_commit_is_told_so(command: str, tmp_path: Path) -> None:
    Git.create(tmp_path / "new")

    ran = ci_eval(*command.split(), "--repo", str(tmp_path / "new"))

    assert (ran.code, ran.err) == (2, "ci-eval: this repository has no commit yet; commit first\n")


@pytest.mark.parametrize(
    "command",
    [
        "gate",
        "run",
        "baseline update",
        "baseline list",
        "baseline prune --keep 1",
        "baseline replay",
        "baseline show",
        "baseline verify",
        "show lost-parcel",
    ],
)
def test_outside_of_a_repository_every_command_says_so(command: str, tmp_path: Path) -> None:
    ran = ci_eval(*command.split(), "--repo", str(tmp_path))

    assert ran.code == 2
    assert ran.err == (
        "ci-eval: this is not a git work tree; run ci-eval inside a repository, or name one with --repo\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "gate",
        "run",
        "baseline update",
        "baseline list",
        "baseline prune --keep 1",
        "baseline replay",
        "baseline show",
        "baseline verify",
    ],
)
def test_without_a_config_every_command_names_the_file_it_looked_for(command: str, desk: Repository) -> None:
    ran = ci_eval(*command.split(), "--repo", str(desk.folder))

    assert ran.code == 2
    assert ran.err == (
        "ci-eval: ci-eval.yaml: is not in the repository; write one with ci-eval init, or name another with --config\n"
    )


def test_show_without_a_config_on_main_says_that_it_is_main_that_lacks_it(desk: Repository) -> None:
    desk.write({"ci-eval.yaml": desk.read(CONFIG)})

    ran = ci_eval("show", "lost-parcel", "--repo", str(desk.folder))

    assert ran.code == 2
    assert "no ci-eval.yaml on main" in ran.err


@pytest.mark.parametrize("command", ["run", "baseline update", "show --run lost-parcel"])
def test_without_the_key_every_command_that_asks_is_inconclusive(
    command: str, desk: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_ENV)

    ran = ci_eval(*command.split(), "--repo", str(desk.folder), "--config", CONFIG)

    assert ran.code == 3
    assert f"{KEY_ENV} is not set" in ran.err


def test_without_a_main_branch_gate_asks_for_a_base(desk: Repository, shell: Shell) -> None:
    desk.git("branch", "--move", "main", "trunk")

    assert shell("gate").err == "ci-eval: no main or master branch to compare with; name one with --base\n"
    assert shell("gate -q --base trunk").code == 0


def test_a_command_that_does_not_exist_is_a_usage_error() -> None:
    ran = ci_eval("gaet")

    assert (ran.code, ran.err) == (2, "ci-eval: No such command 'gaet'. (see ci-eval --help)\n")


def test_the_demo_does_not_write_into_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")

    ran = ci_eval("demo", "--dir", str(tmp_path))

    assert ran.code == 2
    assert "is not empty; name a new folder." in ran.err


# --- help and schemas -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "",
        *COMMANDS,
        *(f"baseline {name}" for name in ("update", "list", "prune", "replay", "show", "verify")),
        "cache stats",
        "cache prune",
    ],
)
def test_every_command_has_help(command: str) -> None:
    ran = ci_eval(*command.split(), "--help")

    assert ran.code == 0
    assert ran.out.startswith(f"Usage: ci-eval {command}".rstrip())
    assert "..." not in ran.out.partition("Commands:")[2], "a one-line summary that is cut short"


def schema(name: str) -> jsonschema.Draft202012Validator:
    found = ci_eval("schema", name).json
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("name", FORMATS)
def test_every_schema_is_one(name: str) -> None:
    schema(name)
    assert ci_eval("schema", name).json["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_an_editor_can_say_what_every_key_of_the_config_means() -> None:
    """But of those that are an object, which says so itself, and of a provider's own parameters."""
    found = ci_eval("schema", "config").json
    for name, model in {"the config": found, **found["$defs"]}.items():
        for key, what in model.get("properties", {}).items():
            says_itself = "$ref" in json.dumps(what) or "const" in what or name == "JudgeParameters"
            assert says_itself or what.get("description"), f"{name}: {key}"


def test_the_schema_of_the_config_takes_the_projects_own_and_the_one_in_the_docs() -> None:
    validator = schema("config")
    documented = (PROJECT / "docs/configuration.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]

    for text in ((PROJECT / "ci-eval.yaml").read_text(encoding="utf-8"), FILES[CONFIG], documented):
        validator.validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max_drop: 1", "max_dorp: 1"),
        ("max_drop: 1", "max_drop: 0"),
        ("weight: 3", "weight: -3"),
        ("timeout_seconds: 5", "timeout_seconds: 4000"),
        ("type: exact", "type: exakt"),
        ("field: queue", "fild: queue"),
        ("api: openai", "api: opnai"),
        ("version: 1", "version: 2"),
    ],
)
def test_the_schema_of_the_config_refuses_what_the_gate_refuses(old: str, new: str) -> None:
    assert list(schema("config").iter_errors(yaml.safe_load(FILES[CONFIG].replace(old, new)))) != []


def test_the_schemas_take_the_projects_own_cases_and_model() -> None:
    cases, model = schema("case"), schema("model")

    for path in (PROJECT / "golden/helpdesk/cases").glob("*.jsonl"):
        for row in path.read_text(encoding="utf-8").splitlines():
            cases.validate(json.loads(row))
    model.validate(yaml.safe_load((PROJECT / "golden/helpdesk/model.yaml").read_text(encoding="utf-8")))


def test_the_schemas_take_the_run_files_that_a_gate_writes(
    desk: Repository, shell: Shell, server: OpenAIServer
) -> None:
    server.behaviour = lambda asked: fails(400, "no") if "invoice" in asked.user else answers(asked)
    desk.write(NO_PARCELS)
    shell("gate -q")

    for side in ("base", "candidate"):
        header, *records = (desk.folder / f".ci-eval/triage/{side}.jsonl").read_text(encoding="utf-8").splitlines()
        schema("run-header").validate(json.loads(header))
        for record in records:
            schema("run-record").validate(json.loads(record))
