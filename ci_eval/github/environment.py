"""The runner's environment and the action's inputs, read once and checked.

On a pull request both the workflow and its inputs are the author's: what is not of a known shape is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar, get_args

from ci_eval.config import DEFAULT_PATH
from ci_eval.errors import InputError
from ci_eval.origin import origin_of
from ci_eval.text import Untrusted

CommentMode = Literal["always", "changes", "failures", "off"]
Mode = Literal["auto", "full"]

# --- the runner's environment -----------------------------------------------------------------------------------------


class Token:
    """GitHub's token. It shows itself to nobody; `reveal` is for the two that send it: the client and a git push."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<Token>"

    __str__ = __repr__


@dataclass(frozen=True)
class Inputs:
    """The action's inputs. On a pull request they come from its own workflow file, so they may only tighten."""

    config: str = DEFAULT_PATH
    max_drop: Fraction | None = None
    mode: Mode = "auto"
    """`auto`: as many golden cases as fit the budget; `full`: all of them, also where time may run out over it."""
    budget_seconds: Fraction | None = None
    budget_usd: Fraction | None = None
    comment: CommentMode = "always"
    pr_number: int | None = None


@dataclass(frozen=True)
class Environment:
    """What the runner says about this run. `ref` and `workflow` are names that people chose."""

    event_name: str
    event_path: Path
    sha: str
    ref: Untrusted
    repository: str
    run_id: int
    run_attempt: int
    workflow: Untrusted
    server_url: str
    api_url: str
    workspace: Path
    output_path: Path | None = None
    summary_path: Path | None = None
    folder: Path | None = None
    """Made for what this run writes, where ci-eval itself may make none in the workspace: in the container."""
    token: Token | None = None
    inputs: Inputs = field(default_factory=Inputs)

    @property
    def run_url(self) -> str:
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}"

    @classmethod
    def from_environ(cls, mapping: Mapping[str, str]) -> Environment:
        """The environment of a job; raises InputError that names the variable or the input."""
        if mapping.get("ACTIONS_ALLOW_UNSECURE_COMMANDS", "").lower() == "true":
            raise InputError(
                "ACTIONS_ALLOW_UNSECURE_COMMANDS is set, so that any line of a log can change later steps",
                remedy="remove it from the workflow",
            )
        runner = _Variables(mapping)
        return cls(
            event_name=runner.match("GITHUB_EVENT_NAME", _WORD),
            event_path=Path(runner.required("GITHUB_EVENT_PATH")),
            sha=runner.match("GITHUB_SHA", _SHA),
            ref=Untrusted(runner.required("GITHUB_REF")),
            repository=runner.match("GITHUB_REPOSITORY", REPOSITORY),
            run_id=int(runner.match("GITHUB_RUN_ID", _POSITIVE)),
            run_attempt=int(runner.match("GITHUB_RUN_ATTEMPT", _POSITIVE)),
            workflow=Untrusted(runner.required("GITHUB_WORKFLOW")),
            server_url=runner.url("GITHUB_SERVER_URL"),
            api_url=runner.url("GITHUB_API_URL"),
            workspace=Path(runner.required("GITHUB_WORKSPACE")),
            output_path=runner.path("GITHUB_OUTPUT"),
            summary_path=runner.path("GITHUB_STEP_SUMMARY"),
            folder=runner.path("CI_EVAL_FOLDER"),
            token=token_in(mapping),
            inputs=_inputs(mapping),
        )


_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SHA = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,100}/(?!-|\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_POSITIVE = re.compile(r"[1-9][0-9]{0,17}")


def is_repository(name: str) -> bool:
    """Whether a name can be an `owner/name` of GitHub, and nothing else in a path."""
    return REPOSITORY.fullmatch(name) is not None


# What runners other than GitHub's may leave out, and no verdict hangs on.
_DEFAULTS = {
    "GITHUB_REF": "HEAD",
    "GITHUB_RUN_ID": "1",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_WORKFLOW": "ci-eval",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
}


@dataclass(frozen=True)
class _Variables:
    mapping: Mapping[str, str]

    def required(self, name: str) -> str:
        value = self.mapping.get(name) or _DEFAULTS.get(name, "")
        if not value:
            raise InputError(f"{name} is not set", remedy="run this inside a GitHub Actions job, which sets it")
        return value

    def match(self, name: str, pattern: re.Pattern[str]) -> str:
        value = self.required(name)
        if not pattern.fullmatch(value):
            raise InputError(f"{name} is not what GitHub writes there", remedy="leave it as the runner sets it")
        return value

    def url(self, name: str) -> str:
        value = self.required(name).rstrip("/")
        try:
            origin_of(value)
        except InputError:
            raise InputError(f"{name} is not a URL", remedy="leave it as the runner sets it") from None
        return value

    def path(self, name: str) -> Path | None:
        value = self.mapping.get(name, "")
        return Path(value) if value else None


def api_url_in(mapping: Mapping[str, str]) -> str:
    """Where GitHub's API is, also outside of a job; raises InputError."""
    return _Variables(mapping).url("GITHUB_API_URL")


# --- the action's inputs ----------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_INPUT_PATH = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/ -]{0,299}")
Choice = TypeVar("Choice", bound=str)


def _given(mapping: Mapping[str, str], name: str) -> str:
    """An input as the runner hands it to a container: upper case, hyphens kept; empty is not given."""
    return mapping.get(f"INPUT_{name.upper()}", "").strip()


def refuse(name: str, problem: str, remedy: str) -> InputError:
    return InputError(f'the input "{name}" {problem}', remedy=remedy)


def _inputs(mapping: Mapping[str, str]) -> Inputs:
    return Inputs(
        config=_config(_given(mapping, "config")),
        mode=_choice("mode", _given(mapping, "mode") or "auto", get_args(Mode)),
        max_drop=_number("max-drop", _given(mapping, "max-drop"), "points from 0 to 100, as in 1 or 0.5", 100),
        budget_seconds=_number("budget-seconds", _given(mapping, "budget-seconds"), "seconds, as in 270", 86_400),
        budget_usd=_number("budget-usd", _given(mapping, "budget-usd"), "dollars, as in 2 or 0.5", 100_000),
        comment=_choice("comment", _given(mapping, "comment") or "always", get_args(CommentMode)),
        pr_number=_pr_number(_given(mapping, "pr-number")),
    )


def _choice(name: str, value: str, choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if value == choice:
            return choice
    raise refuse(name, "is not one of its values", f"write {', '.join(choices[:-1])} or {choices[-1]}")


def _number(name: str, value: str, what: str, most: int) -> Fraction | None:
    """An exact number above 0: no sign, no exponent, no nan."""
    if not value:
        return None
    if not _NUMBER.fullmatch(value) or not 0 < Fraction(value) <= most:
        raise refuse(name, f"is not a number above 0 and up to {most}", f"write {what}")
    return Fraction(value)


def _pr_number(value: str) -> int | None:
    if value and not (_POSITIVE.fullmatch(value) and len(value) <= 9):
        raise refuse("pr-number", "is not the number of a pull request", "write digits only, as in 123")
    return int(value) if value else None


def _config(value: str) -> str:
    if value and not (_INPUT_PATH.fullmatch(value) and not {"", ".", ".."} & {*value.split("/")}):
        raise refuse("config", "is not a path in the repository", f"write it relative to the root, as {DEFAULT_PATH}")
    return value or DEFAULT_PATH


def token_in(mapping: Mapping[str, str]) -> Token | None:
    """GitHub's token, from the input or from GITHUB_TOKEN; raises InputError for what no header can carry."""
    value = _given(mapping, "github-token") or mapping.get("GITHUB_TOKEN", "").strip()
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise refuse("github-token", "is not a token", "write ${{ github.token }}")
    return Token(value) if value else None
