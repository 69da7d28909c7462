"""`grounded`: what stands in the context, what does not, and what claims nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from behaving import judged, why
from hypothesis import given, settings
from hypothesis import strategies as st
from making import case, golden, scorer_set

from ci_eval.providers.registry import local_model
from ci_eval.scorers.base import Score
from ci_eval.scorers.grounded import claims, number, sentences

GROUNDED: dict[str, Any] = {"type": "grounded"}
CONTEXT = [
    "Parcels can be returned within 30 days of delivery. The refund is paid to the original payment method.",
    "Standard delivery by Hermes costs 4.90 euros.",
]


def said(text: str, context: Any = CONTEXT, **keys: Any) -> Score:
    return judged({**GROUNDED, **keys}, text, context=context, embed=local_model().embed)


def flat(texts: Sequence[str]) -> Sequence[Sequence[float]]:
    """Every text means the same."""
    return [(1.0,) for _ in texts]


@pytest.mark.parametrize(
    "text",
    [
        "You can return your parcel up to 30 days after delivery. Refunds go to your original payment method.",
        "- Delivery by Hermes costs 4,90 euros.",
        "I'm not sure about gifts. Delivery costs 4.9 euros. Does that help?",
        "I'm sorry, but I can't help with that.",
        "",
    ],
)
def test_what_stands_in_the_context_passes(text: str) -> None:
    assert said(text).passed, why(said(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("We offer free gift wrapping to all customers.", "cosine 0."),
        ("Parcels can be returned within 60 days of delivery.", "60 is not there"),
        ("Standard delivery by Fedex costs 4.90 euros.", "Fedex is not there"),
        ("Standard delivery by Hermes costs 49.00 euros.", "49.00 is not there"),
    ],
)
def test_what_does_not_is_named(text: str, reason: str) -> None:
    score = said(f"Parcels can be returned within 30 days. {text}")
    assert (score.value, score.passed) == (0.5, False)
    assert why(score).startswith(f"not in the context: {text} (")
    assert reason in why(score)


def test_a_share_may_be_enough() -> None:
    half = "Parcels can be returned within 30 days. We offer free gift wrapping."
    assert said(half, pass_at=0.5).passed
    assert said("Parcels can be returned within 60 days.", numbers=False).passed
    assert said("Standard delivery by Fedex costs 4.90 euros.", names=False, support_at=0.5).passed


def test_numbers_and_names_of_the_question_are_known() -> None:
    text = "Ada, your parcel 4711 can be returned within 30 days of delivery."
    assert "is not there" in why(said(text))
    asked = judged(
        {**GROUNDED, "support_at": 0.4}, text, context=CONTEXT, input="I am Ada, parcel 4711", embed=local_model().embed
    )
    assert asked.passed, why(asked)


def test_more_claims_than_are_looked_at_are_unsupported() -> None:
    score = judged({**GROUNDED, "pass_at": 0.9}, "Parcels can be returned.\n" * 100, context=CONTEXT, embed=flat)
    assert (score.value, score.passed) == (0.6, False)
    assert "40 more claims, which are too many to look at" in why(score)


def test_a_case_without_context_is_not_looked_at() -> None:
    without, with_context = case("one"), case("two", context=["x"])
    scorers = scorer_set(golden(without, with_context), GROUNDED)
    assert [len(scorers.for_case(one)) for one in (without, with_context)] == [0, 1]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It costs 4.90. Really! Yes?", ["It costs 4.90.", "Really!", "Yes?"]),
        ("# Title\n1. One thing\n2) Another\n\n* A third", ["Title", "One thing", "Another", "A third"]),
        ("See e.g. the shop. Then go", ["See e.g. the shop.", "Then go"]),
        ("これは本です。はい！", ["これは本です。", "はい！"]),
        (" \n . ", ["."]),
    ],
)
def test_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@pytest.mark.parametrize(
    ("one", "other"),
    [("1,000", "1000"), ("1.000.000", "1000000"), ("4,90", "4.9"), ("007", "7"), ("3.0", "3"), ("0.50", "0,5")],
)
def test_a_number_is_one_however_it_is_written(one: str, other: str) -> None:
    assert number(one) == number(other)


@pytest.mark.parametrize(("one", "other"), [("0.125", "125"), ("4.9", "49"), ("10", "1"), ("1,5", "15")])
def test_different_numbers_stay_different(one: str, other: str) -> None:
    assert number(one) != number(other)


@settings(max_examples=200)
@given(st.text(max_size=200), st.text(min_size=1, max_size=50))
def test_no_text_raises(text: str, context: str) -> None:
    if context.strip():
        assert 0 <= judged(GROUNDED, text, context=[context], embed=flat).value <= 1


@pytest.mark.parametrize("piece", [" ", "A. ", "1.", "Ab ", ".", "1,", "\n", "!'"])
def test_a_text_made_to_be_slow_is_read_at_once(piece: str) -> None:
    assert len(claims(piece * 100_000)) <= 100_000
    assert judged(GROUNDED, piece * 100_000, context=[piece * 100_000, "x"], embed=flat).value <= 1
