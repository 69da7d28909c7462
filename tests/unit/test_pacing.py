"""The pace of an endpoint, driven against servers made of arithmetic: no clock, no threads, no network."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci_eval.transport.pacing import Advice, Limits, Pace, Ticket

LetIn = Callable[[float], bool]
"""Whether a server takes a request that comes at a moment."""

A_START = 0.0005
"""Seconds of processor time between two starts."""


def everything(_: float) -> bool:
    return True


@dataclass
class Bucket:
    """So many a second, and a burst."""

    rate: float
    burst: float
    at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def __call__(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        taken = self.tokens >= 1
        self.tokens -= taken
        return taken


@dataclass
class Seen:
    """What a server saw."""

    seconds: float = 0.0
    answered: int = 0
    refused: int = 0
    most: int = 0
    starts: list[float] = field(default_factory=list)

    @property
    def wasted(self) -> float:
        return self.refused / max(1, len(self.starts))


def drive(
    pace: Pace,
    jobs: int,
    lets_in: LetIn = everything,
    *,
    latency: float = 0.02,
    retry_after: float = 1.0,
    until: float = 3600.0,
) -> Seen:
    """Ask for every job until it is answered, as fast as the pace allows."""
    seen, now, todo = Seen(), 0.0, jobs
    coming: list[tuple[float, int, Ticket, bool]] = []
    for number in itertools.count():
        wait = pace.wait(now) if todo else math.inf
        if not wait and not (coming and coming[0][0] <= now):
            ticket, taken = pace.start(now), lets_in(now)
            todo -= 1
            seen.starts.append(now)
            seen.most = max(seen.most, pace.under_way)
            heapq.heappush(coming, (now + (latency if taken else 0.001), number, ticket, taken))
            now += A_START
            continue
        next_answer = coming[0][0] if coming else math.inf
        assert min(wait, next_answer) < math.inf, "nobody would ever start again"
        if now + wait < next_answer:
            now += wait
        else:
            now = max(now, next_answer)
            _, _, ticket, taken = heapq.heappop(coming)
            seen.answered += taken
            seen.refused += not taken
            todo += not taken
            if taken:
                pace.answered(ticket, now)
            else:
                pace.refused(ticket, now, Advice(retry_after, rough=True))
        seen.seconds = now
        if seen.answered == jobs or now > until:
            return seen
    raise AssertionError


# --- how many at once -------------------------------------------------------------------------------------------------


def test_it_starts_with_a_few_and_reaches_what_the_policy_allows() -> None:
    pace = Pace(Limits(50))
    first = sum(pace.wait(0.0) == 0 and bool(pace.start(0.0)) for _ in range(50))
    assert first == 8
    assert drive(Pace(Limits(50)), 2000, latency=0.2).most == 50


@pytest.mark.parametrize("latency", [0.02, 0.2, 1.0])
def test_all_at_once_is_hardly_faster(latency: float) -> None:
    """2,000 answers at 50 at once take 40 rounds; growing to 50 costs less than two of them."""
    seen = drive(Pace(Limits(50)), 2000, latency=latency)
    assert 40 * latency <= seen.seconds <= 42 * latency + 2000 * A_START


def test_it_grows_no_more_where_answers_come_slower_for_it() -> None:
    """A server that works on four at a time: beyond them, each waits for the others."""
    pace, now, under_way = Pace(Limits(200)), 0.0, 0
    for _ in range(400):
        tickets = []
        while not pace.wait(now) and under_way < 200:
            tickets.append(pace.start(now))
        now += max(0.1, 0.025 * len(tickets))
        for ticket in tickets:
            pace.answered(ticket, now)
    assert 4 <= pace.window.size(now) < 100


@pytest.mark.parametrize("what", ["refused", "overloaded"])
def test_a_server_that_wants_less_gets_half_once_for_all_that_was_under_way(what: str) -> None:
    pace = Pace(Limits(8))
    tickets = [pace.start(0.0) for _ in range(8)]
    for ticket in tickets:
        getattr(pace, what)(ticket, 0.1, Advice())
    assert (pace.window.size(0.1), pace.under_way) == (4, 0)


# --- how many a second ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("latency", [0.001, 0.02, 0.05, 0.2])
def test_an_unknown_limit_is_found_with_few_refusals(latency: float) -> None:
    """The promise: 300 calls under 100 a second with a burst of 10 take 2.9 s at least, and 3.6 s at most."""
    seen = drive(Pace(Limits(50)), 300, Bucket(100, 10), latency=latency)
    assert seen.seconds <= 3.6 + latency
    assert seen.wasted <= 0.05


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(2, 500),
    burst=st.integers(1, 50),
    latency=st.sampled_from([0.001, 0.02, 0.2]),
    concurrency=st.integers(1, 64),
)
@example(rate=283.0, burst=1, latency=0.2, concurrency=50)  # one answer between two refusals says little
def test_whatever_the_limit_everything_is_answered_in_reasonable_time(
    rate: float, burst: int, latency: float, concurrency: int
) -> None:
    """Nobody starves, no more are under way than allowed, and the limit is used to a good part."""
    jobs = 200
    seen = drive(Pace(Limits(concurrency)), jobs, Bucket(rate, burst), latency=latency)
    least = max((jobs - burst) / rate, math.ceil(jobs / concurrency) * latency)
    assert (seen.answered, seen.most <= concurrency) == (jobs, True)
    assert seen.seconds <= 3 * least + 5
    assert seen.wasted <= 0.4


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.floats(1, 30))
def test_a_limit_that_opens_anew_after_a_while_is_outlived(each: int, window: float) -> None:
    """So many in each minute, say: no rate at all."""
    taken: dict[int, int] = {}

    def lets_in(now: float) -> bool:
        taken[int(now // window)] = taken.get(int(now // window), 0) + 1
        return taken[int(now // window)] <= each

    seen = drive(Pace(Limits(16)), 3 * each, lets_in, retry_after=math.ceil(window))
    assert seen.answered == 3 * each
    assert seen.seconds <= 12 * window + 5


def test_when_the_limit_is_raised_it_is_noticed() -> None:
    slow, fast = Bucket(20, 5), Bucket(200, 5)
    seen = drive(Pace(Limits(32)), 2000, lambda now: slow(now) if now < 5 else fast(now))
    assert seen.seconds < 40


def test_the_pause_that_a_server_asks_for_is_kept_by_all() -> None:
    pace = Pace(Limits(8))
    first, second = pace.start(0.0), pace.start(0.0)
    pace.refused(first, 0.1, Advice(20.0))
    pace.answered(second, 0.2)
    assert pace.wait(0.2) == pytest.approx(19.9)
    assert pace.wait(20.1) == 0


def test_whole_seconds_were_rounded_up() -> None:
    pace = Pace(Limits(8))
    pace.refused(pace.start(0.0), 0.1, Advice(20.0, rough=True))
    assert pace.wait(0.1) == pytest.approx(19.0)


def test_a_refusal_without_a_word_is_answered_by_ever_longer_pauses() -> None:
    pace, now, pauses = Pace(Limits(8)), 0.0, []
    for _ in range(9):
        pace.refused(pace.start(now), now)
        pauses.append(pace.wait(now))
        now += pauses[-1]
    assert pauses == sorted(pauses)
    assert [pauses[0], pauses[-1]] == pytest.approx([0.05, 30.0])


def test_hope_ends_after_minutes_of_refusals_without_a_word() -> None:
    pace, now = Pace(Limits(8)), 0.0
    while not pace.hopeless(now):
        pace.refused(pace.start(now), now)
        now += pace.wait(now)
    assert 300 < now < 600


def test_hope_does_not_end_while_the_server_says_when_to_come_back() -> None:
    pace, now = Pace(Limits(8)), 0.0
    for _ in range(1000):
        pace.refused(pace.start(now), now, Advice(5.0))
        now += pace.wait(now)
    assert not pace.hopeless(now)


def test_the_last_answer_of_a_limit_makes_the_next_wait() -> None:
    pace = Pace(Limits(8))
    pace.answered(pace.start(0.0), 0.1, Advice(2.0))
    assert pace.wait(0.1) == pytest.approx(2.0)


# --- the policy's own limits ------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 6000), st.sampled_from([0.001, 0.2]))
def test_never_more_requests_in_a_minute_than_the_policy_allows(per_minute: float, latency: float) -> None:
    starts = drive(Pace(Limits(64, requests_per_minute=per_minute)), 100, latency=latency).starts
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert min(gaps) >= 60 / per_minute - 1e-6


def test_never_many_more_tokens_in_a_minute_than_the_policy_allows() -> None:
    """What an answer costs is known when it is there: only those that are under way together can go beyond it."""
    pace, now = Pace(Limits(4, tokens_per_minute=6000)), 0.0
    for _ in range(200):
        now += pace.wait(now)
        ticket = pace.start(now)
        pace.answered(ticket, now + 0.1)
        pace.used(100)
    assert 200 * 100 * 60 / now <= 6000 * 1.05
