"""Formulas, against what is known about them."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_eval.stats import (
    clustered_error,
    could_reject,
    fewest_unseen,
    holm,
    mid_p,
    paired_shares,
    percentile,
    points,
    student_t,
    wilson,
)


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


class TestMidP:
    @pytest.mark.parametrize(
        ("worse", "better", "p"), [(8, 0, 0.00390625), (6, 2, 0.1796875), (10, 1, 0.00634765625), (3, 3, 1), (0, 0, 1)]
    )
    def test_against_reference(self, worse: int, better: int, p: float) -> None:
        """statsmodels 0.15, scipy 1.17: mcnemar([[0, w], [b, 0]]).pvalue - binom.pmf(min(w, b), w + b, 0.5)."""
        assert mid_p(worse, better) == pytest.approx(p, abs=1e-12)

    @settings(deadline=None)
    @given(st.integers(0, 8), st.integers(0, 8))
    def test_against_all_ways_to_toss(self, worse: int, better: int) -> None:
        tosses = list(itertools.product((0, 1), repeat=worse + better))
        away = [abs(2 * sum(one) - len(one)) for one in tosses]
        here = abs(worse - better)
        expected = sum(1.0 if one > here else 0.5 if one == here else 0 for one in away) / len(tosses)
        assert mid_p(worse, better) == pytest.approx(1.0 if not here else expected)

    @settings(deadline=None)
    @given(st.integers(0, 500), st.integers(0, 500))
    def test_it_is_a_chance_and_has_no_side(self, worse: int, better: int) -> None:
        assert 0 < mid_p(worse, better) <= 1
        assert mid_p(worse, better) == mid_p(better, worse)


class TestHolm:
    def test_against_reference(self) -> None:
        """statsmodels 0.15: multipletests([.01, .04, .03, .005, .5], method="holm")[1]."""
        found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "e": 0.5})
        assert list(found) == list("abcde")
        assert list(found.values()) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.5])

    @settings(deadline=None)
    @given(st.dictionaries(st.integers(), st.floats(0, 1)))
    def test_it_rejects_what_stepping_down_rejects(self, p_values: dict[int, float]) -> None:
        """Holm's own words: compare the smallest with level/m, the next with level/(m - 1), until one is larger."""
        rejected = set()
        for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
            if p_values[name] * (len(p_values) - rank) > 0.05:
                break
            rejected.add(name)
        assert {name for name, p in holm(p_values).items() if p <= 0.05} == rejected

    def test_what_could_never_be_rejected_is_not_corrected_for(self) -> None:
        """Tarone's idea: 7 of 8 tests with hardly a flip do not weaken the one that has ten."""
        least = {"ten": 2**-10, **{f"few-{number}": 2**-3 for number in range(7)}}
        assert could_reject(least, 0.05) == ["ten"]

    @settings(deadline=None)
    @given(st.dictionaries(st.integers(), st.floats(0, 1)))
    def test_as_many_as_are_corrected_for_could_reject(self, least: dict[int, float]) -> None:
        found = could_reject(least, 0.05)
        assert all(least[name] <= 0.05 / max(1, len(found)) for name in found)
        assert len(found) == len(least) or set(found) >= {name for name, p in least.items() if p <= 0.05 / len(least)}


class TestStudentT:
    @pytest.mark.parametrize(
        ("freedom", "at_95", "at_98"),
        [
            (1, 12.706204736174694, 31.820515953773935),
            (2, 4.302652729749462, 6.9645567342832715),
            (3, 3.1824463052837078, 4.540702858568132),
            (10, 2.228138851986274, 2.7637694581126957),
            (29, 2.045229642132703, 2.4620213601504126),
            (1000, 1.9623390808264083, 2.330082674755513),
        ],
    )
    def test_against_reference(self, freedom: int, at_95: float, at_98: float) -> None:
        """scipy 1.17: t.ppf(.975, df), t.ppf(.99, df)."""
        assert student_t(freedom) == pytest.approx(at_95)
        assert student_t(freedom, 0.98) == pytest.approx(at_98)

    def test_many_degrees_of_freedom_are_the_normal(self) -> None:
        assert student_t(1001) == pytest.approx(student_t(1000), rel=0.002)
        assert student_t(10**9) == pytest.approx(1.959963984540054)

    @pytest.mark.parametrize(("freedom", "confidence"), [(0, 0.95), (3, 0.0), (3, 1.0)])
    def test_nonsense_is_refused(self, freedom: int, confidence: float) -> None:
        with pytest.raises(ValueError, match="needs"):
            student_t(freedom, confidence)


def influences(values: list[float]) -> list[float]:
    """Of each value on the mean."""
    mean = math.fsum(values) / len(values)
    return [(value - mean) / len(values) for value in values]


SMALL = st.lists(st.integers(-1, 1).map(float), min_size=2, max_size=40)


class TestClusteredError:
    def test_against_reference(self) -> None:
        """statsmodels 0.15: OLS(d, ones).fit(cov_type="cluster", cov_kwds={"groups": g}).bse."""
        differences = [-1.0, 0, 0, 1, 0, -1, -1, 0, 0, 0, 1, 0]
        groups = [0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 5]
        assert clustered_error(influences(differences), groups) == pytest.approx(0.2302374)

    @settings(deadline=None)
    @given(SMALL)
    def test_alone_in_its_cluster_each_is_the_plain_paired_error(self, values: list[float]) -> None:
        mean = math.fsum(values) / len(values)
        plain = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
        assert clustered_error(influences(values), range(len(values))) == pytest.approx(plain)

    @settings(deadline=None)
    @given(SMALL.filter(lambda values: len(set(values)) > 1), st.integers(2, 5))
    def test_copies_in_one_cluster_tell_nothing_new(self, values: list[float], copies: int) -> None:
        """The largest correlation there is: the error stays that of the clusters, and is wider than the plain one."""
        copied = [value for value in values for _ in range(copies)]
        groups = [group for group in range(len(values)) for _ in range(copies)]
        found = clustered_error(influences(copied), groups)
        assert found == pytest.approx(clustered_error(influences(values), range(len(values))))
        assert found > clustered_error(influences(copied), range(len(copied)))

    @settings(deadline=None)
    @given(SMALL, st.randoms(use_true_random=False))
    def test_order_does_not_matter(self, values: list[float], rng: random.Random) -> None:
        rows = [(influence, number % 4) for number, influence in enumerate(influences(values))]
        mixed = rng.sample(rows, len(rows))
        first, second = (clustered_error(*map(list, zip(*some, strict=True))) for some in (rows, mixed))
        assert first == second

    def test_one_cluster_is_refused(self) -> None:
        with pytest.raises(ValueError, match="two clusters"):
            clustered_error([0.1, -0.1], ["a", "a"])


class TestPairedShares:
    @pytest.mark.parametrize(
        ("worse", "better", "total", "low", "high"),
        [
            (2, 12, 50, 0.06111240679540856, 0.3447087481194728),
            (1, 4, 300, -0.006638946316469763, 0.030863685665327763),
            (7, 3, 200, -0.05765393240769605, 0.013085416129715609),
        ],
    )
    def test_against_the_likelihood_itself(self, worse: int, better: int, total: int, low: float, high: float) -> None:
        """scipy 1.17: brentq over the score test, its nuisance share found by minimize_scalar on the likelihood.

        12 and 2 of 50 are the counts of Newcombe's example (1998).
        """
        assert paired_shares(worse, better, total, 1.959963985) == pytest.approx((low, high), abs=1e-7)

    @settings(deadline=None)
    @given(st.integers(1, 400), st.data())
    def test_it_holds_the_estimate_and_mirrors(self, total: int, data: st.DataObject) -> None:
        worse = data.draw(st.integers(0, total))
        better = data.draw(st.integers(0, total - worse))
        low, high = paired_shares(worse, better, total, 1.96)
        assert -1 <= low <= (better - worse) / total + 1e-12
        assert (better - worse) / total - 1e-12 <= high <= 1
        assert paired_shares(better, worse, total, 1.96) == pytest.approx((-high, -low), abs=1e-9)

    def test_nothing_changed_is_not_sure_to_stay_so(self) -> None:
        """Near the rule of three: 3.84 of 303.84."""
        assert paired_shares(0, 0, 300, 1.96) == pytest.approx((-0.012643, 0.012643), abs=1e-6)
