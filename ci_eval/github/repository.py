"""How a repository is protected, as far as GitHub tells it to the token at hand.

What a token may not see is `Unseen`, which is neither on nor off: GitHub answers 403 or 404 for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import Field, TypeAdapter

from ci_eval.github.client import GitHub, GitHubUnavailable
from ci_eval.github.event import Part
from ci_eval.github.runs import requires_reviewers

_PER_PAGE = 100
_WORDS = {401: "GitHub does not know this token", 403: "this token may not see it", 404: "this token may not see it"}
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Unseen:
    """Something that could not be seen, and why, in our own words."""

    why: str
    status: int | None = None


class Owner(Part):
    type: str


class About(Part):
    """The repository itself."""

    default_branch: str
    private: bool
    owner: Owner


class Rule(Part):
    """A rule of a ruleset that is in force on a branch; its parameters are another set for each type."""

    type: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class RequiredCheck(Part):
    context: str
    app_id: int | None = None


class RequiredChecks(Part):
    enforcement_level: str = "everyone"
    checks: list[RequiredCheck] = Field(default_factory=list)


class Summary(Part):
    required_status_checks: RequiredChecks | None = None


class Branch(Part):
    """What everyone who may read the repository is told of a branch."""

    protected: bool
    protection: Summary = Summary()


class Switch(Part):
    enabled: bool = False


class Reviews(Part):
    require_code_owner_reviews: bool = False


class Protection(Part):
    """A branch's protection of the older kind, which only admins see."""

    required_pull_request_reviews: Reviews | None = None
    allow_force_pushes: Switch = Switch()
    allow_deletions: Switch = Switch()
    restrictions: dict[str, Any] | None = None


class TokenDefault(Part):
    default_workflow_permissions: Literal["read", "write"]


class OwnersProblem(Part):
    line: int
    kind: str


class OwnersProblems(Part):
    errors: list[OwnersProblem]


@dataclass(frozen=True)
class Protections:
    """Asks GitHub, one thing at a time."""

    github: GitHub

    def about(self) -> About | Unseen:
        return _seen(lambda: self.github.read("", About.model_validate))

    def rules(self, branch: str) -> list[Rule] | Unseen:
        """The rules in force on a branch, be it there or not."""
        return _seen(lambda: list(self._rules(f"rules/branches/{quote(branch, safe='')}")))

    def _rules(self, path: str) -> Iterator[Rule]:
        for page in count(1):
            found = self.github.read(path, TypeAdapter(list[Rule]).validate_python, per_page=_PER_PAGE, page=page)
            yield from found
            if len(found) < _PER_PAGE:
                return

    def branch(self, name: str) -> Branch | Unseen:
        return _seen(lambda: self.github.read(f"branches/{quote(name, safe='')}", Branch.model_validate))

    def protection(self, branch: str) -> Protection | Unseen:
        path = f"branches/{quote(branch, safe='')}/protection"
        return _seen(lambda: self.github.read(path, Protection.model_validate))

    def token_default(self) -> TokenDefault | Unseen:
        return _seen(lambda: self.github.read("actions/permissions/workflow", TokenDefault.model_validate))

    def owners_problems(self) -> OwnersProblems | Unseen:
        return _seen(lambda: self.github.read("codeowners/errors", OwnersProblems.model_validate))

    def is_reviewed(self, environment: str) -> bool | Unseen:
        """Whether an environment's secrets are handed out only after somebody agreed."""
        return _seen(lambda: requires_reviewers(self.github, environment))


def _seen(ask: Callable[[], Answer]) -> Answer | Unseen:
    try:
        return ask()
    except GitHubUnavailable as error:
        return Unseen(_WORDS.get(error.status or 0, "GitHub gave no answer that could be used"), error.status)
