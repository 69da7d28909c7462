"""Every payload of GitHub's that `@octokit/webhooks-examples` has, and those that are made of one of them."""

from __future__ import annotations

import copy
import json
import lzma
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "data" / "webhooks"
Payload = dict[str, Any]
NOBODY = "0" * 40
"""What GitHub writes where there is no commit."""


@cache
def _examples() -> Mapping[str, list[Payload]]:
    described = json.loads(lzma.decompress((FOLDER / "examples.json.xz").read_bytes()))
    return {event["name"]: event["examples"] for event in described}


def events() -> list[str]:
    return list(_examples())


def real(event: str, kind: str = "") -> list[Payload]:
    """What GitHub sent: all payloads of an event, or those of one kind; a copy each."""
    sent = _examples().get(event, [])
    return [copy.deepcopy(one) for one in sent if not kind or kind_of(event, one) == kind]


def kind_of(event: str, payload: Payload) -> str:
    """The action; of a push, which has none, what was pushed."""
    if event != "push":
        return str(payload.get("action", ""))
    what = "tag" if payload["ref"].startswith("refs/tags/") else "branch"
    return f"{what}-deleted" if payload["deleted"] else f"{what}-created" if payload["created"] else what


def payloads(event: str, kind: str = "") -> list[Payload]:
    """What GitHub sent; where the package has nothing of this kind, made of what it has."""
    return real(event, kind) or [_made(event, kind)]


def _made(event: str, kind: str) -> Payload:
    if event == "push":
        return real("push", "branch-created")[0] | _PUSHES[kind]
    if event == "schedule":
        return {"schedule": "17 3 * * *", "workflow": ".github/workflows/eval.yml", **_of_a_repository()}
    if event == "merge_group":
        return real("merge_group", "checks_requested")[0] | {"action": kind, "reason": "invalidated"}
    made = real(event, "opened")[-1] | {"action": kind}
    return made | _MORE.get(kind, {})


_BEFORE = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
_PUSHES: Mapping[str, Payload] = {
    "branch": {"before": _BEFORE, "created": False},
    "branch-forced": {"before": _BEFORE, "created": False, "forced": True},
    "branch-deleted": {"after": NOBODY, "created": False, "deleted": True, "head_commit": None, "commits": []},
    "branch-other": {"ref": "refs/heads/topic"},
    "branch-baselines": {"ref": "refs/heads/ci-eval-baselines"},
}


def _of_a_repository() -> Payload:
    (dispatched, *_) = real("workflow_dispatch")
    return {key: dispatched[key] for key in ("repository", "organization", "sender")}


_MILESTONE = {"milestone": {"id": 1, "number": 1, "title": "1.0"}}
_MORE: Mapping[str, Payload] = {
    "edited": {"changes": {"base": {"ref": {"from": "release"}, "sha": {"from": _BEFORE}}}},  # another target branch
    "milestoned": _MILESTONE,
    "demilestoned": _MILESTONE,
    "dequeued": {"reason": "CI_FAILURE"},
    "auto_merge_disabled": {"reason": "Auto-merge was disabled"},
}
