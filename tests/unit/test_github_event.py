"""What an event asks for, over payloads that GitHub really sent and payloads that it never would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.errors import InputError
from ci_eval.github.environment import Environment, Inputs
from ci_eval.github.event import (
    ACCEPT,
    FullEvaluation,
    GateGroup,
    GatePull,
    GatePullByNumber,
    Ignored,
    NothingToDo,
    UpdateBaseline,
    activity,
    read_payload,
)
from ci_eval.text import Untrusted

WEBHOOKS = Path(__file__).parent.parent / "data" / "webhooks"
MERGE_SHA = "1" * 40
OTHER_SHA = "2" * 40

ENVIRON = {
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_EVENT_PATH": "/github/workflow/event.json",
    "GITHUB_SHA": MERGE_SHA,
    "GITHUB_REF": "refs/pull/2/merge",
    "GITHUB_REPOSITORY": "octo-org/shop",
    "GITHUB_REPOSITORY_ID": "186853002",
    "GITHUB_RUN_ID": "15000000000",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_WORKFLOW": "ci-eval",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_WORKSPACE": "/github/workspace",
    "GITHUB_OUTPUT": "/github/file_commands/output",
    "GITHUB_STEP_SUMMARY": "/github/file_commands/summary",
}


def environment(event: str = "pull_request", **changes: str) -> Environment:
    return Environment.from_environ({**ENVIRON, "GITHUB_EVENT_NAME": event, **changes})


def with_input(name: str, value: str, event: str = "pull_request") -> Environment:
    return environment(event, **{f"INPUT_{name.upper()}": value})


def payload(name: str) -> Any:
    return json.loads((WEBHOOKS / f"{name}.json").read_text(encoding="utf-8"))


def changed(name: str, path: str, value: Any) -> Any:
    """A payload with one value replaced: `changed("push.branch", "repository.id", 0)`."""
    whole = part = payload(name)
    *parents, last = path.split(".")
    for key in parents:
        part = part[key]
    part[last] = value
    return whole


def gate(**changes: Any) -> GatePull:
    return GatePull(
        **{
            "number": 2,
            "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "base_ref": "master",
            "base_sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e",
            "merge_sha": MERGE_SHA,
            "fork": False,
            "action": "opened",
            **changes,
        }
    )


# --- pull_request -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["opened", "synchronize", "labeled"])
def test_a_pull_request_is_gated(action: str) -> None:
    assert activity(environment(), payload(f"pull_request.{action}")) == gate(action=action)


@pytest.mark.parametrize(
    "action",
    [
        *("reopened", "ready_for_review", "edited", "converted_to_draft", "unlabeled", "assigned", "review_requested"),
        *("auto_merge_enabled", "locked", "milestoned", "an_action_of_tomorrow"),
    ],
)
def test_every_other_action_is_gated_too(action: str) -> None:
    """The newest check of a head counts, so a green "nothing to do" for a label would undo a regression."""
    assert activity(environment(), changed("pull_request.opened", "action", action)) == gate(action=action)


def test_a_closed_pull_request_is_nothing_to_do() -> None:
    assert activity(environment(), payload("pull_request.closed")) == NothingToDo("the pull request is closed")


@pytest.mark.parametrize(
    ("head_repository", "fork"),
    [(None, True), ({"id": 99}, True), ({"id": 186853002, "full_name": "elsewhere/copy"}, False)],
)
def test_a_fork_is_told_by_the_repository_of_its_head(head_repository: Any, fork: bool) -> None:
    event = changed("pull_request.opened", "pull_request.head.repo", head_repository)

    assert activity(environment(), event) == gate(fork=fork)


def test_actor_sender_and_texts_change_nothing() -> None:
    event = payload("pull_request.opened")
    event["sender"] = {"id": 5, "login": "dependabot[bot]", "type": "Bot"}
    labels = [{"name": "\n::set-output name=verdict::accepted"}, {"name": f"x{ACCEPT}"}, {"name": ACCEPT.upper()}]
    event["pull_request"] |= {"title": "\n::set-output name=verdict::pass", "body": None, "user": None}
    event["pull_request"] |= {"labels": labels}

    assert activity(environment(GITHUB_ACTOR="dependabot[bot]"), event) == gate()


def _labeled(name: str = ACCEPT, **changes: Any) -> Any:
    """The event of a label, by its sender."""
    event = payload("pull_request.labeled")
    return event | {"label": event["label"] | {"name": name}} | changes


def test_only_the_event_of_the_label_itself_accepts() -> None:
    asked = activity(environment(), _labeled())
    assert asked == gate(action="labeled", accepted_by=payload("pull_request.labeled")["sender"]["id"])

    for action in ("unlabeled", "synchronize", "edited", "reopened", "opened"):
        assert activity(environment(), _labeled(action=action)) == gate(action=action)


@pytest.mark.parametrize(
    "name", ["ci-eval:accept", "CI-EVAL: ACCEPT", "ci-eval: accept ", " ci-eval: accept", "ci-eval: accept\u200b"]
)
def test_a_label_that_looks_like_it_accepts_nothing(name: str) -> None:
    assert activity(environment(), _labeled(name)) == gate(action="labeled")


def test_whether_the_label_is_on_is_told() -> None:
    event = changed("pull_request.synchronize", "pull_request.labels", [{"name": "bug"}, {"name": ACCEPT}])
    assert activity(environment(), event) == gate(action="synchronize", wears_accept=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sender", None),
        ("sender", {"login": "x", "type": "User"}),
        ("sender.id", "21031067"),
        ("sender.id", True),
        ("label", "ci-eval: accept"),
        ("label", {"name": ["ci-eval: accept"]}),
        ("pull_request.labels", "x"),
        ("pull_request.labels", [None]),
        ("pull_request.head.repo", {"id": 1, "full_name": "../../user"}),
    ],
)
def test_a_malformed_label_is_refused_in_one_line(path: str, value: Any) -> None:
    event = _labeled()
    *parents, last = path.split(".")
    part = event
    for key in parents:
        part = part[key]
    part[last] = value

    with pytest.raises(InputError, match=r"the payload of pull_request is not one that GitHub sends: [^\n]+$"):
        activity(environment(), event)


def test_a_pull_request_cannot_have_another_one_gated() -> None:
    assert activity(with_input("pr-number", "2"), payload("pull_request.opened")) == gate()
    with pytest.raises(InputError, match="another pull request"):
        activity(with_input("pr-number", "3"), payload("pull_request.opened"))


# --- push -------------------------------------------------------------------------------------------------------------


def test_a_push_to_the_default_branch_updates_the_baseline() -> None:
    expected = UpdateBaseline("6113728f27ae82c7b1a177c8d03f9e96e0adf246", "master")

    assert activity(environment("push"), payload("push.branch")) == expected


@pytest.mark.parametrize(
    "ref", ["refs/heads/topic", "refs/heads/master2", "refs/tags/master", "master", "refs/heads/räume\n::error::x"]
)
def test_a_push_elsewhere_is_nothing_to_do(ref: str) -> None:
    found = activity(environment("push"), changed("push.branch", "ref", ref))

    assert found == NothingToDo("this push is not to master; only the default branch has a baseline")


def test_deletions_are_nothing_to_do() -> None:
    assert isinstance(activity(environment("push"), payload("push.tag-deleted")), NothingToDo)
    branch = changed("push.tag-deleted", "ref", "refs/heads/master")
    assert activity(environment("push"), branch) == NothingToDo("the branch master was deleted")


# --- merge_group --------------------------------------------------------------------------------------------------

GROUP = GateGroup("380387fbc80638b734a49e1be1c4dfec1c01b33c", "2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d", 104)


@pytest.mark.parametrize("action", ["checks_requested", "an_action_of_tomorrow"])
def test_a_merge_group_is_gated_on_its_own_base(action: str) -> None:
    event = changed("merge_group.checks_requested", "action", action)

    assert activity(environment("merge_group"), event) == GROUP


def test_a_merge_group_that_is_gone_is_nothing_to_do() -> None:
    event = changed("merge_group.checks_requested", "action", "destroyed")

    assert activity(environment("merge_group"), event) == NothingToDo("the merge group is gone")


def test_the_names_in_a_merge_group_change_nothing() -> None:
    """But for the number of the pull request, which GitHub writes into the branch's name."""
    event = payload("merge_group.checks_requested")
    event["merge_group"] |= {"head_ref": "--upload-pack=x\n::error::", "base_ref": None, "head_commit": []}

    assert activity(environment("merge_group"), event) == replace(GROUP, pull=None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("merge_group.base_sha", "--upload-pack=/bin/true"),
        ("merge_group.base_sha", None),
        ("merge_group.head_sha", "HEAD"),
        ("merge_group.head_sha", "e" * 40 + "\n"),
        ("merge_group", []),
        ("action", ""),
    ],
)
def test_a_malformed_merge_group_is_refused(path: str, value: Any) -> None:
    with pytest.raises(InputError, match="not one that GitHub sends"):
        activity(environment("merge_group"), changed("merge_group.checks_requested", path, value))


# --- schedule -----------------------------------------------------------------------------------------------------


def test_a_schedule_is_a_full_evaluation_of_the_default_branch() -> None:
    """Its payload need not name the repository; GitHub starts it nowhere else."""
    started = environment("schedule", GITHUB_REF="refs/heads/trunk")

    assert activity(started, {"schedule": "17 3 * * *"}) == FullEvaluation(MERGE_SHA, "refs/heads/trunk", True)


@pytest.mark.parametrize("event", [{}, {"schedule": 3}, {"schedule": None}, None, []])
def test_a_malformed_schedule_is_refused(event: Any) -> None:
    with pytest.raises(InputError, match="not one that GitHub sends"):
        activity(environment("schedule", GITHUB_REF="refs/heads/main"), event)


# --- workflow_dispatch and the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "on_default_branch"), [("refs/heads/main", True), ("refs/heads/topic", False), ("refs/tags/main", False)]
)
def test_a_dispatch_is_a_full_evaluation(ref: str, on_default_branch: bool) -> None:
    started = environment("workflow_dispatch", GITHUB_REF=ref)

    assert activity(started, payload("workflow_dispatch")) == FullEvaluation(MERGE_SHA, ref, on_default_branch)


@pytest.mark.parametrize(
    "ref", ["--exec=x", "refs/heads/-x", "refs/heads/a..b", "refs/heads/a b", "refs/pull/1/merge", ""]
)
def test_a_dispatch_on_a_ref_that_git_could_misread_is_refused(ref: str) -> None:
    with pytest.raises(InputError, match="GITHUB_REF"):
        activity(environment("workflow_dispatch", GITHUB_REF=ref), payload("workflow_dispatch"))


def test_a_dispatch_with_a_number_gates_that_pull_request() -> None:
    for ref, on_default_branch in (("refs/heads/main", True), ("refs/heads/topic", False), ("refs/tags/main", False)):
        started = environment("workflow_dispatch", **{"GITHUB_REF": ref, "INPUT_PR-NUMBER": "31"})
        assert activity(started, payload("workflow_dispatch")) == GatePullByNumber(31, on_default_branch)


@pytest.mark.parametrize("event", ["issue_comment", "workflow_run", "release"])
def test_other_events_are_ignored_with_a_reason(event: str) -> None:
    use = "pull_request, pull_request_target, merge_group, push, schedule or workflow_dispatch"
    reason = f"the event {event} is not supported; use {use}"

    assert activity(environment(event), payload("pull_request.opened")) == Ignored(reason)


# --- names of branches ----------------------------------------------------------------------------------------------

NO_BRANCHES = [
    *("", "@", "a:b", "+a:b", "a*", "a?", "a[b", "a~1", "a^", "a@{1}", "a\\b", "/a", "a/", "a//b", "a.", ".a", "a/.b"),
    *("a.lock", "a.lock/b", "a\x7f", "a\x85b", "a\u2028b", "a\u202eb", "a\u200bb", "\ud800", "x" * 256),
]
BRANCHES = ["main", "topic/größe", "功能", "ｍain", "release-1.0", "a+b=c", "a@b", "a{b}", "$(id)", "a;b", "'a'", "@/a"]


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_may_be_called_what_git_lets_it_be_called(name: str) -> None:
    git = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)

    assert git.returncode == 0
    assert activity(environment(), changed("pull_request.opened", "pull_request.base.ref", name)) == gate(base_ref=name)


@given(name=st.text(alphabet=st.sampled_from("aä./-@{~^:?*[\\ \t\x7f功lock"), min_size=1, max_size=8))
def test_a_name_that_git_refuses_is_refused(name: str) -> None:
    git = subprocess.run(["git", "check-ref-format", "--branch", name], check=False, capture_output=True)
    try:
        activity(environment(), changed("pull_request.opened", "pull_request.base.ref", name))
    except InputError:
        return
    assert git.returncode == 0


# --- payloads that GitHub never sends ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pull_request.head.sha", "--upload-pack=/bin/true"),
        ("pull_request.head.sha", "EC26C3E57CA3A959CA5AAD62DE7213C562F8C821"),
        ("pull_request.head.sha", "e" * 39),
        ("pull_request.head.sha", "e" * 40 + "\n"),
        ("pull_request.base.sha", None),
        ("pull_request.base.ref", "--output=x"),
        ("pull_request.base.ref", "a b"),
        ("pull_request.base.ref", "main\n"),
        ("pull_request.base.ref", "main..topic"),
        *(("pull_request.base.ref", name) for name in NO_BRANCHES),
        ("pull_request.number", 0),
        ("pull_request.number", -1),
        ("pull_request.number", "2"),
        ("pull_request.number", True),
        ("pull_request.number", 2.0),
        ("pull_request.number", 2**70),
        ("pull_request.head.repo", {}),
        ("pull_request.head.repo", {"id": "186853002"}),
        ("pull_request.head.repo", []),
        ("pull_request.head", None),
        ("pull_request", None),
        ("action", None),
        ("action", "opened\n::error::"),
        ("action", ""),
    ],
)
def test_a_malformed_pull_request_is_refused_in_one_line(path: str, value: Any) -> None:
    with pytest.raises(InputError) as raised:
        activity(environment(), changed("pull_request.opened", path, value))

    assert "not one that GitHub sends" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("path", ["pull_request.head.sha", "pull_request.number", "action"])
def test_a_missing_key_is_refused(path: str) -> None:
    event = part = payload("pull_request.opened")
    *parents, last = path.split(".")
    for key in parents:
        part = part[key]
    del part[last]

    with pytest.raises(InputError, match=f'"{last}"'):
        activity(environment(), event)


@pytest.mark.parametrize("side", ["head", "base"])
def test_a_pull_request_that_does_not_say_whose_it_is_counts_as_a_fork(side: str) -> None:
    event = payload("pull_request.opened")
    del event["pull_request"][side]["repo"]

    found = activity(environment(), event)

    assert isinstance(found, GatePull)
    assert found.fork


@pytest.mark.parametrize(
    ("path", "value"),
    [("deleted", "false"), ("deleted", None), ("after", "HEAD"), ("ref", 3), ("repository.default_branch", "-x")],
)
def test_a_malformed_push_is_refused(path: str, value: Any) -> None:
    with pytest.raises(InputError, match="not one that GitHub sends"):
        activity(environment("push"), changed("push.branch", path, value))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
NAMES = ["pull_request.opened", "push.branch", "workflow_dispatch", "merge_group.checks_requested"]
PATHS = {
    "pull_request.opened": [
        *("action", "pull_request", "pull_request.number", "pull_request.head", "pull_request.head.sha"),
        *("pull_request.head.repo", "pull_request.base", "pull_request.base.ref", "pull_request.base.repo"),
    ],
    "push.branch": ["ref", "after", "deleted", "repository", "repository.default_branch"],
    "workflow_dispatch": ["repository", "repository.default_branch", "inputs"],
    "merge_group.checks_requested": ["action", "merge_group", "merge_group.base_sha", "merge_group.head_sha"],
}


@given(event=st.sampled_from(["pull_request", "push", "merge_group", "schedule", "workflow_dispatch"]), value=ANYTHING)
def test_any_json_is_an_activity_or_refused(event: str, value: Any) -> None:
    with pytest.raises(InputError):
        activity(environment(event), value)


@given(data=st.data(), value=ANYTHING)
def test_any_value_at_any_place_is_an_activity_or_refused(data: st.DataObject, value: Any) -> None:
    name = data.draw(st.sampled_from(NAMES))
    path = data.draw(st.sampled_from(PATHS[name]))
    try:
        found = activity(environment(name.split(".", maxsplit=1)[0]), changed(name, path, value))
    except InputError:
        return
    assert isinstance(found, GatePull | GateGroup | UpdateBaseline | FullEvaluation | NothingToDo)


# --- the event file ---------------------------------------------------------------------------------------------------


def test_the_payload_is_read_from_the_runner_s_file(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_bytes((WEBHOOKS / "pull_request.opened.json").read_bytes())
    started = environment(GITHUB_EVENT_PATH=str(file))

    assert activity(started, read_payload(started)) == gate()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"action": 1, "action": 2}', b'{"a": NaN}', b"\xff", b"[" * 5000, b'"' + b"x" * 9_000_000 + b'"'],
)
def test_a_payload_that_is_not_strict_json_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(content)

    with pytest.raises(InputError):
        read_payload(environment(GITHUB_EVENT_PATH=str(file)))


def test_a_missing_payload_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_payload(environment(GITHUB_EVENT_PATH=str(tmp_path / "none.json")))


# --- the environment --------------------------------------------------------------------------------------------------


def test_the_environment_of_a_job() -> None:
    found = environment(INPUT_CONFIG="", **{"INPUT_GITHUB-TOKEN": "ghs_abcdef"})

    assert (found.run_id, found.run_attempt) == (15000000000, 1)
    assert (found.ref, found.workflow) == (Untrusted("refs/pull/2/merge"), Untrusted("ci-eval"))
    assert found.output_path == Path("/github/file_commands/output")
    assert found.run_url == "https://github.com/octo-org/shop/actions/runs/15000000000"
    assert found.inputs == Inputs()
    assert found.token is not None
    assert found.token.reveal() == "ghs_abcdef"


@pytest.mark.parametrize("show", [repr, lambda found: str(found.token), lambda found: f"{found.token}"])
def test_the_token_is_not_shown(show: Callable[[Environment], str]) -> None:
    assert "ghs_abcdef" not in show(environment(**{"INPUT_GITHUB-TOKEN": "ghs_abcdef"}))


def test_the_input_is_preferred_to_the_job_s_token() -> None:
    of_the_job = {"GITHUB_TOKEN": "ghs_job"}
    both = environment(**of_the_job, **{"INPUT_GITHUB-TOKEN": "ghs_input"}).token
    job = environment(**of_the_job).token

    assert both is not None
    assert both.reveal() == "ghs_input"
    assert job is not None
    assert job.reveal() == "ghs_job"
    assert environment().token is None


@pytest.mark.parametrize(
    "name", ["GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_SHA", "GITHUB_REPOSITORY", "GITHUB_WORKSPACE"]
)
def test_a_variable_that_is_not_set_is_named(name: str) -> None:
    for left in ({**ENVIRON, name: ""}, {key: value for key, value in ENVIRON.items() if key != name}):
        with pytest.raises(InputError, match=f"{name} is not set"):
            Environment.from_environ(left)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_SHA", "--help"),
        ("GITHUB_SHA", MERGE_SHA + "\n"),
        ("GITHUB_REPOSITORY", "octo-org"),
        ("GITHUB_REPOSITORY", "../../etc"),
        ("GITHUB_REPOSITORY", "octo-org/.."),
        ("GITHUB_REPOSITORY", "octo/shop/extra"),
        ("GITHUB_REPOSITORY", "octo/shop?x=1"),
        ("GITHUB_RUN_ID", "0"),
        ("GITHUB_RUN_ID", "١٢"),
        ("GITHUB_RUN_ATTEMPT", "1.5"),
        ("GITHUB_EVENT_NAME", "Push\n"),
        ("GITHUB_API_URL", "https://evil.example\\@api.github.com"),
        ("GITHUB_API_URL", "http://api.github.com"),
        ("GITHUB_SERVER_URL", "file:///etc/passwd"),
    ],
)
def test_a_variable_that_the_runner_would_not_write_is_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        environment(**{name: value})


def test_the_runner_s_unsafe_mode_is_refused() -> None:
    with pytest.raises(InputError, match="ACTIONS_ALLOW_UNSECURE_COMMANDS"):
        environment(ACTIONS_ALLOW_UNSECURE_COMMANDS="True")


# --- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("config", "evals/shop.yaml", "config", "evals/shop.yaml"),
        ("max-drop", "0.5", "max_drop", Fraction(1, 2)),
        ("max-drop", "100", "max_drop", Fraction(100)),
        ("max-drop", "", "max_drop", None),
        ("budget-seconds", " 120 ", "budget_seconds", Fraction(120)),
        ("budget-usd", "0.5", "budget_usd", Fraction(1, 2)),
        ("mode", "full", "mode", "full"),
        ("mode", "", "mode", "auto"),
        ("comment", "failures", "comment", "failures"),
        ("pr-number", "123", "pr_number", 123),
    ],
)
def test_an_input_is_read(name: str, value: str, field: str, expected: Any) -> None:
    assert getattr(with_input(name, value).inputs, field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("max-drop", value) for value in ("0", "-1", "nan", "inf", "1e1", "101", "1,5", "true", "٣", "1/2", "0x1")),
        *(("budget-seconds", value) for value in ("0", "-1", "90000", "ten", "$2", "1\n2")),
        *(("budget-usd", value) for value in ("0", "-1", "$2", "2 USD", "1e3", "inf", "100001")),
        *(("mode", value) for value in ("subset", "FULL", "quick")),
        *(("pr-number", value) for value in ("0", "-1", "1.0", "007", "1\n2", "#12", "1" * 10)),
        *(("comment", value) for value in ("never", "true")),
        *(
            ("config", value)
            for value in ("/etc/passwd", "../x.yaml", "a/../b.yaml", "a//b", "./x", "a\\b", "a\nb", "ä")
        ),
        *(("github-token", value) for value in ("a b", "a\nb", "tökén")),
    ],
)
def test_a_bad_input_is_named_with_what_to_write(name: str, value: str) -> None:
    with pytest.raises(InputError) as raised:
        with_input(name, value)

    assert f'"{name}"' in raised.value.problem
    assert "write" in raised.value.remedy
    assert value not in str(raised.value) or name in {"comment", "mode"} or len(value) < 4


# --- what is imported -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["environment", "event", "client", "publish", "commands"])
def test_nothing_slow_is_imported(module: str) -> None:
    """PyGithub and requests cost half a second, which a gate with nothing to do must not pay."""
    code = f"import sys, ci_eval.github.{module}; print({{'github', 'requests'}} & set(sys.modules))"
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
