"""What GitHub itself wrote down about a pull request: who labelled it, who may push, when a branch moved.

Nobody can date these back, unlike commits, whose dates are whatever their author says. Nothing that a job or a person
could have written is read here: no comment, check or artifact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from ci_eval.github.client import Branch, GitHub
from ci_eval.github.event import ACCEPT, Part, Positive, Sha
from ci_eval.reader import wrong

_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(\[bot\])?")


def _time(value: object) -> datetime:
    """As the API writes it: `2026-05-04T10:20:30Z`."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise wrong("not a time", "leave it as GitHub writes it") from None
    if found.utcoffset() is None:
        raise wrong("a time without a zone", "leave it as GitHub writes it")
    return found


def _login(value: str) -> str:
    if not _LOGIN.fullmatch(value):
        raise wrong("not a login", "leave it as GitHub writes it")
    return value


Time = Annotated[datetime, BeforeValidator(_time)]


class Account(Part):
    id: Positive
    login: Annotated[str, AfterValidator(_login)]
    type: str


# --- who put the label on ---------------------------------------------------------------------------------------------


class _LabelName(Part):
    name: str


class _IssueEvent(Part):
    """One line of a pull request's history. Most kinds have neither a label nor an app."""

    id: Positive
    event: str
    created_at: Time
    actor: Account | None = None
    label: _LabelName | None = None
    performed_via_github_app: object = None


@dataclass(frozen=True)
class Labelling:
    """Somebody put the label on that accepts a regression."""

    at: datetime
    number: int
    """Of two in the same second the later one has the higher."""
    by: Account
    by_app: bool
    """Whether a program did it, under its own name or for a person."""
    retargeted: bool
    """Whether the pull request was given another target branch since: what would be merged is another change then."""


_RETARGETED = frozenset({"base_ref_changed", "automatic_base_change_succeeded"})


def newest_labelling(github: GitHub, number: int) -> Labelling | None:
    """The last time that a pull request was given the label; None also where GitHub does not say by whom.

    Then an older one says nothing: it was taken off before. Raises GitHubUnavailable.
    """
    rows = github.read_all(f"issues/{number}/events", _event)
    lines = sorted((row for row in rows if row), key=lambda row: (row.created_at, row.id))
    labelled = [line for line in lines if line.event == "labeled"]
    if not labelled or labelled[-1].actor is None:
        return None
    newest, by = labelled[-1], labelled[-1].actor
    by_app = by.type != "User" or newest.performed_via_github_app is not None
    since = lines[lines.index(newest) + 1 :]
    return Labelling(newest.created_at, newest.id, by, by_app, bool(since))


def _event(row: Any) -> _IssueEvent | None:
    """A line that says something of an acceptance."""
    if not isinstance(row, dict) or row.get("event") not in {"labeled", *_RETARGETED}:
        return None
    found = _IssueEvent.model_validate(row)
    accepts = found.label is not None and found.label.name == ACCEPT
    return found if accepts or found.event in _RETARGETED else None


# --- who may push -----------------------------------------------------------------------------------------------------


class _Permission(Part):
    permission: str
    user: Account


def permission(github: GitHub, account: Account) -> str:
    """What GitHub allows this account in the repository: `admin`, `write`, `read` or `none`.

    It tells `maintain` as `write` and `triage` as `read`. Raises GitHubUnavailable.
    """
    found = github.read(f"collaborators/{account.login}/permission", _Permission.model_validate)
    return found.permission if found.user.id == account.id else "none"


# --- when a branch moved ----------------------------------------------------------------------------------------------


class Move(Part):
    """One entry of a repository's activity: a branch came to be at a commit."""

    after: Sha
    timestamp: Time
    ref: str


MOVES = 100
"""Of a branch, as many of its latest moves are looked at."""


def moves(github: GitHub, branch: Branch) -> Sequence[Move]:
    """The latest moves of a branch, the newest first; raises GitHubUnavailable."""
    there = github if branch.repository == github.repository else replace(github, repository=branch.repository)
    try:
        return there.read("activity", partial(_moves, branch.ref), ref=branch.ref, per_page=MOVES)
    finally:
        if there is not github:
            there.close()


def _moves(ref: str, rows: Any) -> list[Move]:
    found = [Move.model_validate(row) for row in rows]
    return sorted((move for move in found if move.ref == ref), key=lambda move: move.timestamp, reverse=True)


def stood_at(history: Sequence[Move], when: datetime) -> str | None:
    """Where a branch was before a time, as far back as its moves were looked at. Times are of whole seconds, so what
    moved in that very second is taken to have moved after it.
    """
    return next((move.after for move in history if move.timestamp < when), None)


SETTLED = timedelta(seconds=60)
"""How long a head must have stood before a label can be about it: who clicks has seen what is there."""
