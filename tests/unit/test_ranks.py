"""Intervals by order alone, against counting everything out."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_eval.figures.ranks import Quantile, least_for, quantile, shift, walsh

VALUES = st.lists(st.floats(-1000, 1000), min_size=1, max_size=40)


class TestQuantile:
    @pytest.mark.parametrize(
        ("q", "total", "low", "high"),
        [
            (0.5, 100, 40, 61),
            (0.5, 300, 133, 168),
            (0.95, 100, 90, 100),
            (0.95, 300, 277, 293),
            (0.99, 300, 293, None),
            (0.99, 500, 490, 500),
        ],
    )
    def test_ranks_against_reference(self, q: float, total: int, low: int, high: int | None) -> None:
        """scipy 1.17: how many k have binom.cdf(k, n, q) <= .025, and the first k + 1 where it is >= .975."""
        values = [float(number) for number in range(1, total + 1)]
        assert quantile(values, q) == Quantile(math.ceil(q * total), low, high)

    @pytest.mark.parametrize(("q", "needed"), [(0.5, 6), (0.95, 72), (0.99, 368)])
    def test_too_few_values_have_no_upper_end(self, q: float, needed: int) -> None:
        """0.95^71 is more than 2.5 %, 0.95^72 is less."""
        assert least_for(q) == needed
        assert quantile([1.0] * (needed - 1), q).high is None
        assert quantile([1.0] * needed, q).high == 1

    @settings(deadline=None)
    @given(VALUES, st.sampled_from((0.5, 0.95, 0.99)))
    def test_the_interval_holds_the_quantile(self, values: list[float], q: float) -> None:
        found = quantile(values, q)
        assert found.low is None or found.low <= found.value
        assert found.high is None or found.value <= found.high

    @pytest.mark.parametrize(("q", "total"), [(0.5, 21), (0.95, 100)])
    def test_it_covers_what_it_promises_of_a_long_tail(self, q: float, total: int) -> None:
        rng = random.Random(11)
        true = (1 - q) ** (-1 / 1.1)
        intervals = (quantile([rng.paretovariate(1.1) for _ in range(total)], q) for _ in range(1000))
        assert sum((found.low or 0) <= true <= (found.high or math.inf) for found in intervals) >= 935

    def test_no_values_are_refused(self) -> None:
        with pytest.raises(ValueError, match="nothing"):
            quantile([], 0.5)


def averages(values: list[float]) -> list[float]:
    return sorted((one + other) / 2 for one, other in itertools.combinations_with_replacement(values, 2))


class TestShift:
    def test_against_the_textbook(self) -> None:
        """Hollander and Wolfe, Hamilton depression scale; R: wilcox.test(y, x, paired = TRUE, conf.int = TRUE)."""
        before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
        after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
        found = shift([one - other for one, other in zip(after, before, strict=True)], 0.95)
        assert found == pytest.approx((-0.46, -0.786, -0.010))

    @settings(deadline=None)
    @given(st.lists(st.floats(-100, 100), min_size=1, max_size=25), st.data())
    def test_walsh_averages_against_listing_them(self, values: list[float], data: st.DataObject) -> None:
        every = averages(values)
        rank = data.draw(st.integers(1, len(every)))
        assert walsh(sorted(values), rank) == pytest.approx(every[rank - 1], abs=1e-9)

    @settings(deadline=None, max_examples=30)
    @given(st.integers(8, 11), st.integers(), st.sampled_from((0.9, 0.95, 0.98)))
    def test_the_ends_are_where_the_test_begins_to_reject(self, pairs: int, seed: int, confidence: float) -> None:
        """Just outside the interval, few of all the ways to give the differences signs are so extreme."""
        rng = random.Random(seed)
        values = [rng.uniform(-100, 100) for _ in range(pairs)]
        every = averages(values)
        found = shift(values, confidence)
        assert found
        tail = (1 - confidence) / 2 + 1e-12
        assert below(values, found.low - 1e-7) <= tail < below(values, found.low + 1e-7)
        assert found.middle == pytest.approx((every[(len(every) - 1) // 2] + every[len(every) // 2]) / 2, abs=1e-9)

    @settings(deadline=None)
    @given(VALUES, st.floats(-10, 10), st.randoms(use_true_random=False))
    def test_it_moves_with_the_differences_in_any_order(
        self, values: list[float], by: float, rng: random.Random
    ) -> None:
        found, moved = shift(values, 0.95), shift([value + by for value in rng.sample(values, len(values))], 0.95)
        assert (found is None) == (moved is None) == (len(values) < 6)
        if found and moved:
            assert moved == pytest.approx([end + by for end in found], abs=1e-6)
            assert found.low <= found.middle <= found.high

    def test_counting_and_the_normal_meet(self) -> None:
        """scipy 1.17 counts rank 435 for 50 pairs at 95 %, and 398 at 98 %; the normal gives the same, or one less."""
        fifty = [float(number) for number in range(50)]
        assert [find_rank(fifty, confidence) for confidence in (0.95, 0.98)] == [435, 398]
        centre, spread = 50 * 51 / 4, math.sqrt(50 * 51 * 101 / 24)
        assert [math.floor(centre - z * spread) for z in (1.96, 2.326)] == [434, 396]


def below(values: list[float], true: float) -> float:
    """The chance that the ranks of what lies above `true` sum to so much or more, if a coin says what lies above."""
    distances = sorted((value - true for value in values), key=abs)
    here = sum(rank for rank, distance in enumerate(distances, start=1) if distance > 0)
    ranks = range(1, len(values) + 1)
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product((0, 1), repeat=len(values))]
    return sum(one >= here for one in sums) / len(sums)


def find_rank(values: list[float], confidence: float) -> int:
    """Which of all Walsh averages the lower end is; a little noise makes them differ."""
    rng = random.Random(3)
    spread = [value + rng.random() / 10 for value in values]
    found, every = shift(spread, confidence), averages(spread)
    assert found
    return min(range(len(every)), key=lambda rank: abs(every[rank] - found.low)) + 1
