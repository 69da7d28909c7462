"""GitHub's API, as far as a gate needs it: the only file that imports PyGithub, and only when a call is made.

PyGithub is slow to import, retries a POST (which posts a comment twice), and puts the answer's body in its errors.
So: imported late, only GET and PATCH retried, and every failure told in our own words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote

from pydantic import Field

from ci_eval.github.environment import Token
from ci_eval.github.event import Part, Positive, PullRequest, Sha
from ci_eval.text import Untrusted

if TYPE_CHECKING:
    from datetime import datetime
    from types import ModuleType, TracebackType

    import github
    from github.AuthenticatedUser import AuthenticatedUser
    from github.Issue import Issue as IssueOfPyGithub
    from github.IssueComment import IssueComment
    from github.NamedUser import NamedUser
    from github.Organization import Organization
    from github.PullRequest import PullRequest as PullRequestNow
    from github.Repository import Repository

Answer = TypeVar("Answer")

_TIMEOUT_SECONDS = 15
_MAX_WAIT_SECONDS = 60
_RETRIES = 3
_PER_PAGE = 100


class GitHubUnavailable(Exception):
    """No usable answer. `cause` is in our own words: the body of an answer is never shown."""

    def __init__(self, cause: str, status: int | None = None) -> None:
        self.cause = cause
        self.status = status
        super().__init__(cause if status is None else f"{cause} (HTTP {status})")

    @property
    def in_short(self) -> str:
        """Without what the usual cause of a status would be: the caller knows better what was lacking."""
        return self.cause if self.status is None else f"HTTP {self.status}"

    @property
    def may_have_worked(self) -> bool:
        """Whether what was asked for may have happened all the same: no answer, or one from something in between."""
        return self.status is None or self.status >= 500


@dataclass(frozen=True)
class Account:
    """Who wrote something. A login alone is not enough: a bot's name may be imitated, its type may not."""

    login: str
    is_bot: bool


ACTIONS_BOT = Account("github-actions[bot]", is_bot=True)


@dataclass(frozen=True)
class Comment:
    id: int
    url: str
    author: Account | None
    body: Untrusted


@dataclass(frozen=True)
class Issue:
    number: int
    author: Account | None
    body: Untrusted


class Branch(NamedTuple):
    """A branch of a repository that need not be ours."""

    repository: str
    ref: str


@dataclass(frozen=True)
class Pull:
    """A pull request now. `merge_sha` is null while GitHub works it out, and on a conflict."""

    number: int
    state: Literal["open", "closed"]
    head_sha: str
    base_ref: str
    base_sha: str
    merge_sha: str | None
    fork: bool
    head: Branch | None = None
    """Where the head is pushed to; None where that is gone."""
    author: str | None = None
    wears_accept: bool = False


class _CommentNow(Part):
    id: Positive
    html_url: str
    body: str


class _UserNow(Part):
    login: str
    type: str


class _IssueNow(Part):
    number: Positive
    user: _UserNow | None
    body: str | None = None
    pull_request: object = None
    """Set where the issue is a pull request: GitHub lists both."""


class _Viewer(Part):
    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}\[bot\]$")]


class _Viewed(Part):
    viewer: _Viewer


class _Answered(Part):
    data: _Viewed


class _PullNow(PullRequest):
    state: Literal["open", "closed"]
    merge_commit_sha: Sha | None


@dataclass
class GitHub:
    """One repository's API. The pauses are GitHub's rules of conduct; only tests set them to 0."""

    api_url: str
    repository: str
    token: Token = field(repr=False)
    seconds_between_requests: float = 0.25
    seconds_between_writes: float = 1.0
    backoff_seconds: float = 0.5

    def __enter__(self) -> GitHub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if "_api" in self.__dict__:
            self._api.close()

    def whoami(self) -> Account:
        """The account that the token writes as.

        GitHub tells the token of an app 403. Nearly always it is a workflow's own, so that it is the Actions bot.
        """
        try:
            return _ask(lambda: _account(self._api.get_user()))
        except GitHubUnavailable as error:
            if error.status == 403:
                return ACTIONS_BOT
            raise

    def viewer(self) -> Account:
        """The app whose token this is: only GraphQL tells. Raises GitHubUnavailable for the token of a person, too."""
        return _ask(lambda: _app(self._api.requester.graphql_query("{ viewer { login } }", {})[1]))

    def comments(self, number: int) -> list[Comment]:
        """All comments of a pull request, over all pages."""
        return _ask(lambda: [_comment(found) for found in self._issue(number).get_comments()])

    def create_comment(self, number: int, body: str) -> Comment:
        """Post a comment, once: on a failure the caller looks whether it arrived before it tries again."""
        return _ask(lambda: _comment(self._issue(number).create_comment(body)))

    def edit_comment(self, number: int, comment_id: int, body: str) -> Comment:
        def edit() -> Comment:
            comment = self._issue(number).get_comment(comment_id)
            comment.edit(body)
            return _comment(comment)

        return _ask(edit)

    def issues(self, since: datetime) -> list[Issue]:
        """All issues, open and closed, that somebody or something has touched since."""
        return _ask(lambda: list(self._issues(since)))

    def _issues(self, since: datetime) -> Iterator[Issue]:
        """Not through PyGithub's issues, which ask for each one that is no pull request whether it is one."""
        asked = {"state": "all", "since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        found = (_IssueNow.model_validate(row) for row in self._pages(self._issues_path, asked))
        return (_issue(one) for one in found if one.pull_request is None)

    def _pages(self, path: str, asked: Mapping[str, str | int]) -> Iterator[Any]:
        for page in count(1):
            asked_now = {**asked, "per_page": _PER_PAGE, "page": page}
            _, rows = self._api.requester.requestJsonAndCheck("GET", path, asked_now)
            yield from rows
            if len(rows) < _PER_PAGE:
                return

    def create_issue(self, title: str, body: str) -> None:
        _ask(
            lambda: self._api.requester.requestJsonAndCheck(
                "POST", self._issues_path, input={"title": title, "body": body}
            )
        )

    def edit_issue(self, number: int, body: str, state: Literal["closed"] | None = None) -> None:
        changes = {"body": body} | ({"state": state} if state else {})
        path = f"{self._issues_path}/{number}"
        _ask(lambda: self._api.requester.requestJsonAndCheck("PATCH", path, input=changes))

    def read(self, path: str, understood: Callable[[Any], Answer], **asked: str | int) -> Answer:
        """What a GET below the repository's address (`""` is itself) answers, as `understood` reads its JSON."""
        whole = f"/repos/{self.repository}/{path}".rstrip("/")
        return _ask(lambda: understood(self._api.requester.requestJsonAndCheck("GET", whole, asked)[1]))

    def read_all(self, path: str, understood: Callable[[Any], Answer]) -> list[Answer]:
        """The same of a list, row by row, over all pages."""
        whole = f"/repos/{self.repository}/{path}"
        return _ask(lambda: [understood(row) for row in self._pages(whole, {})])

    def remove_label(self, number: int, name: str) -> None:
        """Take a label off a pull request; it is 404 where it is not on."""
        path = f"{self._issues_path}/{number}/labels/{quote(name, safe='')}"
        _ask(lambda: self._api.requester.requestJsonAndCheck("DELETE", path))

    @property
    def _issues_path(self) -> str:
        return f"/repos/{self.repository}/issues"

    def pull(self, number: int) -> Pull:
        return _ask(lambda: _pull(self._repository.get_pull(number)))

    @cached_property
    def _api(self) -> github.Github:
        pygithub = _pygithub()
        retry = pygithub.GithubRetry(
            total=_RETRIES,
            allowed_methods={"GET", "PATCH"},
            backoff_factor=self.backoff_seconds,
            max_rate_limit_wait=_MAX_WAIT_SECONDS,
            retry_after_max=_MAX_WAIT_SECONDS,
        )
        api: github.Github = pygithub.Github(
            auth=pygithub.Auth.Token(self.token.reveal()),
            base_url=self.api_url,
            timeout=_TIMEOUT_SECONDS,
            per_page=_PER_PAGE,
            retry=retry,
            seconds_between_requests=self.seconds_between_requests,
            seconds_between_writes=self.seconds_between_writes,
            lazy=True,  # a repository or an issue is a name here: no request of its own
            user_agent="ci-eval",
        )
        return api

    @property
    def _repository(self) -> Repository:
        return self._api.get_repo(self.repository)

    def _issue(self, number: int) -> IssueOfPyGithub:
        return self._repository.get_issue(number)


def _pull(found: PullRequestNow) -> Pull:
    now = _PullNow.model_validate(found.raw_data)
    return Pull(
        number=now.number,
        state=now.state,
        head_sha=now.head.sha,
        base_ref=now.base.ref,
        base_sha=now.base.sha,
        merge_sha=now.merge_commit_sha,
        fork=now.is_fork,
        head=_branch(now),
        author=now.user.login if now.user else None,
        wears_accept=now.wears_accept,
    )


def _branch(now: PullRequest) -> Branch | None:
    repository = now.head.repo.full_name if now.head.repo else None
    return Branch(repository, f"refs/heads/{now.head.ref}") if repository and now.head.ref else None


def _comment(found: IssueComment) -> Comment:
    # PyGithub reads an answer that is no comment as a comment of Nones.
    now = _CommentNow(id=found.id, html_url=found.html_url, body=found.body)
    return Comment(now.id, now.html_url, _account(found.user) if found.user else None, Untrusted(now.body))


def _issue(now: _IssueNow) -> Issue:
    author = Account(now.user.login, now.user.type == "Bot") if now.user else None
    return Issue(now.number, author, Untrusted(now.body or ""))


def _account(found: NamedUser | Organization | AuthenticatedUser) -> Account:
    now = _UserNow(login=found.login, type=found.type)
    return Account(now.login, now.type == "Bot")


def _app(answer: object) -> Account:
    return Account(_Answered.model_validate(answer).data.viewer.login, is_bot=True)


@cache
def _pygithub() -> ModuleType:
    """PyGithub, without what it does on its own.

    It takes 0.3 s to import, which a run without GitHub does not pay. It prints to stderr, where the runner would act
    on a command in a server's answer, and it sends through the environment's proxy; its hook for connections is
    process-wide (netrc is off already).
    """
    import github  # noqa: PLC0415
    from github import Requester  # noqa: PLC0415

    github.logger.handlers = [logging.NullHandler()]
    github.logger.propagate = False

    class DirectHttp(Requester.HTTPRequestsConnectionClass):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.session.trust_env = False

    class DirectHttps(Requester.HTTPSRequestsConnectionClass):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.session.trust_env = False

    Requester.Requester.injectConnectionClasses(DirectHttp, DirectHttps)
    return github


_CAUSES = {
    401: "GitHub does not know this token",
    403: "GitHub refused; the job needs `permissions: pull-requests: write`, which a fork's pull request never has "
    "(`issues: write` for the issue of a scheduled evaluation)",
    404: "GitHub shows no such thing to this token",
    410: "GitHub says that it is gone",
    422: "GitHub did not take the content",
    429: "GitHub's rate limit is reached",
}


def _ask(question: Callable[[], Answer]) -> Answer:
    """What GitHub answers; whatever goes wrong becomes GitHubUnavailable.

    It is raised outside of the handlers: as a `__context__` the first error would keep the answer's body, and its
    connection, for as long as ours is looked at.
    """
    import requests  # noqa: PLC0415

    pygithub = _pygithub()
    try:
        return question()
    except pygithub.RateLimitExceededException:
        failure = GitHubUnavailable(_CAUSES[429], 429)
    except pygithub.GithubException as error:
        failure = GitHubUnavailable(_CAUSES.get(error.status, "GitHub answered with an error"), error.status)
    except requests.RequestException:
        failure = GitHubUnavailable("GitHub gave no answer")
    except Exception:  # PyGithub meets an answer that it did not expect with nearly any exception
        failure = GitHubUnavailable("GitHub's answer could not be read")
    raise failure
