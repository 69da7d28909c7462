"""Two run files side by side: what the shared cases say, what the others change, and when that is enough to fail."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import cell, fingerprint, header, record

from ci_eval.compare_runs import RunComparison, compare
from ci_eval.comparison import Effect
from ci_eval.errors import Inconclusive, InputError
from ci_eval.figures.counted_run import counted
from ci_eval.records import Record, Run
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

ONE_POINT = Fraction(1)
Passes = Mapping[str, Sequence[bool | None]]
"""By case, what each repeat did; None is lost."""


def lost(name: str, **different: Any) -> Record:
    gone = {"output": None, "finish": None, "error": Untrusted("HTTP 503"), "error_kind": "infrastructure"}
    return record(name, **{**gone, **different}).model_copy(update={"cells": []})


def run_of(passes: Passes, **different: Any) -> Run:
    """One scorer, one dimension."""
    records = [
        lost(case, repeat=repeat) if passed is None else record(case, cell(passed), repeat=repeat)
        for case, repeats in passes.items()
        for repeat, passed in enumerate(repeats)
    ]
    return Run(header(repeats=max((len(one) for one in passes.values()), default=1), **different), tuple(records))


def beside(base: Run, candidate: Run) -> RunComparison:
    return compare(counted("base.jsonl", base), counted("candidate.jsonl", candidate))


def cases(*, broke: int = 0, repaired: int = 0, same: int = 0, **different: Any) -> RunComparison:
    kinds = [(True, False)] * broke + [(False, True)] * repaired + [(True, True)] * same
    sides = [{f"c{number:04}": [kind[side]] for number, kind in enumerate(kinds)} for side in (0, 1)]
    return beside(*(run_of(side, **different) for side in sides))


names = st.sampled_from([f"c{number}" for number in range(14)])
answers = st.lists(st.sampled_from([True, True, False, None]), min_size=2, max_size=2)
runs = st.dictionaries(names, answers, min_size=1).map(run_of)


def compared(base: Run, candidate: Run) -> RunComparison | None:
    """None where the two share nothing."""
    try:
        return beside(base, candidate)
    except Inconclusive:
        return None


@given(runs, runs)
def test_swapping_the_sides_turns_everything_round(one: Run, other: Run) -> None:
    there, back = compared(one, other), compared(other, one)
    assert (there is None) == (back is None)
    if there is None or back is None:
        return
    assert there.shared == back.shared
    assert [case.case for case in there.worse] == [case.case for case in back.better]
    assert (there.only_base, there.only_candidate) == (back.only_candidate, back.only_base)
    for forth, turned in zip(there.dimensions, back.dimensions, strict=True):
        assert forth.change == -turned.change
        assert (forth.worse, forth.better, forth.missing) == (turned.better, turned.worse, turned.missing)
        assert forth.p == turned.p
        if forth.interval and turned.interval:
            assert forth.interval == pytest.approx((-turned.interval[1], -turned.interval[0]), abs=1e-6)


@given(runs)
def test_a_run_beside_itself_changed_nothing(one: Run) -> None:
    found = compared(one, one)
    if found:
        assert [each.change for each in found.dimensions] == [0]
        assert [(each.worse, each.better, each.p) for each in found.dimensions] == [(0, 0, 1.0)]
        assert (found.worse, found.better, found.only_base.cases, found.only_candidate.cases) == ((), (), (), ())


@given(runs, runs, st.randoms())
def test_the_order_of_records_does_not_matter(base: Run, candidate: Run, shuffle: random.Random) -> None:
    """They stand in the order in which answers came in."""
    mixed = Run(candidate.header, tuple(shuffle.sample(candidate.records, len(candidate.records))))
    found, again = compared(base, candidate), compared(base, mixed)
    assert found == again


@given(runs, runs)
def test_the_change_is_within_its_interval_and_the_scores_are_shares(base: Run, candidate: Run) -> None:
    for one in (compared(base, candidate) or cases(same=1)).dimensions:
        assert 0 <= one.base <= 100
        assert 0 <= one.candidate <= 100
        if one.interval:
            low, high = one.interval
            assert -100 <= low <= float(one.change) + 1e-6
            assert float(one.change) - 1e-6 <= high <= 100


def test_scores_are_over_the_shared_cases_and_new_ones_are_told_apart() -> None:
    base = run_of({"a": [True], "b": [True], "gone": [False]})
    found = beside(base, run_of({"a": [True], "b": [False], "new": [False], "newer": [False]}))
    (one,) = found.dimensions
    assert found.shared == ("a", "b")
    assert [one.base, one.candidate] == [100, 50]
    assert found.only_candidate.cases == ("new", "newer")
    assert found.only_candidate.effects == (Effect("task_accuracy", Fraction(50), Fraction(25)),)
    assert found.only_base.effects == (Effect("task_accuracy", Fraction(100), Fraction(200, 3)),)


def test_a_dimension_of_new_cases_alone_has_no_score_without_them() -> None:
    base = Run(header(), (record("a"),))
    candidate = Run(header(), (record("a"), record("new", cell(False, scorer="tone", dimension="behaviour"))))
    assert beside(base, candidate).only_candidate.effects == (Effect("behaviour", None, Fraction(0)),)


def test_repeats_count_as_a_share_and_a_case_has_one_vote() -> None:
    found = beside(run_of({"a": [True] * 4, "b": [True] * 4}), run_of({"a": [True] * 4, "b": [False] * 3 + [True]}))
    (one,) = found.dimensions
    assert [one.base, one.candidate] == [100, Fraction(125, 2)]
    assert (one.worse, one.better) == (1, 0)
    (worse,) = found.worse
    assert (worse.base.cells[0].passed, worse.candidate.cells[0].passed) == (True, False)
    assert (worse.cells[0].base, worse.cells[0].candidate) == ((4, 4), (1, 4))


def test_more_answers_to_a_case_make_the_interval_narrower() -> None:
    """Of cases that are coin flips on both sides."""
    flips = random.Random(7)

    def width(repeats: int) -> float:
        base, candidate = (
            run_of({f"c{number}": [flips.random() < 0.5 for _ in range(repeats)] for number in range(100)})
            for _ in range(2)
        )
        (one,) = beside(base, candidate).dimensions
        assert one.interval
        return one.interval[1] - one.interval[0]

    assert width(16) == pytest.approx(width(1) / 4, rel=0.2)


def test_two_scorers_of_a_case_vote_once() -> None:
    one, two = cell(scorer="one"), cell(scorer="two")
    off = [cell(False, scorer=name) for name in ("one", "two")]
    found = beside(Run(header(), (record("a", one, two),)), Run(header(), (record("a", *off),)))
    assert (found.dimensions[0].worse, found.dimensions[0].cells, len(found.worse)) == (1, 2, 1)


def test_the_largest_loss_is_listed_first() -> None:
    base = run_of({name: [True, True] for name in "abc"})
    found = beside(base, run_of({"a": [True, False], "b": [False, False], "c": [True, False]}))
    assert [case.case for case in found.worse] == ["b", "a", "c"]


# --- what cannot be compared ------------------------------------------------------------------------------------------


def test_lost_answers_are_no_score_and_no_pass() -> None:
    base = run_of({f"c{number}": [True] for number in range(20)})
    found = beside(base, run_of({f"c{number}": [True if number else None] for number in range(20)}))
    (one,) = found.dimensions
    assert (one.cells, one.missing) == (19, 1)
    assert one.change == 0
    assert (found.candidate.lost, found.strangers) == (1, ((), ()))
    assert found.verdict(ONE_POINT) is Verdict.INCONCLUSIVE


def test_a_score_beside_an_infrastructure_error_does_not_count() -> None:
    """Nobody writes such a record but by hand."""
    base = run_of({"a": [True], "b": [True]})
    forged = record("b", cell(False), error_kind="infrastructure")
    assert beside(base, Run(header(), (record("a"), forged))).dimensions[0].cells == 1


def test_a_shard_is_no_run() -> None:
    with pytest.raises(Inconclusive, match=r"^x.jsonl is shard 1/2 of a run; join the shards with ci-eval merge$"):
        counted("x.jsonl", run_of({"a": [True]}, shard="1/2"))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (Run(header(repeats=2), (record("a"), record("a", repeat=1), record("b"))), '"b" has 1 of 2 answers'),
        (Run(header(), ()), "no answer"),
    ],
)
def test_a_run_that_was_interrupted_is_none(run: Run, words: str) -> None:
    with pytest.raises(Inconclusive, match=f"x.jsonl is not whole: .*{words}; finish it .*--resume"):
        counted("x.jsonl", run)


def test_another_suite_is_refused() -> None:
    with pytest.raises(InputError, match=r"candidate\.jsonl: is a run of suite other, and base\.jsonl of suite s"):
        beside(run_of({"a": [True]}), run_of({"a": [True]}, suite="other"))


def test_runs_that_share_no_score_are_not_compared() -> None:
    with pytest.raises(Inconclusive, match="shares no score with"):
        beside(run_of({"a": [True]}), run_of({"b": [True]}))


def test_scorers_of_one_side_are_named_and_a_dimension_that_vanished_does_not_pass() -> None:
    tone = cell(scorer="tone", dimension="behaviour")
    base, candidate = Run(header(), (record("a", cell(), tone),)), Run(header(), (record("a", cell()),))
    found = beside(base, candidate)
    assert found.strangers == ((("tone", "behaviour"),), ())
    assert found.verdict(ONE_POINT) is Verdict.INCONCLUSIVE
    assert beside(candidate, base).verdict(ONE_POINT) is Verdict.PASS, "one that is new takes nothing away"


def test_cases_that_lack_of_the_same_golden_set_do_not_pass_and_those_of_another_do() -> None:
    base, part = run_of({"a": [True], "b": [True]}), {"a": [True]}
    assert beside(base, run_of(part)).verdict(ONE_POINT) is Verdict.INCONCLUSIVE
    other = run_of(part, fingerprint=fingerprint("a", "e"))
    assert beside(base, other).verdict(ONE_POINT) is Verdict.PASS


def test_a_rewritten_request_shows_where_the_prompt_is_the_same() -> None:
    base = Run(header(), (record("a", request="1" * 64), record("b")))
    candidate = (record("a", request="2" * 64), record("b"))
    golden = Run(header(fingerprint=fingerprint("a", "e")), candidate)
    assert beside(base, golden).rewritten == ("a",)
    assert beside(base, Run(header(fingerprint=fingerprint("d", "e")), candidate)).rewritten == ()


# --- the limit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (cases(broke=6, same=294), Verdict.REGRESSION),
        (cases(broke=3, same=297), Verdict.INCONCLUSIVE),
        (cases(broke=2, same=298), Verdict.PASS),
        (cases(repaired=9, same=291), Verdict.PASS),
        (cases(broke=9, repaired=6, same=285), Verdict.INCONCLUSIVE),
        (cases(broke=3, same=297, deterministic=True), Verdict.REGRESSION),
        (cases(broke=2, same=298, deterministic=True), Verdict.PASS),
    ],
)
def test_only_a_drop_that_is_no_chance_is_a_regression(found: RunComparison, expected: Verdict) -> None:
    """A model that repeats itself makes none."""
    assert found.verdict(ONE_POINT) is expected


def test_what_rose_did_not_fall() -> None:
    assert not cases(repaired=9, same=91, deterministic=True).dimensions[0].fell


def test_a_drop_of_exactly_the_limit_reaches_it() -> None:
    found = cases(broke=7, same=93, deterministic=True)
    assert found.verdict(Fraction(7)) is Verdict.REGRESSION
    assert found.verdict(Fraction("7.000001")) is Verdict.PASS


def test_many_small_gains_do_not_make_a_large_loss_sure() -> None:
    """The test votes by case, so it can reject for the better while the mean is worse."""
    base = {f"c{number:03}": [True, False, False, False] for number in range(60)}
    lifted = {case: [True, True, False, False] for case in list(base)[:12]}
    fallen = {f"d{number}": [True] * 4 for number in range(4)}
    dropped = {name: [False] * 4 for name in fallen}
    found = beside(run_of({**base, **fallen}), run_of({**base, **lifted, **dropped}))
    (one,) = found.dimensions
    assert (one.worse, one.better) == (4, 12)
    assert one.change < 0
    assert one.p < 0.05
    assert found.verdict(ONE_POINT) is Verdict.INCONCLUSIVE


def test_a_regression_must_be_one_even_if_what_is_missing_had_not_changed() -> None:
    base = {f"c{number:03}": [True] for number in range(200)}
    answered = {case: [number >= 6] if number < 100 else [None] for number, case in enumerate(base)}
    found = beside(run_of(base), run_of(answered))
    assert found.dimensions[0].change == -6
    assert found.verdict(Fraction(3)) is Verdict.REGRESSION
    assert found.verdict(Fraction(4)) is Verdict.INCONCLUSIVE
