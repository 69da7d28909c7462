"""Two answers beside each other: what differs is marked, nothing is lost, and no text makes it slow."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.report.html import worddiff
from ci_eval.report.html.worddiff import Span, word_diff

WORDS = st.lists(st.sampled_from(["a", "b", "cat", " ", "\n", ".", "é", "_", "0"]), max_size=40).map("".join)


@given(WORDS | st.text(), WORDS | st.text())
def test_both_texts_stay_whole_and_what_is_equal_is_equal(base: str, candidate: str) -> None:
    before, after = word_diff(base, candidate)
    assert "".join(span.text for span in before) == base
    assert "".join(span.text for span in after) == candidate
    assert [s.text for s in before if not s.differs] == [s.text for s in after if not s.differs] or "".join(
        span.text for span in before if not span.differs
    ) == "".join(span.text for span in after if not span.differs)


@given(WORDS)
def test_equal_texts_have_no_mark(text: str) -> None:
    assert not any(span.differs for side in word_diff(text, text) for span in side)


def test_words_are_marked_not_letters() -> None:
    assert word_diff("refund in seven days", "refund in nine days") == (
        [Span("refund in ", False), Span("seven", True), Span(" days", False)],
        [Span("refund in ", False), Span("nine", True), Span(" days", False)],
    )


def test_two_changes_with_a_blank_between_are_one() -> None:
    before, _ = word_diff("say one two now", "say three four now")
    assert [span.text for span in before if span.differs] == ["one two"]


@pytest.mark.parametrize(
    ("base", "candidate"),
    [
        ("a " * 50_000, "a b " * 25_000),
        ("\n" * 100_000, "x\n" * 50_000),
        ("(" * 100_000, ")(" * 50_000),
        (" ".join(map(str, range(20_000))), " ".join(map(str, range(20_000, 0, -1)))),
    ],
)
def test_no_text_is_compared_at_a_cost_beyond_bounds(
    base: str, candidate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = []

    def counting(junk: None, one: list[str], other: list[str], *, autojunk: bool) -> SequenceMatcher[str]:
        words = Counter(other)
        pairs.append(sum(words[word] for word in one))
        return SequenceMatcher(junk, one, other, autojunk)

    monkeypatch.setattr(worddiff, "SequenceMatcher", counting)
    before, after = word_diff(base, candidate)
    assert sum(pairs) <= 20_000
    assert any(span.differs for span in before)
    assert "".join(span.text for span in after) == candidate
