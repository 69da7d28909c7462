"""The sticky comment and the client, over HTTP against a stand-in that GitHub's OpenAPI description checks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commenting import MARKER, STRANGER, connect, marker, posts
from github_standin import BOT, TOKEN, Failure, StandIn

from ci_eval.github.client import Account, GitHub, GitHubUnavailable
from ci_eval.github.environment import Token
from ci_eval.github.publish import CommentOutcome, Posting, upsert_comment

PULL = 7


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def github(standin: StandIn) -> Iterator[GitHub]:
    with connect(standin) as client:
        yield client


# --- finding one's own comment ----------------------------------------------------------------------------------------


def test_the_first_report_is_posted_with_the_marker_first(standin: StandIn, github: GitHub) -> None:
    outcome = upsert_comment(github, PULL, "**pass**", MARKER)

    assert standin.bodies(PULL) == [f"{MARKER.line}\n**pass**"]
    assert outcome == CommentOutcome("https://github.com/octo-org/shop/pull/7#issuecomment-1001")


@pytest.mark.parametrize(
    ("author", "body"),
    [
        pytest.param(STRANGER, f"{MARKER.line}\nforged", id="a user's forged marker"),
        pytest.param(("github-actions[bot]", "User"), f"{MARKER.line}\nforged", id="a bot's name, not its type"),
        pytest.param(("other-app[bot]", "Bot"), f"{MARKER.line}\nforged", id="another bot's"),
        pytest.param(BOT, f"echo: {MARKER.line}\n", id="the bot's own text, marker within a line"),
        pytest.param(BOT, f"hello\n{MARKER.line}\n", id="the bot's own text, marker on line 2"),
        pytest.param(BOT, f" {MARKER.line}\n", id="the bot's own text, a blank first"),
        pytest.param(BOT, f"{marker(config_id='f' * 16).line}\n", id="another config's"),
        pytest.param(BOT, f"{marker(config_id='0123456789abcdef0').line}\n", id="a config id that starts as ours"),
    ],
)
def test_what_only_looks_like_our_comment_is_left_alone(
    author: tuple[str, str], body: str, standin: StandIn, github: GitHub
) -> None:
    standin.add_comment(PULL, body, author)

    upsert_comment(github, PULL, "report", marker(run_id=600))

    assert standin.bodies(PULL) == [body, f"{marker(run_id=600).line}\nreport"]


def test_a_comment_of_a_deleted_account_is_nobody_s(standin: StandIn, github: GitHub) -> None:
    standin.add_comment(PULL, f"{MARKER.line}\nold", STRANGER)["user"] = None

    upsert_comment(github, PULL, "report", MARKER)

    assert len(standin.bodies(PULL)) == 2


def test_a_person_s_token_finds_that_person_s_comment() -> None:
    with StandIn(writes_as=("release-robot", "User")) as standin, connect(standin) as github:
        assert github.whoami() == Account("release-robot", is_bot=False)
        standin.add_comment(PULL, f"{MARKER.line}\nforged", BOT)
        upsert_comment(github, PULL, "first", MARKER)
        upsert_comment(github, PULL, "second", MARKER)

        assert standin.bodies(PULL) == [f"{MARKER.line}\nforged", f"{MARKER.line}\nsecond"]


APP = ("house-robot[bot]", "Bot")


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
def test_an_app_s_token_finds_that_app_s_comment(prefix: str) -> None:
    """GitHub tells an app's token 403 for who it is, as it tells a workflow's own."""
    with StandIn(writes_as=APP, prefix=prefix) as standin, connect(standin) as github:
        standin.add_comment(PULL, f"{MARKER.line}\nforged", ("echo[bot]", "Bot"))
        standin.add_comment(PULL, f"{MARKER.line}\nforged", STRANGER)
        upsert_comment(github, PULL, "first", MARKER)
        upsert_comment(github, PULL, "second", MARKER)

        assert standin.bodies(PULL)[2:] == [f"{MARKER.line}\nsecond"]
        assert standin.bodies(PULL)[:2] == [f"{MARKER.line}\nforged"] * 2


def test_a_bot_that_repeats_our_marker_does_not_become_us(standin: StandIn, github: GitHub) -> None:
    standin.add_comment(PULL, f"{MARKER.line}\nforged", APP)
    mine = standin.add_comment(PULL, f"{MARKER.line}\nold")

    upsert_comment(github, PULL, "report", MARKER)

    assert standin.bodies(PULL) == [f"{MARKER.line}\nforged", f"{MARKER.line}\nreport"]
    assert mine["user"]["login"] == BOT[0]


def test_where_github_does_not_say_which_app_it_is_no_other_bot_is_taken_for_it() -> None:
    with StandIn(writes_as=APP) as standin, connect(standin) as github:
        standin.no_graphql = True
        for body in ("first", "second"):
            assert upsert_comment(github, PULL, body, MARKER).warning is None

        assert standin.bodies(PULL) == [f"{MARKER.line}\nfirst", f"{MARKER.line}\nsecond"]


def test_who_it_is_is_asked_only_where_it_is_in_doubt(standin: StandIn, github: GitHub) -> None:
    standin.add_comment(PULL, "another robot's comment", APP)
    upsert_comment(github, PULL, "first", MARKER)
    upsert_comment(github, PULL, "second", MARKER)

    assert not [request for request in standin.requests if "graphql" in request]


@pytest.mark.parametrize("login", ["github-actions", "mallory", "", None, 3])
def test_a_viewer_that_is_no_app_is_not_believed(login: Any) -> None:
    with (
        StandIn(writes_as=(login, "Bot")) as standin,
        connect(standin) as github,
        pytest.raises(GitHubUnavailable, match="could not be read"),
    ):
        github.viewer()


def test_an_enterprise_server_s_path_is_kept() -> None:
    with StandIn(prefix="/api/v3") as standin, connect(standin) as github:
        upsert_comment(github, PULL, "first", MARKER)
        upsert_comment(github, PULL, "second", MARKER)

        assert standin.bodies(PULL) == [f"{MARKER.line}\nsecond"]


# --- which run may speak ----------------------------------------------------------------------------------------------


def test_our_comment_with_a_spoiled_marker_is_repaired(standin: StandIn, github: GitHub) -> None:
    standin.add_comment(PULL, f"{MARKER.prefix}run=99999.1 -->\nwhatever")

    upsert_comment(github, PULL, "report", MARKER)

    assert standin.bodies(PULL) == [f"{MARKER.line}\nreport"]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_post_that_failed_is_repeated_once(standin: StandIn, github: GitHub) -> None:
    standin.failures = [Failure("POST", 1, 502)]

    assert upsert_comment(github, PULL, "report", MARKER).warning is None
    assert standin.bodies(PULL) == [f"{MARKER.line}\nreport"]
    assert posts(standin) == 2


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_post_that_arrived_though_its_answer_was_lost_is_not_repeated(
    status: int, standin: StandIn, github: GitHub
) -> None:
    standin.failures = [Failure("POST", 1, status, lands=True)]

    outcome = upsert_comment(github, PULL, "report", MARKER)

    assert outcome == CommentOutcome("https://github.com/octo-org/shop/pull/7#issuecomment-1001")
    assert standin.bodies(PULL) == [f"{MARKER.line}\nreport"]
    assert posts(standin) == 1


@pytest.mark.parametrize(
    ("status", "tries", "word"),
    [(401, 1, "token"), (403, 1, "pull-requests: write"), (404, 1, "shows"), (500, 2, "500")],
)
def test_a_failure_to_post_is_a_warning_that_never_quotes_the_answer(
    status: int, tries: int, word: str, standin: StandIn, github: GitHub
) -> None:
    body = '{"message":"::error::leak ghs_secret"}'
    standin.failures = [Failure("POST", nth, status, body=body) for nth in (1, 2, 3)]

    outcome = upsert_comment(github, PULL, "report", MARKER)

    assert outcome.url is None
    assert outcome.warning is not None
    assert word in outcome.warning
    assert "leak" not in outcome.warning
    assert standin.bodies(PULL) == []
    assert posts(standin) == tries


def test_a_report_too_long_for_github_is_a_warning(standin: StandIn, github: GitHub) -> None:
    outcome = upsert_comment(github, PULL, "x" * 70_000, MARKER)

    assert outcome.warning is not None
    assert "422" in outcome.warning


def test_reading_and_editing_are_repeated_by_themselves(standin: StandIn, github: GitHub) -> None:
    standin.add_comment(PULL, f"{MARKER.line}\nold")
    standin.failures = [Failure("GET", 1, 502), Failure("GET", 3, 503), Failure("PATCH", 1, 502)]

    assert upsert_comment(github, PULL, "new", MARKER).warning is None
    assert standin.bodies(PULL) == [f"{MARKER.line}\nnew"]


@pytest.mark.parametrize("body", ["<html>", "[]", "[1]", '"text"', '[{"id": "x", "user": 3}]', ""])
def test_an_answer_that_makes_no_sense_is_a_warning(body: str, standin: StandIn, github: GitHub) -> None:
    standin.failures = [Failure("POST", nth, 201, body=body) for nth in (1, 2)]

    outcome = upsert_comment(github, PULL, "report", MARKER)

    assert outcome.url is None
    assert outcome.warning is not None
    assert posts(standin) == 2


def test_nobody_there_is_a_warning() -> None:
    with StandIn() as standin:
        api_url = standin.api_url
    with GitHub(api_url, "octo-org/shop", Token(TOKEN), 0, 0, 0) as github:
        assert upsert_comment(github, PULL, "report", MARKER).warning is not None


def test_a_rate_limit_is_not_taken_for_the_actions_bot(standin: StandIn, github: GitHub) -> None:
    body = '{"message":"API rate limit exceeded for installation ID 1"}'
    standin.failures = [Failure("GET", 1, 403, body=body, headers={"X-RateLimit-Reset": "4102444800"})]

    with pytest.raises(GitHubUnavailable, match="rate limit") as raised:
        github.whoami()
    assert raised.value.status == 429


def test_a_wrong_token_is_told_without_the_token(standin: StandIn) -> None:
    with connect(standin, "ghs_wrong") as github:
        assert "ghs_wrong" not in repr(github)
        with pytest.raises(GitHubUnavailable, match="does not know this token") as raised:
            github.comments(PULL)
    assert raised.value.__context__ is None


# --- modes ------------------------------------------------------------------------------------------------------------


def test_edit_only_corrects_an_old_comment_and_creates_none(standin: StandIn, github: GitHub) -> None:
    assert upsert_comment(github, PULL, "green", MARKER, Posting.EDIT_ONLY) == CommentOutcome()
    assert standin.bodies(PULL) == []

    standin.add_comment(PULL, f"{MARKER.line}\nred")
    upsert_comment(github, PULL, "green", MARKER, Posting.EDIT_ONLY)

    assert standin.bodies(PULL) == [f"{MARKER.line}\ngreen"]


def test_off_asks_github_nothing(standin: StandIn, github: GitHub) -> None:
    assert upsert_comment(github, PULL, "report", MARKER, Posting.NOTHING) == CommentOutcome()
    assert standin.requests == []


# --- the client -------------------------------------------------------------------------------------------------------


def test_the_actions_token_is_the_actions_bot(github: GitHub) -> None:
    assert github.whoami() == Account("github-actions[bot]", is_bot=True)


def test_a_pull_request_is_read_as_it_is_now(standin: StandIn, github: GitHub) -> None:
    standin.add_pull(PULL, merge_commit_sha="a" * 40)
    pull = github.pull(PULL)

    assert (pull.number, pull.state, pull.merge_sha, pull.fork) == (PULL, "open", "a" * 40, False)
    assert (pull.head_sha, pull.base_ref) == ("ec26c3e57ca3a959ca5aad62de7213c562f8c821", "master")
    assert pull.base_sha == "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"


def test_a_pull_request_of_a_deleted_fork_with_a_conflict(standin: StandIn, github: GitHub) -> None:
    head = standin.add_pull(PULL, merge_commit_sha=None, state="closed")["head"]
    head["repo"] = None
    pull = github.pull(PULL)
    standin.violations.clear()  # the description says that a head has a repository, always; GitHub's answers say null

    assert (pull.state, pull.merge_sha, pull.fork) == ("closed", None, True)


@pytest.mark.parametrize(
    ("part", "key"), [("head", "sha"), ("base", "sha"), ("base", "ref"), (None, "merge_commit_sha")]
)
def test_a_pull_request_whose_names_are_options_is_refused(
    part: str | None, key: str, standin: StandIn, github: GitHub
) -> None:
    pull = standin.add_pull(PULL)
    (pull[part] if part else pull)[key] = "--upload-pack=/bin/true"

    with pytest.raises(GitHubUnavailable, match="could not be read"):
        github.pull(PULL)


def test_a_pull_request_that_is_not_there(github: GitHub) -> None:
    with pytest.raises(GitHubUnavailable) as raised:
        github.pull(404)
    assert raised.value.status == 404


def test_a_proxy_in_the_environment_is_not_used(
    standin: StandIn, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    assert github.comments(PULL) == []


def test_nothing_of_an_answer_reaches_the_log(standin: StandIn) -> None:
    """PyGithub prints refusals to stderr, where the runner would act on a command in them."""
    script = (
        "from ci_eval.github.client import GitHub; from ci_eval.github.environment import Token; "
        f"GitHub({standin.api_url!r}, {standin.repository!r}, Token({TOKEN!r}), 0, 0, 0).whoami()"
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("", "")
    assert standin.requests == ["GET /user"]
