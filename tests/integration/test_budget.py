"""Time and money: what fits is run, what does not is cut fairly, and what is unclear when they end is no pass."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ran, ci_eval
from openai_server import Answer, Asked, Behaviour, OpenAIServer, says
from parcel_desk import Repository
from sums import CASES, PROMPT, sums

A_DIME_A_CALL = ", prices: {coin: {input: 0, output: 100000}}"
"""The server counts one token for an answer of one word."""


def right(asked: Asked) -> Answer:
    return says("right")


def wrong_from(first: int) -> Behaviour:
    """The candidate's prompt breaks every case from a number on."""

    def behaviour(asked: Asked) -> Answer:
        broken = asked.system.startswith("candidate") and int(asked.user.split()[1]) >= first
        return says("wrong" if broken else "right")

    return behaviour


def remembered(folder: Path, server: OpenAIServer, *, usd: float, max_drop: float = 1) -> Repository:
    """A repository whose main has a stored run, and a change of its prompt."""
    repository = sums(folder, server, budget=f"seconds: 600, usd: {usd:g}", provider=A_DIME_A_CALL, max_drop=max_drop)
    assert ci_eval("baseline", "update", "--repo", str(folder), "--quiet").code == 0
    repository.write({PROMPT: "candidate\n"})
    return repository


def gate(repository: Repository) -> Ran:
    return ci_eval("gate", "--repo", str(repository.folder), "--quiet", "--json")


def plan(repository: Repository, *options: str) -> Ran:
    return ci_eval("plan", "--repo", str(repository.folder), *options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sums"


def test_a_gate_that_can_pay_for_a_part_runs_that_part_and_says_so(folder: Path) -> None:
    with OpenAIServer(right) as server:
        repository = remembered(folder, server, usd=9)
        before = server.calls
        ran = gate(repository)
        found, calls = ran.json["suites"][0], server.calls - before

    assert (ran.code, ran.json["verdict"]) == (0, "pass")
    assert 20 <= found["cases"] < CASES
    assert found["golden_cases"] == CASES
    assert calls == found["cases"]
    assert ran.json["usd"] == pytest.approx(calls / 10)


def test_the_plan_says_what_the_gate_then_does_and_asks_nothing(folder: Path) -> None:
    with OpenAIServer(right) as server:
        repository = remembered(folder, server, usd=9)
        before = server.calls
        planned, told = plan(repository, "--json"), plan(repository)
        assert server.calls == before
        asked_before = len(server.asked)
        gate(repository)
        asked = {asked.user for asked in server.asked[asked_before:]}

    (suite,) = planned.json["suites"]
    assert {f"case {case.partition('-')[2]}" for case in suite["cases"]} == asked
    assert suite["first"]["usd"] == pytest.approx(len(asked) / 10)
    assert set(suite["chance"]) == {f"case-{number}" for number in range(CASES)}
    assert f"Suite sums: {len(asked)} of 100 golden cases" in told.out
    assert "Budget: 600 s, $9.00." in told.out


def test_the_plan_names_every_limit_and_keeps_to_it(folder: Path) -> None:
    with OpenAIServer(right) as server:
        repository = sums(folder, server, budget="seconds: 600, calls: 90, tokens: 100000")
        assert ci_eval("baseline", "update", "--repo", str(folder), "--quiet").code == 0
        repository.write({PROMPT: "candidate\n"})
        before = server.calls
        told, ran = plan(repository), gate(repository)
        calls = server.calls - before

    assert "Budget: 600 s, no limit of money, 90 calls, 100,000 tokens." in told.out
    assert (ran.code, calls) == (0, ran.json["suites"][0]["cases"])
    assert calls <= 90


@pytest.mark.parametrize(("budget", "lacks"), [("calls: 190", ""), ("tokens: 100000", "usage")])
def test_calls_that_end_and_tokens_that_nobody_counted_are_no_pass(folder: Path, budget: str, lacks: str) -> None:
    """The candidate breaks every second case, so that its confirmation would ask for more."""

    def behaviour(asked: Asked) -> Answer:
        found = breaking_half(1)(asked)
        lacking = lacks if asked.system.startswith("candidate") else ""
        return Answer(found.status, {key: value for key, value in found.body.items() if key != lacking})

    with OpenAIServer(behaviour) as server:
        repository = sums(folder, server, budget=f"seconds: 600, {budget}", max_drop=20)
        assert ci_eval("baseline", "update", "--repo", str(folder), "--quiet").code == 0
        repository.write({PROMPT: "candidate\n"})
        before = server.calls
        ran = gate(repository)

        assert server.calls - before <= 190
    assert ran.code in ({1, 3} if not lacks else {3})


def test_what_can_be_paid_for_is_run_whole(folder: Path) -> None:
    with OpenAIServer(right) as server:
        ran = gate(remembered(folder, server, usd=50))

    assert (ran.code, ran.json["suites"][0]["cases"]) == (0, CASES)


def test_a_drop_that_a_part_shows_fails_and_is_counted_against_the_whole_set(folder: Path) -> None:
    with OpenAIServer(wrong_from(20)) as server:
        ran = gate(remembered(folder, server, usd=9))
        found = ran.json["suites"][0]

    (dimension,) = found["dimensions"]
    assert (ran.code, dimension["verdict"]) == (1, "regression")
    assert 1 <= float(dimension["drop"]) <= found["cases"]
    assert ran.json["usd"] <= 9


def test_half_a_limit_lost_on_a_part_is_no_pass_where_the_rest_cannot_be_paid_for(folder: Path) -> None:
    """Three of a hundred break under a limit of four: whatever of them the part shows opens the rest."""
    with OpenAIServer(wrong_from(97)) as server:
        repository = remembered(folder, server, usd=11, max_drop=4)
        cases = set(plan(repository, "--json").json["suites"][0]["cases"])
        shown = len({"case-97", "case-98", "case-99"} & cases)
        ran = gate(repository)

    assert len(cases) < CASES
    assert (ran.code, ran.json["verdict"]) == ((3, "inconclusive") if shown >= 2 else (0, "pass"))
    assert ran.json["usd"] <= 11


def test_money_that_ends_is_inconclusive_and_never_overspent(folder: Path) -> None:
    """Everything differs, so the confirmation would ask for more than there is."""
    calls = 0
    lock = threading.Lock()

    def coin(asked: Asked) -> Answer:
        nonlocal calls
        with lock:
            calls += 1
            heads = hashlib.sha256(str(calls).encode()).digest()[0] % 2
        return says("right" if calls <= CASES * 5 or heads else "wrong")

    with OpenAIServer(coin) as server:
        ran = gate(remembered(folder, server, usd=14))

    assert (ran.code, ran.json["verdict"]) == (3, "inconclusive")
    assert ran.json["usd"] <= 14


def test_an_unknown_price_is_more_than_any_limit_and_asks_nothing(folder: Path) -> None:
    with OpenAIServer(right) as server:
        repository = sums(folder, server, budget="seconds: 600, usd: 1000")
        repository.write({PROMPT: "candidate\n"})
        ran, planned = gate(repository), plan(repository)

        assert server.calls == 0
    assert (ran.code, planned.code) == (3, 3)
    assert "no price is known for the model coin" in ran.err


def test_a_budget_for_less_than_a_handful_is_inconclusive_before_the_first_call(folder: Path) -> None:
    with OpenAIServer(right) as server:
        repository = remembered(folder, server, usd=0.5)
        before = server.calls
        ran = gate(repository)

        assert server.calls == before
    assert ran.code == 3
    assert "more than the budget" in ran.err


def breaking_half(price: int) -> Behaviour:
    """The candidate breaks every second case, and its answers cost so many times as much."""

    def behaviour(asked: Asked) -> Answer:
        if not asked.system.startswith("candidate"):
            return says("right")
        word = "wrong" if int(asked.user.split()[1]) % 2 else "right"
        return says(" ".join([word] * price))

    return behaviour


def test_money_that_ends_in_the_first_pass_leaves_no_pass_on_what_was_asked_by_then(folder: Path) -> None:
    """A pull request whose answers are sixty times as dear must not be judged by the few that could be paid."""
    with OpenAIServer(breaking_half(60)) as server:
        ran = gate(remembered(folder, server, usd=20, max_drop=20))

    assert ran.code in {1, 3}
    assert ran.json["usd"] <= 20 * 6, "twenty calls at a dollar each may be under way when the first tells its price"


def test_answers_without_a_count_of_tokens_are_no_pass_where_money_is_limited(folder: Path) -> None:
    def uncounted(asked: Asked) -> Answer:
        found = breaking_half(1)(asked)
        if not asked.system.startswith("candidate"):
            return found
        return Answer(found.status, {key: value for key, value in found.body.items() if key != "usage"})

    with OpenAIServer(uncounted) as server:
        ran = gate(remembered(folder, server, usd=30, max_drop=20))

    assert (ran.code, ran.json["verdict"]) == (3, "inconclusive")


def test_cases_that_need_no_call_do_not_make_a_part_of_those_that_do(tmp_path: Path) -> None:
    """Eighty of a hundred ask the same on both sides; there is money for none of the others."""
    with OpenAIServer(right) as server:
        repository = sums(tmp_path / "sums", server, budget="seconds: 600, usd: 0.5", provider=A_DIME_A_CALL)
        rows = [
            {"id": f"case-{n}", "input": {"a": f"{n}", "b": f"{n}" if n < 80 else "other"}, "expected": "right"}
            for n in range(CASES)
        ]
        golden = "".join(json.dumps(row) + "\n" for row in rows)
        repository.commit({"cases.jsonl": golden, PROMPT: "main {{a}}\n"})
        assert ci_eval("baseline", "update", "--repo", str(repository.folder), "--quiet").code == 0
        repository.write({PROMPT: "main {{b}}\n"})
        before = server.calls
        ran = gate(repository)

    assert (ran.code, server.calls) == (3, before)


def test_new_cases_of_the_pull_request_cannot_spend_what_is_not_there(folder: Path) -> None:
    with OpenAIServer(right) as server:
        repository = remembered(folder, server, usd=50)
        new = [{"id": f"new-{n}", "input": "case 1 " + "long " * 40_000, "expected": "right"} for n in range(30)]
        rows = repository.read("cases.jsonl") + "".join(json.dumps(row) + "\n" for row in new)
        policy = repository.read("ci-eval.yaml").replace("input: 0,", "input: 1000,")
        repository.git("checkout", "--quiet", PROMPT)
        repository.commit({"ci-eval.yaml": policy})
        assert ci_eval("baseline", "update", "--repo", str(repository.folder), "--quiet").code == 0
        repository.write({PROMPT: "candidate\n", "cases.jsonl": rows})
        ran = gate(repository)

    assert ran.json["usd"] <= 50
    assert ran.json["suites"][0]["new_cases"] == []


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    released = threading.Event()
    yield released
    released.set()


def test_at_the_deadline_what_is_in_flight_is_left_behind_and_nothing_passes(
    folder: Path, stuck: threading.Event
) -> None:
    """One case in four is never answered. What was answered is in the run file, whole."""

    def behaviour(asked: Asked) -> Answer:
        if asked.system.startswith("candidate") and int(asked.user.split()[1]) % 4 == 0:
            stuck.wait()
        return says("right")

    with OpenAIServer(behaviour) as server:
        repository = sums(folder, server, budget="seconds: 3")
        repository.write({PROMPT: "candidate\n"})
        ran = gate(repository)
        stuck.set()

    assert (ran.code, ran.json["verdict"]) == (3, "inconclusive")
    lines = (folder / ".ci-eval" / "sums" / "candidate.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines[1:]]
    assert any(record.get("output") == "right" for record in records)
    lost = [record["error"] for record in records if "error" in record]
    assert set(lost) == {"the budget of time ran out"}
