"""A workflow and a repository with nothing wrong in them; a test changes one thing and says what doctor sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from github_runs import environment_json
from github_standin import TOKEN, StandIn
from making import held
from repo import Repo

from ci_eval.doctor import gate_job, keys, strangers
from ci_eval.doctor.findings import Finding
from ci_eval.doctor.told import plain
from ci_eval.doctor.workflows import Workflows
from ci_eval.github.client import GitHub
from ci_eval.github.environment import Token

SHA = "3d3c42e5aac5ba805825da76410c181273ba90b1"
EVAL = ".github/workflows/eval.yml"
ON = "  pull_request: {types: [opened, synchronize, reopened, edited]}\n"
GOOD = f"""\
name: eval
on:
  pull_request: {{types: [opened, synchronize, reopened, edited]}}
  merge_group:
permissions: {{}}
concurrency: {{group: "eval-${{{{ github.ref }}}}", cancel-in-progress: true}}
jobs:
  gate:
    name: ci-eval
    runs-on: ubuntu-24.04
    environment: models
    timeout-minutes: 15
    permissions: {{contents: read, pull-requests: write}}
    steps:
      - uses: actions/checkout@{SHA}
        with: {{fetch-depth: 0, persist-credentials: false}}
      - uses: octo/ci-eval@{SHA}
        env:
          KEY: ${{{{ secrets.KEY }}}}
"""

POLICY = """\
version: 1
providers: {house: {api: openai, base_url: "http://localhost:1/v1", key_env: HOUSE_KEY}}
suites:
  s:
    target: {prompt: p.md, model: m.yaml}
    golden: golden/*.jsonl
    scorers: [{type: exact}]
"""
FILES = {
    "ci-eval.yaml": POLICY,
    "p.md": "Answer.",
    "m.yaml": "{provider: house, model: m}",
    "golden/a.jsonl": '{"id": "one", "input": "a", "expected": "b"}\n',
    EVAL: GOOD,
    ".github/CODEOWNERS": "/.github/ @octo/owners\n/golden/ @octo/owners\n/ci-eval.yaml @octo/owners\n",
}


def changed(*changes: tuple[str, str], text: str = GOOD) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def of_workflows(text: str = GOOD, **others: str) -> list[Finding]:
    """All findings about eval.yml with a text, beside other workflows by the names of their files."""
    files = {EVAL: text} | {f".github/workflows/{name}.yml": other for name, other in others.items()}
    return of_files(files)


def of_files(files: dict[str, str]) -> list[Finding]:
    found = Workflows.read(held(files))
    return [
        *gate_job.check_workflows(found),
        *keys.check_keys(found, {"KEY"}),
        *strangers.check_strangers(found),
    ]


def wrong(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    return {(finding.check.id, finding.state) for finding in findings if finding.state != "ok"}


def told(findings: Iterable[Finding]) -> str:
    return "\n".join(
        plain((*one.about, ": ", *one.fact, " → ", *one.remedy), lambda text: text)
        for one in findings
        if one.state != "ok"
    )


def at_once(api_url: str, repository: str, token: Token) -> GitHub:
    """Without the pauses that GitHub is owed, and the stand-in is not."""
    return GitHub(api_url, repository, token, 0, 0, 0)


def repository(folder: Path) -> Repo:
    """A repository of FILES, in one commit."""
    made = Repo(folder)
    for path, text in FILES.items():
        made.write(path, text)
    made.commit()
    return made


@contextmanager
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """GitHub with everything in order, which doctor asks without pauses."""
    with StandIn() as server:
        server.settings = settings()
        server.environments["models"] = environment_json("models", [{}])
        monkeypatch.setenv("GITHUB_API_URL", server.api_url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setattr("ci_eval.cli.doctor.connect", at_once)
        yield server


# --- GitHub's answers -------------------------------------------------------------------------------------------------

_DATA = Path(__file__).parent / "data"
_API = "https://api.github.com/repos/octo-org/shop"
ACTIONS_APP = 15368


def about(**changes: Any) -> dict[str, Any]:
    """The repository itself: that of the webhook examples."""
    opened = json.loads((_DATA / "webhooks/pull_request.opened.json").read_text(encoding="utf-8"))
    counts = {"network_count": 0, "subscribers_count": 0, "has_discussions": False, "default_branch": "main"}
    return {**opened["pull_request"]["base"]["repo"], **counts, **changes}


def branch(name: str, *, protected: bool, checks: Sequence[tuple[str, int | None]] = ()) -> dict[str, Any]:
    """What everyone is told of a branch; `checks` are those of a protection of the older kind."""
    listed = [{"context": context, "app_id": app} for context, app in checks]
    required = {"enforcement_level": "everyone", "contexts": [name for name, _ in checks], "checks": listed}
    who = {"name": "A", "email": "a@example.com", "date": "2026-05-04T10:20:30Z"}
    tree = {"sha": "1" * 40, "url": f"{_API}/git/trees/1"}
    people = {"author": who, "committer": who}
    urls = {f"{kind}url": f"{_API}/commits/1" for kind in ("", "html_", "comments_")}
    inner = {"url": urls["url"], "message": "m", "tree": tree, "comment_count": 0, **people}
    nobody: dict[str, Any] = {"author": {}, "committer": {}}  # of no account on GitHub
    commit = {"sha": "1" * 40, "node_id": "C_1", **urls, **nobody, "parents": [], "commit": inner}
    return {
        "name": name,
        "commit": commit,
        "_links": {"html": f"https://github.com/octo-org/shop/tree/{name}", "self": f"{_API}/branches/{name}"},
        "protected": protected,
        "protection": {"enabled": protected, "required_status_checks": required},
        "protection_url": f"{_API}/branches/{name}/protection",
    }


def rule(kind: str, **parameters: Any) -> dict[str, Any]:
    info = {"ruleset_id": 1, "ruleset_source": "octo-org/shop", "ruleset_source_type": "Repository"}
    return {"type": kind, **info} | ({"parameters": parameters} if parameters else {})


def required(name: str = "ci-eval", app: int | None = ACTIONS_APP) -> dict[str, Any]:
    check = {"context": name} | ({"integration_id": app} if app is not None else {})
    return rule("required_status_checks", required_status_checks=[check], strict_required_status_checks_policy=False)


def reviews(*, by_owners: bool = True) -> dict[str, Any]:
    return rule(
        "pull_request",
        dismiss_stale_reviews_on_push=False,
        require_code_owner_review=by_owners,
        require_last_push_approval=False,
        required_approving_review_count=1,
        required_review_thread_resolution=False,
    )


def queue() -> dict[str, Any]:
    return rule(
        "merge_queue",
        check_response_timeout_minutes=60,
        grouping_strategy="ALLGREEN",
        max_entries_to_build=5,
        max_entries_to_merge=5,
        merge_method="MERGE",
        min_entries_to_merge=1,
        min_entries_to_merge_wait_minutes=5,
    )


BARRED = [rule("deletion"), rule("non_fast_forward"), rule("update")]


def settings() -> dict[str, Any]:
    """A repository in which every protection is on."""
    return {
        "": about(),
        "rules/branches/main": [required(), reviews()],
        "rules/branches/ci-eval-baselines": BARRED,
        "branches/main": branch("main", protected=False),
        "branches/ci-eval-baselines": branch("ci-eval-baselines", protected=False),
        "actions/permissions/workflow": {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": False,
        },
        "codeowners/errors": {"errors": []},
    }
