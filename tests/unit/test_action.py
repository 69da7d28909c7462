"""The action and its image, held to what the code reads, writes and is called."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from ci_eval import __version__
from ci_eval.config import DEFAULT_PATH
from ci_eval.github.environment import CommentMode, Environment, Inputs, Mode
from ci_eval.github.publish import OUTPUTS

ROOT = Path(__file__).parents[2]


class Remembering(dict[str, str]):
    """A job's environment that remembers which of its variables were asked for."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instruction and argument of each step, comments dropped and continued lines joined."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line and not line.startswith("#")).replace("\\\n", " ")
    return [(line.partition(" ")[0], " ".join(line.split()[1:])) for line in text.splitlines()]


def job(**more: str) -> Remembering:
    return Remembering(
        {
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_SHA": "5" * 40,
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_REPOSITORY": "octo-org/shop",
            "GITHUB_REPOSITORY_ID": "1",
            "GITHUB_RUN_ID": "2",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_WORKFLOW": "eval",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_WORKSPACE": "/github/workspace",
            **more,
        }
    )


# --- action.yml -------------------------------------------------------------------------------------------------------


def test_the_inputs_are_those_that_the_code_reads(action: dict[str, Any]) -> None:
    environ = job()
    Environment.from_environ(environ)

    asked = {name.removeprefix("INPUT_").lower() for name in environ.asked if name.startswith("INPUT_")}
    assert asked == set(action["inputs"])


def test_the_defaults_are_those_of_the_code(action: dict[str, Any]) -> None:
    written = {name: str(each["default"]) for name, each in action["inputs"].items() if "default" in each}
    assert written.pop("github-token") == "${{ github.token }}"

    read = Environment.from_environ(job(**{f"INPUT_{name.upper()}": value for name, value in written.items()}))
    assert read.inputs == Inputs()
    assert written["config"] == DEFAULT_PATH


def test_no_input_is_said_to_be_required(action: dict[str, Any]) -> None:
    """The runner does not hold anybody to it, so it would promise what only the code can check."""
    assert [name for name, each in action["inputs"].items() if each["required"]] == []


@pytest.mark.parametrize(("name", "choices"), [("comment", CommentMode), ("mode", Mode)])
def test_the_choices_are_named(name: str, choices: Any, action: dict[str, Any]) -> None:
    assert all(choice in action["inputs"][name]["description"] for choice in get_args(choices))


def test_the_outputs_are_those_that_are_written(action: dict[str, Any]) -> None:
    assert set(action["outputs"]) == OUTPUTS.keys()


@pytest.mark.parametrize("kind", ["inputs", "outputs"])
def test_all_are_in_the_documentation(action: dict[str, Any], kind: str) -> None:
    page = (ROOT / "docs/github.md").read_text(encoding="utf-8")
    section = page.partition(f"## {kind.capitalize()}\n")[2].partition("\n## ")[0]
    assert [name for name in action[kind] if f"`{name}`" not in section] == []


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


@pytest.mark.parametrize("file", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda file: file.name)
def test_108_every_action_is_named_by_its_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text(encoding="utf-8"))
    assert used
    for what, comment in used:
        assert what == "./" or (
            re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", what) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment)
        )


# --- Dockerfile -------------------------------------------------------------------------------------------------------


def test_the_image_starts_python_itself_isolated_from_the_workspace(dockerfile: list[tuple[str, str]]) -> None:
    entry, command = dockerfile[-2:]

    assert entry[0] == "ENTRYPOINT"
    python, *words = json.loads(entry[1])  # the shell form is no JSON
    assert re.fullmatch(r"/\S+/bin/python", python)
    assert words == ["-I", "-B", "-m", "ci_eval.container"]
    assert command == ("CMD", '["gate"]')


def test_the_image_leaves_the_user_to_github(dockerfile: list[tuple[str, str]]) -> None:
    """GitHub asks actions not to say USER; what root starts is ci-eval as somebody else (`ci_eval.container`)."""
    assert [step for step in dockerfile if step[0] == "USER"] == []


def test_the_image_s_own_folder_is_not_the_workspace(dockerfile: list[tuple[str, str]]) -> None:
    assert [where for what, where in dockerfile if what == "WORKDIR"] == ["/build", "/opt/ci-eval"]


def test_every_package_is_installed_by_its_hash(dockerfile: list[tuple[str, str]]) -> None:
    installs = [words for what, words in dockerfile if what == "RUN" and re.search(r"\bpip\b.*\binstall\b", words)]

    assert len(installs) == 1
    assert all(option in installs[0] for option in ("--require-hashes", "--only-binary :all:", "--no-deps"))


def test_only_the_base_can_be_chosen_at_build_time(dockerfile: list[tuple[str, str]]) -> None:
    """A secret in a build argument would stay in the image's history."""
    assert [words.partition("=")[0] for what, words in dockerfile if what == "ARG"] == ["BASE"]
    assert [words for what, words in dockerfile if what == "FROM"] == ["${BASE} AS build", "${BASE}"]


def test_nothing_is_fetched_but_by_pip_and_apt(dockerfile: list[tuple[str, str]]) -> None:
    assert [step for step in dockerfile if step[0] == "ADD" or re.search(r"\b(curl|wget|git clone)\b", step[1])] == []


def test_what_the_image_copies_is_all_that_it_is_sent(dockerfile: list[tuple[str, str]]) -> None:
    """`.dockerignore` refuses everything, then names the copied: a key in the checkout cannot reach a layer."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    copied = {
        source
        for what, words in dockerfile
        if what == "COPY" and not words.startswith("--from=")
        for source in words.split()[:-1]
    }

    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_demo_finds_its_data_where_a_wheel_has_them(dockerfile: list[tuple[str, str]]) -> None:
    wheel = project()["tool"]["hatch"]["build"]["targets"]["wheel"]
    copies = dict(words.split() for what, words in dockerfile if what == "COPY" and words.count(" ") == 1)

    for source, target in wheel["force-include"].items():
        place = copies[source].removeprefix("package/")
        assert target == (f"{place}{source}" if place.endswith("/") else place)


# --- the package ------------------------------------------------------------------------------------------------------


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_is_written_the_same_everywhere() -> None:
    assert project()["project"]["version"] == __version__


@pytest.mark.parametrize("name", ["runtime", "weights"])
def test_every_locked_package_has_a_version_and_a_hash(name: str) -> None:
    lock = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", lock.replace("\\\n", " "))
    packages = [entry.splitlines()[0] for entry in entries if not entry.startswith("#")]

    assert packages
    assert [line for line in packages if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
