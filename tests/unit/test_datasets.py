"""Datasets: three formats, what changed between two versions, and whether they give the test away."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import case, held, jsonl

from ci_eval.datasets.changes import RowChanges, compare
from ci_eval.datasets.contamination import Leak, leaks_in_rows, leaks_in_text, normalised
from ci_eval.datasets.rows import Row, read
from ci_eval.errors import InputError
from ci_eval.text import JSON


def rows(*values: JSON) -> list[Row]:
    return list(read(held({"d.jsonl": jsonl(*values)}), "d.jsonl"))


def openai(*turns: tuple[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def gemini(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": [{"text": text}]} for role, text in turns]}


MODEL_SAYS = {"role": "model", "parts": [{"text": "a"}]}


@pytest.mark.parametrize(
    ("row", "asked", "answered"),
    [
        (openai(("user", "q"), ("assistant", "a")), "q", "a"),
        (openai(("system", "s"), ("user", "q"), ("assistant", "a")), "q", "a"),
        (openai(("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2")), "q2", "a2"),
        (openai(("user", "q1"), ("assistant", "a1"), ("user", "not answered")), "q1", "a1"),
        (openai(("assistant", "hello"), ("user", "q"), ("assistant", "a")), "q", "a"),
        (openai(("user", "q"), ("assistant", None), ("tool", "t"), ("assistant", "a")), "q", "a"),
        ({**openai(("user", "q"), ("assistant", "a")), "tools": []}, "q", "a"),
        (gemini(("user", "q"), ("model", "a")), "q", "a"),
        ({"contents": [{"role": "user", "parts": [{"text": "q"}, {"text": "r"}]}, MODEL_SAYS]}, "qr", "a"),
        ({"input": "q", "output": "a"}, "q", "a"),
        ({"prompt": "q", "completion": "a"}, "q", "a"),
        ({"prompt": "q", "response": "a"}, "q", "a"),
        ({"input": "q", "expected": {"b": 1, "a": 2}}, "q", '{"a":2,"b":1}'),
        ({"input": {"x": 1}, "answer": 5}, '{"x":1}', "5"),
    ],
)  # fmt: skip
def test_formats(row: dict[str, Any], asked: str, answered: str) -> None:
    (found,) = rows(row)
    assert (found.input, found.output) == (asked, answered)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"input": "q"},
        {"output": "a"},
        {"input": None, "output": "a"},
        {"messages": "q"},
        {"messages": []},
        openai(("user", "q")),
        openai(("assistant", "a")),
        openai(("assistant", "a"), ("user", "q")),
        {"contents": [5, None, {"role": "user"}, {"role": "user", "parts": [5]}]},
        {"messages": [None, 5, [], {"role": ["user"], "content": "x"}]},
        ["q", "a"],
        "q",
        5,
        None,
    ],
)
def test_a_row_of_no_known_shape_is_refused_at_its_line(row: JSON) -> None:
    with pytest.raises(InputError) as caught:
        rows({"input": "q", "output": "a"}, row)
    assert (caught.value.file, caught.value.line) == ("d.jsonl", 2)
    assert "messages (OpenAI), contents (Gemini), or input and output" in caught.value.remedy


def test_rows_out_of_json_yaml_and_csv_with_their_lines() -> None:
    files = {
        "d.json": '[\n {"input": "q", "output": "a"},\n {"input": "r", "output": "b"}\n]',
        "d.yaml": "- input: q\n  output: a\n- {input: r, output: b}\n",
        "d.csv": "input,output\nq,a\nr,b\n",
    }
    at = held(files)
    assert {name: [(row.line, row.input, row.output) for row in read(at, name)] for name in files} == {
        "d.json": [(2, "q", "a"), (3, "r", "b")],
        "d.yaml": [(1, "q", "a"), (3, "r", "b")],
        "d.csv": [(2, "q", "a"), (3, "r", "b")],
    }


def test_a_large_json_file_is_read_in_a_moment() -> None:
    """Each row's lines once, not all lines for each row."""
    many = [openai(("user", f"q{number}"), ("assistant", "a")) for number in range(10_000)]
    at = held({"d.json": json.dumps(many, indent=1)})
    assert len(read(at, "d.json")) == 10_000


# --- what changed -----------------------------------------------------------------------------------------------------


pairs = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")))


@given(pairs, pairs)
def test_changes_are_counted_as_multisets(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    base, head = ([_row(*pair) for pair in pairs] for pairs in (before, after))
    found = compare(base, head)
    kept = Counter(before) & Counter(after)
    gone, come = (Counter(asked for asked, _ in (Counter(side) - kept).elements()) for side in (before, after))
    assert found == RowChanges((come - gone).total(), (gone - come).total(), (gone & come).total(), kept.total())
    assert found.kept + found.relabelled + found.removed == len(before)
    assert found.kept + found.relabelled + found.added == len(after)


def _row(asked: str, answered: str) -> Row:
    return Row("d.jsonl", 1, asked, answered, digest=asked + answered)


def test_a_row_that_moved_or_whose_keys_moved_is_no_change() -> None:
    one, other = {"input": "q", "output": "a"}, {"output": "b", "input": "r"}
    found = compare(rows(one, other), rows({"input": "r", "output": "b"}, one))
    assert found == RowChanges(added=0, removed=0, relabelled=0, kept=2)


def test_a_row_twice_is_two_rows() -> None:
    one = {"input": "q", "output": "a"}
    assert compare(rows(one), rows(one, one)) == RowChanges(added=1, removed=0, relabelled=0, kept=1)


def test_another_answer_to_the_same_question_is_a_relabelled_row() -> None:
    found = compare(rows({"input": "q", "output": "a"}), rows({"input": "q", "output": "b"}))
    assert found == RowChanges(added=0, removed=0, relabelled=1, kept=0)


# --- contamination ----------------------------------------------------------------------------------------------------

ASKED = "Where is my money, please?"
SAID = "It is back on your card in five days."
GOLDEN = case("refund-1", input=ASKED, expected={"reply": SAID, "category": "billing"})


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        (ASKED, True),
        (f"  {ASKED}\n", True),
        ("where is my money please", False),
        ("WHERE  IS\nMY MONEY, PLEASE!?", False),
        ("Ｗhere is my money, please?", False),
    ],
)
def test_an_input_that_is_learnt_word_for_word_or_nearly(text: str, exact: bool) -> None:
    assert leaks_in_rows([GOLDEN], rows({"input": text, "output": "x"})) == [
        Leak("refund-1", "input", "d.jsonl", 1, "word for word" if exact else "same words")
    ]


@pytest.mark.parametrize("output", [SAID, json.dumps({"reply": SAID}), json.dumps([{"deep": [SAID]}])])
def test_an_answer_that_is_learnt_also_as_a_part_of_json(output: str) -> None:
    (found,) = leaks_in_rows([GOLDEN], rows({"input": "x", "output": output}))
    assert (found.part, found.match) == ("answer", "word for word")


def test_the_exact_row_is_the_one_that_is_named() -> None:
    (found,) = leaks_in_rows([GOLDEN], rows({"input": ASKED.lower(), "output": "x"}, {"input": ASKED, "output": "x"}))
    assert (found.line, found.match) == (2, "word for word")


@pytest.mark.parametrize(
    "row",
    [
        {"input": "Where is my money", "output": "x"},
        {"input": f"{ASKED} I wait since May.", "output": "billing"},
        {"input": SAID, "output": ASKED},
        {"input": "x", "output": '{"reply": "It is back'},
    ],
)
def test_what_is_no_leak(row: dict[str, str]) -> None:
    assert leaks_in_rows([GOLDEN], rows(row)) == []


def test_short_texts_are_everybodys() -> None:
    short = case(input="Thank you so", expected="It is back")
    assert leaks_in_rows([short], rows({"input": "Thank you so", "output": "It is back"})) == []
    assert leaks_in_text([short], "Thank you so. It is back", "prompt.md") == []


def test_a_prompt_that_quotes_a_case() -> None:
    prompt = f"Examples:\nQ: where is MY money,\n please\nA: {SAID}\n"
    assert leaks_in_text([GOLDEN], prompt, "prompt.md") == [
        Leak("refund-1", "input", "prompt.md", None, "same words"),
        Leak("refund-1", "answer", "prompt.md", None, "word for word"),
    ]
    assert leaks_in_text([GOLDEN], "Somewhere is my money, pleased", "prompt.md") == []


def test_every_text_of_an_input_is_looked_for() -> None:
    talk = case(input=[{"role": "user", "content": ASKED}, {"role": "user", "content": "And where is it now?"}])
    form = case(input={"question": ASKED})
    assert leaks_in_rows([talk, form], rows({"input": ASKED, "output": "x"})) == [
        Leak("one", "input", "d.jsonl", 1, "word for word"),
        Leak("one", "input", "d.jsonl", 1, "word for word"),
    ]


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert once == once.strip()
    assert "  " not in once
