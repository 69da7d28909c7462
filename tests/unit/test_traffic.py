"""What all traffic would show: clustered, and never surer than the cases make it."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import FAILED, LOST, PASSED, Sides, compared, sides

from ci_eval.figures.traffic import Traffic, wider
from ci_eval.golden.cases import clusters_of
from ci_eval.stats import paired_shares, student_t

BROKE, REPAIRED, SAME = (PASSED, FAILED), (FAILED, PASSED), (PASSED, PASSED)


def seen(given: Sequence[Sides], clusters: Sequence[Hashable] | None = None, weight: Fraction = Fraction(1)) -> Traffic:
    """The interval of one dimension; without clusters each case is its own."""
    comparison = compared(given)
    pairs = [replace(pair, weight=weight) for pair in comparison.pairs]
    names = list(comparison.cases)
    found = wider("task_accuracy", pairs, dict(zip(names, clusters or names, strict=True)))
    assert found
    return found


def width(found: Traffic) -> float:
    assert found.interval
    return found.interval[1] - found.interval[0]


def test_cases_without_a_cluster_are_as_many_independent_pairs() -> None:
    found = seen(sides(broke=9, repaired=3, same=288))
    assert (found.cases, found.clusters, found.change) == (300, 300, Fraction(-2))
    expected = paired_shares(9, 3, 300, student_t(299))
    assert found.interval == pytest.approx([100 * end for end in expected], abs=0.02)


def test_nothing_changed_is_no_proof() -> None:
    found = seen(sides(same=300))
    assert found.change == 0
    assert found.interval == pytest.approx((-1.275, 1.275), abs=0.002)


def test_flips_that_fall_together_make_it_wider() -> None:
    given = sides(broke=10, repaired=5, same=285)
    together = seen(given, [number // 5 for number in range(300)])
    spread = seen(given, [number % 60 for number in range(300)])
    assert (together.clusters, spread.clusters) == (60, 60)
    assert width(together) > 1.5 * width(seen(given))
    assert width(spread) == pytest.approx(width(seen(given)), rel=0.1)


def test_flips_that_cancel_out_within_clusters_do_not_make_it_narrower() -> None:
    """Nor do three scorers that always agree: they make no three cases of one."""
    comparison = compared([*[BROKE, REPAIRED] * 10, BROKE, *[SAME] * 279])
    pairs = [replace(pair, scorer=name) for name in "abc" for pair in comparison.pairs]
    groups = {name: number // 2 for number, name in enumerate(comparison.cases)}
    together, alone = (wider("d", pairs, clusters) for clusters in (groups, {name: name for name in groups}))
    assert together
    assert alone
    assert width(together) >= width(alone)
    assert width(alone) == pytest.approx(width(seen([*[BROKE, REPAIRED] * 10, BROKE, *[SAME] * 279])))


def test_where_nothing_differed_a_cluster_is_worth_one_case() -> None:
    found = seen(sides(same=300), [number // 5 for number in range(300)])
    assert width(found) == pytest.approx(width(seen(sides(same=60))), rel=0.001)


def test_so_few_clusters_tell_nothing() -> None:
    found = seen(sides(broke=5, same=295), [number % 9 for number in range(300)])
    assert (found.clusters, found.interval) == (9, None)
    assert seen(sides(broke=5, same=295), [number % 10 for number in range(300)]).interval is not None


def test_lost_cells_say_nothing() -> None:
    with_lost = seen([*sides(broke=3, same=97), (PASSED, LOST), (LOST, FAILED)])
    assert with_lost == seen(sides(broke=3, same=97))


def test_without_any_answer_there_is_none() -> None:
    comparison = compared([(PASSED, LOST)])
    assert wider("task_accuracy", comparison.pairs, {name: name for name in comparison.cases}) is None


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([BROKE, REPAIRED, SAME]), min_size=12, max_size=60),
    st.fractions(Fraction(1, 100), 100),
    st.randoms(use_true_random=False),
)
def test_neither_the_order_nor_the_unit_of_weight_matters(
    given: list[Sides], weight: Fraction, rng: random.Random
) -> None:
    groups = [number % 11 for number in range(len(given))]
    mixed = rng.sample(list(zip(given, groups, strict=True)), len(given))
    first = seen(given, groups)
    second = seen([one for one, _ in mixed], [group for _, group in mixed], weight)
    assert first.change == second.change
    assert first.interval == pytest.approx(second.interval, abs=1e-6)
    assert first.interval
    assert -100 <= first.interval[0] <= first.change + Fraction(1, 10**6)
    assert first.change - Fraction(1, 10**6) <= first.interval[1] <= 100


def test_a_heavy_scorer_counts_by_its_weight() -> None:
    """Two scores a case, one of them three times as heavy: a quarter of a case is lost in each."""
    light, heavy = compared(sides(broke=20, same=80)).pairs, compared(sides(same=100)).pairs
    pairs = [*light, *(replace(pair, scorer="heavy", weight=Fraction(3)) for pair in heavy)]
    found = wider("task_accuracy", pairs, {pair.case: pair.case for pair in light})
    assert found
    assert (found.cases, found.change) == (100, Fraction(-5))
    assert width(found) < width(seen(sides(broke=20, same=80))) / 2


def test_clusters_are_of_the_golden_set() -> None:
    cases = compared(sides(same=3)).cases
    one, two, three = cases.values()
    given = [one.model_copy(update={"cluster": "case-2"}), two.model_copy(update={"cluster": "case-2"}), three]
    found = clusters_of(given)
    assert found["case-0"] == found["case-1"]
    assert found["case-2"] != found["case-0"]


def draw(rng: random.Random, groups: int, size: int, together: float) -> list[Sides]:
    """5 % break and 3 % are repaired; a case does what its cluster does with probability `together`."""

    def one() -> Sides:
        return rng.choices([BROKE, REPAIRED, SAME], [5, 3, 92])[0]

    given: list[Sides] = []
    for _ in range(groups):
        shared = one()
        given += [shared if rng.random() < together else one() for _ in range(size)]
    return given


@pytest.mark.parametrize(("groups", "size", "together"), [(200, 1, 0.0), (60, 5, 0.7), (20, 10, 0.5)])
def test_it_covers_what_it_promises(groups: int, size: int, together: float) -> None:
    """The true change is -2 points."""
    rng, held = random.Random(4), 0
    clusters = [number // size for number in range(groups * size)]
    for _ in range(150):
        found = seen(draw(rng, groups, size, together), clusters)
        assert found.interval
        held += found.interval[0] <= -2 <= found.interval[1]
    assert held >= 138
