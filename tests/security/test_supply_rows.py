"""Rows 104, 108-112, 114 and 115 of the threat model, and 10-13, which bind what is not there: where the action, its
image and its package come from, and what its workflows may do. Each test is named by its row."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci_eval.github.environment import Environment
from ci_eval.github.event import Ignored, activity
from ci_eval.text import JSON

ROOT = Path(__file__).parents[2]
WORKFLOWS = [
    *sorted((ROOT / ".github/workflows").glob("*.yml")),
    *sorted(ROOT.glob("examples/*/.github/workflows/*.yml")),
]


BY_DIGEST = r"docker://ghcr\.io/[a-z0-9._/-]+@sha256:[0-9a-f]{64}"


def test_108_the_action_is_this_image_with_its_own_command(action: dict[str, Any]) -> None:
    """Built on main, named by its digest in a release: never by a tag, which can be moved."""
    assert action["runs"].keys() == {"using", "image"}
    assert action["runs"]["using"] == "docker"
    assert action["runs"]["image"] == "Dockerfile" or re.fullmatch(BY_DIGEST, action["runs"]["image"])


# --- a release --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    return loaded


def released(tag: str, *, image: str, folder: Path, changelog: str = "## 1.2.3\n") -> str:
    """What `.ci/release` says of a tree; nothing where all is well."""
    files = {
        ".ci/release": (ROOT / ".ci/release").read_text(encoding="utf-8"),
        "pyproject.toml": '[project]\nversion = "1.2.3"\n',
        "ci_eval/__init__.py": '__version__ = "1.2.3"\n',
        "CHANGELOG.md": f"# Changelog\n\n{changelog}",
        "action.yml": f"runs:\n  using: docker\n  image: {image}\n",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    command = ["bash", str(folder / ".ci/release"), *tag.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


DIGEST = f"docker://ghcr.io/octo-org/ci-eval@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("tag", "image", "changelog", "said"),
    [
        ("v1.2.3", "Dockerfile", "## 1.2.3\n", ""),
        ("v1.2.3 pinned", DIGEST, "## 1.2.3\n", ""),
        ("v1.2.4", "Dockerfile", "## 1.2.4\n", "pyproject.toml lacks"),
        ("v1.2.3", "Dockerfile", "## Unreleased\n", "CHANGELOG.md lacks"),
        ("v1.2.3", DIGEST, "## 1.2.3\n", "action.yml lacks"),
        ("v1.2.3 pinned", "Dockerfile", "## 1.2.3\n", "by its digest"),
        ("v1.2.3 pinned", DIGEST.partition("@")[0] + ":v1.2.3", "## 1.2.3\n", "by its digest"),
    ],
)
def test_108_a_release_is_called_the_same_everywhere(
    tag: str, image: str, changelog: str, said: str, tmp_path: Path
) -> None:
    told = released(tag, image=image, folder=tmp_path, changelog=changelog)
    assert said in told if said else told == ""


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = job["steps"]
    return found


def test_111_a_release_reads_no_cache_and_no_secret(release: dict[str, Any]) -> None:
    text = json.dumps(release)
    assert "actions/cache" not in text
    assert "cache-from" not in text
    assert "secrets." not in text
    (build,) = [step for job in release["jobs"].values() for step in steps(job) if "build-push" in step.get("uses", "")]
    assert (build["with"]["no-cache"], build["with"]["sbom"], build["with"]["provenance"]) == (True, True, "mode=max")


def test_111_what_publishes_waits_for_a_reviewer_and_for_the_tests(release: dict[str, Any]) -> None:
    writing = {
        name: job
        for name, job in release["jobs"].items()
        if any(right == "write" for right in job["permissions"].values())
    }
    assert writing.keys() == {"image", "pypi"}
    assert {job["environment"] for job in writing.values()} == {"release"}
    assert release["jobs"]["image"]["needs"] == "check"
    assert "image" in release["jobs"]["pypi"]["needs"]


def test_112_the_image_and_the_package_are_attested(release: dict[str, Any]) -> None:
    attested = [
        step["with"]
        for job in release["jobs"].values()
        for step in steps(job)
        if "attest-build-provenance" in step.get("uses", "")
    ]
    assert [("subject-digest" in each, each.get("push-to-registry")) for each in attested] == [
        (True, True),
        (False, None),
    ]


def test_112_no_secret_is_built_in_and_anybody_can_verify(release: dict[str, Any]) -> None:
    (build,) = [step for job in release["jobs"].values() for step in steps(job) if "build-push" in step.get("uses", "")]
    assert build["with"]["build-args"] == "BASE=${{ steps.base.outputs.image }}"
    assert not {"secrets", "secret-files", "secret-envs", "ssh"} & build["with"].keys()
    page = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
    assert "gh attestation verify oci://" in page
    assert re.search(r"gh attestation verify \S+\.whl", page)
    assert "[docs/releasing.md](docs/releasing.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: str(file.relative_to(ROOT)))
def test_108_every_action_is_named_by_its_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text(encoding="utf-8"))
    assert used
    for what, comment in used:
        assert (
            what == "./"
            or what.startswith("OWNER/ci-eval@")
            or (re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", what) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment))
        )


# --- the image --------------------------------------------------------------------------------------------------------


def test_109_every_package_is_installed_by_its_hash(dockerfile: list[tuple[str, str]]) -> None:
    installs = [words for what, words in dockerfile if what == "RUN" and re.search(r"\bpip\b.*\binstall\b", words)]

    assert len(installs) == 1
    assert all(option in installs[0] for option in ("--require-hashes", "--only-binary :all:", "--no-deps"))


@pytest.mark.parametrize("name", ["runtime", "weights"])
def test_109_every_locked_package_has_a_version_and_a_hash(name: str) -> None:
    lock = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", lock.replace("\\\n", " "))
    packages = [entry.splitlines()[0] for entry in entries if not entry.startswith("#")]

    assert packages
    assert [line for line in packages if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


def test_110_only_the_base_can_be_chosen_at_build_time(dockerfile: list[tuple[str, str]]) -> None:
    """A secret in a build argument would stay in the image's history."""
    assert [words.partition("=")[0] for what, words in dockerfile if what == "ARG"] == ["BASE"]
    assert [words for what, words in dockerfile if what == "FROM"] == ["${BASE} AS build", "${BASE}"]


def test_110_nothing_is_fetched_but_by_pip_and_apt(dockerfile: list[tuple[str, str]]) -> None:
    assert [step for step in dockerfile if step[0] == "ADD" or re.search(r"\b(curl|wget|git clone)\b", step[1])] == []


# --- what workflows may do --------------------------------------------------------------------------------------------


def loaded(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def judges_pull_requests(file: Path) -> bool:
    events = loaded(file)[True]  # YAML 1.1 reads `on` so
    return any(str(name).startswith("pull_request") for name in events)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: str(file.relative_to(ROOT)))
def test_114_what_judges_a_pull_request_cannot_write_code(file: Path) -> None:
    """Nothing is granted to a whole workflow; what writes contents is a job of main's own pushes: the baseline."""
    workflow = loaded(file)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        if judges_pull_requests(file) and job.get("permissions", {}).get("contents") == "write":
            assert re.search(r"github\.event_name (== 'push'|!= 'pull_request')|github\.ref ==", job["if"])


def test_114_some_workflows_judge_pull_requests() -> None:
    """Or the row above would say little."""
    assert len(list(filter(judges_pull_requests, WORKFLOWS))) >= 8


# --- what is said, since it cannot be enforced from inside ------------------------------------------------------------


def test_104_the_docs_say_where_a_key_is_kept_from_those_who_may_push() -> None:
    text = " ".join((ROOT / "docs/security.md").read_text(encoding="utf-8").split())
    (said,) = re.findall(r"Everyone with write access can read repository secrets\.[^*]*", text)
    for part in ("environment with required reviewers", "key of its own", "spending limit", "replaced"):
        assert part in said


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: str(file.relative_to(ROOT)))
def test_104_the_workflow_that_strangers_start_has_its_key_from_an_environment(file: Path) -> None:
    workflow = loaded(file)
    for job in workflow["jobs"].values():
        assert "pull_request_target" not in workflow[True] or "secrets." not in json.dumps(job) or job["environment"]


# --- standing checks --------------------------------------------------------------------------------------------------


def test_115_workflows_are_checked_with_every_change_and_the_project_once_a_week() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: .*\bcheck\b", makefile, re.M)
    assert re.search(r"^check: .*\bworkflows\b", makefile, re.M)
    assert "zizmor --persona pedantic" in makefile
    codeql, score = (loaded(ROOT / ".github/workflows" / name) for name in ("codeql.yml", "scorecard.yml"))
    assert {"push", "pull_request", "schedule"} <= codeql[True].keys()  # YAML 1.1 reads "on" so
    assert codeql["jobs"]["analyse"]["strategy"]["matrix"]["language"] == ["actions", "python"]
    assert "schedule" in score[True]
    assert ".score >= 8" in json.dumps(score)


# --- a command in a comment: there is none ----------------------------------------------------------------------------


def commented(action: str, body: str) -> object:
    """What a comment on a pull request makes of the job."""
    environ = {
        "GITHUB_EVENT_NAME": "issue_comment",
        "GITHUB_EVENT_PATH": "/nowhere",
        "GITHUB_SHA": "5" * 40,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": "octo/shop",
        "GITHUB_REPOSITORY_ID": "1",
        "GITHUB_RUN_ID": "2",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_WORKFLOW": "eval",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_WORKSPACE": "/work",
    }
    comment: JSON = {"action": action, "comment": {"body": body}, "issue": {"number": 7, "pull_request": {}}}
    return activity(Environment.from_environ(environ), comment)


@pytest.mark.parametrize("body", ["/eval", f"/eval {'a' * 40}", "/eval 1 --max-drop 100; id", "ci-eval: accept"])
def test_10_11_13_no_comment_starts_anything(body: str) -> None:
    """Its check would stand on the default branch, where no requirement sees it; so no comment is listened to."""
    assert isinstance(commented("created", body), Ignored)


@pytest.mark.parametrize("action", ["edited", "deleted", "pinned"])
@pytest.mark.parametrize("body", [f"/eval {'a' * 40}", f"> /eval {'a' * 40}\nno!", f"```\n/eval {'a' * 40}\n```"])
def test_12_nor_does_one_that_is_edited_or_quotes_another(action: str, body: str) -> None:
    assert isinstance(commented(action, body), Ignored)
