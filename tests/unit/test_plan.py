"""The plan: what fits is run whole; what does not is cut fairly, by what is known before the pull request."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.plan.subset import NOTHING, Budget, Cost, Option, Terms, plan, smallest_drop

ONE_CALL = Cost(1, 1.0, 0.01, 100, 10)
BOTH_AGAIN = Cost(2, 2.0, 0.02, 200, 20)
TERMS = Terms(concurrency=10, calls_per_second=None, slowest=0.0, max_drop=Fraction(1))
AMPLE = Budget(1e9)


def option(number: int, **different: object) -> Option:
    stratum = ("common", "common", "common", "edge", "adversarial")[number % 5]
    return replace(Option(f"c{number}", stratum, ONE_CALL, BOTH_AGAIN, flips=0.0), **different)  # type: ignore[arg-type]


def options(count: int = 300, **different: object) -> list[Option]:
    return [option(number, **different) for number in range(count)]


def test_what_fits_is_run_whole() -> None:
    found = plan(options(), TERMS, AMPLE, 1)

    assert found.whole
    assert found.fits
    assert set(found.cases) == {f"c{number}" for number in range(300)}
    assert set(found.chance.values()) == {1.0}


def test_a_budget_of_exactly_the_cost_is_enough() -> None:
    """Three dimes are more than 0.3 dollars by how computers add."""
    dimes = sum((Cost(1, usd=0.1, tokens_in=9) for _ in range(3)), NOTHING)
    assert Budget(60, usd=0.3, calls=3, tokens=27).affords(dimes)
    assert Budget(60, usd=0.3).after(Cost(usd=0.1), 0).affords(Cost(usd=0.2))
    assert not Budget(60, usd=0.2999).affords(dimes)


@pytest.mark.parametrize("budget", [Budget(20.0), Budget(1e9, 2.0)])
def test_a_part_is_the_largest_that_fits_with_room_to_confirm(budget: Budget) -> None:
    found = plan(options(), TERMS, budget, 1)

    assert not found.whole
    assert found.fits
    assert found.confirmation.calls > 0
    assert found.most_seconds <= budget.seconds
    assert budget.usd is None or (found.most.usd or 0) <= budget.usd
    one_more = plan(options(), TERMS, replace(budget, seconds=found.most_seconds, usd=found.most.usd), 1)
    assert len(one_more.cases) == len(found.cases)


def test_a_noisy_golden_set_keeps_more_room_and_so_runs_fewer_cases() -> None:
    calm, noisy = (len(plan(options(flips=flips), TERMS, Budget(30.0), 1).cases) for flips in (0.0, 0.1))

    assert noisy < calm


def test_noise_that_is_not_known_is_taken_for_a_lot() -> None:
    unknown = plan(options(flips=None), TERMS, AMPLE, 1)

    assert unknown.confirmation.calls == pytest.approx(2 * 1.6 * 300)


def test_a_model_that_repeats_itself_needs_no_room() -> None:
    assert plan(options(again=NOTHING), TERMS, AMPLE, 1).confirmation == NOTHING


def test_strata_keep_their_shares() -> None:
    found = plan(options(), TERMS, Budget(20.0), 1)

    members = Counter(option(int(case[1:])).stratum for case in found.cases)
    size = len(found.cases)
    assert all(abs(members[name] - size * share) < 1 for name, share in (("common", 0.6), ("edge", 0.2)))


def test_the_best_ranked_are_in_it_and_the_others_have_the_chance_that_is_logged() -> None:
    ranked = [replace(one, rank=float(one.case[1:])) for one in options()]
    drawn = Counter[str]()
    rounds = 400
    for seed in range(rounds):
        found = plan(ranked, TERMS, Budget(20.0), seed)
        drawn.update(found.cases)

    sure = {case for case, chance in found.chance.items() if chance == 1.0}
    assert {"c299", "c298", "c297"} <= sure
    assert len(sure) == pytest.approx(0.7 * len(found.cases), abs=3)
    assert all(drawn[case] == rounds for case in sure)
    chances = {case: chance for case, chance in found.chance.items() if chance < 1}
    assert sum(found.chance.values()) == pytest.approx(len(found.cases))
    misses = [abs(drawn[case] / rounds - chance) for case, chance in chances.items()]
    assert max(misses) < 5 * (0.25 / rounds) ** 0.5


def test_nothing_but_the_seed_draws() -> None:
    shuffled = options()
    random.Random(7).shuffle(shuffled)
    one, other = (plan(given, TERMS, Budget(20.0), 5) for given in (options(), shuffled))

    assert set(one.cases) == set(other.cases)
    assert set(one.cases) != set(plan(options(), TERMS, Budget(20.0), 6).cases)


def test_cases_that_cost_nothing_are_always_in() -> None:
    free = [replace(one, first=NOTHING, again=NOTHING) if number < 100 else one for number, one in enumerate(options())]
    found = plan(free, TERMS, Budget(15.0), 1)

    assert {f"c{number}" for number in range(100)} <= set(found.cases)
    assert not found.whole


def test_a_part_is_of_cases_that_are_asked() -> None:
    """Eighty that need no call make no check of the twenty that differ."""
    free = [
        replace(one, first=NOTHING, again=NOTHING) if number < 80 else one for number, one in enumerate(options(100))
    ]

    assert not plan(free, TERMS, Budget(1e9, 0.05), 1).fits


def test_a_budget_for_less_than_a_handful_does_not_fit() -> None:
    assert not plan(options(), TERMS, Budget(0.5), 1).fits


def test_an_unknown_price_is_over_every_limit_of_money() -> None:
    unpriced = options(first=replace(ONE_CALL, usd=None))

    assert not plan(unpriced, TERMS, Budget(1e9, 1000.0), 1).fits
    assert plan(unpriced, TERMS, AMPLE, 1).fits


def test_a_limit_of_requests_is_time() -> None:
    slow = replace(TERMS, calls_per_second=2.0)

    assert plan(options(), slow, AMPLE, 1).first_seconds == pytest.approx(150.0)


def test_whole_is_whole_whatever_it_takes() -> None:
    found = plan(options(), TERMS, Budget(1.0), 1, whole=True)

    assert found.whole
    assert not found.fits


@given(
    count=st.integers(1, 60),
    seconds=st.floats(0.01, 50),
    flips=st.one_of(st.none(), st.floats(0, 0.5)),
    seed=st.integers(0, 2**64),
)
def test_a_plan_that_fits_never_takes_more_than_the_budget(
    count: int, seconds: float, flips: float | None, seed: int
) -> None:
    found = plan(options(count, flips=flips), TERMS, Budget(seconds, 1.0), seed)

    assert len(set(found.cases)) == len(found.cases)
    assert sum(found.chance.values()) == pytest.approx(len(found.cases))
    assert not found.fits or (found.most_seconds <= seconds and (found.most.usd or 0) <= 1.0)
    assert found.fits or len(found.cases) <= 20


def test_the_smallest_drop_that_a_clean_part_excludes() -> None:
    """A random 100 of 300 without a broken case excludes 2.7 points, and no less."""
    assert smallest_drop(Fraction(1), 300, 100, broke=0) == Fraction(800, 300)
    assert smallest_drop(Fraction(1), 300, 300) == 1
    assert smallest_drop(Fraction(1), 300, 100) > smallest_drop(Fraction(1), 300, 100, broke=0)
    assert smallest_drop(Fraction(1), 300, 1) == 100
