"""What GitHub asks for: the runner's environment and the event's payload become one `Activity`.

Nothing here calls anybody. A payload is written by whoever opened the pull request, so only numbers, SHAs and names
of a known shape are taken out of it; titles, labels and logins are never looked at. Who is trusted follows from
`head.repo`, never from the actor or the sender.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ci_eval.config import DEFAULT_PATH
from ci_eval.errors import InputError
from ci_eval.origin import origin_of
from ci_eval.reader import MIB, Document, read_file, read_json, validate, wrong
from ci_eval.text import JSON, Untrusted

EVENT_LIMIT = 8 * MIB

CommentMode = Literal["always", "changes", "failures", "off"]

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
    budget_seconds: Fraction | None = None
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
            repository=runner.match("GITHUB_REPOSITORY", _REPOSITORY),
            run_id=int(runner.match("GITHUB_RUN_ID", _POSITIVE)),
            run_attempt=int(runner.match("GITHUB_RUN_ATTEMPT", _POSITIVE)),
            workflow=Untrusted(runner.required("GITHUB_WORKFLOW")),
            server_url=runner.url("GITHUB_SERVER_URL"),
            api_url=runner.url("GITHUB_API_URL"),
            workspace=Path(runner.required("GITHUB_WORKSPACE")),
            output_path=runner.path("GITHUB_OUTPUT"),
            summary_path=runner.path("GITHUB_STEP_SUMMARY"),
            token=_token(mapping),
            inputs=_inputs(mapping),
        )


_WORD = re.compile(r"[a-z_]{1,64}")
_SHA = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"(?![.-])[A-Za-z0-9._-]{1,100}/(?!-|\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_POSITIVE = re.compile(r"[1-9][0-9]{0,17}")


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


# --- the action's inputs ----------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_INPUT_PATH = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/ -]{0,299}")
Choice = TypeVar("Choice", bound=str)


def _given(mapping: Mapping[str, str], name: str) -> str:
    """An input as the runner hands it to a container: upper case, hyphens kept; empty is not given."""
    return mapping.get(f"INPUT_{name.upper()}", "").strip()


def _refuse(name: str, problem: str, remedy: str) -> InputError:
    return InputError(f'the input "{name}" {problem}', remedy=remedy)


def _inputs(mapping: Mapping[str, str]) -> Inputs:
    return Inputs(
        config=_config(_given(mapping, "config")),
        max_drop=_number("max-drop", _given(mapping, "max-drop"), "points from 0 to 100, as in 1 or 0.5", 100),
        budget_seconds=_number("budget-seconds", _given(mapping, "budget-seconds"), "seconds, as in 270", 86_400),
        comment=_choice("comment", _given(mapping, "comment") or "always", get_args(CommentMode)),
        pr_number=_pr_number(_given(mapping, "pr-number")),
    )


def _choice(name: str, value: str, choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if value == choice:
            return choice
    raise _refuse(name, "is not one of its values", f"write {', '.join(choices[:-1])} or {choices[-1]}")


def _number(name: str, value: str, what: str, most: int) -> Fraction | None:
    """An exact number above 0: no sign, no exponent, no nan."""
    if not value:
        return None
    if not _NUMBER.fullmatch(value) or not 0 < Fraction(value) <= most:
        raise _refuse(name, f"is not a number above 0 and up to {most}", f"write {what}")
    return Fraction(value)


def _pr_number(value: str) -> int | None:
    if value and not (_POSITIVE.fullmatch(value) and len(value) <= 9):
        raise _refuse("pr-number", "is not the number of a pull request", "write digits only, as in 123")
    return int(value) if value else None


def _config(value: str) -> str:
    if value and not (_INPUT_PATH.fullmatch(value) and not {"", ".", ".."} & {*value.split("/")}):
        raise _refuse("config", "is not a path in the repository", f"write it relative to the root, as {DEFAULT_PATH}")
    return value or DEFAULT_PATH


def _token(mapping: Mapping[str, str]) -> Token | None:
    value = _given(mapping, "github-token") or mapping.get("GITHUB_TOKEN", "").strip()
    if value and not (value.isascii() and value.isprintable() and " " not in value):
        raise _refuse("github-token", "is not a token", "write ${{ github.token }}")
    return Token(value) if value else None


# --- what is read of a payload ----------------------------------------------------------------------------------------

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Positive = Annotated[int, Field(gt=0, lt=2**63)]
# What may follow `origin/` in a git command or stand in a log line; git itself allows nearly everything.
_BRANCH = r"[A-Za-z0-9_][A-Za-z0-9._/+@#=-]{0,254}"
_REF = re.compile(rf"refs/(heads|tags)/{_BRANCH}")


def _no_range(value: str) -> str:
    if ".." in value:
        raise wrong("two dots, which git reads as a range", "rename the branch")
    return value


Branch = Annotated[str, Field(pattern=rf"^{_BRANCH}$"), AfterValidator(_no_range)]
_Ref = Annotated[str, Field(min_length=1, max_length=1000)]


class Part(BaseModel):
    """A payload has hundreds of keys: those not named are passed over, those named are taken strictly."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class _Repository(Part):
    id: Positive


class _OwnRepository(_Repository):
    default_branch: Branch


class _Head(Part):
    sha: Sha
    repo: _Repository | None = None  # null when the fork was deleted


class _Base(Part):
    ref: Branch
    sha: Sha
    repo: _Repository | None = None


class PullRequest(Part):
    """A pull request as payloads and the API both write it."""

    number: Positive
    head: _Head
    base: _Base

    @property
    def is_fork(self) -> bool:
        """True too where the payload does not say whose the head is."""
        return self.head.repo is None or self.base.repo is None or self.head.repo.id != self.base.repo.id


class _PullEvent(Part):
    action: Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")]
    pull_request: PullRequest


class _PushEvent(Part):
    ref: _Ref
    after: Sha
    deleted: bool
    repository: _OwnRepository


class _DispatchEvent(Part):
    repository: _OwnRepository


# --- activities -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GatePull:
    """Gate the pull request of this event."""

    number: int
    head_sha: str
    base_ref: str
    base_sha: str
    merge_sha: str
    fork: bool
    action: str


@dataclass(frozen=True)
class GatePullByNumber:
    """Gate a pull request that somebody with write access named."""

    number: int


@dataclass(frozen=True)
class UpdateBaseline:
    """Evaluate a new commit of the default branch and remember it."""

    sha: str
    branch: str


@dataclass(frozen=True)
class FullEvaluation:
    """Evaluate a whole golden set on request; only the default branch's result may be remembered."""

    sha: str
    ref: str
    on_default_branch: bool


@dataclass(frozen=True)
class NothingToDo:
    """An event that needs no answer: said in one line, green."""

    reason: str


@dataclass(frozen=True)
class Ignored:
    """An event that ci-eval cannot answer: exit 2, for green would claim a verdict."""

    reason: str


Activity = GatePull | GatePullByNumber | UpdateBaseline | FullEvaluation | NothingToDo | Ignored


def read_payload(environment: Environment) -> JSON:
    """The event's payload, out of the file that the runner wrote."""
    path = environment.event_path
    return read_json(read_file(path, limit=EVENT_LIMIT), str(path), limit=EVENT_LIMIT).value


def activity(environment: Environment, payload: JSON) -> Activity:
    """What this event asks for; raises InputError for a payload that GitHub would not send."""
    match environment.event_name:
        case "pull_request":
            return _pull_request(environment, _parse(_PullEvent, environment, payload))
        case "push":
            return _push(_parse(_PushEvent, environment, payload))
        case "workflow_dispatch":
            return _dispatch(environment, _parse(_DispatchEvent, environment, payload))
        case name:
            return Ignored(f"the event {name} is not supported yet; use pull_request, push or workflow_dispatch")


def _pull_request(environment: Environment, event: _PullEvent) -> Activity:
    """Every action but `closed` is gated, whatever it changed.

    The newest check of a head is the one that counts. Were a label, a new title or an assignee answered with a green
    "nothing to do", any of them would turn a regression green.
    """
    pull = event.pull_request
    if environment.inputs.pr_number not in {None, pull.number}:
        raise _refuse("pr-number", "names another pull request", "leave it empty; it is for workflow_dispatch")
    if event.action == "closed":
        return NothingToDo("the pull request is closed")
    return GatePull(
        number=pull.number,
        head_sha=pull.head.sha,
        base_ref=pull.base.ref,
        base_sha=pull.base.sha,
        merge_sha=environment.sha,
        fork=pull.is_fork,
        action=event.action,
    )


def _push(event: _PushEvent) -> Activity:
    branch = event.repository.default_branch
    if event.ref != f"refs/heads/{branch}":
        return NothingToDo(f"this push is not to {branch}; only the default branch has a baseline")
    if event.deleted:
        return NothingToDo(f"the branch {branch} was deleted")
    return UpdateBaseline(event.after, branch)


def _dispatch(environment: Environment, event: _DispatchEvent) -> Activity:
    if environment.inputs.pr_number is not None:
        return GatePullByNumber(environment.inputs.pr_number)
    ref = environment.ref.text()
    if not _REF.fullmatch(ref) or ".." in ref:
        raise InputError("GITHUB_REF is not a branch or tag that ci-eval can name", remedy="start it from another one")
    return FullEvaluation(environment.sha, ref, ref == f"refs/heads/{event.repository.default_branch}")


Event = TypeVar("Event", bound=Part)


def _parse(model: type[Event], environment: Environment, payload: JSON) -> Event:
    try:
        return validate(model, Document("", payload))
    except InputError as error:
        raise InputError(
            f"the payload of {environment.event_name} is not one that GitHub sends: {error.problem}",
            remedy="run on GitHub's own event, without changing GITHUB_EVENT_PATH",
        ) from None
