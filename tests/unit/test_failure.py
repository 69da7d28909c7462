"""How an answer that is wrong looks: loud or silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import cell

from ci_eval.scorers.failure import doubts, mode

WRONG = [cell(False), cell(True, scorer="json_schema", dimension="format")]
BAD_FORM = [cell(False), cell(False, scorer="json_schema", dimension="format")]


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ("The parcel is in Leipzig.", "stop", "silent"),
        ('{"category": "billing"}', "stop", "silent"),
        ("The parcel is in", "length", "cut off"),
        ("", "stop", "invalid format"),
        (" \n", "stop", "invalid format"),
        ("I can't help with that.", "stop", "refusal"),
        ("No.", "refusal", "refusal"),
        ("I'll connect you with a human agent.", "stop", "hand-over"),
        ("I'm not sure, but it may be in Leipzig.", "stop", "doubt"),
        ("I don't know.", "stop", "doubt"),
        ('{"reply": "I could not find your order."}', "stop", "doubt"),
        ('{"reply": "Hm.\\nI can\\u2019t help with that."}', "stop", "refusal"),
    ],
)
def test_a_wrong_answer_is_loud_where_it_says_so_itself(text: str, finish: str, expected: str) -> None:
    assert mode(text, finish, WRONG) == expected
    assert mode(text, finish, [cell(True)]) == "right"


def test_an_answer_of_the_wrong_form_is_loud() -> None:
    """Whatever reads it stumbles over it."""
    assert mode("The parcel is in Leipzig.", "stop", BAD_FORM) == "invalid format"


@pytest.mark.parametrize(
    "text",
    [
        "I am sure that it is in Leipzig.",
        "You can verify your address in the settings.",
        "Not sure which size? See our guide.",
        "The price is certain.",
        "I do not charge for returns.",
    ],
)
def test_an_answer_that_is_certain_of_itself_has_no_doubt(text: str) -> None:
    assert not doubts(text)


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert mode(text, None, WRONG) != "right"


def test_a_long_text_is_read_to_its_end() -> None:
    assert not doubts("i am not " * 20_000)
    assert doubts("i am not " * 20_000 + "sure")
