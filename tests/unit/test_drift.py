"""When main's scores have changed by themselves, and when that is chance."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_eval.baseline.drift import Again, Drift, chance, drifts, first_run
from ci_eval.baseline.store import WRITERS, Found, StoredRun, Trust
from ci_eval.confirm.evidence import Cell, Limit
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.records import CellResult, Fingerprint, Header, Record, Run
from ci_eval.text import Untrusted

ONE = Fraction(1)
Passes = Mapping[str, Sequence[bool]]
"""By case: each repeat."""


def run(passes: Passes, **header: Any) -> Run:
    def record(case: str, repeat: int, passed: bool) -> Record:
        cell = CellResult(
            scorer="exact", dimension="task_accuracy", score=float(passed), passed=passed, reason=Untrusted("because")
        )
        return Record(case=case, repeat=repeat, request="0" * 64, output=Untrusted("x"), finish="stop", cells=[cell])

    repeats = max(len(each) for each in passes.values())
    known = {
        "suite": "s",
        "commit": "1" * 40,
        "version": "1",
        "time": "2026-05-01T00:00:00Z",
        "event": "push",
        "repository": "octo-org/shop",
        "branch": "main",
        "run_url": "",
        "repeats": repeats,
        "deterministic": False,
        "fingerprint": Fingerprint(target="0" * 64, golden="0" * 64, scorers="0" * 64),
    }
    records = [record(case, number, passed) for case, each in passes.items() for number, passed in enumerate(each)]
    return Run(Header.model_validate({**known, **header}), tuple(records))


def again(before: Passes, now: Passes, limit: Limit = ONE, *, suite: str = "s") -> Again:
    cells = [Cell(case, "exact", "task_accuracy") for case in before]
    return Again(suite, cells, {"task_accuracy": limit}, run(before), run(now))


def always(passed: bool, cases: int = 100, repeats: int = 5) -> dict[str, list[bool]]:
    return {f"case-{number}": [passed] * repeats for number in range(cases)}


def broken(count: int, **kwargs: int) -> dict[str, list[bool]]:
    every = always(True, **kwargs)
    return {case: [False] * len(each) if number < count else each for number, (case, each) in enumerate(every.items())}


# --- what is told -----------------------------------------------------------------------------------------------------


def test_the_same_answers_are_no_change() -> None:
    assert drifts([again(always(True), always(True)), again(always(False), always(False), suite="t")]) == []


@pytest.mark.parametrize(("before", "now", "change"), [(0, 5, -5), (5, 0, 5)])
def test_cases_that_changed_for_good_are_told_in_either_direction(before: int, now: int, change: int) -> None:
    (found,) = drifts([again(broken(before), broken(now))])

    assert (found.suite, found.dimension, found.change) == ("s", "task_accuracy", Fraction(change))
    assert (found.before, found.now) == (Fraction(100 - before), Fraction(100 - now))
    assert found.p < 0.01


def test_what_is_sure_but_smaller_than_the_limit_is_not_told() -> None:
    assert drifts([again(broken(0), broken(4), Fraction(5))]) == []
    assert len(drifts([again(broken(0), broken(5), Fraction(5))])) == 1


def test_where_any_broken_case_counts_every_change_that_is_sure_is_told() -> None:
    sure, unsure = again(broken(0), broken(2), "any"), again(broken(0, repeats=1), broken(2, repeats=1), "any")
    assert len(drifts([sure])) == 1
    assert drifts([unsure]) == []


def test_a_model_that_repeats_itself_needs_eight_cases_of_one_direction() -> None:
    """One answer a side: a sign test, two-sided."""
    assert drifts([again(broken(0, repeats=1), broken(7, repeats=1))]) == []
    assert len(drifts([again(broken(0, repeats=1), broken(8, repeats=1))])) == 1


def test_many_dimensions_are_corrected_for() -> None:
    """What one alone would show is not shown among ten."""
    one = again(broken(0, repeats=1), broken(8, repeats=1))
    quiet = [again(always(True, repeats=1), always(True, repeats=1), suite=f"s{number}") for number in range(9)]

    assert len(drifts([one])) == 1
    assert drifts([one, *quiet]) == []


def test_a_dimension_of_which_nothing_is_known_is_no_change() -> None:
    empty = Again("s", [], {"task_accuracy": ONE}, run(always(True)), run(always(True)))
    assert drifts([empty]) == []


def test_chance_alone_is_hardly_ever_told() -> None:
    """A hundred cases, each right nine times in ten: one night in a hundred at most is below 1 %."""
    draw = random.Random(7)

    def night() -> dict[str, list[Fraction]]:
        return {f"case-{number}": [Fraction(draw.random() < 0.9) for _ in range(5)] for number in range(100)}

    alarms = sum(chance(night(), night()) <= 0.01 for _ in range(200))
    assert alarms <= 6, "more has a chance below 0.5 %"


# --- the test itself --------------------------------------------------------------------------------------------------

VALUES = st.lists(st.integers(0, 2).map(Fraction), min_size=1, max_size=3)


@settings(max_examples=60)
@given(data=st.data(), cases=st.integers(1, 3))
def test_it_is_the_share_of_all_ways_to_say_which_answer_came_when(data: st.DataObject, cases: int) -> None:
    """Against counting them one by one."""
    before = {str(number): data.draw(VALUES) for number in range(cases)}
    now = {str(number): data.draw(VALUES) for number in range(cases)}
    pools = [[*before[case], *now[case]] for case in before]
    expected = sum(
        (Fraction(len(now[case]), len(pool)) * sum(pool) for case, pool in zip(before, pools, strict=True)), Fraction(0)
    )
    seen = sum((value for values in now.values() for value in values), Fraction(0))
    ways = [combinations(pool, len(now[case])) for case, pool in zip(before, pools, strict=True)]
    sums = [sum((value for part in chosen for value in part), Fraction(0)) for chosen in product(*ways)]
    extreme = sum(abs(one - expected) >= abs(seen - expected) for one in sums)

    if any(any(pool) for pool in pools):
        assert chance(before, now) == pytest.approx(extreme / len(sums))
    else:
        assert chance(before, now) == 1


@given(before=st.dictionaries(st.sampled_from("abc"), VALUES), now=st.dictionaries(st.sampled_from("abc"), VALUES))
def test_it_is_a_probability_and_the_same_from_both_ends(
    before: dict[str, list[Fraction]], now: dict[str, list[Fraction]]
) -> None:
    p = chance(before, now)
    assert 0 < p <= 1
    assert p == pytest.approx(chance(now, before))


# --- what it is compared with -----------------------------------------------------------------------------------------

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TRUST = Trust(WRITERS, "octo-org/shop", timedelta(days=14), NOW)


def found(*runs: Run) -> Found:
    """Newest first, as the store gives them."""
    newest_first = sorted(runs, key=lambda one: one.header.time, reverse=True)
    return Found(tuple(StoredRun(f"{n}", f"{n}", one) for n, one in enumerate(newest_first)))


def test_it_is_compared_with_the_first_run_however_old() -> None:
    """A run from after the change would hide it."""
    first, later = run(broken(0), time="2026-01-01T00:00:00Z"), run(broken(9), time="2026-05-31T00:00:00Z")

    assert first_run(found(first, later), TRUST, broken(0)) is first
    assert first_run(Found(), TRUST, broken(0)) is None


@pytest.mark.parametrize("wrong", [{"event": "pull_request"}, {"repository": "mallory/shop"}, {"repeats": 6}])
def test_a_run_that_may_not_stand_for_main_is_passed_over(wrong: dict[str, Any]) -> None:
    good = run(broken(0), time="2026-02-01T00:00:00Z")
    assert first_run(found(run(broken(0), time="2026-01-01T00:00:00Z", **wrong), good), TRUST, broken(0)) is good


def test_a_drift_is_told_with_its_sign() -> None:
    assert Drift("s", "d", Fraction(90), Fraction(80), 0.001).change == -10


def test_a_dimension_that_a_model_judges_brings_its_judge() -> None:
    """The judge may have changed, and not what it judges."""
    one, other = (
        JudgeAgreement(scorer=Untrusted("j"), dimension=Untrusted(name), model=Untrusted("m"))
        for name in ("task_accuracy", "tone")
    )
    made = again(always(True), broken(20))
    judged = replace(made, now=run(broken(20), judges=[one, other]))
    assert [drift.judges for drift in drifts([judged])] == [(one,)]
    assert [drift.judges for drift in drifts([made])] == [()]
