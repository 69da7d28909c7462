"""Agreement of two raters: against scikit-learn, against published values, and as properties."""

from __future__ import annotations

import math
import random
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ci_eval.figures.agreement import Agreement, Detection

TABLES = (
    st.integers(2, 5)
    .flatmap(
        lambda size: st.lists(st.lists(st.integers(0, 40), min_size=size, max_size=size), min_size=size, max_size=size)
    )
    .filter(lambda table: any(map(any, table)))
)


def raters(table: list[list[int]]) -> tuple[list[int], list[int]]:
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [one for one, _ in pairs], [other for _, other in pairs]


@settings(deadline=None)  # importing scikit-learn takes seconds
@given(TABLES)
def test_kappa_is_scikit_learn_s(table: list[list[int]]) -> None:
    """Without weights for two values, with quadratic ones beyond."""
    from sklearn.metrics import cohen_kappa_score

    found = Agreement(table).kappa
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cohen_kappa_score(*raters(table), labels=list(range(len(table))), weights="quadratic")
    if found is None:
        assert math.isnan(theirs)
    else:
        assert found.value == pytest.approx(theirs, abs=1e-9)


def test_published_values() -> None:
    """Two abstractors on 100 records (Gwet, Handbook of Inter-Rater Reliability, 2014), with quadratic weights."""
    found = Agreement([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    assert found.kappa
    assert found.gwet
    assert round(found.kappa.value, 3) == 0.892
    assert round(found.gwet.value, 3) == 0.940
    assert (found.kappa.low, found.kappa.high) == pytest.approx((0.822, 0.962), abs=0.01)
    assert (found.gwet.low, found.gwet.high) == pytest.approx((0.905, 0.976), abs=0.01)
    assert found.agreed.value == 0.89


@pytest.mark.parametrize(
    ("table", "kappa", "ac1"),
    [
        ([[20, 5], [10, 15]], 0.4, (0.7 - 0.495) / 0.505),
        ([[118, 5], [2, 0]], -0.0234, (0.944 - 0.054432) / 0.945568),
    ],
)
def test_two_values_by_their_definitions(table: list[list[int]], kappa: float, ac1: float) -> None:
    """In the second nearly every answer passes: 94 % agreement, and a kappa below nothing."""
    found = Agreement(table)
    assert found.kappa
    assert found.gwet
    assert found.kappa.value == pytest.approx(kappa, abs=1e-4)
    assert found.gwet.value == pytest.approx(ac1)


def test_the_weighted_coefficients_count_a_near_miss_in_part() -> None:
    """Quadratic AC2 by its definition, and kappa by scikit-learn's above."""
    near, far = [[10, 5, 0], [0, 10, 5], [0, 0, 10]], [[10, 0, 5], [5, 10, 0], [0, 0, 10]]
    one, other = Agreement(near), Agreement(far)
    assert one.agreed == other.agreed
    for better, worse in ((one.kappa, other.kappa), (one.gwet, other.gwet)):
        assert better
        assert worse
        assert better.value > worse.value


@given(TABLES)
def test_a_coefficient_lies_in_its_interval_and_does_not_ask_who_is_who(table: list[list[int]]) -> None:
    turned = [list(column) for column in zip(*table, strict=True)]
    for one, other in zip(
        (Agreement(table).kappa, Agreement(table).gwet), (Agreement(turned).kappa, Agreement(turned).gwet), strict=True
    ):
        if one is None or other is None:
            assert one is other
        else:
            assert -1 <= one.low <= one.value + 1e-9 <= one.high + 2e-9 <= 1 + 3e-9
            assert one.value == pytest.approx(other.value, abs=1e-9)


@given(TABLES)
def test_raters_who_never_differ_agree_wholly_and_are_not_sure_of_it(table: list[list[int]]) -> None:
    diagonal = [[count if i == j else 0 for j, count in enumerate(row)] for i, row in enumerate(table)]
    assume(sum(any(row) for row in diagonal) > 1)
    found = Agreement(diagonal)
    assert found.kappa
    assert found.gwet
    assert found.kappa.value == pytest.approx(1)
    assert found.gwet.value == pytest.approx(1)
    assert found.kappa.low < 1
    assert found.agreed.interval[0] < 1


@pytest.mark.parametrize("table", [[], [[1]], [[0, 0], [0, 0]], [[1, 2], [3]], [[1, -1], [0, 4]]])
def test_what_is_no_table_is_refused(table: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="square table"):
        Agreement(table)


@pytest.mark.parametrize("cells", [(0.45, 0.05, 0.05, 0.45), (0.8, 0.1, 0.05, 0.05), (0.6, 0.02, 0.03, 0.35)])
def test_nineteen_of_twenty_intervals_hold_the_truth(cells: tuple[float, ...]) -> None:
    """At 120 labels, drawn 600 times: the delta method with one observation spread over the cells."""
    draw = random.Random(7)
    truth = Agreement(
        [[round(1000 * cells[0]), round(1000 * cells[1])], [round(1000 * cells[2]), round(1000 * cells[3])]]
    )
    held = {"kappa": 0, "gwet": 0}
    for _ in range(600):
        drawn = draw.choices(range(4), cells, k=120)
        found = Agreement([[drawn.count(0), drawn.count(1)], [drawn.count(2), drawn.count(3)]])
        for name in held:
            one, true = getattr(found, name), getattr(truth, name)
            held[name] += one is not None and one.low <= true.value <= one.high
    assert all(0.92 <= count / 600 <= 0.985 for count in held.values()), held


def test_how_many_labels_an_interval_needs() -> None:
    """Four times as many for half the width, and about as many as there are for the width that there is."""
    found = Agreement([[50, 10], [8, 52]])
    assert found.kappa
    assert found.needed(found.kappa.high - found.kappa.low) == pytest.approx(120, abs=3)
    assert found.needed(0.1) == pytest.approx(4 * found.needed(0.2), rel=0.01)


def test_detection_takes_people_to_be_right() -> None:
    found = Detection([[17, 3], [5, 95]])
    assert found.sensitivity
    assert found.specificity
    assert (found.sensitivity.part, found.sensitivity.of) == (17, 20)
    assert (found.specificity.part, found.specificity.of) == (95, 100)
    assert found.shrinks == pytest.approx(0.80)
    assert found.judged == (22, 98)
    assert found.sensitivity.interval == pytest.approx((0.6396, 0.9476), abs=1e-3)
    only = Detection([[0, 0], [2, 8]])
    assert (only.sensitivity, only.shrinks) == (None, None)
