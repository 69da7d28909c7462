"""What policy limits beside the scores: how far main may creep, what an answer costs, how long it takes, errors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from command import Ran, ci_eval
from openai_server import Answer, Asked, OpenAIServer, fails, says
from parcel_desk import Repository
from sums import CASES, PROMPT, sums

WRONG_FROM = {"main": 100, "crept": 98, "candidate": 97, "sunk": 95, "sunk and reworded": 95, "deeper": 94}
"""The first case that each system prompt gets wrong."""
ANCHOR = "{ref: v1, max_drop: 3}"


def by_prompt(asked: Asked) -> Answer:
    broken = int(asked.user.split()[1]) >= WRONG_FROM[asked.system.strip()]
    return says("wrong" if broken else "right")


def gate(repository: Repository) -> Ran:
    return ci_eval("gate", "--repo", str(repository.folder), "--quiet", "--json")


def update(repository: Repository) -> Ran:
    return ci_eval("baseline", "update", "--repo", str(repository.folder), "--quiet")


def anchored(folder: Path, server: OpenAIServer, main: str) -> Repository:
    """A repository that was tagged when all was right, and whose main has another prompt since."""
    repository = sums(folder, server, max_drop=2, anchor=ANCHOR)
    repository.git("tag", "v1")
    repository.commit({PROMPT: f"{main}\n"})
    return repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sums"


# --- the anchor -------------------------------------------------------------------------------------------------------


def test_a_small_drop_that_takes_main_below_its_anchor_fails(folder: Path) -> None:
    with OpenAIServer(by_prompt) as server:
        repository = anchored(folder, server, "crept")
        repository.write({PROMPT: "candidate\n"})
        ran = gate(repository)
        told = ci_eval("gate", "--repo", str(folder), "--quiet")

    (suite,) = ran.json["suites"]
    assert (ran.code, suite["dimensions"][0]["verdict"], suite["anchor"]["verdict"]) == (1, "pass", "regression")
    assert told.out.startswith("Regression: task_accuracy is 3 points below the anchor v1 (limit 3)\n") or (
        "is 3.0 points below the anchor v1 (limit 3)" in told.out
    )


def test_the_same_drop_passes_where_the_anchor_is_far_away(folder: Path) -> None:
    with OpenAIServer(by_prompt) as server:
        repository = sums(folder, server, max_drop=2, anchor="{ref: v1, max_drop: 10}")
        repository.git("tag", "v1")
        repository.commit({PROMPT: "crept\n"})
        repository.write({PROMPT: "candidate\n"})
        ran = gate(repository)

    assert (ran.code, ran.json["suites"][0]["anchor"]["verdict"]) == (0, "pass")


@pytest.mark.parametrize(("change", "code"), [("sunk and reworded", 0), ("crept", 0), ("deeper", 1)])
def test_where_main_is_below_already_only_what_falls_further_fails(folder: Path, change: str, code: int) -> None:
    """Whoever rewords a prompt, or repairs some of it, is not to blame for what was there before."""
    with OpenAIServer(by_prompt) as server:
        repository = anchored(folder, server, "sunk")
        repository.write({PROMPT: f"{change}\n"})
        ran = gate(repository)

    assert ran.code == code


def test_a_drop_too_small_to_be_confirmed_beside_main_still_counts_beside_the_anchor(folder: Path) -> None:
    """Two of a hundred under a limit of five: beside main it is less than half of the limit."""
    with OpenAIServer(by_prompt) as server:
        repository = sums(folder, server, max_drop=5, anchor=ANCHOR)
        repository.git("tag", "v1")
        repository.commit({PROMPT: "crept\n"})
        repository.write({PROMPT: "candidate\n"})
        ran = gate(repository)

    (suite,) = ran.json["suites"]
    assert (ran.code, suite["dimensions"][0]["verdict"], suite["anchor"]["verdict"]) == (1, "pass", "regression")


def test_an_anchor_that_cannot_be_asked_is_no_pass(folder: Path) -> None:
    def behaviour(asked: Asked) -> Answer:
        return fails(500, "gone") if asked.system.strip() == "main" else by_prompt(asked)

    with OpenAIServer(behaviour) as server:
        repository = anchored(folder, server, "crept")
        repository.write({PROMPT: "candidate\n"})
        ran = gate(repository)

    assert ran.code == 3


def test_the_anchor_is_remembered_beside_main(folder: Path) -> None:
    with OpenAIServer(by_prompt) as server:
        repository = anchored(folder, server, "crept")
        assert update(repository).code == 0
        assert update(repository).code == 0
        stored = Counter(asked.system.strip() for asked in server.asked)
        repository.write({PROMPT: "candidate\n"})
        assert gate(repository).code == 1
        since = Counter(asked.system.strip() for asked in server.asked)

    assert stored["main"] == 5 * CASES, "once, and by main's number of repeats"
    assert since["main"] - stored["main"] <= 3 * 20, "only what differed is asked again"


def test_an_anchor_that_the_checkout_does_not_hold_is_inconclusive(folder: Path) -> None:
    with OpenAIServer(by_prompt) as server:
        repository = sums(folder, server, anchor=ANCHOR)
        repository.write({PROMPT: "crept\n"})
        ran = gate(repository)

        assert server.calls == 0
    assert ran.code == 3
    assert "its anchor v1 is no tag or commit of this checkout" in ran.err


# --- cost and latency -------------------------------------------------------------------------------------------------


def wordy(asked: Asked) -> Answer:
    """The candidate takes twice as many tokens to say the same."""
    return says("right right" if asked.system.startswith("wordy") else "right")


def contains(folder: Path, server: OpenAIServer, more: str) -> Repository:
    repository = sums(folder, server, provider=", prices: {coin: {input: 0, output: 100}}", more=more)
    policy = repository.read("ci-eval.yaml").replace("{type: exact}", "{type: contains}")
    repository.commit({"ci-eval.yaml": policy})
    repository.write({PROMPT: "wordy\n"})
    return repository


@pytest.mark.parametrize(("limit", "code", "verdict"), [(50, 1, "regression"), (150, 0, "pass")])
def test_cost_is_a_gate_where_policy_says_so(folder: Path, limit: int, code: int, verdict: str) -> None:
    with OpenAIServer(wordy) as server:
        ran = gate(contains(folder, server, f", cost: {{max_increase: {limit}}}"))

    (increase,) = ran.json["suites"][0]["increases"]
    assert (ran.code, increase["name"], increase["verdict"]) == (code, "cost", verdict)
    assert increase["ratio"][0] == 2.0


def test_cost_without_a_limit_is_told_and_fails_nothing(folder: Path) -> None:
    with OpenAIServer(wordy) as server:
        ran = gate(contains(folder, server, ""))

    assert (ran.code, ran.json["suites"][0]["increases"]) == (0, [])


def test_an_unknown_price_is_no_pass_of_a_limit_of_cost(folder: Path) -> None:
    with OpenAIServer(by_prompt) as server:
        repository = sums(folder, server, more=", cost: {max_increase: 50}", max_drop=5)
        repository.write({PROMPT: "crept\n"})
        ran = ci_eval("gate", "--repo", str(repository.folder), "--quiet")

    assert ran.code == 3
    assert "a price is not known" in ran.out


def test_latency_is_compared_on_calls_of_this_job_also_where_main_is_remembered(folder: Path) -> None:
    with OpenAIServer(by_prompt) as server:
        repository = sums(folder, server, more=", latency: {max_increase: 1000}", max_drop=5)
        assert update(repository).code == 0
        before = Counter(asked.system.strip() for asked in server.asked)
        repository.write({PROMPT: "crept\n"})
        ran = gate(repository)
        since = Counter(asked.system.strip() for asked in server.asked)

    (increase,) = ran.json["suites"][0]["increases"]
    assert (ran.code, increase["name"], increase["verdict"]) == (0, "latency", "pass")
    assert increase["pairs"] >= 60
    assert since["main"] - before["main"] >= 60


# --- errors -----------------------------------------------------------------------------------------------------------


def test_more_errors_than_policy_allows_are_inconclusive(folder: Path) -> None:
    """Three of a hundred are lost: a limit of ten points would pass them, `max_errors: 2` does not."""

    def flaky(asked: Asked) -> Answer:
        if asked.system.startswith("crept") and int(asked.user.split()[1]) < 3:
            return fails(500, "gone")
        return says("right")

    codes = []
    for number, allowed in enumerate((2, 3)):
        with OpenAIServer(flaky) as server:
            own = folder.with_name(f"sums-{number}")
            repository = sums(own, server, more=f", max_errors: {allowed}", max_drop=10)
            repository.write({PROMPT: "crept\n"})
            codes.append(gate(repository).code)

    assert codes == [3, 0]
