"""Workflow runs, as GitHub's API tells them: who approved one, how many there were. It takes `actions: read`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AwareDatetime, Field, TypeAdapter

from ci_eval.github.client import GitHub, GitHubUnavailable
from ci_eval.github.event import Part, Positive

_PER_PAGE = 100
_PAGES = 10
"""GitHub lists the newest 1,000 runs."""
_Name = Annotated[str, Field(min_length=1, max_length=255)]


class _Named(Part):
    name: _Name


class _Reviewer(Part):
    type: str


class Review(Part):
    """What somebody answered when a run of theirs waited for its environments."""

    state: Literal["approved", "rejected", "pending"]
    environments: list[_Named]
    user: _Reviewer

    @property
    def approved_by_a_person(self) -> bool:
        return self.state == "approved" and self.user.type == "User"


class _Rule(Part):
    type: str
    reviewers: list[object] = Field(default_factory=list)


class _Environment(Part):
    protection_rules: list[_Rule] = Field(default_factory=list)


class _Owner(Part):
    id: Positive


class Run(Part):
    """A run, and the newest of its attempts."""

    id: Positive
    workflow_id: Positive
    event: str
    head_branch: Annotated[str, Field(max_length=1000)] | None
    head_repository: _Owner | None
    """None where the fork was deleted."""
    run_attempt: Positive
    status: str | None
    conclusion: str | None
    created_at: Annotated[AwareDatetime, Field(strict=False)]

    @property
    def branch(self) -> tuple[str | None, int | None]:
        """Forks share names of branches, so whose it is belongs to it."""
        return self.head_branch, self.head_repository.id if self.head_repository else None


class _Page(Part):
    workflow_runs: list[Run]


def reviews(github: GitHub, run_id: int) -> list[Review]:
    """Every answer that a run's environments were given, over all its attempts. Raises GitHubUnavailable."""
    return github.read(f"actions/runs/{run_id}/approvals", TypeAdapter(list[Review]).validate_python)


def requires_reviewers(github: GitHub, environment: str) -> bool:
    """Whether nothing of an environment runs before somebody approved it. Raises GitHubUnavailable."""
    found = github.read(f"environments/{quote(environment, safe='')}", _Environment.model_validate)
    return any(rule.type == "required_reviewers" and rule.reviewers for rule in found.protection_rules)


def run(github: GitHub, run_id: int) -> Run:
    """Raises GitHubUnavailable."""
    return github.read(f"actions/runs/{run_id}", Run.model_validate)


@dataclass(frozen=True)
class Siblings:
    """The runs of one workflow that one kind of event started for one branch."""

    github: GitHub
    of: Run

    def since(self, moment: datetime) -> Iterator[Run]:
        """Those that were created at or after a moment, over all pages.

        Raises GitHubUnavailable, also where there are more than GitHub lists.
        """
        for page in range(1, _PAGES + 1):
            rows = self._page(page, moment)
            yield from (row for row in rows if row.branch == self.of.branch)
            if len(rows) < _PER_PAGE:
                return
        raise GitHubUnavailable("GitHub lists no more than 1,000 runs")

    def _page(self, page: int, moment: datetime) -> list[Run]:
        asked: dict[str, str | int] = {
            "event": self.of.event,
            "created": f">={moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "per_page": _PER_PAGE,
            "page": page,
        }
        if self.of.head_branch:
            asked["branch"] = self.of.head_branch
        path = f"actions/workflows/{self.of.workflow_id}/runs"
        return self.github.read(path, _Page.model_validate, **asked).workflow_runs
