"""Words of one's own that say an answer declines, or may be wrong: for other languages than English."""

from __future__ import annotations

import pytest
from behaving import judged, refused, why
from making import cell

from ci_eval.scorers.base import Answer

GERMAN = ["dabei kann ich nicht helfen", "darf ich nicht", "bin mir nicht sicher"]


@pytest.mark.parametrize(
    ("text", "declines"),
    [
        ("Leider: Das DARF  ich nicht!", True),
        ("Dabei kann ich nicht\u00a0helfen.", True),
        ("Das darf ich nichtig nennen.", False),
        ("Ich kann Ihre Bestellnummer nicht finden, bitte nennen Sie sie.", False),
        ("I can't help with that.", True),
        (f"{'Gern. ' * 80}Mehr darf ich nicht sagen.", False),
    ],
)
def test_a_refusal_in_words_of_ones_own(text: str, declines: bool) -> None:
    scorer = {"type": "refusal", "phrases": GERMAN}
    assert judged(scorer, text, {"refuse": True}).passed is declines
    assert judged(scorer, text).passed is not declines


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Ich bin mir nicht sicher.", "wrong, and looks it: a phrase"),
        ('{"reply": "Das darf ich nicht, t\\u00fct mir leid"}', "wrong, and looks it: a phrase"),
        ("Leipzig.", "wrong, and does not look it"),
        ("I'm not sure.", "wrong, and looks it: doubt"),
    ],
)
def test_a_wrong_answer_that_is_loud_in_words_of_ones_own(text: str, told: str) -> None:
    answer = Answer(text, judged=(cell(False),))
    assert why(judged({"type": "not_silent", "phrases": GERMAN}, answer)) == told


def test_what_is_right_is_right_whatever_it_says() -> None:
    answer = Answer("Das darf ich nicht.", judged=(cell(True),))
    assert why(judged({"type": "not_silent", "phrases": GERMAN}, answer)) == "right"


@pytest.mark.parametrize("kind", ["refusal", "not_silent"])
@pytest.mark.parametrize("phrases", [[""], ["x" * 501], "darf nicht", [1], ["x"] * 201])
def test_phrases_that_are_none(kind: str, phrases: object) -> None:
    assert "phrases" in str(refused({"type": kind, "phrases": phrases}))
