"""`golden lint`, check by check: what is told, what is not, and that no row can break it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest
from gated import POLICY
from hypothesis import given
from hypothesis import strategies as st
from making import held, jsonl

from ci_eval import config as configs
from ci_eval.lint import told
from ci_eval.lint.examination import Examination
from ci_eval.lint.findings import CHECKS, Finding, exit_code
from ci_eval.lint.hidden import hidden

WHO = "ida.lund@posteo.net"
FILES = {"prompt.md": "Sort the message.\n", "model.yaml": "provider: local\nmodel: minilm\n"}
LONG = "How long does it take until a parcel to Norway is delivered by sea?"


def row(name: str, asked: Any = None, topic: str = "garden", **more: Any) -> dict[str, Any]:
    return {"id": name, "input": asked or f"What about the {name}?", "expected": {"topic": topic}, **more}


def lint(*rows: Any, policy: str = POLICY, files: dict[str, str] | None = None) -> list[Finding]:
    golden = {"golden/cases.jsonl": jsonl(*rows)} if rows else {}
    at = held({"ci-eval.yaml": policy, **FILES, **golden, **(files or {})})
    return Examination(configs.load(at), at).findings(["sort"])


def checks(*rows: Any, **more: Any) -> list[tuple[str, int | None]]:
    return [(finding.check, finding.line) for finding in lint(*rows, **more)]


def said(*rows: Any, **more: Any) -> list[str]:
    return [click.unstyle(line) for line in told.lines(lint(*rows, **more), len(rows))][:-1]


def test_a_set_in_order_is_in_order() -> None:
    assert lint(row("roses"), row("trees"), row("visa", topic="travel")) == []


# --- files and rows ---------------------------------------------------------------------------------------------------


def test_every_row_that_is_refused_is_told_and_not_only_the_first() -> None:
    assert checks(row("roses"), {"id": "a"}, row("b"), {**row("c"), "expcted": 1}) == [("row", 2), ("row", 4)]


def test_what_cannot_be_read_at_all_is_told_with_what_stands_before_it() -> None:
    files = {"golden/more.jsonl": jsonl(row("roses")) + "{broken\n"}
    assert [(one.file, one.line, one.state) for one in lint(row("roses"), files=files)] == [
        ("golden/more.jsonl", 1, "refused"),  # the id
        ("golden/more.jsonl", 1, "warning"),  # the input
        ("golden/more.jsonl", 2, "refused"),
    ]


def test_a_line_that_cannot_be_read_does_not_hide_the_next() -> None:
    lines = [json.dumps(row("roses")), "{broken", json.dumps(row("trees")), "[1]", '{"id": "a", "id": "b"}']
    files = {"golden/cases.jsonl": "\n".join(lines) + "\n"}
    assert checks(files=files) == [("row", 2), ("row", 4), ("row", 5)]


def test_what_init_wrote_to_be_replaced_is_told() -> None:
    texts = ["REPLACE common-01: what users ask", "REPLACE the lamp: how?", {"x": "REPLACE: x"}]
    rows = [row(name, text) for name, text in zip("abc", texts, strict=True)]
    assert checks(*rows) == [("placeholder", 1), ("placeholder", 3)]


def test_a_pattern_that_names_nothing_is_told_at_its_line() -> None:
    policy = POLICY.replace("golden/*.jsonl", "[golden/*.jsonl, cases/*.csv]")
    assert checks(row("roses"), policy=policy) == [("golden-file", 7)]


def test_ids_that_differ_in_capitals_are_the_same() -> None:
    assert checks(row("roses"), row("ROSES", "Which month is best?")) == [("id", 2)]


# --- personal data ----------------------------------------------------------------------------------------------------


def test_personal_data_is_told_once_for_each_value_and_masked() -> None:
    (line,) = said(row("roses", f"I am {WHO}", context=[f"From: {WHO}"]))
    assert line == (
        "golden/cases.jsonl:1: problem [personal-data] an e-mail address (id…et); write an address at example.com"
    )


def test_rows_that_are_refused_are_looked_through_as_well() -> None:
    assert checks({"id": "a", "inputs": WHO}) == [("row", 1), ("personal-data", 1)]


def test_what_is_shown_or_taught_is_looked_through() -> None:
    policy = POLICY.replace("    golden:", "    datasets: [data/*.jsonl, data/*.bin]\n    golden:").replace(
        "model: model.yaml}", "model: model.yaml, examples: {from: shots.jsonl, k: 1}}"
    )
    rows = jsonl({"input": "a", "output": "b"}, {"input": "Who?", "output": WHO})
    files = {"data/a.jsonl": rows, "shots.jsonl": rows, "data/b.bin": WHO, "data/c.jsonl": "["}
    found = [(one.file, one.line, one.check) for one in lint(row("roses"), policy=policy, files=files)]
    assert found == [
        ("data/a.jsonl", 2, "personal-data"),
        ("data/c.jsonl", 1, "row"),
        ("shots.jsonl", 2, "personal-data"),
    ]


@given(st.sampled_from(["id", "key", "expected", "cluster"]))
def test_no_finding_repeats_personal_data_whatever_it_is_about(where: str) -> None:
    phone = "415-867-5309"
    rows = [row(f"case-{number}", f"{number} roses?") for number in range(12)]
    rows += {
        "id": [row(phone), row(phone)],
        "key": [{**row("a", LONG), WHO: 1}],
        "expected": [{"id": name, "input": LONG, "expected": {"topic": "b", WHO: name}} for name in "ab"],
        "cluster": [row("a", LONG, cluster=WHO)],
    }[where]
    found = lint(*rows)
    texts = ["\n".join(told.lines(found, 1)), json.dumps(told.as_json(found))]
    assert found
    assert not any(value in text for value in (WHO, phone) for text in texts)


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_the_same_input_with_another_answer_is_a_contradiction() -> None:
    assert said(row("a", LONG), row("b", f"  {LONG}\n", "kitchen")) == [
        "golden/cases.jsonl:2: problem [contradiction] b: the input of golden/cases.jsonl:1, which expects otherwise: "
        "topic; keep the one that is right"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"expected": "yes"}, {"expected": "no"}),
        ({"expected": ["a"]}, {"expected": ["b"]}),
        ({"expected": "yes"}, {"expected": {"topic": "yes"}}),
        ({"expected": {"topic": 1}}, {"expected": {"topic": "1"}}),
    ],
)
def test_whatever_cannot_both_be_right(one: dict[str, Any], other: dict[str, Any]) -> None:
    policy = POLICY.replace("field: topic", "weight: 1")
    assert checks(row("a", LONG) | one, row("b", LONG) | other, policy=policy) == [("contradiction", 2)]


@pytest.mark.parametrize(
    "other",
    [
        {"expected": {"topic": "garden"}},
        {"expected": {"topic": "garden", "urgent": True}},
        {"input": "2 - 2", "first": "2 + 2"},
    ],
)
def test_what_can_both_be_right_is_no_contradiction(other: dict[str, Any]) -> None:
    asked = other.pop("first", LONG)
    found = dict(checks(row("a", asked), row("b", asked) | other))
    assert found == ({} if "input" in other else {"same-input": 2})


def test_other_documents_make_another_question() -> None:
    one, other = row("a", LONG, context=["By sea: 9 days"]), row("b", LONG, "kitchen", context=["By air: 2 days"])
    assert checks(one, other) == []


def test_the_same_input_counts_twice_unless_a_cluster_says_so() -> None:
    assert checks(row("a", LONG), row("b", LONG)) == [("same-input", 2)]
    assert checks(row("a", LONG, cluster="x"), row("b", LONG, cluster="x")) == []
    assert checks(row("a", LONG, cluster="x"), row("b", LONG, cluster="y")) == [("same-input", 2)]


@pytest.mark.parametrize(
    ("other", "near"),
    [
        (LONG.replace("sea", "air"), True),
        (LONG.upper().replace("?", "!!"), True),
        ([{"role": "user", "content": LONG.replace("sea", "air")}], True),
        ("How long does a letter take?", False),
        ("Was a parcel ever lost on the way to Norway?", False),
    ],
)
def test_nearly_the_same_input_is_told(other: Any, near: bool) -> None:
    assert checks(row("a", LONG), row("b", other)) == ([("near-input", 2)] if near else [])
    assert checks(row("a", LONG, cluster="x"), row("b", other, cluster="x")) == []


def test_many_questions_about_one_long_text_are_not_nearly_the_same() -> None:
    text = " ".join(f"word{number}" for number in range(200))
    asked = [{"text": text, "question": f"Who is the {role} of it?"} for role in ("author", "reader", "owner")]
    assert checks(*(row(f"case-{number}", one) for number, one in enumerate(asked))) == []
    assert checks(row("a", asked[0]), row("b", {**asked[0], "text": f"{text} end"})) == [("near-input", 2)]


@pytest.mark.parametrize(
    "asked", [" ", "\u200b", {"mail": "", "more": {"a": [" "]}}, [{"role": "user", "content": ""}]]
)
def test_nothing_is_asked(asked: Any) -> None:
    assert ("empty", 1) in checks(row("a", asked))


def test_a_number_is_asked() -> None:
    assert checks(row("a", {"sum": 3, "note": ""})) == []


def test_a_case_that_no_model_is_given_at_once_is_huge() -> None:
    assert checks(row("a", "x" * 60_000)) == [("huge", 1)]
    assert checks(row("a", context=["x" * 30_000, "y" * 30_000])) == [("huge", 1)]


# --- expectations -----------------------------------------------------------------------------------------------------


def test_a_case_that_nothing_scores_says_nothing() -> None:
    rows = [row("a"), {"id": "b", "input": LONG}, {"id": "c", "input": "And why?", "expected": {"reply": "x"}}]
    assert checks(*rows) == [("unscored", 2), ("unscored", 3)]
    own = {"id": "b", "input": LONG, "expected": {"mood": "x"}, "scorers": [{"type": "exact", "field": "mood"}]}
    assert checks(rows[0], own) == []


def test_a_misspelt_key_is_told_with_the_usual_one() -> None:
    rows = [row(f"case-{number}", f"{number} roses?") for number in range(10)]
    odd = {"id": "odd", "input": LONG, "expected": {"topics": "garden", "topic_of_it": 1}}
    assert (
        "golden/cases.jsonl:11: warning [expected-key] odd: expects topics, where other cases have topic; "
        "correct the key" in said(*rows, odd)
    )
    assert "expected-key" not in dict(checks(*rows[:9], odd))
    assert "expected-key" not in dict(checks(*rows, row("odd", LONG) | {"expected": {"topics": 1, "topic": 2}}))


def test_a_case_of_another_kind_has_no_thousand_slips() -> None:
    """Comparing each of its keys with every usual one would take hours of a hostile row."""
    rows = [row(f"case-{number}", f"{number} roses?") for number in range(10)]
    odd = {"id": "odd", "input": LONG, "expected": {f"topic{number}": 1 for number in range(1000)}}
    assert Counter(check for check, _ in checks(*rows, odd))["expected-key"] == 20


def test_a_scorer_that_is_wrong_is_told_with_its_line_beside_the_rest() -> None:
    policy = POLICY.replace("{type: exact, field: topic}", "{type: exactly}")
    found = lint({"id": "a", "input": "\u202eWhy"}, policy=policy)
    assert [(one.check, one.file, one.line) for one in found] == [
        ("scorer", "ci-eval.yaml", 9),
        ("hidden-characters", "golden/cases.jsonl", 1),
    ]


def test_what_a_scorer_cannot_judge_by_is_told_at_each_case() -> None:
    policy = POLICY.replace("{type: exact, field: topic}", "{type: tool_calls}")
    bad = {"expected": {"tool_calls": "find"}}
    found = checks(row("a") | bad, row("b", LONG) | bad, policy=policy)
    assert found == [("scorer", 1), ("scorer", 2)]


# --- strata, and what is learnt ---------------------------------------------------------------------------------------


def test_a_set_in_strata_lacks_those_of_which_it_has_few() -> None:
    names = ["common"] * 15 + ["edge"] * 6
    rows = [row(f"case-{n}", f"{n} roses?", stratum=stratum) for n, stratum in enumerate(names)]
    assert said(*rows) == [
        "golden/cases.jsonl: warning [strata] 0 of 21 cases are adversarial; about 15 % are good; "
        "add cases with stratum: adversarial"
    ]
    assert checks(*rows[:15]) == checks(*rows[2:]) == []


def test_an_input_that_is_taught_or_shown_is_told_where() -> None:
    policy = POLICY.replace("    golden:", "    datasets: [data.jsonl]\n    golden:")
    files = {"data.jsonl": jsonl({"input": LONG, "output": "No."}), "prompt.md": f"For example: {LONG}\n"}
    found = [line.partition("] ")[2] for line in said(row("a", LONG), policy=policy, files=files)]
    assert found == [
        "a: stands in data.jsonl:1 (word for word), where it is learnt or shown; ask for something that is not learnt",
        "a: stands in prompt.md (word for word), where it is learnt or shown; ask for something that is not learnt",
    ]


# --- characters that are not seen -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\u200bb\u200bc", ["U+200B"]),
        ("pay\u202eti", ["U+202E"]),
        ("so\u00adft", ["U+00AD"]),
        ("a\x07", ["U+0007"]),
        ("a\ufe0f", ["U+FE0F"]),
        ("\u2b50\ufe0f\ufe0f\ufe0f", ["U+FE0F"]),
        ("\U0001f600\U000e0041", ["U+E0041"]),
        ("a\u200db", ["U+200D"]),
        ("abc\u200f", ["U+200F"]),
        ("line\nand\ttab\u00a0", []),
        ("\u2764\ufe0f 1\ufe0f\u20e3 \u00a9\ufe0f", []),
        ("\U0001f469\U0001f3fd\u200d\u2695\ufe0f \u2764\ufe0f\u200d\U0001f525", []),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", []),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", []),
        ("\u05e9\u05dc\u05d5\u05dd\u200f abc", []),
    ],
)
def test_hidden_characters_and_those_that_a_script_needs(text: str, found: list[str]) -> None:
    assert hidden(text) == found


def test_in_an_attack_they_are_meant_and_in_an_answer_they_are_not() -> None:
    odd = "Pay\u202e me now"
    assert checks(row("a", odd)) == [("hidden-characters", 1)]
    assert checks(row("a", odd, stratum="adversarial")) == []
    (finding,) = lint(row("a", LONG, "gard\u200ben", stratum="adversarial"))
    assert (finding.check, finding.state) == ("hidden-characters", "problem")


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "code", "strict"),
    [([], 0, 0), (["warning"], 0, 3), (["warning", "problem"], 3, 3), (["problem", "refused", "warning"], 2, 2)],
)
def test_exit_codes(states: list[Any], code: int, strict: int) -> None:
    found = [Finding("row", state, "g.jsonl", 1, ("x",), "y") for state in states]
    assert (exit_code(found, strict=False), exit_code(found, strict=True)) == (code, strict)


def test_of_one_check_thirty_lines_are_shown() -> None:
    found = [Finding("empty", "problem", "g.jsonl", line, ("x",), "y") for line in range(1000)]
    shown = list(told.lines(found, 1000))
    assert len(shown) == 32
    assert shown[-2:] == ["… and 970 more of empty (--json has them all)", "1,000 cases: 1,000 problems."]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([LONG, WHO, "roses"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
KEYS = ("id", "input", "expected", "stratum", "cluster", "context", "scorers", "tags")


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JUNK)) | JUNK, min_size=1, max_size=5))
def test_any_rows_are_told_about_in_lines_that_hold_nothing_hidden(rows: list[Any]) -> None:
    found = lint(*rows)
    assert all(finding.check in CHECKS for finding in found)
    for line in map(click.unstyle, told.lines(found, len(rows))):
        assert "\n" not in line
        assert not hidden(line)
        assert WHO not in line


def test_the_project_s_own_golden_set_is_in_order() -> None:
    root = Path(__file__).parents[2]
    files = [root / "ci-eval.yaml", *(root / "golden").rglob("*.*")]
    at = held({file.relative_to(root).as_posix(): file.read_text() for file in files})
    examination = Examination(configs.load(at), at)
    assert examination.findings(["helpdesk"]) == []
    assert examination.cases == 300
