"""What is wrong with a dataset beside what changed in it: refused rows, copies, shifts, runs of golden words."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from gated import POLICY, PROMPT, Product
from gated import rows as lines
from hypothesis import given, settings
from hypothesis import strategies as st
from making import case, held, jsonl
from repo import Repo
from report_factory import said

from ci_eval.datasets.changes import lengths, shifts
from ci_eval.datasets.contamination import leaks_in_rows, leaks_in_text, words
from ci_eval.datasets.duplicates import ALIKE, duplicates
from ci_eval.datasets.formats import refused
from ci_eval.datasets.rows import Row, read
from ci_eval.outcome.model import GateOutcome


def rows(*values: Any, file: str = "d.jsonl") -> list[Row]:
    return list(read(held({file: jsonl(*values)}), file))


def pair(asked: str, answered: Any = "fine") -> dict[str, Any]:
    return {"input": asked, "output": answered}


def gemini(*turns: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [turn("user", "q"), turn("model", "a"), *turns]}


def turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def chat(*turns: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, *turns], **more}


CALL = {"role": "assistant", "tool_calls": [{"id": "1"}]}

# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (chat({"role": "user", "content": "more?"}), "the last message is not the assistant's"),
        (chat({"role": "bot", "content": "x"}, {"role": "assistant", "content": "y"}), "message 3: it has no role"),
        (chat({"role": ["x"]}, {"role": "assistant", "content": "y"}), "message 3: it has no role"),
        (chat({"role": "tool"}, {"role": "assistant", "content": "y"}), "message 3: it has no content"),
        (chat({"role": "assistant", "content": " "}), "message 3: its content is empty"),
        (chat({"role": "assistant", "content": 5}), "message 3: its content is neither"),
        (chat({"role": "assistant", "content": "x", "weight": 2}), "message 3: a weight is 0 or 1"),
        (chat("text", {"role": "assistant", "content": "y"}), "message 3: it is no object"),  # type: ignore[arg-type]
        (chat(label="x"), "the chat format has no key of this name"),
        (gemini(turn("user", "r")), "the last turn is not the model's"),
        (gemini({"role": "system", "parts": []}), "turn 3: its role is neither"),
        (gemini({"role": {}, "parts": []}), "turn 3: its role is neither"),
        (pair(" "), "nothing is asked or answered"),
    ],
)  # fmt: skip
def test_a_row_that_a_provider_would_refuse_is_told_with_its_line(row: dict[str, Any], why: str) -> None:
    good = (
        {key: value for key, value in row.items() if key not in {"label", "messages", "contents"}}
        if "input" in row
        else row
    )
    first = pair("q") if "input" in good else ({"contents": row["contents"][:2]} if "contents" in row else chat())
    (found,) = refused(rows(first, first, row))
    assert (found.file, found.line) == ("d.jsonl", 3)
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    "row",
    [
        chat(),
        chat(tools=[], parallel_tool_calls=False),
        chat(CALL, {"role": "tool", "content": "t"}, {"role": "assistant", "content": "b"}),
        chat({"role": "assistant", "content": "b", "weight": 0}),
        pair("q"),
    ],
)  # fmt: skip
def test_a_row_that_is_right_is_not(row: dict[str, Any]) -> None:
    assert refused(rows(row)) == []


def test_a_row_of_another_format_than_the_rest_of_its_file() -> None:
    (found,) = refused(rows(chat(), chat(), pair("q")))
    assert (found.line, found.why) == (3, "it is plain where the rest of the file is openai")


def test_an_instruction_is_read_with_what_it_speaks_of() -> None:
    (row,) = rows({"instruction": "Sort it.", "input": "A letter", "output": "post"})
    assert row.input == "Sort it.\n\nA letter"


# --- duplicates -------------------------------------------------------------------------------------------------------

LONG = "please tell me how i can get my money back for the large photo book that arrived torn on monday"


def test_copies_contradictions_and_near_copies_are_counted() -> None:
    found = duplicates(
        rows(
            pair("Where is it?"), pair("where is it"), pair("Where is it?", "lost"), pair(LONG), pair(LONG + " morning")
        )
    )
    assert (found.exact, found.contradicting, found.near) == (1, 1, 1)
    assert [(one.line, other.line) for one, other in found.examples] == [(4, 5)]


def test_rows_that_share_a_phrase_are_no_copies() -> None:
    others = [
        pair(f"please tell me how i can {verb} my photos and {verb} them again with care today")
        for verb in ("sort", "print", "share")
    ]
    assert not duplicates(rows(*others))


WORDS = st.sampled_from(["red", "green", "blue", "one", "two", "three", "four", "five", "six", "seven"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(WORDS, min_size=8, max_size=14).map(" ".join), min_size=2, max_size=12, unique=True))
def test_near_copies_are_those_that_comparing_all_with_all_would_find(texts: list[str]) -> None:
    """None that is not one; and none is missed that is alike beyond doubt."""

    def alike(one: str, other: str) -> float:
        mine, theirs = (
            {tuple(text.split()[at : at + 3]) for at in range(len(text.split()) - 2)} for text in (one, other)
        )
        return len(mine & theirs) / len(mine | theirs)

    found = duplicates(rows(*map(pair, texts)), shown=100)
    sure = {other for one, other in combinations(texts, 2) if alike(one, other) > 0.999}
    possible = {other for one, other in combinations(texts, 2) if alike(one, other) >= ALIKE}
    assert len(sure) <= found.near <= len(possible)
    assert all(alike(one.input, other.input) >= ALIKE for one, other in found.examples)


# --- shifts -----------------------------------------------------------------------------------------------------------


def labelled(**counts: int) -> list[Row]:
    return rows(
        *(
            pair(f"{label} {n}", {"topic": label, "text": f"t{n}"})
            for label, count in counts.items()
            for n in range(count)
        )
    )


def test_labels_that_moved_are_told_with_their_shares() -> None:
    (found,) = shifts(labelled(billing=60, account=40), labelled(billing=30, account=60, other=10))
    assert (found.field, found.moved) == ("topic", Fraction(3, 10))
    assert found.labels[0] == ('"billing"', Fraction(6, 10), Fraction(3, 10))


@pytest.mark.parametrize(
    "after", [{"billing": 60, "account": 40}, {"billing": 120, "account": 80}, {"billing": 58, "account": 42}]
)
def test_labels_that_hardly_moved_are_not(after: dict[str, int]) -> None:
    assert shifts(labelled(billing=60, account=40), labelled(**after)) == []


def test_a_label_may_be_all_of_an_answer() -> None:
    before, after = (
        rows(*(pair(f"q{n}", label) for n, label in enumerate(labels))) for labels in ("aabb" * 5, "aaab" * 5)
    )
    (found,) = shifts(before, after)
    assert (found.field, found.moved) == ("", Fraction(1, 4))


def test_lengths_are_in_words() -> None:
    found = lengths([" ".join("w" * n) for n in range(1, 101)])
    assert found is not None
    assert (found.median, found.p95) == (51, 96)
    assert lengths([]) is None


# --- runs of golden words ---------------------------------------------------------------------------------------------

ASKED = "My album of the wedding shows twice on the tablet since the update, what can I do about it?"
GOLDEN = case(
    "wedding",
    input=ASKED,
    expected={"reply": "Pull the list down until the wheel turns, and both albums become one again."},
)


@pytest.mark.parametrize(
    "text",
    [
        "Hello! my album of the wedding shows twice on the tablet, help",
        "since the UPDATE: what can i do ... about it",
        f"He said: {ASKED.upper()} And then he left.",
    ],
)
def test_eight_golden_words_in_a_row_are_a_leak(text: str) -> None:
    (found,) = leaks_in_rows([GOLDEN], rows(pair("nothing"), pair(text)))
    assert (found.case, found.part, found.line, found.match) == ("wedding", "input", 2, "8 words in a row")


def test_an_answer_is_found_within_json_and_a_stronger_match_wins() -> None:
    assert GOLDEN.expected is not None
    reply = GOLDEN.expected.reveal()["reply"]
    part = rows(pair("x", {"reply": f"Do this. {reply}"}))
    assert [one.match for one in leaks_in_rows([GOLDEN], part)] == ["8 words in a row"]
    both = rows(pair("x", {"reply": f"Do this. {reply}"}), pair("y", {"reply": reply}))
    assert [(one.match, one.line) for one in leaks_in_rows([GOLDEN], both)] == [("word for word", 2)]


@pytest.mark.parametrize(
    "text", ["my album of the wedding shows twice", "the wedding album shows twice on my tablet since the last update"]
)
def test_fewer_words_in_a_row_are_none(text: str) -> None:
    assert leaks_in_rows([GOLDEN], rows(pair(text))) == []


def test_a_run_that_several_cases_share_is_nobodys() -> None:
    phrase = "thank you very much for your help in this matter"
    cases = [case(f"c{n}", input=f"{phrase} number {n} please answer soon") for n in range(3)]
    assert leaks_in_rows(cases, rows(pair(phrase))) == []
    assert len(leaks_in_rows(cases[:2], rows(pair(phrase)))) == 2


def test_a_prompt_that_quotes_a_part_of_an_input_is_told_and_of_an_answer_is_not() -> None:
    assert GOLDEN.expected is not None
    prompt = f"Example: my album of the wedding shows twice on the tablet\n{GOLDEN.expected.reveal()['reply'][:-12]}"
    assert [(one.part, one.match) for one in leaks_in_text([GOLDEN], prompt, "p.md")] == [("input", "8 words in a row")]


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_words_are_the_same_by_either_way(text: str) -> None:
    """ASCII goes a shorter way."""
    assert [word for one in text.split() for word in words(one)] == words(text)
    assert words(f"{text} é")[:-1] == words(text)


# --- the whole way ----------------------------------------------------------------------------------------------------


def judged(repo: Repo, folder: Path, before: str, after: str) -> GateOutcome:
    product = Product.new(
        repo, folder, policy=POLICY.replace("    golden:", "    datasets: [data/*.jsonl]\n    golden:")
    )
    repo.write("data/rows.jsonl", before)
    repo.commit("a dataset")
    return product.gate({"data/rows.jsonl": after, "prompt.md": PROMPT})


def test_the_report_tells_what_a_changed_dataset_teaches(repo: Repo, tmp_path: Path) -> None:
    before = [pair(f"question number {n}", {"topic": "garden"}) for n in range(10)]
    after = [pair(f"question number {n}", {"topic": "garden" if n < 5 else "travel"}) for n in range(10)]
    outcome = judged(repo, tmp_path / "out", lines(*before), lines(*after, after[0], pair(" ")))
    text = said(outcome, "Dataset")
    assert "12 rows" in text
    assert "1 row said before" in text
    assert "data/rows.jsonl:12: nothing is asked or answered" in said(outcome, "Rows that a provider would refuse")
    (data,) = outcome.suites[0].data
    assert [shift.field for shift in data.shifts] == ["topic"]
    assert json.loads(json.dumps(vars(data.changes)))["added"] == 2
