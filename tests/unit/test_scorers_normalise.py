"""Differences between texts that do not count, and only when told so; steps in the answer's place."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from one_answer import linear, refusal, said, scored

from ci_eval.scorers.normalise import Normal, normalised
from ci_eval.text import JSON

KINDS: tuple[Normal, ...] = get_args(Normal)


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("case", "STRASSE", "straße"),
        ("case", "ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("whitespace", "two\n\t words", "two words"),
        ("whitespace", "two\u00a0words", "two words"),
        ("punctuation", "Yes, please!", "Yes please"),
        ("punctuation", "«oui»", "oui"),
        ("accents", "Crème brûlée", "Creme brulee"),
        ("accents", "Creme\u0300", "Cremè"),
        ("unicode", "\ufb01ne \uff21\u2460", "fine A1"),
        ("unicode", "e\u0301", "\u00e9"),
    ],
)
def test_a_difference_counts_until_it_is_named(kind: str, answer: str, expected: str) -> None:
    assert not scored({"type": "exact"}, answer, expected).passed
    assert scored({"type": "exact", "normalise": [kind]}, answer, expected).passed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("3.5", "35"),
        (".5", "5"),
        ("v2.0", "v20"),
        ("10-15", "1015"),
        ("-5", "5"),
        ("1,000", "1000"),
        ("12:30", "1230"),
        ("from -5 to 3.5", "from 5 to 35"),
    ],
)
def test_the_signs_of_a_number_are_no_punctuation(answer: str, expected: str) -> None:
    assert not scored({"type": "exact", "normalise": ["punctuation"]}, answer, expected).passed
    assert scored({"type": "exact", "normalise": ["punctuation"]}, f"({answer}).", answer).passed


def test_texts_within_json_are_normalised_and_names_of_fields_are_not() -> None:
    exact = {"type": "exact", "normalise": ["case", "accents"]}
    assert scored(exact, '{"a": ["É", 1]}', {"a": ["e", 1.0]}).passed
    assert not scored(exact, '{"A": ["É", 1]}', {"a": ["e", 1.0]}).passed


def test_vowel_signs_of_other_scripts_are_no_accents() -> None:
    """Without them हिन्दी would be another word."""
    assert not scored({"type": "exact", "normalise": ["accents"]}, "हिन्दी", "हनद").passed


def test_an_unknown_difference_is_refused() -> None:
    assert refusal({"type": "exact", "normalise": ["casing"]})
    assert refusal({"type": "exact", "ignore_case": True})


@given(st.text(max_size=30), st.sets(st.sampled_from(KINDS)))
@example("\u0345\u0301", {"case", "unicode"})
@example("\u1e9b\u0323", {"case", "accents"})
def test_what_is_normalised_stays_as_it_is(text: str, kinds: set[Normal]) -> None:
    once = normalised(text, kinds)
    assert normalised(once, kinds) == once


@pytest.mark.parametrize(
    "text", ["\u0316\u0300" * 50_000, "a\u0300" * 50_000, "½" * 50_000, "-5" * 50_000, "." * 99_999]
)
def test_no_text_makes_normalising_slow(text: str) -> None:
    """Python takes minutes to order a hundred thousand accents on one letter."""
    with linear():
        normalised(text, KINDS)


# --- contains and regex, counted --------------------------------------------------------------------------------------


def test_contains_takes_the_differences_that_it_is_told() -> None:
    assert scored({"type": "contains", "all": ["Creme brulee"], "normalise": ["accents"]}, "Eine Crème brûlée.").passed
    assert not scored({"type": "contains", "all": ["creme"], "normalise": ["accents"]}, "Crème").passed
    assert scored({"type": "contains", "none": [" no "]}, "nothing").passed


def test_contains_asks_for_several_of_any() -> None:
    two = {"type": "contains", "any": ["bin", "60 days", "restore"], "at_least": 2}
    assert scored(two, "Restore it from the bin.").passed
    assert said(scored(two, "Look in the bin.")) == "says only 1 of bin, 60 days, restore"
    assert "more than there are words" in str(refusal({**two, "at_least": 4}))
    assert "more than there are words" in str(refusal({"type": "contains", "at_least": 2}))


@pytest.mark.parametrize("key", ["all", "any", "none"])
def test_a_word_of_which_nothing_is_left_would_be_in_every_answer(key: str) -> None:
    assert "leaves nothing" in str(refusal({"type": "contains", key: ["?!"], "normalise": ["punctuation"]}))


@pytest.mark.parametrize(
    ("keys", "passing"),
    [({"at_least": 2}, {2, 3, 9}), ({"at_most": 2}, {1, 2}), ({"at_least": 2, "at_most": 3}, {2, 3})],
)
def test_regex_counts_matches(keys: dict[str, Any], passing: set[int]) -> None:
    for times in (0, 1, 2, 3, 9):
        assert scored({"type": "regex", "pattern": r"\[[0-9]\]", **keys}, "[1] " * times).passed is (times in passing)


@pytest.mark.parametrize("keys", [{"absent": True, "at_most": 2}, {"at_least": 3, "at_most": 2}, {"at_least": 101}])
def test_numbers_of_matches_that_cannot_be_kept_are_refused(keys: dict[str, Any]) -> None:
    assert refusal({"type": "regex", "pattern": "a", **keys})


def test_counting_matches_reads_no_further_than_it_must() -> None:
    """For each `a` this pattern reads on to the end of the answer."""
    with linear():
        scored({"type": "regex", "pattern": "a*b|a", "at_least": 100}, "a" * 100_000)


# --- a step in the answer's place -------------------------------------------------------------------------------------

STEPS: tuple[JSON, ...] = (
    {"tool": "classify", "label": "sales", "try": 1},
    "thinking",
    {"tool": "search", "query": {"lang": "de"}, "documents": ["a"]},
    {"tool": "classify", "label": "billing", "try": 2},
)


def test_a_scorer_looks_at_the_last_step_of_a_kind() -> None:
    exact = {"type": "exact", "step": {"tool": "classify"}, "field": "label"}
    assert scored(exact, "whatever", {"label": "billing"}, STEPS).passed
    assert not scored(exact, json.dumps({"label": "billing"}), {"label": "billing"}, STEPS[:1]).passed
    first = {**exact, "step": {"tool": "classify", "try": 1}}
    assert scored(first, "whatever", {"label": "sales"}, STEPS).passed
    nested = {"type": "exact", "step": {"query.lang": "de"}, "field": "documents"}
    assert scored(nested, "", {"documents": ["a"]}, STEPS).passed


def test_an_answer_without_such_a_step_fails() -> None:
    exact = {"type": "exact", "step": {"tool": "rank"}, "field": "label"}
    score = scored(exact, '{"label": "billing"}', {"label": "billing"}, STEPS)
    assert not score.passed
    assert said(score) == 'no step with {"tool":"rank"}'
    assert not scored({**exact, "step": {"try": "1"}}, "", {"label": "sales"}, STEPS).passed
    assert not scored({**exact, "step": {"try": True}}, "", {"label": "sales"}, STEPS).passed


def test_the_expectation_may_be_called_otherwise() -> None:
    exact = {"type": "exact", "field": "result.label", "against": "category"}
    assert scored(exact, '{"result": {"label": "x"}}', {"category": "x"}).passed
    assert scored({"type": "contains", "against": "words"}, "one two", {"words": ["two"]}).passed
    assert "nothing to look at" in str(refusal({**exact, "against": "nowhere"}, {"category": "x"}))


@pytest.mark.parametrize("step", [{}, {"a": None}, {"a": [1]}, {"a b": 1}, {"": 1}, [], "search"])
def test_a_step_that_says_nothing_is_refused(step: JSON) -> None:
    assert refusal({"type": "exact", "step": step})
