"""What the GitHub on loopback writes down by itself, by its own clock: labels, moves of branches, who may do what."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

User = tuple[str, str]
Json = Any

_START = datetime(2026, 5, 4, 10, 20, 30, tzinfo=UTC)
_MAINTAINED = {"maintain": "write", "triage": "read"}
_NOBODY = "0" * 40


@dataclass
class History:
    """The server's own record. Nobody dates anything back: `wait` is the only way through time."""

    now: datetime = _START
    permissions: dict[str, str] = field(default_factory=dict)
    """Roles by login; who is not in it may read."""
    events: dict[int, list[Json]] = field(default_factory=lambda: defaultdict(list))
    moves: dict[tuple[str, str], list[Json]] = field(default_factory=lambda: defaultdict(list))
    """By repository and ref, the newest first."""
    _next_id: int = 5000

    @property
    def time(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def move(self, repository: str, ref: str, sha: str) -> None:
        """A push; one that changes nothing is none."""
        found = self.moves[repository, ref]
        before = found[0]["after"] if found else _NOBODY
        if before != sha:
            entry = {"id": self._id(), "node_id": "PSH", "before": before, "after": sha, "ref": ref}
            kind = "push" if before != _NOBODY else "branch_creation"
            found.insert(0, {**entry, "timestamp": self.time, "activity_type": kind, "actor": None})

    def event(self, number: int, kind: str, label: str | None, by: Json, app: Json = None) -> None:
        labelled = {"label": {"name": label, "color": "ededed"}} if label else {}
        self.events[number].append(
            {
                "id": self._id(),
                "node_id": "LE",
                "url": "https://api.github.com/repos/octo-org/shop/issues/events/1",
                "actor": by,
                "event": kind,
                "commit_id": None,
                "commit_url": None,
                "created_at": self.time,
                "performed_via_github_app": app,
                **labelled,
            }
        )

    def permission(self, user: Json) -> Json:
        role = self.permissions.get(user["login"], "read")
        level = _MAINTAINED.get(role, role)
        return {"permission": level, "role_name": role, "user": {**user, "role_name": role}}

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id


def label_json(name: str) -> Json:
    return {
        "id": 1 + sum(name.encode()),
        "node_id": "LA",
        "url": "https://api.github.com/repos/octo-org/shop/labels/x",
        "name": name,
        "description": None,
        "color": "ededed",
        "default": False,
    }
