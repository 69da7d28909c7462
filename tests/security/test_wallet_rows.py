"""Rows 128 and 131 of the threat model: what a pull request may cost. Each test is named by its row; jobs are whole
ones, over real git and GitHub's API as its own description has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fork_desk import as_data, main_checked_out, on_pull_request, own, pull_json, push_fork, stand
from github_hub import HARMLESS, PULL, Hub, Job, opened
from github_standin import DATA, Failure
from hypothesis import given
from hypothesis import strategies as st
from parcel_desk import CONFIG, FAQ_PROMPT, TRIAGE_CASES, edited

from ci_eval.github.caps import free_again
from ci_eval.plan.subset import Budget, Cost
from ci_eval.purse import Purse

Capture = pytest.CaptureFixture[str]
DAY = timedelta(days=1)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        yield made


def with_budget(hub: Hub, budget: str) -> None:
    policy = hub.developer.read(CONFIG)
    hub.push_main({CONFIG: policy.replace("budget: {seconds: 60}", f"budget: {{seconds: 60, {budget}}}")})


def judged(hub: Hub, capsys: Capture, **changes: str) -> Job:
    """A pull request whose model is asked once about each case of one suite, on both sides."""
    return on_pull_request(hub, capsys, own(push_fork(hub, HARMLESS)), **changes)


def told(job: Job, hub: Hub, calls: int = 0) -> str:
    assert (job.code, hub.model.calls) == (3, calls)
    return str(hub.api.bodies(PULL)[-1])


# --- ceilings of one run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", ["calls: 3", "tokens: 50"])
def test_128_too_little_for_a_gate_is_said_before_the_first_call(budget: str, hub: Hub, capsys: Capture) -> None:
    with_budget(hub, budget)

    assert "more than the budget" in told(judged(hub, capsys), hub)


@pytest.mark.parametrize("budget", ["calls: 500", "tokens: 500000", "calls: 500, tokens: 500000"])
def test_128_enough_for_a_gate_is_enough(budget: str, hub: Hub, capsys: Capture) -> None:
    with_budget(hub, budget)

    assert (judged(hub, capsys).code, hub.model.calls) == (0, 2 * TRIAGE_CASES)


def test_128_two_suites_that_the_queue_cannot_both_pay_for_are_refused_together(hub: Hub, capsys: Capture) -> None:
    """Eight calls and six: each alone would fit, and the second would find the purse empty."""
    with_budget(hub, "calls: 10")
    hub.push_head({**HARMLESS, **edited(FAQ_PROMPT, "Open:", "Opening hours:")})

    job = hub.merge_group(capsys, hub.developer.git("rev-parse", "main"))

    assert (job.code, hub.model.calls) == (3, 0)
    assert "more than the budget" in job.summary


def test_128_a_price_that_nobody_knows_is_more_than_any_ceiling(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "usd: 100000")

    assert "no price is known" in told(judged(hub, capsys), hub)


@pytest.mark.parametrize("ceiling", ["budget: {seconds: 60, calls: 500", "budget: {seconds: 60, tokens: 500000"])
def test_128_a_pull_request_cannot_raise_its_own_ceiling(ceiling: str, hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "calls: 3")
    policy = hub.developer.read(CONFIG).replace("budget: {seconds: 60, calls: 3", ceiling)

    job = on_pull_request(hub, capsys, own(push_fork(hub, {**HARMLESS, CONFIG: policy})))

    assert "more than the budget" in told(job, hub)


@given(
    limits=st.tuples(*[st.none() | st.integers(1, 40)] * 3),
    costs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60),
)
def test_128_no_ceiling_is_passed_by_more_than_one_answer_can_take(
    limits: tuple[int | None, int | None, int | None], costs: list[tuple[int, int]]
) -> None:
    """One at a time, and what it takes is known only afterwards."""
    purse = Purse()
    purse.hold(*limits)
    for usd, tokens in costs:
        if not purse.begin():
            break
        purse.pay(usd, tokens=tokens)

    for ceiling in (purse.usd, purse.calls, purse.tokens):
        assert ceiling.limit is None or ceiling.spent < ceiling.limit + 9
    assert purse.calls.limit is None or purse.calls.spent <= purse.calls.limit


@given(st.integers(1, 40), st.integers(1, 60))
def test_128_calls_that_are_under_way_count(limit: int, wanted: int) -> None:
    purse = Purse()
    purse.hold(None, limit, None)

    assert sum(purse.begin() for _ in range(wanted)) == min(limit, wanted)


def test_128_a_judge_s_calls_are_calls() -> None:
    """Planned for, and set aside while an answer and its scoring are under way."""
    assert Budget(60, calls=12).affords(Cost(calls=6, scoring=6))
    assert not Budget(60, calls=11).affords(Cost(calls=6, scoring=6))
    purse = Purse()
    purse.hold(None, 11, None)
    purse.expect(0, 3, 0)

    assert sum(purse.begin() for _ in range(9)) == 3


@pytest.mark.parametrize("unknown", [{"usd": None}, {"usd": 0.0, "tokens": None}])
def test_128_after_an_answer_of_unknown_cost_nothing_more_begins(unknown: dict[str, Any]) -> None:
    purse = Purse()
    purse.hold(10, None, 10_000)
    assert purse.begin()
    purse.pay(**unknown)

    assert not purse.begin()
    assert not purse.enough_for(1)


# --- runs of one day --------------------------------------------------------------------------------------------------


def this_run(hub: Hub, event: str, **changes: Any) -> int:
    """The run of the job that is started next, as GitHub lists it."""
    number = 9001 + hub.runs
    hub.api.add_run(number, event=event, **{"created_at": ago(timedelta()), **changes})
    return number


def ago(past: timedelta) -> str:
    return f"{datetime.now(UTC) - past:%Y-%m-%dT%H:%M:%SZ}"


def earlier(hub: Hub, count: int, past: timedelta = timedelta(hours=3), **changes: Any) -> None:
    done = {"event": "pull_request", "status": "completed", "conclusion": "failure", "created_at": ago(past)}
    for number in range(count):
        hub.api.add_run(100 + len(hub.api.runs) + number, **{**done, **changes})


def test_128_the_run_that_is_one_too_many_asks_nothing_and_says_when(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "runs_per_day: 3")
    earlier(hub, 3)
    this_run(hub, "pull_request")

    said = told(judged(hub, capsys), hub)

    assert "was started 4 times in 24 hours for this pull request's branch" in said
    soonest = datetime.now(UTC) + timedelta(hours=21)
    assert f"{soonest:%Y-%m-%d %H:}" in said or f"{soonest - timedelta(minutes=1):%Y-%m-%d %H:}" in said


def test_128_the_last_run_of_a_day_is_judged(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "runs_per_day: 3")
    earlier(hub, 2)
    this_run(hub, "pull_request")

    assert judged(hub, capsys).code == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"past": DAY + timedelta(minutes=5)},
        {"head_branch": "another"},
        {"head_repository": {"id": 99}},
        {"event": "push"},
        {"workflow_id": 78},
        {"status": "waiting", "conclusion": None},
        {"conclusion": "action_required"},
        {"conclusion": "skipped"},
    ],
)
def test_128_what_is_not_a_run_of_this_gate_of_today_is_not_counted(
    changes: dict[str, Any], hub: Hub, capsys: Capture
) -> None:
    with_budget(hub, "runs_per_day: 1")
    if "head_repository" in changes:
        known = hub.api.add_run(1, created_at=ago(2 * DAY))["head_repository"]
        changes = {"head_repository": known | changes["head_repository"]}
    earlier(hub, 5, **changes)
    this_run(hub, "pull_request")

    assert judged(hub, capsys).code == 0


@pytest.mark.parametrize("what", ["this", "an earlier one"])
def test_128_running_again_is_one_more_run(what: str, hub: Hub, capsys: Capture) -> None:
    """Though GitHub lists one run; also one that waits to be approved once more."""
    with_budget(hub, "runs_per_day: 2")
    again = what == "this"
    earlier(hub, 1, run_attempt=1 if again else 2, status="completed" if again else "waiting")
    this_run(hub, "pull_request")

    assert "started 3 times" in told(judged(hub, capsys, GITHUB_RUN_ATTEMPT="2" if again else "1"), hub)


def test_128_runs_are_counted_over_all_pages(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "runs_per_day: 130")
    earlier(hub, 130)
    this_run(hub, "pull_request")

    assert "started 131 times" in told(judged(hub, capsys), hub)


@pytest.mark.parametrize("nth", [2, 3])
@pytest.mark.parametrize("status", [403, 404])
def test_128_a_list_that_cannot_be_read_is_no_permission(nth: int, status: int, hub: Hub, capsys: Capture) -> None:
    """The run, and those before it; the first request asks whether the head has moved."""
    with_budget(hub, "runs_per_day: 3")
    this_run(hub, "pull_request")
    hub.api.failures = [Failure("GET", nth, status)]

    assert "actions: read" in told(judged(hub, capsys), hub)


def test_128_without_a_cap_nobody_is_asked(hub: Hub, capsys: Capture) -> None:
    assert judged(hub, capsys).code == 0
    assert not [asked for asked in hub.api.requests if "/actions/" in asked]


def test_128_a_run_that_has_nothing_to_judge_is_held_up_by_no_cap(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "runs_per_day: 1")
    earlier(hub, 5)
    this_run(hub, "pull_request")

    job = on_pull_request(hub, capsys, own(push_fork(hub, {"src/checkout.ts": "export const vat = 0.07\n"})))

    assert job.code == 0


def test_128_a_fork_s_approved_runs_are_capped_too(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "runs_per_day: 2")
    earlier(hub, 2, event="pull_request_target")
    pull = pull_json(push_fork(hub, HARMLESS))
    stand(hub, pull)
    this_run(hub, "pull_request_target")

    assert "budget.runs_per_day is 2" in told(as_data(hub, capsys, pull, workspace=main_checked_out(hub)), hub)


def test_128_who_may_start_it_by_hand_is_not_held_up(hub: Hub, capsys: Capture) -> None:
    with_budget(hub, "runs_per_day: 1")
    earlier(hub, 5)
    stand(hub, pull_json(push_fork(hub, HARMLESS)))

    assert hub.dispatch(capsys, INPUT_PR__NUMBER=str(PULL)).code == 0


MOMENT = datetime(2026, 5, 4, tzinfo=UTC)


@given(st.lists(st.tuples(st.integers(0, 86_399), st.integers(1, 4)), min_size=1, max_size=30), st.integers(1, 20))
def test_128_when_it_says_so_a_run_fits_and_not_before(starts: list[tuple[int, int]], most: int) -> None:
    moments = [(MOMENT + timedelta(seconds=second), attempts) for second, attempts in starts]

    def fits(when: datetime) -> bool:
        return sum(attempts for moment, attempts in moments if moment > when - DAY) < most

    free = free_again(moments, most)
    assert fits(free)
    if sum(attempts for _, attempts in moments) >= most:
        assert not fits(free - timedelta(microseconds=1))


# --- 131 --------------------------------------------------------------------------------------------------------------


def test_131_a_comment_starts_nothing_so_it_cancels_nothing(hub: Hub, capsys: Capture) -> None:
    """The bot's own comment neither: no workflow of ours listens to comments, and ci-eval answers none."""
    job = hub.run(capsys, "issue_comment", {"action": "created"}, main_checked_out(hub), "refs/heads/main")
    listening = [
        path.name
        for path in DATA.parent.parent.glob(".github/workflows/*.yml")
        if "issue_comment" in path.read_text(encoding="utf-8")
    ]

    assert (job.code, hub.model.calls, listening) == (2, 0, [])
