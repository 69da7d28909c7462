"""How far main differs from itself, counted by hand and against brute force."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import combinations
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.baseline.noise import fall_together, flakiest, noise
from ci_eval.confirm.evidence import Cell, Stored


def seeded(number: int) -> random.Random:
    return random.Random(number)


def cells(count: int, dimension: str = "d", scorer: str = "exact", weight: int = 1) -> list[Cell]:
    return [Cell(f"c{number}", scorer, dimension, Fraction(weight)) for number in range(count)]


def counted(*found: tuple[int, int]) -> dict[tuple[str, str], Stored]:
    return {(f"c{number}", "exact"): Stored(*one) for number, one in enumerate(found)}


def test_runs_that_always_agree_have_no_noise() -> None:
    (found,) = noise(cells(3), counted((5, 5), (0, 5), (1, 1))).values()
    assert (found.cells, found.differing, found.flaky, found.deviation) == (2, Fraction(0), 0, 0)


def test_one_answer_to_each_case_tells_nothing_of_noise() -> None:
    assert noise(cells(2), counted((1, 1), (0, 1))) == {}
    assert noise(cells(2), {}) == {}


def test_each_dimension_has_its_own_noise() -> None:
    both = [*cells(2), Cell("c0", "judge", "e")]
    found = noise(both, {**counted((5, 5), (2, 5)), ("c0", "judge"): Stored(4, 4)})
    assert {name: (one.cells, one.flaky) for name, one in found.items()} == {"d": (2, 1), "e": (1, 0)}


answers = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6)


@given(answers)
def test_the_share_that_differs_is_the_mean_over_all_pairs_of_runs(runs_by_cell: list[list[bool]]) -> None:
    (found,) = noise(cells(len(runs_by_cell)), counted(*((sum(runs), 4) for runs in runs_by_cell))).values()
    pairs = [fmean(runs[one] != runs[other] for runs in runs_by_cell) for one, other in combinations(range(4), 2)]
    assert float(found.differing) == pytest.approx(fmean(pairs))
    assert found.flaky == sum(0 < sum(runs) < 4 for runs in runs_by_cell)


@given(answers)
def test_the_deviation_is_that_of_cells_that_err_independently(runs_by_cell: list[list[bool]]) -> None:
    """Variances with n - 1: with few runs p(1 - p) would be too small."""
    (found,) = noise(cells(len(runs_by_cell)), counted(*((sum(runs), 4) for runs in runs_by_cell))).values()
    expected = math.sqrt(sum(variance(map(float, runs)) for runs in runs_by_cell)) / len(runs_by_cell) * 100
    assert found.deviation == pytest.approx(expected)


def test_the_cells_of_one_case_err_together_and_count_by_weight() -> None:
    """A case under two scorers, of weight 1 and 3, that always fall together is one coin of weight 4."""
    both = [Cell("c0", "exact", "d"), Cell("c0", "judge", "d", Fraction(3))]
    (found,) = noise(both, {("c0", "exact"): Stored(2, 4), ("c0", "judge"): Stored(2, 4)}).values()
    assert found.deviation == pytest.approx(100 * math.sqrt(1 / 3))


def test_the_flakiest_cells_are_those_nearest_to_a_coin_flip() -> None:
    found = flakiest(counted((5, 5), (4, 5), (5, 10), (0, 3), (3, 5), (2, 5)))
    assert [case for case, _ in found] == ["c2", "c4", "c5", "c1"]


def test_runs_that_fall_as_a_whole_are_noticed() -> None:
    """60 coins that all fall alike in a run, against 60 that each fall for themselves."""
    rng = seeded(5)
    alike = [100.0 * rng.choice([0, 1]) for _ in range(10)]
    alone = [100 * fmean(rng.choice([0, 1]) for _ in range(60)) for _ in range(10)]
    deviation = 50 / math.sqrt(60)
    assert fall_together(alike, deviation)
    assert not fall_together(alone, deviation)


@pytest.mark.parametrize("scores", [[], [50.0], [50.0, 50.0]])
def test_too_few_scores_or_equal_ones_say_nothing(scores: list[float]) -> None:
    assert not fall_together(scores, 1.0)
    assert not fall_together(scores, 0.0)


def test_independent_runs_are_seldom_taken_for_moody() -> None:
    """The test's level is 1 %."""
    rng = seeded(11)
    alarms = sum(fall_together([rng.gauss(80, 2) for _ in range(5)], 2.0) for _ in range(4000))
    assert alarms / 4000 == pytest.approx(0.01, abs=0.005)
