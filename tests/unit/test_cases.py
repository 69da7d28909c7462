"""Golden cases: what a row may say, from which files, and what counts as a change to one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import case, golden, held, jsonl, snapshot

from ci_eval.errors import InputError
from ci_eval.golden.cases import Case, edits, load
from ci_eval.reader import Document, validate
from ci_eval.text import JSON

ROW: dict[str, Any] = {"id": "refund-001", "input": "Where is my money?"}


def loaded(files: dict[str, str], *patterns: str) -> list[Case]:
    return list(load(held(files), patterns or ["golden/*"]).cases.values())


def refused(row: JSON) -> InputError:
    with pytest.raises(InputError) as caught:
        loaded({"golden/a.jsonl": jsonl(ROW | {"id": "before"}, row)})
    assert (caught.value.file, caught.value.line) == ("golden/a.jsonl", 2)
    return caught.value


def test_only_id_and_input_are_required() -> None:
    (one,) = loaded({"golden/a.jsonl": jsonl(ROW)})
    assert (one.stratum, one.category, one.tags, one.context, one.scorers) == ("common", None, [], [], [])
    assert one.expected is None
    assert one.expectation("refuse") is None


@pytest.mark.parametrize("missing", ["id", "input"])
def test_a_row_without_one_of_them_is_told_which(missing: str) -> None:
    error = refused({key: value for key, value in ROW.items() if key != missing})
    assert f'add "{missing}"' in error.remedy


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"id": "a b"},
        {"id": "a/b"},
        {"id": "ä"},
        {"id": "a\n"},
        {"id": "x" * 65},
        {"id": 5},
        {"id": None},
        {"input": ""},
        {"input": {}},
        {"input": []},
        {"input": None},
        {"input": 5},
        {"input": True},
        {"input": ["text"]},
        {"input": [{"role": "user"}]},
        {"input": [{"role": "tool", "content": "x"}]},
        {"input": [{"role": "user", "content": ["x"]}]},
        {"input": [{"role": "user", "content": "x", "name": "y"}]},
        {"expected": {"refuse": "yes"}},
        {"expected": {"refuse": 1}},
        {"expected": {"refuse": None}},
        {"stratum": "rare"},
        {"stratum": "Common"},
        {"category": ""},
        {"category": "a\nb"},
        {"category": "|"},
        {"tags": "billing"},
        {"tags": [5]},
        {"scorers": {"type": "exact"}},
        {"scorers": ["exact"]},
        {"human": {"tone": "4"}},
        {"human": {"tone": True}},
        {"skip": True},
        {"weight": 5},
        {"only": True},
        {"Id": "again"},
        {"expectd": "x"},
    ],
)
def test_what_a_row_may_not_say(wrong: dict[str, Any]) -> None:
    refused(ROW | wrong)


@pytest.mark.parametrize("row", [5, "text", None, ["id", "input"]])
def test_a_row_is_an_object(row: JSON) -> None:
    refused(row)


@pytest.mark.parametrize(
    "given",
    [
        "text",
        {"question": "text", "n": 5, "deep": {"a": [1]}},
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}, {"role": "user", "content": "b"}],
    ],
)
def test_an_input_is_text_an_object_or_messages(given: JSON) -> None:
    (one,) = loaded({"golden/a.jsonl": jsonl(ROW | {"input": given})})
    assert one.input.reveal() == given


def test_a_misspelt_key_is_not_taken_for_one_that_is_there() -> None:
    assert refused({"ident": "a", "input": "b"}).remedy == 'write "id"'


def test_a_misspelt_key_names_the_right_one() -> None:
    assert refused(ROW | {"expectd": "x"}).remedy == 'write "expected"'


# --- files ------------------------------------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "id": "a",
    "input": {"question": "Where, and when?"},
    "expected": {"category": "billing", "refuse": True},
    "stratum": "edge",
    "tags": ["x"],
}


def test_the_same_case_out_of_jsonl_json_yaml_and_csv(tmp_path: Path) -> None:
    cells = [json.dumps(WHOLE[key]) if isinstance(WHOLE[key], dict | list) else WHOLE[key] for key in WHOLE]
    quoted = ",".join('"{}"'.format(text.replace('"', '""')) for text in cells)
    files = {
        "a.jsonl": f"\n{json.dumps(WHOLE)}\r\n\n",
        "a.json": json.dumps([WHOLE], indent=2),
        "a.csv": f"{','.join(WHOLE)}\r\n{quoted}\r\n",
        "a.yaml": """
- id: a
  input: {question: "Where, and when?"}
  expected:
    category: billing
    refuse: true
  stratum: edge
  tags: [x]
""",
    }
    at = snapshot(tmp_path, files)
    digests = {name: load(at, [name]).digest for name in files}
    assert set(digests.values()) == {golden(validate(Case, Document("x", WHOLE))).digest}


def test_an_empty_cell_of_csv_is_not_there_and_text_stays_text() -> None:
    (one,) = loaded({"golden/a.csv": 'id,input,expected,category\n007,"a\nb",42,\n'})
    assert (one.id, one.input.reveal(), one.category) == ("007", "a\nb", None)
    assert one.expected is not None
    assert one.expected.reveal() == "42"


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("golden/a.jsonl", '{"id": "a", "input": "x"}\n\n{"id": "b"}\n', 3),
        ("golden/a.yaml", "- id: a\n  input: x\n- id: b\n  input: x\n  stratum: rare\n", 5),
        ("golden/a.json", '[\n {"id": "a", "input": "x"},\n {"id": "b",\n  "input": 5}\n]', 4),
        ("golden/a.csv", "id,input\na,x\nb b,x\n", 3),
        ("golden/a.csv", "id,input\na,x,y\n", 2),
        ("golden/a.csv", "id,id\na,x\n", 1),
    ],
)
def test_an_error_names_the_line(file: str, text: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        loaded({file: text})
    assert (caught.value.file, caught.value.line) == (file, line)


def test_patterns_may_overlap_and_order_is_by_path() -> None:
    files = {"golden/b.jsonl": jsonl(ROW | {"id": "b"}), "golden/a/z.jsonl": jsonl(ROW | {"id": "z"})}
    assert [one.id for one in loaded(files, "golden/**", "golden/b.jsonl")] == ["z", "b"]


def test_no_file_is_an_empty_set() -> None:
    """Which whoever gates refuses: see test_27 in tests/security."""
    assert loaded({"golden/a.jsonl": jsonl(ROW)}, "elsewhere/*") == []


@pytest.mark.parametrize("other", ["refund-001", "Refund-001", "REFUND-001"])
@pytest.mark.parametrize("where", ["golden/a.jsonl", "golden/b.jsonl"])
def test_one_id_stands_once_over_all_files(other: str, where: str) -> None:
    rows = [ROW, ROW | {"id": other}]
    files = (
        {where: jsonl(*rows)} if where == "golden/a.jsonl" else {"golden/a.jsonl": jsonl(ROW), where: jsonl(rows[1])}
    )
    with pytest.raises(InputError, match=r"stands at golden/a\.jsonl:1 already") as caught:
        loaded(files)
    assert caught.value.file == where


# --- digests and edits ------------------------------------------------------------------------------------------------


def test_a_digest_is_of_what_is_judged() -> None:
    one = case()
    for same in ({"stratum": "edge"}, {"tags": ["x"]}, {"category": "x"}, {"source": "prod"}, {"human": {"t": 1}}):
        assert case(**same).digest == one.digest
    for other in ({"input": "x"}, {"expected": "no"}, {"context": ["x"]}, {"scorers": [{"type": "exact"}]}):
        assert case(**other).digest != one.digest


def test_a_digest_follows_the_order_in_which_an_object_is_sent() -> None:
    assert case(input={"a": 1, "b": 2}).digest != case(input={"b": 2, "a": 1}).digest
    assert case(expected={"a": 1, "b": 2}).digest == case(expected={"b": 2, "a": 1}).digest


def test_a_set_has_one_digest_whatever_its_order_and_files() -> None:
    a, b = case("a"), case("b")
    assert golden(a, b).digest == golden(b, a).digest
    assert golden(a).digest != golden(a, b).digest
    assert golden(a).digest != golden(case("b", input=a.input.reveal())).digest


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xy")),
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xy")),
)
def test_edits_are_the_ids_that_differ(before: dict[str, str], after: dict[str, str]) -> None:
    base, head = (golden(*(case(name, input=text) for name, text in rows.items())) for rows in (before, after))
    found = edits(base, head)
    assert found.added == tuple(sorted(after.keys() - before.keys()))
    assert found.removed == tuple(sorted(before.keys() - after.keys()))
    assert found.rewritten == tuple(sorted(n for n in before if n in after and before[n] != after[n]))
    assert bool(found) is (before != after)
