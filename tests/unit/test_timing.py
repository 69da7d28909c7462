"""Latency: slower is said of what surely is, whatever the tail."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import record

from ci_eval.figures.ratio import Ratio, judge
from ci_eval.figures.timing import Timing, compare_latency, judge_latency, timed
from ci_eval.records import Record
from ci_eval.text import Untrusted

Draw = Callable[[random.Random], float]


def lognormal(rng: random.Random) -> float:
    return math.exp(rng.gauss(6, 1))


def pareto(rng: random.Random) -> float:
    """Without a mean."""
    return 300 * rng.paretovariate(1)


def mixed(rng: random.Random) -> float:
    """One call in ten waits for a retry."""
    return math.exp(rng.gauss(6, 0.4)) + (30_000 if rng.random() < 0.1 else 0)


def calls(rng: random.Random, draw: Draw, cases: int, times: float = 1.0) -> list[Timing]:
    return [(f"case-{number}", times * draw(rng)) for number in range(cases)]


def test_what_was_not_asked_is_not_timed() -> None:
    """A reused answer took no time, and a lost one none that says anything."""
    lost = Record(case="c", request="9" * 64, error=Untrusted("gone"), error_kind="infrastructure")
    records = [record("a", latency_ms=12), record("b", latency_ms=7, reused=True), lost]
    assert timed(records) == [("a", 12.0)]


class TestCompare:
    def test_twice_as_long_is_twice_as_long(self) -> None:
        base = [(f"case-{number}", 100.0 + number) for number in range(30)]
        found = compare_latency(base, [(case, 2 * milliseconds) for case, milliseconds in base])
        assert found.pairs == 30
        assert found.ratio == pytest.approx((2, 2, 2))
        assert found.slower

    def test_only_cases_of_both_sides_are_paired(self) -> None:
        base = [(f"case-{number}", 100.0) for number in range(20)]
        candidate = [(f"case-{number}", 100.0) for number in range(15, 40)]
        found = compare_latency(base, candidate)
        assert found.pairs == 5
        assert found.ratio is None
        assert not found.slower

    def test_each_case_has_one_vote(self) -> None:
        """A hundred slow calls about one case are one slow case."""
        base = [(f"case-{number}", 100.0) for number in range(20)] + [("case-0", 100.0)] * 99
        candidate = [(f"case-{number}", 100.0) for number in range(20)] + [("case-0", 900.0)] * 99
        found = compare_latency(base, candidate)
        assert found.pairs == 20
        assert found.ratio == pytest.approx((1, 1, 1))

    def test_calls_that_took_no_time(self) -> None:
        base = [(f"case-{number}", 0.0) for number in range(20)]
        assert compare_latency(base, base).ratio == (1, 1, 1)

    @settings(deadline=None)
    @given(st.integers(7, 30), st.integers())
    def test_turned_round_it_is_the_inverse(self, cases: int, seed: int) -> None:
        rng = random.Random(seed)
        base, candidate = calls(rng, lognormal, cases), calls(rng, lognormal, cases)
        there, back = compare_latency(base, candidate).ratio, compare_latency(candidate, base).ratio
        assert there
        assert back
        assert there == pytest.approx((1 / back.value, 1 / back.high, 1 / back.low))
        assert there.low <= there.value <= there.high

    @pytest.mark.parametrize("draw", [lognormal, pareto, mixed])
    @pytest.mark.parametrize("cases", [7, 20, 60])
    def test_without_a_change_hardly_one_in_a_hundred_is_called_slower(self, draw: Draw, cases: int) -> None:
        rng = random.Random(17)
        found = (compare_latency(calls(rng, draw, cases), calls(rng, draw, cases)) for _ in range(400))
        assert sum(one.slower for one in found) <= 4

    def test_nor_where_one_side_was_asked_more_often(self) -> None:
        """Of a skewed latency the median of ten calls is not distributed as one call: as many count on each side."""
        rng = random.Random(3)
        found = [
            compare_latency(calls(rng, pareto, 15), [one for _ in range(9) for one in calls(rng, pareto, 15)])
            for _ in range(300)
        ]
        assert sum(one.slower for one in found) <= 3
        lower = sum(one.ratio is not None and one.ratio.value < 1 for one in found)
        assert 120 <= lower <= 180

    def test_a_provider_that_is_slow_for_a_while_is_slow_for_both(self) -> None:
        """Twice as slow during three tenths of the job, in which the sides take turns."""
        rng, found = random.Random(9), 0
        for _ in range(100):
            slow = rng.randrange(100)
            waves = [2.0 if (number - slow) % 100 < 30 else 1.0 for number in range(100)]
            base, candidate = (
                [(f"case-{number}", wave * rng.lognormvariate(6, 0.5)) for number, wave in enumerate(waves)]
                for _ in range(2)
            )
            found += compare_latency(base, candidate).slower
        assert found == 0

    def test_half_as_slow_again_is_seen(self) -> None:
        rng = random.Random(5)

        def steady(rng: random.Random) -> float:
            return math.exp(rng.gauss(6, 0.3))

        found = [compare_latency(calls(rng, steady, 60), calls(rng, steady, 60, 1.5)) for _ in range(50)]
        assert sum(one.slower for one in found) >= 40


class TestJudge:
    @pytest.mark.parametrize(
        ("low", "high", "verdict"),
        [
            (0.9, 1.19, "pass"),
            (0.9, 1.2, "inconclusive"),
            (1.19, 1.4, "inconclusive"),
            (1.2, 1.4, "regression"),
            (math.inf, math.inf, "regression"),
        ],
    )
    def test_the_interval_lies_on_one_side_of_the_limit(self, low: float, high: float, verdict: str) -> None:
        assert judge(Ratio((low + high) / 2, low, high), Fraction(20)) == verdict

    def test_a_limit_is_taken_as_it_was_written(self) -> None:
        """As floats 1.2 lies below 6/5, and 33/30 not at 1.1: an increase of exactly the limit fails all the same."""
        for percent in range(1, 100):
            for times in (1 + percent / 100, (100 + percent) * 0.07 / 7):
                assert judge(Ratio(times, times, times), Fraction(percent)) == "regression"

    def test_too_few_pairs_are_inconclusive(self) -> None:
        few = [(f"case-{number}", 100.0) for number in range(6)]
        assert judge_latency(compare_latency(few, few), Fraction(20)) == "inconclusive"
        enough = [*few, ("one-more", 100.0)]
        assert judge_latency(compare_latency(enough, enough), Fraction(20)) == "pass"
