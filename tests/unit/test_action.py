"""The action and its image, held to what the code reads, writes and is called."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

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
