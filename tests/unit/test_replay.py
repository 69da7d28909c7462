"""Main against itself: what is drawn, and what the replays come to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import cell, record, run

from ci_eval.baseline.replay import Answer, Deal, Memory, Once, Pace, Rates, replays, summed
from ci_eval.confirm.evidence import Cell, Limit, Stored
from ci_eval.confirm.machine import Question
from ci_eval.records import Record
from ci_eval.text import Untrusted


def seeded(number: int) -> random.Random:
    return random.Random(number)


HURRIED, PATIENT = Pace(1, 0.5), Pace(8, 3600)


def memory(rates: Sequence[float], *scorers: str, answers: int = 5, seconds: float = 0) -> Memory:
    """Cases by how often they pass; all scorers see the same answer."""
    rng = seeded(1)
    found = {
        f"c{number}": [
            Answer(dict.fromkeys(scorers or ("exact",), rng.random() < rate), seconds) for _ in range(answers)
        ]
        for number, rate in enumerate(rates)
    }
    return Memory(found, answers)


def question(memory: Memory, limits: Mapping[str, Limit] | None = None) -> Question:
    """Every scorer is a dimension of its own."""
    cells = [Cell(case, scorer, scorer) for case, found in memory.answers.items() for scorer in found[0].passed]
    return Question(cells, limits or {cell.scorer: Fraction(1) for cell in cells})


def played(found: Memory, pace: Pace = PATIENT, *, repetitions: int = 50, seed: str = "s") -> list[Once]:
    return list(replays(found, question(found), pace, repetitions=repetitions, seed=seed))


def rates(found: Memory, pace: Pace = PATIENT) -> Rates:
    return summed(played(found, pace), question(found).limits, len(found.answers))


FLAKY = memory([0.5] * 20 + [1.0] * 80)


def test_the_same_seed_gives_the_same_replays_and_another_gives_others() -> None:
    assert played(FLAKY) == played(FLAKY)
    assert played(FLAKY) != played(FLAKY, seed="another")


def test_more_repetitions_begin_as_fewer_did() -> None:
    assert played(FLAKY, repetitions=9)[:4] == played(FLAKY, repetitions=4)


def test_a_main_that_never_differs_is_never_red_and_asks_nothing_twice() -> None:
    found = rates(memory([1.0] * 30 + [0.0] * 10))
    assert (found.red().count, found.calls) == (0, 1)


def test_a_main_full_of_coin_flips_is_red_now_and_then() -> None:
    found = rates(FLAKY)
    assert 0 < found.share("regression").count == found.red().count < found.repetitions
    assert found.calls > 1


def test_a_gate_without_time_to_confirm_is_inconclusive_and_never_a_pass() -> None:
    """100 answers of a second take longer than the budget; what nothing is asked about passes even so."""
    slow = memory([0.5] * 20 + [1.0] * 80, seconds=1)
    found = rates(slow, Pace(10, 5))
    assert found.share("inconclusive").count == found.red().count > 0
    assert rates(slow, Pace(10, 3600)).share("inconclusive").count == 0
    assert rates(memory([1.0] * 100, seconds=1), HURRIED).red().count == 0


def test_the_cells_of_a_case_stay_together() -> None:
    """Two dimensions that see the same answers have the same verdict in every replay."""
    for one in played(memory([0.5] * 20 + [1.0] * 80, "one", "other")):
        assert one.verdicts["one"] == one.verdicts["other"]


def test_a_cell_that_is_flaky_on_main_is_quarantined_as_on_a_gate() -> None:
    """Five coins in a hundred: with five answers to remember most are set aside, with two none is."""
    coins = memory([0.5] * 5 + [1.0] * 95, answers=40)
    seen = rates(Memory(coins.answers, 5))
    unseen = rates(Memory(coins.answers, 2))
    assert seen.calls < unseen.calls


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ({"a": "pass", "b": "pass"}, "pass"),
        ({"a": "inconclusive", "b": "pass"}, "inconclusive"),
        ({"a": "inconclusive", "b": "regression"}, "regression"),
    ],
)
def test_a_gate_is_as_red_as_its_worst_dimension(verdicts: dict[str, str], whole: str) -> None:
    assert Once(verdicts, 0).verdict == whole  # type: ignore[arg-type]


def test_shares_are_counted_by_gate_and_by_dimension() -> None:
    seen = [
        Once({"a": "pass", "b": "regression"}, 10),
        Once({"a": "inconclusive", "b": "pass"}, 30),
        Once({"a": "pass", "b": "pass"}, 20),
        Once({"a": "inconclusive", "b": "regression"}, 20),
    ]
    found = summed(seen, ["a", "b"], 10)
    assert (found.repetitions, found.calls) == (4, 2)
    assert [found.share(word).count for word in ("pass", "inconclusive", "regression")] == [1, 1, 2]
    assert (found.red().count, found.red("a").count, found.red("b").count) == (3, 2, 2)
    assert found.share("regression", "a").count == 0
    low, high = found.red().interval
    assert low < 3 / 4 < high


def test_no_replay_is_no_rate() -> None:
    assert summed([], ["a"], 10).repetitions == 0


# --- what is dealt ----------------------------------------------------------------------------------------------------


def distinct(count: int) -> list[Answer]:
    return [Answer({"exact": bool(number % 2)}, number) for number in range(count)]


def names(answers: Sequence[Answer]) -> Counter[float]:
    return Counter(answer.seconds for answer in answers)


@given(st.integers(2, 30), st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_candidates_first_look_is_new_and_bases_is_remembered(
    count: int, remembered: int, rng: random.Random
) -> None:
    deal = Deal.of(distinct(count), remembered, rng)
    assert deal.base != deal.candidate
    assert len(deal.remembered) == remembered
    assert deal.base in deal.remembered
    assert deal.candidate not in deal.remembered


@given(st.integers(2, 30), st.integers(1, 20), st.randoms(use_true_random=False))
def test_fresh_runs_are_unused_ones_before_any_comes_again(count: int, remembered: int, rng: random.Random) -> None:
    deal = Deal.of(distinct(count), remembered, rng)
    unused = len(deal.unused)
    fresh = [deal.fresh(rng) for _ in range(unused)]
    assert max(names(fresh).values(), default=0) <= 1
    assert not {deal.base.seconds, deal.candidate.seconds} & names(fresh).keys()
    if count > remembered + 1:
        assert not names(fresh) & names(deal.remembered)
    assert deal.fresh(rng) in deal.every


@given(st.integers(2, 6), st.randoms(use_true_random=False))
def test_no_answer_is_remembered_twice_while_there_are_others(remembered: int, rng: random.Random) -> None:
    assert max(names(Deal.of(distinct(remembered + 1), remembered, rng).remembered).values()) == 1


def test_two_first_looks_differ_as_often_as_two_runs_of_main_do() -> None:
    """3 passes of 5: 6 of 10 pairs differ. With replacement it would be 12 of 25."""
    rng, answers = seeded(2), [Answer({"exact": number < 3}) for number in range(5)]
    deals = [Deal.of(answers, 5, rng) for _ in range(4000)]
    differing = sum(deal.base.passed != deal.candidate.passed for deal in deals) / 4000
    assert differing == pytest.approx(0.6, abs=0.03)


# --- out of stored runs -----------------------------------------------------------------------------------------------


def lost(name: str) -> Record:
    return Record(case=name, repeat=1, request="9" * 64, error=Untrusted("gone"), error_kind="infrastructure")


def test_stored_runs_are_pooled_and_what_was_lost_is_left_out() -> None:
    newest = run(record("a", latency_ms=1500), record("a", cell(False), repeat=1), record("b"), lost("b"), repeats=2)
    older = run(record("a"), record("b"))
    found = Memory.of([newest, older])
    assert [len(answers) for answers in found.answers.values()] == [3, 2]
    assert found.answers["a"][0] == Answer({"exact": True}, 1.5)
    assert (found.remembered, found.least) == (2, 2)
    assert found.counts == {("a", "exact"): Stored(2, 3), ("b", "exact"): Stored(2, 2)}
    assert list(found.varying) == ["a"]
    assert found.steady == {("b", "exact"): True}
