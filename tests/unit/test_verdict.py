"""When a drop fails, exactly: the counts of flipped cells decide, and never a rounded score."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from making import FAILED, LOST, PASSED, Sides, compared, judged, limit, result, sides

from ci_eval.comparison import Comparison, Pair
from ci_eval.config import GatePolicy
from ci_eval.verdict import Verdict, worst

PASS, REGRESSION, INCONCLUSIVE = Verdict.PASS, Verdict.REGRESSION, Verdict.INCONCLUSIVE


@pytest.mark.parametrize("cases", range(50, 501))
def test_a_drop_of_exactly_the_limit_fails_and_less_passes(cases: int) -> None:
    """One case more or less, for every size of golden set: nothing is lost to floating point."""
    least = -(-cases // 100)  # the smallest count that is one percent or more
    fails = result(sides(broke=least, same=cases - least))
    passes = result(sides(broke=least - 1, same=cases - least + 1))
    assert (fails.verdict, passes.verdict) == (REGRESSION, PASS)
    assert fails.drop == Fraction(100 * least, cases) >= 1
    assert passes.drop == Fraction(100 * (least - 1), cases) < 1


@pytest.mark.parametrize(("drop", "verdict"), [("1", REGRESSION), ("1.01", PASS), ("0.99", REGRESSION)])
def test_one_point_against_limits_around_it(drop: str, verdict: Verdict) -> None:
    assert result(sides(broke=3, same=297), limit(Fraction(drop))).verdict is verdict


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 400), st.integers(1, 1000))
@example(29, 28, 43, 100)
@example(3, 0, 297, 100)
def test_counts_decide(broke: int, repaired: int, same: int, hundredths: int) -> None:
    """A limit in hundredths of a point, against whole numbers of cases."""
    found = result(sides(broke=broke, repaired=repaired, same=same + 1), limit(Fraction(hundredths, 100)))
    cases = broke + repaired + same + 1
    fails = (broke - repaired) * 100 * 100 >= hundredths * cases
    assert found.verdict is (REGRESSION if fails else PASS)
    assert (found.cells, found.broke, found.repaired, found.missing) == (cases, broke, repaired, 0)
    assert found.base is not None
    assert found.candidate is not None
    assert found.base - found.candidate == found.drop == found.worst_drop


def weighted(pairs: Sequence[tuple[Fraction, Sides]]) -> Comparison:
    """Cells of different weights."""
    plain = compared([side for _, side in pairs])
    return Comparison(
        tuple(
            Pair(pair.case, pair.scorer, pair.dimension, weight, pair.base, pair.candidate)
            for pair, (weight, _) in zip(plain.pairs, pairs, strict=True)
        ),
        plain.cases,
        plain.base,
        plain.candidate,
    )


weights = st.sampled_from(["1", "2", "0.1", "0.2", "0.7", "3.5", "1000"]).map(Fraction)
known = st.sampled_from([True, False])


@given(st.lists(st.tuples(weights, st.tuples(known, known)), min_size=1, max_size=30))
def test_weights_count_exactly(pairs: list[tuple[Fraction, Sides]]) -> None:
    (found,) = judged(weighted(pairs), GatePolicy())
    total = sum(weight for weight, _ in pairs)
    drop = 100 * sum(weight * (int(bool(base)) - int(bool(other))) for weight, (base, other) in pairs) / total
    assert found.drop == drop
    assert found.verdict is (REGRESSION if drop >= 1 else PASS)


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.sampled_from([True, False, None])), max_size=40))
@example([(PASSED, LOST)])
@example([(LOST, LOST)] * 3)
@example([])
def test_a_lost_case_is_thought_of_both_ways(pairs: list[Sides]) -> None:
    """Pass only if green with it broken, fail only if red with it unchanged, inconclusive between the two."""
    found = result(pairs)
    unchanged = [(base if base is not None else other, other if other is not None else base) for base, other in pairs]
    broken = [(base is None or base, other is not None and other) for base, other in pairs]
    as_unchanged = result([(bool(base), bool(other)) for base, other in unchanged])
    as_broken = result(broken)
    if not pairs or all(base is None or other is None for base, other in pairs):
        assert found.verdict is INCONCLUSIVE
    elif as_unchanged.verdict is REGRESSION:
        assert found.verdict is REGRESSION
    elif as_broken.verdict is PASS:
        assert found.verdict is PASS
    else:
        assert found.verdict is INCONCLUSIVE
    assert found.drop == as_unchanged.drop
    assert found.worst_drop == as_broken.drop


@pytest.mark.parametrize(
    ("broke", "lost", "verdict"),
    [
        (0, 0, PASS),
        (0, 2, PASS),  # two of 300 lost: two thirds of a point, if both broke
        (0, 3, INCONCLUSIVE),
        (2, 1, INCONCLUSIVE),
        (3, 0, REGRESSION),
        (3, 297, REGRESSION),
        (0, 300, INCONCLUSIVE),
    ],
)
def test_lost_cases_out_of_300(broke: int, lost: int, verdict: Verdict) -> None:
    assert result(sides(broke=broke, lost=lost, same=300 - broke - lost)).verdict is verdict


def test_a_lost_case_that_failed_on_base_has_nothing_to_lose() -> None:
    assert result([(FAILED, LOST)] * 100 + [(PASSED, PASSED)] * 100).verdict is PASS


def test_repaired_cases_do_not_pay_for_a_lost_one_twice() -> None:
    """A lost base may have passed, so a candidate that passes there is no gain."""
    assert result([(LOST, PASSED)] * 5 + sides(broke=1, same=94)).verdict is REGRESSION


ANY = GatePolicy(per_dimension={"task_accuracy": "any"})


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        (sides(same=300), PASS),
        (sides(broke=1, same=299), REGRESSION),
        (sides(broke=1, repaired=50, same=249), REGRESSION),
        (sides(repaired=1, same=299), PASS),
        (sides(lost=1, same=299), INCONCLUSIVE),
        (sides(lost=1, broke=1, same=298), REGRESSION),
        ([*sides(same=299), (FAILED, LOST)], PASS),
    ],
)
def test_any_broken_case_fails_where_the_policy_says_any(pairs: list[Sides], verdict: Verdict) -> None:
    assert result(pairs, ANY).verdict is verdict


def test_each_dimension_is_gated_alone() -> None:
    """What one dimension gains does not pay for what another loses."""
    both = compared(
        sides(broke=2, repaired=10, same=88),
        {"type": "exact"},
        {"type": "contains", "dimension": "style"},
    )
    kept = tuple(pair for pair in both.pairs if not (pair.repaired and pair.dimension == "style"))
    only_style_breaks = Comparison(kept, both.cases, both.base, both.candidate)
    accuracy, style = judged(only_style_breaks, GatePolicy())
    assert (accuracy.verdict, style.verdict) == (PASS, REGRESSION)
    assert worst([accuracy.verdict, style.verdict]) is REGRESSION


def test_a_dimension_has_its_own_limit() -> None:
    own = GatePolicy(max_drop=1, per_dimension={"task_accuracy": 2.5})
    assert result(sides(broke=2, same=98), own).verdict is PASS
    assert result(sides(broke=5, same=195), own).verdict is REGRESSION


def test_a_dimension_without_cells_is_inconclusive() -> None:
    found = result([])
    assert (found.verdict, found.cells, found.base, found.candidate) == (INCONCLUSIVE, 0, None, None)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], INCONCLUSIVE),
        ([PASS], PASS),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, REGRESSION, PASS], REGRESSION),
    ],
)
def test_the_worst_of_several(verdicts: list[Verdict], expected: Verdict) -> None:
    assert worst(verdicts) is expected


def test_exit_codes() -> None:
    assert [verdict.exit_code for verdict in (PASS, REGRESSION, INCONCLUSIVE)] == [0, 1, 3]
