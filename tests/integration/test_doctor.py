"""`ci-eval doctor` as a user runs it: a real repository, and GitHub's settings from the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Ran, ci_eval
from doctor_cases import (
    ACTIONS_APP,
    BARRED,
    EVAL,
    GOOD,
    ON,
    POLICY,
    about,
    branch,
    changed,
    github,
    queue,
    repository,
    required,
    reviews,
    rule,
)
from github_runs import environment_json
from github_standin import Answer, StandIn
from repo import Repo

KEY = "canary-Zx7/+q9w=0123456789"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_ACTIONS", "INPUT_GITHUB-TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return repository(tmp_path / "clone")


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with github(monkeypatch) as server:
        yield server


def doctor(repo: Repo, *arguments: str) -> Ran:
    return ci_eval("doctor", "--repo", str(repo.folder), "--repository", StandIn.repository, *arguments)


def states(ran: Ran, group: str | None = "protections") -> set[tuple[str, str]]:
    found = ran.json["findings"]
    return {
        (one["id"], one["state"])
        for one in found
        if one["state"] != "ok" and one["group"] in {group, group or one["group"]}
    }


def fact(ran: Ran, name: str) -> str:
    (found,) = [one for one in ran.json["findings"] if one["id"] == name]
    return f"{found['about']}: {found['fact']} → {found['remedy']}"


# --- a laptop without a token -----------------------------------------------------------------------------------------


def test_without_a_token_it_does_the_local_part_and_says_how_to_give_one(repo: Repo) -> None:
    ran = doctor(repo)
    assert ran.code == 0
    assert "there is no token to ask GitHub with" in ran.out
    assert "gh auth token" in ran.out
    assert "loads, with 1 suite" in ran.out
    assert doctor(repo, "--strict").code == 3


def test_offline_nothing_is_asked(repo: Repo, standin: StandIn) -> None:
    assert states(doctor(repo, "--offline", "--json")) == {("github", "unknown")}
    assert standin.requests == []


def test_a_config_that_does_not_load_is_refused(repo: Repo) -> None:
    repo.write("ci-eval.yaml", POLICY.replace("golden:", "gloden:"))
    repo.commit()
    ran = doctor(repo, "--json")
    assert ran.code == 2
    assert fact(ran, "config").startswith("ci-eval.yaml: ci-eval.yaml, line 6: ")


@pytest.mark.parametrize(
    ("path", "content", "check", "state", "code"),
    [
        ("m.yaml", "{provider: other, model: m}", "suite", "problem", 2),
        ("p.md", None, "suite", "problem", 2),
        ("golden/a.jsonl", None, "suite", "problem", 3),
        (
            "ci-eval.yaml",
            POLICY.replace("    golden:", "    datasets: [d*.jsonl]\n    golden:"),
            "datasets",
            "warning",
            0,
        ),
    ],
)
def test_what_the_config_names_must_be_there(
    repo: Repo, path: str, content: str | None, check: str, state: str, code: int
) -> None:
    repo.delete(path) if content is None else repo.write(path, content)
    repo.commit()
    ran = doctor(repo, "--json")
    assert (check, state) in states(ran, "set-up")
    assert ran.code == code


def test_what_is_committed_counts(repo: Repo) -> None:
    repo.write("ci-eval.yaml", "not committed")
    assert doctor(repo).code == 0


def test_a_suite_that_only_a_model_scores_is_told(repo: Repo) -> None:
    scorer = "{type: similarity, provider: house, model: e, pass_at: 0.5}"
    repo.write("ci-eval.yaml", POLICY.replace("{type: exact}", scorer))
    repo.commit()
    assert fact(doctor(repo, "--json"), "deterministic-scorer").startswith(
        "suite s: only a model scores output_quality"
    )
    repo.write("ci-eval.yaml", POLICY.replace("{type: exact}", f"{{type: exact}}, {scorer}"))
    repo.commit()
    assert "only a model scores output_quality" in fact(doctor(repo, "--json"), "deterministic-scorer")


def test_a_config_that_is_not_committed_yet_is_told(repo: Repo) -> None:
    repo.git.run("rm", "-q", "--cached", "ci-eval.yaml")
    repo.git.run("commit", "-q", "-m", "without")
    ran = doctor(repo)
    assert "ci-eval.yaml: is not in the repository" in ran.out
    assert "commit it: what is committed counts" in ran.out


def test_the_baseline_branch_of_the_clone(repo: Repo) -> None:
    assert "has no branch ci-eval-baselines" in fact(doctor(repo, "--json"), "baseline")
    repo.git.run("branch", "ci-eval-baselines")
    assert "stored runs" in fact(doctor(repo, "--json"), "baseline")


def test_a_clone_without_history_is_told(repo: Repo) -> None:
    repo.write(".git/shallow", f"{repo.commit('more')}\n")
    assert ("history", "warning") in states(doctor(repo, "--json"), "set-up")


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_there_or_not_and_nothing_more_is_said(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOUSE_KEY", raising=False)
    assert "HOUSE_KEY is not set" in fact(doctor(repo, "--json"), "key")
    monkeypatch.setenv("HOUSE_KEY", " ")
    assert "HOUSE_KEY is not set" in fact(doctor(repo, "--json"), "key")
    told = set()
    for value in ("k", "two\nlines", KEY, "\u20ac", "x" * 5000):
        monkeypatch.setenv("HOUSE_KEY", value)
        told.add(fact(doctor(repo, "--json"), "key"))
    assert told == {"this machine: HOUSE_KEY is set → None"}


# --- GitHub's settings ------------------------------------------------------------------------------------------------


def test_everything_in_order(repo: Repo, standin: StandIn) -> None:
    ran = doctor(repo, "--json")
    assert states(ran) == set()
    assert ran.code == 0


MAIN, STORE = "rules/branches/main", "rules/branches/ci-eval-baselines"
OLD = ("branches/main", branch("main", protected=True, checks=[("ci-eval", ACTIONS_APP)]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({MAIN: []}, {("required-check", "problem"), ("guarded-gate", "problem")}),
        ({MAIN: [required("other"), reviews()]}, {("required-check", "problem")}),
        ({MAIN: [required("CI-eval"), reviews()]}, {("required-check", "problem")}),
        ({MAIN: [required(app=None), reviews()]}, {("check-source", "warning")}),
        ({MAIN: [required(), reviews(by_owners=False)]}, {("guarded-gate", "problem")}),
        ({MAIN: [required(), reviews(), queue()]}, set()),
        ({STORE: []}, {("baseline-branch", "problem")}),
        ({STORE: BARRED[:1]}, {("baseline-branch", "problem")}),
        ({STORE: BARRED[:2]}, {("baseline-branch", "warning")}),
        ({"environments/models": environment_json("models", [])}, {("reviewed-environment", "problem")}),
        ({"environments/models": Answer(404, {})}, {("reviewed-environment", "unknown")}),
        ({"branches/ci-eval-baselines": None}, set()),
        ({"": about(default_branch="main", private=True)}, set()),
    ],
)
def test_each_setting_is_told(
    changes: dict[str, Any], expected: set[tuple[str, str]], repo: Repo, standin: StandIn
) -> None:
    standin.settings |= changes
    ran = doctor(repo, "--json")
    assert states(ran) == expected
    assert ran.code == (3 if "problem" in {state for _, state in expected} else 0)


def test_what_a_token_may_not_see_is_never_called_off(repo: Repo, standin: StandIn) -> None:
    """A workflow's own token sees neither the older protection nor the default permissions."""
    refused = Answer(403, {"message": "Resource not accessible by integration"})
    standin.settings |= dict([OLD]) | {"rules/branches/main": [], "actions/permissions/workflow": refused}
    ran = doctor(repo, "--json")
    assert states(ran) == {("guarded-gate", "unknown"), ("default-token", "unknown")}
    assert ran.code == 0
    assert "administration: read" in fact(ran, "guarded-gate")


def test_the_older_protection_counts_where_it_is_seen(repo: Repo, standin: StandIn) -> None:
    url = "https://api.github.com/repos/octo-org/shop/branches/main/protection"
    by_owners = {
        "url": url,
        "dismiss_stale_reviews": False,
        "require_code_owner_reviews": True,
    }
    standin.settings |= dict([OLD]) | {
        "rules/branches/main": [],
        "branches/main/protection": {"url": url, "required_pull_request_reviews": by_owners},
    }
    assert states(doctor(repo, "--json")) == set()


def test_a_required_workflow_guards_the_gate(repo: Repo, standin: StandIn) -> None:
    file = {"path": EVAL, "repository_id": 1}
    standin.settings["rules/branches/main"] = [rule("workflows", workflows=[file])]
    ran = doctor(repo, "--json")
    assert states(ran) == set()
    assert "require workflows to pass" in fact(ran, "guarded-gate")


def test_a_merge_queue_without_the_gate_is_told(repo: Repo, standin: StandIn) -> None:
    repo.write(EVAL, changed(("  merge_group:\n", "")))
    repo.commit()
    standin.settings["rules/branches/main"] = [required(), reviews(), queue()]
    assert states(doctor(repo, "--json")) == {("merge-queue", "problem")}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("branches: [main]", set()),
        ("branches: main", set()),
        ("branches: ['**']", set()),
        ("branches: ['release/**', 'ma*']", set()),
        ("branches-ignore: [docs]", set()),
        ("branches: [develop]", {("reaches-main", "problem")}),
        ("branches: ['**', '!main']", {("reaches-main", "problem")}),
        ("branches-ignore: ['*']", {("reaches-main", "problem")}),
        ("branches: ['release/**']", {("reaches-main", "problem")}),
        ("branches: ['**/main']", {("reaches-main", "problem")}),
        ("branches-ignore: ['ma**']", {("reaches-main", "problem")}),
        ("branches: ['*a*i*', '!release/**', '!v[0-9]']", set()),
        ("branches: ['[a-z]+']", set()),
        ("branches: ['*m*a*i*n*']", set()),
    ],
)
def test_a_filter_that_keeps_pull_requests_into_main_from_the_gate_is_told(
    filters: str, found: set[tuple[str, str]], repo: Repo, standin: StandIn
) -> None:
    """Then the check that main requires never comes. A filter with main in it is right: a check is the head's."""
    repo.write(EVAL, changed((ON, f"{ON[:-2]}, {filters}}}\n")))
    repo.commit()
    assert states(doctor(repo, "--json")) == found


def test_a_gate_of_another_branch_is_not_main_s(repo: Repo, standin: StandIn) -> None:
    """Two workflows: main's, and one of what was released, whose check never comes to main."""
    filtered = changed((ON, f"{ON[:-2]}, branches: [release]}}\n"), ("name: ci-eval", "name: released"))
    repo.write(".github/workflows/released.yml", filtered.replace("  merge_group:\n", ""))
    repo.commit()
    assert states(doctor(repo, "--json")) == set()
    standin.settings["rules/branches/main"] = [required(), required("released"), reviews()]
    assert states(doctor(repo, "--json")) == {("reaches-main", "problem")}


def test_code_owners_that_github_finds_fault_with(repo: Repo, standin: StandIn) -> None:
    error = {"line": 1, "column": 1, "kind": "Unknown owner", "message": "::error::", "path": ".github/CODEOWNERS"}
    standin.settings["codeowners/errors"] = {"errors": [error]}
    ran = doctor(repo, "--json")
    assert states(ran) == {("code-owners", "problem")}
    assert "::error::" not in ran.out


def test_code_owners_come_from_main(repo: Repo, standin: StandIn) -> None:
    """A branch that takes the owners away is still under main's."""
    repo.branch("topic")
    repo.delete(".github/CODEOWNERS")
    repo.commit()
    assert states(doctor(repo, "--json")) == set()


def test_all_pages_of_rules_are_read(repo: Repo, standin: StandIn) -> None:
    standin.settings["rules/branches/main"] = [rule("creation")] * 200 + [required(), reviews()]
    assert states(doctor(repo, "--json")) == set()


@pytest.mark.parametrize("answer", [Answer(404, {}), None])
def test_a_repository_that_is_not_to_be_seen(answer: Answer | None, repo: Repo, standin: StandIn) -> None:
    standin.settings[""] = answer
    assert states(doctor(repo, "--json")) == {("github", "unknown")}


def test_a_token_that_github_does_not_know(repo: Repo, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_unknown0123456789")
    ran = doctor(repo, "--json")
    assert "GitHub does not know this token" in fact(ran, "github")
    assert "ghs_unknown" not in ran.out + ran.err


# --- which repository -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/octo/shop.git", "octo/shop"),
        ("https://github.com/octo/shop", "octo/shop"),
        ("https://github.com/octo/shop/", "octo/shop"),
        ("git@github.com:octo/shop.git", "octo/shop"),
        ("ssh://git@github.com/octo/shop.git", "octo/shop"),
        ("ssh://git@github.com:22/octo/shop", "octo/shop"),
        ("https://github.com.attacker.example/octo/shop", None),
        ("https://attacker.example/github.com/octo", None),
        ("https://attacker.example\\@github.com/octo/shop", None),
        ("git@github.com@attacker.example:octo/shop", None),
        ("https://x:pass-word-0123@github.com/octo/shop", None),
        ("http://github.com/octo/shop", None),
        ("https://github.com/octo/shop/extra", "refused"),
        ("../other.git", None),
        ("ext::sh -c id", None),
    ],
)
def test_the_repository_is_that_of_origin_only_where_it_is_certain(
    url: str, name: str | None, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ci_eval.cli.doctor import _origin

    repo.git.run("config", "remote.origin.url", url)
    if name == "refused":
        assert ci_eval("doctor", "--repo", str(repo.folder)).code == 2
        return
    assert _origin(repo.git, "https://api.github.com") == name
    assert _origin(repo.git, "https://ghe.example.com/api/v3") is None
    ran = ci_eval("doctor", "--repo", str(repo.folder))
    assert ("the address of origin holds a user name" in ran.out) == (url.startswith("https:") and "@" in url)
    assert "pass-word" not in ran.out + ran.err


def test_an_enterprise_server_is_the_one_of_its_api(repo: Repo) -> None:
    from ci_eval.cli.doctor import _origin

    repo.git.run("config", "remote.origin.url", "git@ghe.example.com:octo/shop.git")
    assert _origin(repo.git, "https://ghe.example.com/api/v3") == "octo/shop"
    assert _origin(repo.git, "https://api.github.com") is None


def test_a_job_on_github_asks_about_its_own_repository(
    repo: Repo, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", StandIn.repository)
    assert ci_eval("doctor", "--repo", str(repo.folder), "--json").json["repository"] == StandIn.repository


@pytest.mark.parametrize("name", ["octo", "octo/..", "octo/shop?x=1", "a/b/c", "../../user"])
def test_an_odd_name_of_a_repository_is_refused(name: str, repo: Repo, standin: StandIn) -> None:
    assert ci_eval("doctor", "--repo", str(repo.folder), "--repository", name).code == 2
    assert standin.requests == []


def test_quiet_tells_only_what_is_not_in_order(repo: Repo, standin: StandIn) -> None:
    standin.settings["rules/branches/main"] = [required(app=None), reviews()]
    shown = doctor(repo, "--quiet").out
    assert "is taken from any app" in shown
    assert "\n        ok" not in shown
    assert GOOD not in shown
