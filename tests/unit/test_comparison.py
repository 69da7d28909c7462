"""Pairing: base's cases, each with itself, whatever the two runs hold."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from making import EXACT, case, cell, compared, golden, record, scorer_set, sides

from ci_eval.comparison import base_passed, candidate_passed, pair_up, share
from ci_eval.records import Record

CONTAINS = {"type": "contains", "dimension": "style", "weight": 0.1}


def test_every_scorer_that_applies_gives_a_pair_for_every_case_of_base() -> None:
    cases = golden(case("a"), case("b", expected=None), case("c", scorers=[{"type": "regex", "pattern": "x"}]))
    scorers = scorer_set(cases, EXACT, CONTAINS)
    found = pair_up(cases.cases, scorers, {}, {})
    assert [(pair.case, pair.scorer, pair.weight) for pair in found.pairs] == [
        ("a", "exact", 1),
        ("a", "contains", Fraction(1, 10)),
        ("c", "exact", 1),
        ("c", "contains", Fraction(1, 10)),
        ("c", "c:0:regex", 1),
    ]
    assert all(pair.missing for pair in found.pairs)
    assert found.lost() == ("a", "c")


def test_records_of_cases_that_base_does_not_have_are_left_out() -> None:
    cases = golden(case("a"))
    both = {"a": record("a"), "new": record("new", cell(False))}
    found = pair_up(cases.cases, scorer_set(cases), both, both)
    assert [pair.case for pair in found.pairs] == ["a"]
    assert (set(found.base), set(found.candidate)) == ({"a"}, {"a"}), "so that no total of theirs counts them"


def test_cells_of_a_scorer_that_base_does_not_have_are_left_out() -> None:
    cases = golden(case("a"))
    side = {"a": record("a", cell(False), cell(True, scorer="easy", dimension="easy"))}
    (pair,) = pair_up(cases.cases, scorer_set(cases), side, side).pairs
    assert (pair.scorer, base_passed(pair)) == ("exact", False)


def test_a_side_without_a_record_or_without_the_cell_is_missing() -> None:
    cases = golden(case("a"), case("b"), case("c"))
    lost = Record(case="b", request="9" * 64, error_kind="infrastructure")
    other = record("c", cell(scorer="another"))
    pairs = pair_up(cases.cases, scorer_set(cases), {n: record(n) for n in "abc"}, {"b": lost, "c": other}).pairs
    assert [candidate_passed(pair) for pair in pairs] == [None, None, None]
    assert not any(pair.broke or pair.repaired for pair in pairs)


def test_what_changed_is_told_in_the_order_of_the_golden_set() -> None:
    found = compared(sides(repaired=1, broke=2, same=1), EXACT, CONTAINS)
    assert found.changed_cases(lambda pair: pair.broke) == ("case-0", "case-1")
    assert found.changed_cases(lambda pair: pair.repaired) == ("case-2",)
    assert len(found.dimension("style")) == 4


@given(st.lists(st.sampled_from([True, False, None]), max_size=20))
def test_a_share_is_of_what_is_known(passed: list[bool | None]) -> None:
    pairs = compared([(True, one) for one in passed]).pairs if passed else ()
    seen = [one for one in passed if one is not None]
    assert share(pairs, candidate_passed) == (Fraction(sum(seen), len(seen)) if seen else None)
