"""Cost: known or said to be unknown, never guessed."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import record

from ci_eval.figures.costs import CostComparison, compare_cost, judge_cost, side_cost
from ci_eval.figures.ratio import Ratio
from ci_eval.records import Record
from ci_eval.text import Untrusted

Prices = Sequence[float | None]


def priced(prices: Prices) -> dict[str, Record]:
    return {f"case-{number}": record(f"case-{number}", cost_usd=price) for number, price in enumerate(prices)}


def lost(name: str) -> Record:
    return Record(case=name, request="9" * 64, error=Untrusted("gone"), error_kind="infrastructure")


def passing(total: int, failed: int = 0) -> dict[str, bool]:
    return {f"case-{number}": number >= failed for number in range(total)}


def compared(
    base: Mapping[str, Record],
    candidate: Mapping[str, Record],
    failed: tuple[int, int] = (0, 0),
    clusters: Mapping[str, str] | None = None,
) -> CostComparison:
    passed = passing(len(base), failed[0]), passing(len(base), failed[1])
    return compare_cost(base, candidate, passed, clusters or {case: case for case in base})


class TestSide:
    def test_a_correct_case_pays_for_the_wrong_ones(self) -> None:
        found = side_cost(priced([0.01] * 10), passing(10, failed=6))
        assert (found.answers, found.priced, found.correct) == (10, 10, 4)
        assert found.dollars == pytest.approx(0.1)
        assert found.per_case == pytest.approx(0.01)
        assert found.per_correct == pytest.approx(0.025)

    def test_what_has_no_price_is_left_out_and_counted(self) -> None:
        found = side_cost(priced([0.02, None, 0.04, None]), passing(4))
        assert (found.answers, found.priced, found.correct) == (4, 2, 2)
        assert found.per_case == pytest.approx(0.03)

    def test_a_lost_answer_is_no_unknown_price(self) -> None:
        records = {**priced([0.02, 0.04]), "gone": lost("gone")}
        assert (side_cost(records, passing(2)).answers, side_cost(records, passing(2)).priced) == (2, 2)

    def test_nothing_priced_and_nothing_correct(self) -> None:
        assert side_cost(priced([None]), passing(1)).per_case is None
        assert side_cost(priced([0.1]), passing(1, failed=1)).per_correct is None

    def test_a_reused_answer_costs_what_it_would(self) -> None:
        assert side_cost({"a": record("a", cost_usd=0.5, reused=True)}, {"a": True}).dollars == 0.5


class TestCompare:
    def test_against_reference(self) -> None:
        """scipy 1.17: r = c.sum()/b.sum(); d = c/c.sum() - b/b.sum(); r*exp(∓t.ppf(.975, 11)*sqrt(12/11*sum(d**2)))."""
        base = [float(number) for number in range(1, 13)]
        candidate = [2.0, 2, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13]
        found = compared(priced(base), priced(candidate)).ratio
        assert found == pytest.approx((1.0769230769230769, 1.022885828465229, 1.133815017605253))

    @settings(deadline=None)
    @given(st.lists(st.floats(0.0001, 1), min_size=10, max_size=40), st.floats(0.1, 10))
    def test_a_price_that_rises_everywhere_is_sure(self, prices: list[float], times: float) -> None:
        found = compared(priced(prices), priced([price * times for price in prices]), (3, 3))
        assert found.ratio == pytest.approx((times, times, times))
        assert found.per_correct == pytest.approx((times, times, times))

    def test_fewer_correct_cases_cost_more_each(self) -> None:
        found = compared(priced([0.01] * 40), priced([0.01] * 40), (0, 20))
        assert found.ratio == pytest.approx((1, 1, 1))
        assert found.per_correct is not None
        assert found.per_correct.value == pytest.approx(2)
        assert found.per_correct.low < 2 < found.per_correct.high

    def test_clusters_that_move_together_tell_less(self) -> None:
        base, candidate = priced([1.0] * 100), priced([1.0 + number // 5 % 4 for number in range(100)])
        clusters = {case: f"cluster-{number // 5}" for number, case in enumerate(base)}
        alone, together = compared(base, candidate).ratio, compared(base, candidate, clusters=clusters).ratio
        assert alone
        assert together
        assert math.log(together.high / together.low) > 1.5 * math.log(alone.high / alone.low)
        assert together.value == alone.value

    @pytest.mark.parametrize("side", [0, 1])
    def test_one_unknown_price_and_the_change_is_not_guessed(self, side: int) -> None:
        sides: list[Prices] = [[0.01] * 20, [0.01] * 20]
        sides[side] = [None, *[0.01] * 19]
        found = compared(priced(sides[0]), priced(sides[1]))
        assert found == CostComparison(20, 1, None, None)
        assert judge_cost(found, Fraction(10)) == "inconclusive"

    def test_lost_cases_are_not_pairs(self) -> None:
        base, candidate = priced([0.01] * 20), {**priced([0.01] * 20), "case-3": lost("case-3")}
        assert compared(base, candidate).pairs == 19

    def test_too_few_are_inconclusive(self) -> None:
        found = compared(priced([0.01] * 9), priced([0.02] * 9))
        assert found.ratio is None
        assert judge_cost(found, Fraction(10)) == "inconclusive"

    def test_none_correct_has_no_cost_of_a_correct_case(self) -> None:
        assert compared(priced([0.01] * 20), priced([0.01] * 20), (0, 20)).per_correct is None

    @pytest.mark.parametrize(
        ("base", "candidate", "ratio", "verdict"),
        [(0.0, 0.0, 1, "pass"), (0.0, 0.1, math.inf, "regression"), (0.1, 0.0, 0, "pass")],
    )
    def test_free_answers(self, base: float, candidate: float, ratio: float, verdict: str) -> None:
        found = compared(priced([base] * 20), priced([candidate] * 20))
        assert found.ratio == Ratio(ratio, ratio, ratio)
        assert judge_cost(found, Fraction(10)) == verdict

    def test_it_covers_what_it_promises(self) -> None:
        """Prices with a long tail, of which the candidate's are a tenth higher and scatter."""
        rng, held = random.Random(2), 0
        for _ in range(300):
            base = [rng.lognormvariate(-6, 0.7) for _ in range(60)]
            candidate = [1.1 * price * rng.lognormvariate(0, 0.3) / math.exp(0.045) for price in base]
            found = compared(priced(base), priced(candidate)).ratio
            held += found is not None and found.low <= 1.1 <= found.high
        assert held >= 273
