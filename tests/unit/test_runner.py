"""Asking: who is asked, who is not, what is recorded, and what happens when no answer comes."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import (
    PATIENT,
    Scripted,
    answers,
    evaluator,
    golden,
    header,
    held,
    refusing,
    reply,
    target,
)
from making import case as a_case

from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import ProviderError, Reply, Request, ToolCall, Usage
from ci_eval.reader import ROW_LIMIT
from ci_eval.records import Record, Run, RunFile, parse, to_bytes
from ci_eval.runner import pool
from ci_eval.runner.evaluator import Evaluator, Job
from ci_eval.runner.pool import run_all
from ci_eval.scorers.base import Answer, Asking, Score, binary
from ci_eval.scorers.errand import Errand
from ci_eval.text import Untrusted

CASES = tuple(a_case(name) for name in "abcde")
AT = held({})
PATIENCE = Deadline.after(PATIENT)


def made(provider: Scripted, cases: Sequence[Case] = CASES, *scorers: dict[str, Any], threads: int = 4) -> Evaluator:
    return evaluator(AT, golden(*cases), provider, *scorers, threads=threads)


def run(
    provider: Scripted,
    *scorers: dict[str, Any],
    cases: Sequence[Case] = CASES,
    repeats: int = 1,
    seconds: float = PATIENT,
) -> list[Record]:
    return answers(made(provider, cases, *scorers), cases, seconds, repeats=repeats)


# --- who is asked -----------------------------------------------------------------------------------------------------


def test_every_case_and_repeat_is_asked_for_once() -> None:
    provider = Scripted()
    found = run(provider, repeats=3)
    assert [(one.case, one.repeat) for one in found] == [(name, repeat) for name in "abcde" for repeat in range(3)]
    assert sorted(provider.asked) == [(f"What about {name}?", repeat) for name in "abcde" for repeat in range(3)]


def test_a_model_that_repeats_itself_is_asked_once() -> None:
    provider = Scripted(deterministic=True)
    assert len(run(provider, repeats=5)) == 5
    assert len(provider.asked) == 5


def test_no_case_no_call() -> None:
    assert run(Scripted(refusing()), cases=[]) == []


def test_a_prompt_that_cannot_be_filled_costs_nothing() -> None:
    """Every request is rendered before the first is sent."""
    provider = Scripted()
    asking = made(provider)
    broken = Evaluator(target("{{gone}}"), provider, asking.scorers, asking.bound, 4)
    with pytest.raises(InputError, match="unknown variable"):
        broken.jobs(CASES, 1)
    assert provider.asked == []


# --- what scorers ask -------------------------------------------------------------------------------------------------


def _scored_by(score: Callable[[Answer, Case, Errand], Score], *, draws: bool = False) -> Evaluator:
    """The same cases under one scorer that asks a provider."""
    asking = made(Scripted(deterministic=True))
    bound = {name: replace(one, scoring=Asking(score, _free, draws)) for name, one in asking.bound.items()}
    return replace(asking, bound=bound)


def _free(_: Case, __: int) -> Cost:
    return Cost()


def test_the_same_words_in_the_same_repeat_are_scored_once_and_in_another_repeat_anew() -> None:
    """Both sides of a case share a verdict; a confirmation draws the scorer's own noise again."""
    asked: list[tuple[str, int]] = []

    def score(_: Answer, case: Case, errand: Errand) -> Score:
        asked.append((case.id, errand.repeat))
        errand.bill.add(Usage(1, 1), Decimal("0.5"), 0.1)
        return binary(True, "")

    base = _scored_by(score)
    candidate = replace(base, target=target("Another prompt."))
    jobs = [Job(case, repeat) for case in CASES for repeat in (0, 1000)]
    found: list[Record] = []
    run_all([(side, job) for job in jobs for side in (base, candidate)], PATIENCE, lambda _, one: found.append(one))
    assert sorted(asked) == sorted((case.id, repeat) for case in CASES for repeat in (0, 1000))
    assert sum(one.scoring.calls for one in found if one.scoring) == len(asked)
    assert all(one.cells[0].passed for one in found)


def test_a_scorer_that_draws_makes_a_repeatable_answer_worth_asking_for_again() -> None:
    def score(_: Answer, __: Case, ___: Errand) -> Score:
        return binary(True, "")

    assert len(_scored_by(score).jobs(CASES, 5)) == len(CASES)
    assert len(_scored_by(score, draws=True).jobs(CASES, 5)) == 5 * len(CASES)


def test_a_score_that_fails_is_not_remembered() -> None:
    tries: list[int] = []

    def score(_: Answer, __: Case, errand: Errand) -> Score:
        tries.append(1)
        errand.bill.add(Usage(1, 1), None, 0)
        if len(tries) == 1:
            raise ProviderError("no score")
        return binary(True, "")

    asking = _scored_by(score)
    first, second = (asking.ask(Job(CASES[0], 0), PATIENCE) for _ in range(2))
    assert (first.lost, first.cells, first.error) == (True, [], Untrusted("no score"))
    assert (first.finish, first.tokens_in, first.scoring and first.scoring.calls) == ("stop", 7, 1)
    assert first.spent_usd is None, "what nobody knows the price of is not free"
    assert (second.lost, len(tries)) == (False, 2)


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_an_answer_with_its_cells_and_figures() -> None:
    style = {"type": "contains", "all": ["Yes"], "dimension": "style", "normalise": []}
    (one,) = run(Scripted(), {"type": "exact"}, style, cases=CASES[:1])
    assert [(c.scorer, c.dimension, c.score, c.passed) for c in one.cells] == [
        ("exact", "task_accuracy", 1, True),
        ("contains", "style", 0, False),
    ]
    assert (one.output, one.finish, one.tokens_in, one.tokens_out) == (Untrusted("yes"), "stop", 7, 3)
    assert (one.error, one.error_kind, one.reused, one.lost) == (None, None, False, False)
    assert one.latency_ms is not None
    assert one.latency_ms >= 0


def test_a_case_lost_on_the_way_has_no_cells() -> None:
    (one,) = run(Scripted(refusing("HTTP 503")), cases=CASES[:1])
    assert (one.cells, one.output, one.lost) == ([], None, True)
    assert (one.error, one.error_kind) == (Untrusted("HTTP 503"), "infrastructure")


def test_a_request_refused_for_what_it_is_fails_every_cell() -> None:
    (one,) = run(
        Scripted(refusing("HTTP 400", about_request=True)), {"type": "exact"}, {"type": "refusal"}, cases=CASES[:1]
    )
    assert [(c.scorer, c.score, c.passed) for c in one.cells] == [("exact", 0, False), ("refusal", 0, False)]
    assert one.cells[0].reason == Untrusted("the provider refused the request: HTTP 400")
    assert (one.error_kind, one.lost) == ("request", False)


def test_a_truncated_answer_fails_even_if_it_reads_right() -> None:
    (one,) = run(Scripted(lambda *_: reply("yes", "length")), cases=CASES[:1])
    assert (one.cells[0].passed, one.finish, one.output) == (False, "length", Untrusted("yes"))
    assert one.cells[0].reason == Untrusted("the answer was cut off at max_tokens")


def test_a_provider_s_own_refusal_is_scored_like_any_answer() -> None:
    decline = a_case(expected={"refuse": True})
    (one,) = run(Scripted(lambda *_: reply("I can't help with that.", "refusal")), {"type": "refusal"}, cases=[decline])
    assert (one.cells[0].passed, one.finish) == (True, "refusal")


def test_when_the_time_is_out_what_is_open_is_lost_and_not_asked() -> None:
    provider = Scripted()
    found = run(provider, seconds=0)
    assert all(one.lost and one.cells == [] for one in found)
    assert len(found) == len(CASES)
    assert provider.asked == []


def test_one_lost_case_takes_no_other_with_it() -> None:
    def says(request: Request, repeat: int) -> Reply:
        if " c?" in request.messages[-1].content:
            raise ProviderError("HTTP 500")
        return reply()

    assert [one.lost for one in run(Scripted(says))] == [False, False, True, False, False]


def test_a_fault_of_ours_is_not_taken_for_an_outage() -> None:
    def says(request: Request, repeat: int) -> Reply:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Scripted(says))


# --- threads ----------------------------------------------------------------------------------------------------------


def test_the_order_in_which_answers_arrive_does_not_matter() -> None:
    """The first is answered only when all others have been."""
    others = threading.Barrier(len(CASES))

    def says(request: Request, repeat: int) -> Reply:
        others.wait(timeout=30)
        return reply(request.messages[-1].content)

    asking = made(Scripted(says), threads=len(CASES))
    arrived: list[str] = []
    found = answers(asking, CASES, on_record=lambda one: arrived.append(one.case))
    assert [one.case for one in found] == list("abcde")
    assert [one.output for one in found] == [Untrusted(f"What about {name}?") for name in "abcde"]
    assert sorted(arrived) == list("abcde")


def test_no_more_are_asked_at_once_than_the_policy_allows() -> None:
    pair, most, under_way = threading.Barrier(2), [0], [0]
    lock = threading.Lock()

    def says(request: Request, repeat: int) -> Reply:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        pair.wait(timeout=30)
        with lock:
            under_way[0] -= 1
        return reply()

    six = [a_case(f"n{number}") for number in range(6)]
    asking = made(Scripted(says), six, threads=2)
    assert len(answers(asking, six)) == 6
    assert most[0] == 2


def test_ctrl_c_stops_at_once_and_leaves_a_readable_run_file(tmp_path: Path) -> None:
    """One answer never comes. Those that came are in the file, whole."""
    never = threading.Event()

    def says(request: Request, repeat: int) -> Reply:
        if " a?" in request.messages[-1].content:
            never.wait(timeout=60)
        return reply("yes \u2028 \x00")

    file = RunFile(tmp_path / "deep" / "run.jsonl")
    file.start(header())
    written: list[Record] = []

    def on_record(one: Record) -> None:
        file.add(one)
        written.append(one)
        if len(written) == 3:
            raise KeyboardInterrupt

    asking = made(Scripted(says), threads=2)
    try:
        with pytest.raises(KeyboardInterrupt):
            pool.run(asking, asking.jobs(CASES, 1), Deadline.after(PATIENT), on_record)
        assert not never.is_set()
        assert list(parse(file.path.read_bytes(), "run.jsonl").records) == written
    finally:
        never.set()


# --- whatever a model says --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_a_model_says_can_be_read_back(text: str) -> None:
    """Also half of a surrogate pair, which no file can hold."""
    (one,) = run(Scripted(lambda *_: reply(text)), {"type": "exact"}, {"type": "refusal"}, cases=CASES[:1])
    assert one.output == Untrusted(text.encode("utf-8", "replace").decode())


@pytest.mark.parametrize("char", ["x", "\x00", "\u2028", "\U0001f600", '"', "\ud800"])
def test_an_answer_of_megabytes_makes_a_row_that_can_be_read(tmp_path: Path, char: str) -> None:
    """Answer and reasons are kept as far as a row can hold them; the whole answer is scored."""
    said = char * 1_500_000
    scorers = ({"type": "exact"}, {"type": "regex", "pattern": "end$"}, {"type": "exact", "field": "a", "name": "deep"})
    asked = [a_case(expected={"a": "x"}), a_case("two", expected="x" * 500_000)]
    found = run(Scripted(lambda *_: reply(said + "end")), *scorers, cases=asked)
    file = RunFile(tmp_path / "run.jsonl")
    file.start(header())
    for one in found:
        file.add(one)
    data = file.path.read_bytes()
    assert max(map(len, data.decode().split("\n"))) < ROW_LIMIT
    assert parse(data, "run.jsonl").records == tuple(found)
    assert [c.passed for c in found[0].cells if c.scorer == "regex"] == [True]
    assert found[0].output is not None
    assert found[0].output.text().endswith("… (1400003 more characters)")


def test_a_job_is_rendered_when_it_is_asked_for() -> None:
    asking = made(Scripted())
    assert asking.jobs(CASES[:1], 1) == [Job(CASES[0], 0)]
    assert asking.request(Job(CASES[0], 0)) == target().request(CASES[0])


# --- tools and costs --------------------------------------------------------------------------------------------------


def calling(*calls: tuple[str, str]) -> Reply:
    made = tuple(ToolCall(Untrusted(name), Untrusted(arguments)) for name, arguments in calls)
    return Reply(Untrusted(""), "stop", Usage(7, 3), made)


def test_an_answer_that_is_only_tool_calls_is_scored_and_kept() -> None:
    (one,) = run(Scripted(lambda *_: calling(("track", '{"id": 7}'))), cases=CASES[:1])
    assert [(call.name.text(), call.arguments.text()) for call in one.tool_calls] == [("track", '{"id": 7}')]
    assert (one.output, one.error, len(one.cells)) == (Untrusted(""), None, 1)


@pytest.mark.parametrize("calls", [[("\x00" * 90_000, "\x00" * 90_000)] * 3, [("a", "{}")] * 40_000])
def test_tool_calls_of_megabytes_make_a_row_that_can_be_read(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    said = Reply(Untrusted("\x00" * 1_000_000), "stop", Usage(), calling(*calls).tool_calls)
    found = run(Scripted(lambda *_: said), cases=CASES[:1])
    file = RunFile(tmp_path / "run.jsonl")
    file.start(header())
    file.add(found[0])
    assert max(map(len, file.path.read_text().split("\n"))) < ROW_LIMIT
    assert parse(file.path.read_bytes(), "run.jsonl").records == tuple(found)


def test_texts_that_are_hidden_take_tool_calls_with_them() -> None:
    (one,) = run(Scripted(lambda *_: calling(("track", '{"card": "4111"}'))), cases=CASES[:1])
    assert "4111" not in to_bytes(Run(header(), (one,)).without_texts()).decode()


def test_an_answer_costs_what_its_tokens_cost() -> None:
    asking = replace(made(Scripted(), CASES[:1]), cost=lambda usage: Decimal(usage.tokens_in or 0) / 1000)
    (one,) = answers(asking, CASES[:1])
    assert one.cost_usd == 0.007


def test_scorers_see_the_tool_calls() -> None:
    seen: list[Answer] = []

    def judge(answer: Answer, _: Case) -> Score:
        seen.append(answer)
        return binary(True, "fine")

    asking = made(Scripted(lambda *_: calling(("track", "{}"))), CASES[:1])
    bound = {name: replace(scorer, scoring=judge) for name, scorer in asking.bound.items()}
    asking = replace(asking, bound=bound)
    answers(asking, CASES[:1])
    assert [(answer.text, [call.name.text() for call in answer.tool_calls]) for answer in seen] == [("", ["track"])]


# --- one pool for both sides ------------------------------------------------------------------------------------------


def test_both_sides_run_side_by_side_and_come_back_in_order() -> None:
    """Each answer of base waits for one of the candidate: one after the other, neither would ever come."""
    pair = threading.Barrier(2)

    def says(request: Request, repeat: int) -> Reply:
        pair.wait(timeout=30)
        return reply()

    base, candidate = made(Scripted(says), threads=2), made(Scripted(says), threads=2)
    turns = zip(base.jobs(CASES, 1), candidate.jobs(CASES, 1), strict=True)
    work = [(side, job) for jobs in turns for side, job in zip((base, candidate), jobs, strict=True)]
    told: dict[int, str] = {}
    run_all(work, Deadline.after(PATIENT), lambda index, one: told.update({index: one.case}))
    assert told == {index: job.case.id for index, (_, job) in enumerate(work)}


def test_at_the_deadline_what_is_on_its_way_is_left_behind() -> None:
    """Its case is lost, in words that say why; and when the answer comes after all, nobody hears of it."""
    never, left = threading.Event(), threading.Event()

    def says(request: Request, repeat: int) -> Reply:
        if " a?" in request.messages[-1].content:
            never.wait(timeout=60)
            left.set()
        return reply()

    asking = made(Scripted(says), threads=2)
    told: list[str] = []
    found = answers(asking, CASES, 0.5, on_record=lambda one: told.append(one.case))
    assert [one.lost for one in found] == [True, False, False, False, False]
    assert found[0].error == Untrusted("the budget of time ran out")
    before = sorted(told)
    never.set()
    assert left.wait(timeout=30)
    assert sorted(told) == before == list("abcde")


def test_nothing_that_was_left_behind_keeps_the_process_alive(tmp_path: Path) -> None:
    """A process whose run has met its deadline ends, though a thread of it still waits for an answer."""
    script = (
        "import sys, threading\n"
        f"sys.path[:0] = {[str(Path(__file__).parents[1])]!r}\n"
        "from making import Scripted, answers, case, evaluator, golden, held, reply\n"
        "never = threading.Event()\n"
        "says = lambda request, repeat: never.wait() and reply()\n"
        "asking = evaluator(held({}), golden(case()), Scripted(says))\n"
        "found = answers(asking, [case()], 0.2)\n"
        "print(found[0].lost)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_what_was_told_is_in_the_file_when_the_process_is_killed(tmp_path: Path) -> None:
    """`kill -9`, from within the third record: three whole lines, and the header."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        f"sys.path[:0] = {[str(Path(__file__).parents[1])]!r}\n"
        "from making import header, record\n"
        "from ci_eval.records import RunFile\n"
        f"file = RunFile(Path({str(tmp_path / 'run.jsonl')!r}))\n"
        "file.start(header())\n"
        "with file.adding() as add:\n"
        "    for name in 'abc':\n"
        "        add(record(name))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [one.case for one in parse((tmp_path / "run.jsonl").read_bytes(), "run.jsonl").records] == list("abc")


def test_answers_wait_until_there_is_room_for_them() -> None:
    """However quick the server, no more are asked for than can be told: 12 for each thread, what it holds, and one."""
    provider = Scripted()
    many = [a_case(f"n{number}") for number in range(120)]
    asking = made(provider, many, threads=2)
    asked: list[int] = []

    def slow(_: Record) -> None:
        asked.append(len(provider.asked))

    answers(asking, many, on_record=slow)
    assert len(asked) == 120
    assert all(begun <= told + 12 * 2 + 2 + 1 for told, begun in enumerate(asked))


def test_a_record_leaves_memory_once_it_was_told() -> None:
    """So a run of many cases needs room for its cases alone."""
    many = [a_case(f"n{number}") for number in range(60)]
    asking = made(Scripted(), many, threads=2)
    told: list[weakref.ref[Record]] = []
    pool.run(asking, asking.jobs(many, 1), Deadline.after(PATIENT), lambda one: told.append(weakref.ref(one)))
    gc.collect()
    assert len(told) == 60
    assert [one() for one in told if one()] == []


def test_whoever_stops_leaves_no_thread_waiting_for_room() -> None:
    before = set(threading.enumerate())

    def on_record(_: Record) -> None:
        raise KeyboardInterrupt

    many = [a_case(f"n{number}") for number in range(60)]
    with pytest.raises(KeyboardInterrupt):
        answers(made(Scripted(), many, threads=3), many, on_record=on_record)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=30)
        assert not thread.is_alive()
