"""GitHub on loopback: a small stateful server that GitHub's own OpenAPI description keeps honest.

Every request that reaches it and every answer it gives is checked against `tests/data/github-openapi.json`. What does
not conform is listed in `violations`, which the end of each `with StandIn() as github:` block holds to be empty. Only
failures that a test orders (a gateway's 502) are free of it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from github_history import History, Json, User, label_json
from github_runs import asked_for, environment_json, run_json
from loopback import Handler, Loopback
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from werkzeug.datastructures import Headers, ImmutableMultiDict

DATA = Path(__file__).parent.parent / "data"
TOKEN = "ghs_standin0123456789"  # noqa: S105
BOT = ("github-actions[bot]", "Bot")
PERSON = ("octo-maintainer", "User")
MAX_BODY = 65_536
NOW = "2026-05-04T10:20:30Z"


@dataclass
class Request:
    """What openapi-core wants to know of a request."""

    host_url: str
    path: str
    method: str
    body: bytes
    content_type: str
    parameters: RequestParameters


@dataclass
class Response:
    """What openapi-core wants to know of a response."""

    status_code: int
    data: bytes
    headers: Headers
    content_type: str = "application/json"


@dataclass(frozen=True)
class Failure:
    """The nth request of a method is answered with this status; `lands`: what it asked for is done all the same."""

    method: str
    nth: int
    status: int
    lands: bool = False
    body: str = '{"message":"Server Error"}'
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


class StandIn(Loopback):
    """One repository of GitHub. Fill `issues` and `pulls`, order `failures`, then look at what happened."""

    repository = "octo-org/shop"

    def __init__(self, *, writes_as: User = BOT, prefix: str = "") -> None:
        super().__init__(_Handler)
        self.writes_as = writes_as
        self.prefix = prefix
        self.issues: dict[int, list[dict[str, Json]]] = {}
        self.pulls: dict[int, dict[str, Json]] = {}
        self.history = History()
        self.users: dict[str, User] = {}
        self.opened: list[dict[str, Json]] = []
        self.runs: dict[int, dict[str, Json]] = {}
        self.reviews: dict[int, list[dict[str, Json]]] = {}
        self.environments: dict[str, dict[str, Json]] = {}
        self.settings: dict[str, Json] = {}
        """What is answered at a path below the repository (`""` is itself); anything else is 404."""
        self.failures: list[Failure] = []
        self.no_graphql = False
        self.requests: list[str] = []
        self.violations: list[str] = []
        self._seen: Counter[str] = Counter()
        self._next_id = 1000
        self._lock = threading.Lock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if kind is None:
            assert not self.violations, "\n".join(self.violations)

    @property
    def graphql_path(self) -> str:
        return f"{self.prefix.removesuffix('/v3')}/graphql"

    @property
    def api_url(self) -> str:
        return self.origin + self.prefix

    # --- what a test puts in and looks at ---

    def add_comment(self, number: int, body: str, author: User | None = None) -> dict[str, Json]:
        """A comment that somebody wrote; by default whoever holds the token."""
        self._next_id += 1
        comment = _comment_json(self, number, self._next_id, body, author or self.writes_as)
        self.issues.setdefault(number, []).append(comment)
        return comment

    def add_pull(self, number: int, **changes: Json) -> dict[str, Json]:
        """A pull request like the one of the webhook examples, but for `changes`."""
        opened = json.loads((DATA / "webhooks/pull_request.opened.json").read_text(encoding="utf-8"))
        self.pulls[number] = {**opened["pull_request"], "number": number, "labels": [], **changes}
        return self.pulls[number]

    def label(self, number: int, name: str, by: User, app: Json = None) -> Json:
        """Somebody puts a label on a pull request; returns them as payloads write them."""
        self.users[by[0]] = by
        labels = self.pulls[number]["labels"]
        if all(one["name"] != name for one in labels):
            labels.append(label_json(name))
            self.history.event(number, "labeled", name, _user_json(*by), app)
        return _user_json(*by)

    def order(self, method: str, nth: int, status: int) -> None:
        """The nth request from now on of a method fails."""
        self.failures.append(Failure(method, self._seen[method] + nth, status))

    def labels(self, number: int) -> list[str]:
        return [one["name"] for one in self.pulls[number]["labels"]]

    def add_issue(self, title: str, body: str | None, author: User | None = None, **changes: Json) -> dict[str, Json]:
        """An issue that somebody opened; by default whoever holds the token."""
        self._next_id += 1
        issue = _issue_json(self, self._next_id, title, body, author or self.writes_as) | changes
        self.opened.append(issue)
        return issue

    def add_run(self, run_id: int, **changes: Json) -> dict[str, Json]:
        """A run of one workflow for the branch of the webhook examples' pull request, but for `changes`."""
        self.runs[run_id] = run_json(run_id, **changes)
        return self.runs[run_id]

    def review(self, run_id: int, state: str = "approved", environment: str = "forks", user: User = PERSON) -> None:
        """What somebody answered when the run waited for its environment."""
        part = {"id": 7, "name": environment}
        found = {"environments": [part], "state": state, "user": _user_json(*user), "comment": "fine"}
        self.reviews.setdefault(run_id, []).append(found)

    def add_environment(self, name: str, *, reviewers: int = 1) -> None:
        self.environments[name] = environment_json(name, [_user_json(*PERSON)] * reviewers)

    def bodies(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.issues.get(number, [])]

    # --- the server's side ---

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | Failure:
        with self._lock:
            self._seen[method] += 1
            self.requests.append(f"{method} {target}")
            known = headers.get("Authorization") in {f"token {TOKEN}", f"Bearer {TOKEN}"}
            if target == self.graphql_path:  # another description's
                return self._viewer(json.loads(body)) if known else _problem(401, "Bad credentials")
            request = self._check_request(method, target, headers, body)
            failure = self._ordered_failure(method)
            if failure and not failure.lands:
                return failure
            answer = self._route(method, target, body) if known else _problem(401, "Bad credentials")
            self._check_answer(request, answer)
            return failure or answer

    def _ordered_failure(self, method: str) -> Failure | None:
        wanted = (method, self._seen[method])
        return next((failure for failure in self.failures if (failure.method, failure.nth) == wanted), None)

    @cached_property
    def _api(self) -> OpenAPI:
        description = json.loads((DATA / "github-openapi.json").read_text(encoding="utf-8"))
        description["servers"] = [{"url": self.api_url}]
        # The description is GitHub's; it is not ours to validate (that takes seconds), and None is how to say so.
        return OpenAPI.from_dict(description, config=Config(spec_validator_cls=None))  # type: ignore[arg-type]

    def _check_request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        url = urlsplit(target)
        # `created` is a search (">=…") by GitHub's documentation, and a bare date by the description.
        query = [
            (name, value.removeprefix(">=") if name == "created" else value) for name, value in parse_qsl(url.query)
        ]
        parameters = RequestParameters(query=ImmutableMultiDict(query), header=Headers(dict(headers)))
        kind = headers.get("Content-Type", "").lower()
        request = Request(self.origin, url.path, method.lower(), body, kind, parameters)
        self._record(f"request {method} {target}", lambda: self._api.validate_request(request))
        return request

    def _check_answer(self, request: Request, answer: Answer) -> None:
        data = json.dumps(answer.body).encode()
        response = Response(answer.status, data, Headers(dict(answer.headers)))
        what = f"answer {answer.status} to {request.method} {request.path}"
        self._record(what, lambda: self._api.validate_response(request, response))

    def _record(self, what: str, check: Any) -> None:
        try:
            check()
        except ResponseNotFound:
            pass  # the description names no 401, for one, though every call may be answered with it
        except OpenAPIError as error:
            reasons = [reason.message for reason in getattr(error.__cause__ or error, "schema_errors", [])]
            self.violations.append(f"{what}: {type(error).__name__}: {error}; {reasons[:5]}")

    def _route(self, method: str, target: str, body: bytes) -> Answer:
        parts = urlsplit(target).path.removeprefix(f"{self.prefix}/repos/{self.repository}").strip("/").split("/")
        match method, parts:
            case "GET", [*_, "user"]:
                return self._user()
            case "GET", ["pulls", number] if int(number) in self.pulls:
                return Answer(200, self.pulls[int(number)])
            case "GET", ["issues", number, "comments"]:
                return self._page(int(number), target)
            case "POST", ["issues", number, "comments"]:
                return self._post(int(number), json.loads(body)["body"])
            case "PATCH", ["issues", "comments", number]:
                return self._patch(int(number), json.loads(body)["body"])
        return (
            self._route_issue(method, parts, target, body)
            or self._route_setting(method, "/".join(parts), target)
            or self._route_history(method, parts, target)
        )

    def _route_history(self, method: str, parts: list[str], target: str) -> Answer:
        match method, parts:
            case "GET", ["collaborators", login, "permission"]:
                return Answer(200, self.history.permission(_user_json(*self.users[login])))
            case "GET", ["issues", number, "events"]:
                return self._page_of(self.history.events[int(number)], target)
            case "DELETE", ["issues", number, "labels", name] if unquote(name) in self.labels(int(number)):
                return self._unlabel(int(number), unquote(name))
            case "GET", [*_, "activity"]:
                *_, owner, name = urlsplit(target).path.removesuffix("/activity").split("/")
                ref = dict(parse_qsl(urlsplit(target).query))["ref"]
                return self._page_of(self.history.moves[f"{owner}/{name}", ref], target)
        return _problem(404, "Not Found")

    def _unlabel(self, number: int, name: str) -> Answer:
        labels = self.pulls[number]["labels"]
        labels[:] = [one for one in labels if one["name"] != name]
        self.history.event(number, "unlabeled", name, _user_json(*self.writes_as))
        return Answer(200, labels)

    def _route_run(self, parts: list[str], target: str) -> Answer:
        match parts:
            case ["actions", "runs", number] if int(number) in self.runs:
                return Answer(200, self.runs[int(number)])
            case ["actions", "runs", number, "approvals"]:
                return Answer(200, self.reviews.get(int(number), []))
            case ["actions", "workflows", number, "runs"]:
                query = dict(parse_qsl(urlsplit(target).query))
                rows = [run for run in self.runs.values() if asked_for(run, int(number), query)]
                page = self._page_of(sorted(rows, key=lambda run: run["created_at"], reverse=True), target)
                return Answer(200, {"total_count": len(rows), "workflow_runs": page.body}, page.headers)
            case ["environments", name] if unquote(name) in self.environments:
                return Answer(200, self.environments[unquote(name)])
        return _problem(404, "Not Found")

    def _route_issue(self, method: str, parts: list[str], target: str, body: bytes) -> Answer | None:
        match method, parts:
            case "GET", ["issues"]:
                return self._page_of(list(reversed(self.opened)), target)
            case "POST", ["issues"]:
                issue = self.add_issue(**json.loads(body))
                return Answer(201, issue, {"Location": issue["url"]})
            case "PATCH", ["issues", number]:
                return self._edit_issue(int(number), json.loads(body))
            case "GET", ["actions" | "environments", *_] if "/".join(parts) not in self.settings:
                return self._route_run(parts, target)
        return None

    def _route_setting(self, method: str, path: str, target: str) -> Answer | None:
        found = self.settings.get(path) if method == "GET" else None
        if isinstance(found, Answer):
            return found
        if isinstance(found, list):
            return self._page_of(found, target)
        return None if found is None else Answer(200, found)

    def _user(self) -> Answer:
        if self.writes_as[1] == "Bot":
            return _problem(403, "Resource not accessible by integration")
        return Answer(200, {**_user_json(*self.writes_as), **_PROFILE})

    def _viewer(self, asked: Json) -> Answer:
        """The one query that is asked."""
        if self.no_graphql:
            return _problem(502, "Bad Gateway")
        assert asked["query"] == "{ viewer { login } }"
        return Answer(200, {"data": {"viewer": {"login": self.writes_as[0]}}})

    def _page(self, number: int, target: str) -> Answer:
        return self._page_of(self.issues.get(number, []), target)

    def _page_of(self, rows: list[dict[str, Json]], target: str) -> Answer:
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        size, page = min(int(query.get("per_page", 30)), 100), int(query.get("page", 1))
        pages = max(1, -(-len(rows) // size))

        def link(to: int, rel: str) -> str:
            return f'<{self.origin}{url.path}?{urlencode({**query, "page": to})}>; rel="{rel}"'

        links = [link(page + 1, "next"), link(pages, "last")] if page < pages else []
        headers = {"Link": ", ".join(links)} if links else {}
        return Answer(200, rows[(page - 1) * size : page * size], headers)

    def _edit_issue(self, number: int, changes: Json) -> Answer:
        issue = next((issue for issue in self.opened if issue["number"] == number), None)
        if issue is None:
            return _problem(404, "Not Found")
        issue |= changes
        return Answer(200, issue)

    def _post(self, number: int, body: str) -> Answer:
        if len(body) > MAX_BODY:
            return _too_long()
        comment = self.add_comment(number, body)
        return Answer(201, comment, {"Location": comment["url"]})

    def _patch(self, number: int, body: str) -> Answer:
        if len(body) > MAX_BODY:
            return _too_long()
        for comment in (comment for comments in self.issues.values() for comment in comments):
            if comment["id"] == number:
                comment["body"] = body
                return Answer(200, comment)
        return _problem(404, "Not Found")


class _Handler(Handler):
    protocol_version = "HTTP/1.1"

    def serve(self) -> None:
        answer = self.server.owner.answer(self.command, self.path, dict(self.headers.items()), self.body())
        body = answer.body.encode() if isinstance(answer, Failure) else answer.body
        self.answer_json(answer.status, body, answer.headers.items())


_PROFILE = {
    **dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name")),
    "blog": "",
    "user_view_type": "public",
    **dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0),
    "created_at": NOW,
    "updated_at": NOW,
}


def _user_json(login: str, kind: str) -> Json:
    number = sum(login.encode())
    api = f"https://api.github.com/users/{login}"
    parts = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events")
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number}",
        "type": kind,
        "site_admin": False,
        "gravatar_id": "",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}",
        "html_url": f"https://github.com/{login}",
        "url": api,
        "received_events_url": f"{api}/received_events",
        **{f"{part}_url": f"{api}/{part}" for part in parts},
    }


def _comment_json(standin: StandIn, number: int, comment_id: int, body: str, author: User) -> dict[str, Json]:
    issues = f"{standin.api_url}/repos/{standin.repository}/issues"
    return {
        "id": comment_id,
        "node_id": f"IC_{comment_id}",
        "url": f"{issues}/comments/{comment_id}",
        "html_url": f"https://github.com/{standin.repository}/pull/{number}#issuecomment-{comment_id}",
        "issue_url": f"{issues}/{number}",
        "body": body,
        "user": _user_json(*author),
        "author_association": "NONE",
        "created_at": NOW,
        "updated_at": NOW,
    }


def _issue_json(standin: StandIn, number: int, title: str, body: str | None, author: User) -> dict[str, Json]:
    repository = f"{standin.api_url}/repos/{standin.repository}"
    url = f"{repository}/issues/{number}"
    parts = ("comments", "events")
    return {
        "id": 10_000 + number,
        "node_id": f"I_{number}",
        "number": number,
        "url": url,
        "repository_url": repository,
        "labels_url": f"{url}/labels{{/name}}",
        "html_url": f"https://github.com/{standin.repository}/issues/{number}",
        **{f"{part}_url": f"{url}/{part}" for part in parts},
        "title": title,
        "body": body,
        "user": _user_json(*author),
        "state": "open",
        "locked": False,
        "comments": 0,
        "labels": [],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "author_association": "NONE",
        "created_at": NOW,
        "updated_at": NOW,
        "closed_at": None,
    }


def _problem(status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})


def _too_long() -> Answer:
    error = {"resource": "IssueComment", "code": "unprocessable", "field": "body", "message": "body is too long"}
    return Answer(422, {**_problem(422, "Validation Failed").body, "errors": [error]})
