"""What GitHub asks for: the event's payload, in the runner's environment, becomes one `Activity`.

Nothing here calls anybody. A payload is written by whoever opened the pull request, so only numbers, SHAs and names
of a known shape are taken out of it; titles are never looked at, and of the labels only whether one is `ACCEPT`. Who is
trusted follows from `head.repo`, never from the actor or the sender; whether whoever put that label on may accept
anything is for GitHub to say (`acceptance.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ci_eval.errors import InputError
from ci_eval.github.environment import Environment, is_repository, refuse
from ci_eval.reader import MIB, Document, read_file, read_json, validate, wrong
from ci_eval.text import JSON

EVENT_LIMIT = 8 * MIB
ACCEPT = "ci-eval: accept"
"""The label that accepts a regression, by this exact name."""

# --- what is read of a payload ----------------------------------------------------------------------------------------

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Positive = Annotated[int, Field(gt=0, lt=2**63)]
# What `git check-ref-format` refuses, and a dash in front, which git could read as an option.
_NO_BRANCH = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|^[-/]|[/.]$|(^|/)\.|\.lock(/|$)|^@$")


def _is_branch(name: str) -> bool:
    return 0 < len(name) <= 255 and name.isprintable() and not _NO_BRANCH.search(name)


def _git_takes(value: str) -> str:
    if not _is_branch(value):
        raise wrong("not the name of a branch that ci-eval can hand to git", "rename the branch")
    return value


def _named(value: str) -> str:
    if not is_repository(value):
        raise wrong("not the name of a repository", "leave it as GitHub writes it")
    return value


Branch = Annotated[str, AfterValidator(_git_takes)]
_Ref = Annotated[str, Field(min_length=1, max_length=1000)]


class Part(BaseModel):
    """A payload has hundreds of keys: those not named are passed over, those named are taken strictly."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class _Repository(Part):
    id: Positive
    full_name: Annotated[str, AfterValidator(_named)] | None = None


class _OwnRepository(_Repository):
    default_branch: Branch


class _Head(Part):
    sha: Sha
    ref: _Ref | None = None
    repo: _Repository | None = None  # null when the fork was deleted


class _Base(Part):
    ref: Branch
    sha: Sha
    repo: _Repository | None = None


class _Author(Part):
    login: str
    type: str


class _Label(Part):
    name: str


class _Sender(Part):
    id: Positive


class PullRequest(Part):
    """A pull request as payloads and the API both write it."""

    number: Positive
    head: _Head
    base: _Base
    user: _Author | None = None
    labels: list[_Label] = []

    @property
    def wears_accept(self) -> bool:
        return any(label.name == ACCEPT for label in self.labels)

    @property
    def by_dependabot(self) -> bool:
        """Whether its author is Dependabot, whose pull requests are given no secrets of Actions."""
        return self.user == _Author(login="dependabot[bot]", type="Bot")

    @property
    def is_fork(self) -> bool:
        """True too where the payload does not say whose the head is."""
        return self.head.repo is None or self.base.repo is None or self.head.repo.id != self.base.repo.id


class _PullEvent(Part):
    action: Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")]
    pull_request: PullRequest
    label: _Label | None = None
    sender: _Sender | None = None

    @model_validator(mode="after")
    def _somebody_accepts(self) -> _PullEvent:
        if self._accepts and self.sender is None:
            raise wrong("a label that nobody put on", "leave the payload as GitHub writes it")
        return self

    @property
    def _accepts(self) -> bool:
        return self.action == "labeled" and self.label is not None and self.label.name == ACCEPT

    @property
    def accepted_by(self) -> int | None:
        """The account that put the label `ACCEPT` on, where this is the event of just that."""
        return self.sender.id if self.sender and self._accepts else None


class _PushEvent(Part):
    ref: _Ref
    after: Sha
    deleted: bool
    repository: _OwnRepository


class _DispatchEvent(Part):
    repository: _OwnRepository


class _Group(Part):
    base_sha: Sha
    head_sha: Sha
    head_ref: _Ref | None = None

    @property
    def pull(self) -> int | None:
        """The pull request that GitHub named the group's branch after: the newest one in it."""
        found = _GROUP_BRANCH.fullmatch(self.head_ref or "")
        return int(found[1]) if found else None


_GROUP_BRANCH = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,17})-[0-9a-f]{40}")


class _GroupEvent(Part):
    action: Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")]
    merge_group: _Group


class _ScheduleEvent(Part):
    """GitHub sends hardly more than the cron line, which says nothing that we need to know."""

    schedule: str


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
    by_dependabot: bool = False
    accepted_by: int | None = None
    """The account that accepts the regression, where this event is just that."""
    wears_accept: bool = False
    """Whether the label was on when this event happened."""


@dataclass(frozen=True)
class GatePullAsData:
    """Gate a pull request in a job of main's own workflow, which holds the secrets: the head is nothing but data."""

    number: int
    head_sha: str
    base_ref: str
    fork: bool
    accepted_by: int | None = None
    """The account that accepts the regression, where this event is just that."""
    wears_accept: bool = False
    """Whether the label was on when this event happened."""


@dataclass(frozen=True)
class GatePullByNumber:
    """Gate a pull request that somebody with write access named."""

    number: int
    on_default_branch: bool
    """Whether the job was started there: its check is that branch's newest commit's."""


@dataclass(frozen=True)
class GateGroup:
    """Gate what a merge queue is about to merge: what its newest pull request adds to those before it."""

    base_sha: str
    head_sha: str
    pull: int | None = None
    """Its number; None where the name of the group's branch does not tell."""


@dataclass(frozen=True)
class UpdateBaseline:
    """Evaluate a new commit of the default branch and remember it."""

    sha: str
    branch: str


@dataclass(frozen=True)
class FullEvaluation:
    """Evaluate a whole golden set on request or by the clock; only the default branch's result may be remembered."""

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


Activity = (
    GatePull | GatePullAsData | GatePullByNumber | GateGroup | UpdateBaseline | FullEvaluation | NothingToDo | Ignored
)


_SUPPORTED = ("pull_request", "pull_request_target", "merge_group", "push", "schedule", "workflow_dispatch")


def read_payload(environment: Environment) -> JSON:
    """The event's payload, out of the file that the runner wrote."""
    path = environment.event_path
    return read_json(read_file(path, limit=EVENT_LIMIT), str(path), limit=EVENT_LIMIT).value


def activity(environment: Environment, payload: JSON) -> Activity:
    """What this event asks for; raises InputError for a payload that GitHub would not send."""
    match environment.event_name:
        case "pull_request" | "pull_request_target":
            return _pull_request(environment, _parse(_PullEvent, environment, payload))
        case "push":
            return _push(_parse(_PushEvent, environment, payload))
        case "merge_group":
            return _merge_group(_parse(_GroupEvent, environment, payload))
        case "schedule":
            _parse(_ScheduleEvent, environment, payload)
            return FullEvaluation(environment.sha, _ref_of(environment), on_default_branch=True)
        case "workflow_dispatch":
            return _dispatch(environment, _parse(_DispatchEvent, environment, payload))
        case name:
            return Ignored(f"the event {name} is not supported; use {', '.join(_SUPPORTED[:-1])} or {_SUPPORTED[-1]}")


def _pull_request(environment: Environment, event: _PullEvent) -> Activity:
    """Every action but `closed` is gated, whatever it changed.

    The newest check of a head is the one that counts. Were a label, a new title or an assignee answered with a green
    "nothing to do", any of them would turn a regression green.
    """
    pull = event.pull_request
    if environment.inputs.pr_number not in {None, pull.number}:
        raise refuse("pr-number", "names another pull request", "leave it empty; it is for workflow_dispatch")
    if event.action == "closed":
        return NothingToDo("the pull request is closed")
    if environment.event_name == "pull_request_target":
        by, on = event.accepted_by, pull.wears_accept
        return GatePullAsData(pull.number, pull.head.sha, pull.base.ref, pull.is_fork, by, on)
    return GatePull(
        number=pull.number,
        head_sha=pull.head.sha,
        base_ref=pull.base.ref,
        base_sha=pull.base.sha,
        merge_sha=environment.sha,
        fork=pull.is_fork,
        action=event.action,
        by_dependabot=pull.by_dependabot,
        accepted_by=event.accepted_by,
        wears_accept=pull.wears_accept,
    )


def _push(event: _PushEvent) -> Activity:
    branch = event.repository.default_branch
    if event.ref != f"refs/heads/{branch}":
        return NothingToDo(f"this push is not to {branch}; only the default branch has a baseline")
    if event.deleted:
        return NothingToDo(f"the branch {branch} was deleted")
    return UpdateBaseline(event.after, branch)


def _dispatch(environment: Environment, event: _DispatchEvent) -> Activity:
    ref = _ref_of(environment)
    on_default_branch = ref == f"refs/heads/{event.repository.default_branch}"
    if environment.inputs.pr_number is not None:
        return GatePullByNumber(environment.inputs.pr_number, on_default_branch)
    return FullEvaluation(environment.sha, ref, on_default_branch)


def _merge_group(event: _GroupEvent) -> Activity:
    if event.action == "destroyed":
        return NothingToDo("the merge group is gone")
    return GateGroup(event.merge_group.base_sha, event.merge_group.head_sha, event.merge_group.pull)


def _ref_of(environment: Environment) -> str:
    """The branch or tag that the run was started on: for a schedule the default branch, always."""
    ref = environment.ref.text()
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if name == ref or not _is_branch(name):
        raise InputError("GITHUB_REF is not a branch or tag that ci-eval can name", remedy="start it from another one")
    return ref


Event = TypeVar("Event", bound=Part)


def _parse(model: type[Event], environment: Environment, payload: JSON) -> Event:
    try:
        return validate(model, Document("", payload))
    except InputError as error:
        raise InputError(
            f"the payload of {environment.event_name} is not one that GitHub sends: {error.problem}",
            remedy="run on GitHub's own event, without changing GITHUB_EVENT_PATH",
        ) from None
