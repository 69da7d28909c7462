"""Formulas, against what is known about them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.stats import fewest_unseen, percentile, points, wilson


def test_points_are_exact() -> None:
    assert points(Fraction(1, 3)) == Fraction(100, 3)


@pytest.mark.parametrize(
    ("q", "expected"), [(0.05, 15), (0.5, 35), (0.95, 50), (0.3, 20), (0.4, 20), (1.0, 50), (0.01, 15)]
)
def test_percentile_by_nearest_rank(q: float, expected: float) -> None:
    """The worked example of the nearest-rank method: 15, 20, 35, 40, 50."""
    values = [35.0, 20.0, 15.0, 50.0, 40.0]
    assert percentile(values, q) == expected


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_one_of_the_values_with_that_share_at_or_below(values: list[float], q: float) -> None:
    found = percentile(values, q)
    assert found in values
    assert sum(value <= found for value in values) >= q * len(values) - 1e-9
    assert sum(value < found for value in values) < q * len(values) + 1e-9


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_against_published_values(passed: int, total: int, low: float, high: float) -> None:
    """81 of 263 is Newcombe's example (1998, method 3)."""
    found = wilson(passed, total)
    assert found == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 2000), st.data())
def test_wilson_holds_the_share_and_mirrors(total: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, total))
    low, high = wilson(passed, total)
    assert 0 <= low <= passed / total + 1e-12
    assert passed / total - 1e-12 <= high <= 1
    assert wilson(total - passed, total) == pytest.approx((1 - high, 1 - low))


def test_wilson_solves_its_own_equation() -> None:
    """The ends are the shares whose score test just reaches z (Wilson 1927)."""
    for end in wilson(37, 120):
        z = abs(37 / 120 - end) / math.sqrt(end * (1 - end) / 120)
        assert z == pytest.approx(1.96)


@pytest.mark.parametrize(("passed", "total"), [(0, 0), (-1, 5), (6, 5), (1, -1)])
def test_wilson_refuses_impossible_counts(passed: int, total: int) -> None:
    with pytest.raises(ValueError, match="needs"):
        wilson(passed, total)


@pytest.mark.parametrize(("total", "drawn", "seen"), [(300, 100, 0), (300, 60, 1), (20, 20, 0), (50, 1, 0), (10, 0, 0)])
def test_fewest_unseen_is_the_first_number_that_would_have_shown(total: int, drawn: int, seen: int) -> None:
    """By counting all ways: at that number the part shows more than `seen` 95 times in 100, at one less it does not."""
    found = fewest_unseen(total, drawn, seen)

    def shows_more(marked: int) -> float:
        ways = math.comb(total, drawn)
        few = sum(math.comb(marked, k) * math.comb(total - marked, drawn - k) for k in range(seen + 1) if k <= drawn)
        return 1 - few / ways

    assert found == total + 1 or shows_more(found) >= 0.95
    assert found == 0 or shows_more(found - 1) < 0.95
