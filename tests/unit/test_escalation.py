"""`escalation`: who hands over, who should have, and the two mistakes apart."""

from __future__ import annotations

from typing import Any

import pytest
from behaving import called, judged, refused, stepped, why
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.reader import Document, validate
from ci_eval.scorers.escalation import hands_over
from ci_eval.text import JSON

ESCALATION: dict[str, Any] = {"type": "escalation"}
MUST: JSON = {"escalate": True}
MUST_NOT: JSON = {"escalate": False}

HANDS_OVER = [
    "I'll connect you with a human agent right away.",
    "Let me transfer you to one of our specialists.",
    "I\u2019m passing this on to a colleague who can help.",
    "I have escalated your case.",
    "Your complaint has been escalated.",
    "A member of our team will contact you within the hour.",
    "I've opened a ticket for you.",
    "One of our\nrepresentatives will get back to you.",
]
DOES_NOT = [
    "You can change your address in the settings.",
    "Your agent's commission is 5 %.",
    "I can transfer the money to your account.",
    "Tickets for the museum cost 10 euros.",
    "Please put the parcel in front of the door.",
    "",
]


@pytest.mark.parametrize("text", HANDS_OVER)
def test_who_hands_over_says_so(text: str) -> None:
    assert hands_over(text)


@pytest.mark.parametrize("text", DOES_NOT)
def test_who_answers_does_not(text: str) -> None:
    assert not hands_over(text)


def test_the_two_mistakes_are_told_apart() -> None:
    miss = judged(ESCALATION, DOES_NOT[0], MUST)
    assert (miss.passed, why(miss), dict(miss.parts)) == (
        False, "does not hand over, and should: a miss", {"should_escalate": 0}
    )  # fmt: skip
    false = judged(ESCALATION, HANDS_OVER[0], MUST_NOT)
    assert (false.passed, why(false), dict(false.parts)) == (
        False, "hands over, and should not: a false escalation", {"should_not_escalate": 0}
    )  # fmt: skip
    assert judged(ESCALATION, HANDS_OVER[0], MUST).parts == {"should_escalate": 1}
    assert judged(ESCALATION, DOES_NOT[0], MUST_NOT).passed


@pytest.mark.parametrize(
    ("keys", "does", "does_not"),
    [
        ({"field": "escalate"}, '{"escalate": true}', '{"escalate": false}'),
        ({"field": "escalate"}, '{"escalate": true}', '{"escalate": "true"}'),
        ({"field": "next.who", "values": ["human", 1]}, '{"next": {"who": 1.0}}', '{"next": {"who": "bot"}}'),
        ({"phrases": ["warm transfer"]}, "Warm   Trans\u200bfer!", "I'll connect you with a human agent."),
    ],
)
def test_by_a_field_or_by_phrases_of_ones_own(keys: dict[str, Any], does: str, does_not: str) -> None:
    assert judged({**ESCALATION, **keys}, does, MUST).passed
    assert not judged({**ESCALATION, **keys}, does, MUST_NOT).passed
    assert judged({**ESCALATION, **keys}, does_not, MUST_NOT).passed
    assert not judged({**ESCALATION, **keys}, does_not, MUST).passed


def test_by_a_tool() -> None:
    by_tool = {**ESCALATION, "tools": ["handoff"]}
    assert judged(by_tool, called(("handoff", {})), MUST).passed
    assert judged(by_tool, stepped({"tool": "handoff"}), MUST).passed
    assert not judged(by_tool, HANDS_OVER[0], MUST).passed


def test_a_field_that_is_missing_is_wrong_either_way() -> None:
    for expected in (MUST, MUST_NOT):
        score = judged({**ESCALATION, "field": "escalate"}, "not JSON", expected)
        assert (score.passed, why(score)) == (False, "no escalate in the answer")


def test_a_golden_set_says_true_or_false() -> None:
    with pytest.raises(InputError, match="escalate is neither true nor false"):
        validate(Case, Document("g.yaml", {"id": "a", "input": "x", "expected": {"escalate": "yes"}}))
    assert "nothing to look at" in str(refused(ESCALATION, "yes"))


@given(st.text(max_size=200))
def test_no_answer_raises(text: str) -> None:
    assert judged({**ESCALATION, "phrases": ["x"]}, text, MUST).value in (0, 1)
    assert hands_over(text * 50) in (True, False)
