"""What each scorer passes, what it fails, and what it refuses to judge by."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from making import case, golden, held, nobody, resources, scorer_set, snapshot
from refusals import ANSWERS, REFUSALS

from ci_eval.errors import InputError
from ci_eval.reader import read_yaml
from ci_eval.scorers import registry
from ci_eval.scorers.base import MISSING, Answer, Resources, Score, comparable
from ci_eval.scorers.refusal import declines
from ci_eval.snapshot import Snapshot
from ci_eval.text import JSON, Untrusted


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return snapshot(tmp_path_factory.mktemp("files"), {})


def judged(at: Snapshot, scorer: dict[str, Any], answer: str, expected: JSON = "yes") -> Score:
    one = case(expected=expected)
    bound = scorer_set(golden(one), scorer).bind(resources(at))
    return next(iter(bound.values())).score(Answer(answer), one)


def with_schema(folder: Path, schema: object, file: str = "reply.schema.json") -> Callable[[str], Score]:
    at = snapshot(folder, {file: json.dumps(schema, indent=1)})
    return lambda answer: judged(at, {"type": "json_schema", "schema": file}, answer)


def refused(scorer: dict[str, Any], *cases: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        scorer_set(golden(*(cases or (case(),))), scorer)
    return caught.value


# --- exact ------------------------------------------------------------------------------------------------------------

VALUES: tuple[tuple[JSON, ...], ...] = (
    (1, 1.0),
    (True,),
    ("1",),
    ("1.0",),
    ("true",),
    (False,),
    (0, 0.0, -0.0),
    ("",),
    ([],),
    ({},),
    ([1], [1.0]),
    ([True],),
    ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}),
    (1e300,),
    (9007199254740993,),
    (9007199254740992, 9007199254740992.0),
)


@pytest.mark.parametrize("wanted", [value for group in VALUES for value in group])
@pytest.mark.parametrize("got", [value for group in VALUES for value in group])
def test_exact_compares_by_json_type_and_value(at: Snapshot, wanted: JSON, got: JSON) -> None:
    """1 is 1.0, for JSON has one kind of number; neither is true or "1"."""
    same = any(_among(wanted, group) and _among(got, group) for group in VALUES)
    scored = judged(at, {"type": "exact", "field": "value"}, json.dumps({"value": got}), {"value": wanted})
    assert scored.passed is same
    assert scored.value == int(same)


def _among(value: JSON, group: tuple[JSON, ...]) -> bool:
    return any(type(value) is type(other) and value == other and repr(value) == repr(other) for other in group)


def test_exact_reads_a_field_of_nested_json(at: Snapshot) -> None:
    answer = json.dumps({"order": {"items": [{"sku": "a"}, {"sku": "b"}]}})
    expected: JSON = {"order": {"items": [{"sku": "x"}, {"sku": "b"}]}}
    assert judged(at, {"type": "exact", "field": "order.items.1.sku"}, answer, expected).passed
    assert not judged(at, {"type": "exact", "field": "order.items.0.sku"}, answer, expected).passed


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ("not JSON", "a"),
        ('{"b": 1}', "a"),
        ('{"a": [1]}', "a.1"),
        ('{"a": [1]}', "a.-1"),
        ('{"a": "text"}', "a.0"),
        ('{"a": 1, "a": 1}', "a"),
        ('{"a": NaN}', "a"),
        ('```json\n{"a": 1}\n```', "a"),
        ('{"a": "\\ud800"}', "a"),
        ("[" * 10_000, "a"),
        ("", "a"),
    ],
)
def test_a_field_that_is_not_there_fails_and_never_raises(at: Snapshot, answer: str, path: str) -> None:
    expected: JSON = {"a": {"0": 1, "1": 1, "-1": 1}} if "." in path else {"a": 1}
    scored = judged(at, {"type": "exact", "field": path}, answer, expected)
    assert not scored.passed
    assert scored.reason == Untrusted(f"no {path} in the answer")


def test_exact_without_a_field_reads_json_where_json_is_expected(at: Snapshot) -> None:
    assert judged(at, {"type": "exact"}, ' {"b": 2, "a": [1]}\n', {"a": [1.0], "b": 2}).passed
    assert judged(at, {"type": "exact"}, "42", 42).passed
    assert not judged(at, {"type": "exact"}, '"42"', 42).passed
    assert judged(at, {"type": "exact"}, "sure: 42", 42).reason == Untrusted("the answer is not JSON")


def test_exact_ignores_blanks_at_the_ends_and_case_only_when_told(at: Snapshot) -> None:
    assert judged(at, {"type": "exact"}, " yes\n", "yes ").passed
    assert not judged(at, {"type": "exact"}, "Yes", "yes").passed
    assert judged(at, {"type": "exact", "normalise": ["case"]}, "STRASSE", "straße").passed
    assert judged(at, {"type": "exact", "normalise": ["case"]}, '{"a": ["YES "]}', {"a": ["yes"]}).passed
    assert not judged(at, {"type": "exact", "normalise": ["case"]}, "y e s", "yes").passed


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def equal(one: object, other: object) -> bool:
    """Equality of JSON values, said in another way than the code says it."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


@given(json_values, json_values)
@example([1], [True])
@example({"a": 1e16}, {"a": 10**16})
def test_comparable_texts_are_equal_exactly_for_equal_values(one: JSON, other: JSON) -> None:
    assert (comparable(one) == comparable(other)) is equal(one, other)


# --- contains ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "answer", "passes"),
    [
        ({"all": ["Bin", "60 days"]}, "Look in the BIN, for 60 days.", True),
        ({"all": ["bin", "60 days"]}, "Look in the bin.", False),
        ({"any": ["refund", "money back"]}, "You get your money back.", True),
        ({"any": ["refund", "money back"]}, "No.", False),
        ({"none": ["guarantee"]}, "We hope so.", True),
        ({"none": ["guarantee"]}, "We GUARANTEE it.", False),
        ({"none": ["guarantee"], "normalise": []}, "We GUARANTEE it.", True),
        ({"all": ["a"], "any": ["b", "c"], "none": ["d"]}, "a c", True),
        ({"all": ["a"], "any": ["b", "c"], "none": ["d"]}, "a", False),
        ({"all": ["a"], "any": ["b", "c"], "none": ["d"]}, "a c d", False),
        ({"all": ["a"], "any": ["b", "c"], "none": ["d"]}, "c", False),
        ({"all": ["5"], "field": "price"}, '{"price": 25.5}', True),
        ({"all": ["5"], "field": "price"}, "25.5", False),
    ],
)
def test_contains(at: Snapshot, keys: dict[str, Any], answer: str, passes: bool) -> None:
    assert judged(at, {"type": "contains", **keys}, answer, {"price": 1}).passed is passes


@pytest.mark.parametrize(
    ("expected", "answer", "passes"),
    [
        ("60 days", "For 60 DAYS.", True),
        (["60", "bin"], "the bin, 60 days", True),
        (["60", "bin"], "the bin", False),
        ([60, "bin"], "the bin", False),
        (60, "60 days", True),
        (60, "six", False),
    ],
)
def test_contains_looks_for_what_the_case_expects(at: Snapshot, expected: JSON, answer: str, passes: bool) -> None:
    assert judged(at, {"type": "contains"}, answer, expected).passed is passes


@pytest.mark.parametrize("key", ["all", "any", "none"])
def test_an_empty_list_of_words_would_accept_everything(key: str) -> None:
    error = refused({"type": "contains", key: []})
    assert f'"{key}" is empty' in str(error)
    assert "list words, or remove it" in str(error)


# --- regex ------------------------------------------------------------------------------------------------------------


def test_regex(at: Snapshot) -> None:
    assert judged(at, {"type": "regex", "pattern": r"(?i)\bticket [0-9]+"}, "Your Ticket 42").passed
    assert not judged(at, {"type": "regex", "pattern": r"^ticket"}, "Your ticket 42").passed
    assert judged(at, {"type": "regex", "pattern": r"\d{16}", "absent": True}, "no card number").passed
    assert not judged(at, {"type": "regex", "pattern": r"\d{4}", "absent": True}, "card 1234").passed
    assert not judged(at, {"type": "regex", "pattern": "x", "absent": True, "field": "a"}, "not JSON").passed


# --- similarity -------------------------------------------------------------------------------------------------------


def embedded(at: Snapshot, one: list[float], other: list[float], **keys: Any) -> Score:
    with_vectors = Resources(at, lambda _: [one, other], nobody, nobody)
    asked = case(expected="an answer")
    scorer = scorer_set(golden(asked), {"type": "similarity", "pass_at": 0.8, **keys})
    return scorer.bind(with_vectors)["similarity"].score(Answer("another answer"), asked)


def test_similarity_passes_at_its_threshold_and_not_below(at: Snapshot) -> None:
    assert embedded(at, [0.8, 0.6], [1.0, 0.0]).passed
    assert not embedded(at, [0.79, 0.61], [1.0, 0.0]).passed


@pytest.mark.parametrize("vector", [[-1.0, 0.0], [float("nan"), 0.0], [2.0, 0.0]])
def test_similarity_stays_within_0_and_1_whatever_the_vectors_hold(at: Snapshot, vector: list[float]) -> None:
    scored = embedded(at, vector, [1.0, 0.0])
    assert scored.value in {0.0, 1.0}
    assert scored.passed is (vector == [2.0, 0.0])


def test_the_expected_text_itself_passes_at_1(at: Snapshot) -> None:
    """Its cosine may come out as 0.9999999."""
    assert judged(at, {"type": "similarity", "pass_at": 1}, "Look in the Bin.", "Look in the Bin.").passed


def test_similarity_needs_a_threshold_above_0() -> None:
    assert '"pass_at" is missing' in str(refused({"type": "similarity"}))
    for wrong in (0, -0.1, 1.01, "0.8", True, None, float("nan")):
        refused({"type": "similarity", "pass_at": wrong})


# --- refusal ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", REFUSALS)
def test_it_declines(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_it_answers(text: str) -> None:
    assert not declines(text)


def test_refusal_is_scored_against_what_the_case_asks_for(at: Snapshot) -> None:
    refusal = {"type": "refusal"}
    for text, does in ((REFUSALS[0], True), (ANSWERS[0], False)):
        assert judged(at, refusal, text, {"refuse": True}).passed is does
        assert judged(at, refusal, text, {"refuse": False}).passed is not does
        assert judged(at, refusal, text, {}).passed is not does
        assert judged(at, refusal, text, "text").passed is not does


@pytest.mark.parametrize("should", [True, False])
@pytest.mark.parametrize("text", ["", " \n"])
def test_who_says_nothing_neither_answers_nor_declines(at: Snapshot, text: str, should: bool) -> None:
    assert not judged(at, {"type": "refusal"}, text, {"refuse": should}).passed


def test_a_refusal_quoted_far_into_an_answer_is_none() -> None:
    assert not declines("Open Settings. " * 40 + "I cannot help with that.")


@settings(deadline=2000)
@given(st.text(max_size=300), st.integers(1, 2000))
def test_no_answer_makes_it_slow(part: str, times: int) -> None:
    declines((part or " i ") * times)


# --- json_schema ------------------------------------------------------------------------------------------------------

REPLY = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["category"],
    "additionalProperties": False,
    "properties": {"category": {"enum": ["a", "b"]}, "n": {"type": "integer", "maximum": 5}},
}


def test_json_schema(tmp_path: Path) -> None:
    scored = with_schema(tmp_path, REPLY)
    assert scored('{"category": "a", "n": 5}').passed
    assert scored('{"category": "a", "n": 6}').reason == Untrusted("n breaks the schema's maximum")
    assert scored('{"category": "a", "x": 1}').reason == Untrusted("x breaks the schema's additionalProperties")
    assert scored("[]").reason == Untrusted("the answer breaks the schema's type")
    assert scored('{"category": "a"} and more').reason == Untrusted("the answer is not JSON")
    assert not scored('{"category": "b", "category": "a"}').passed


def test_json_schema_of_a_field(tmp_path: Path) -> None:
    at = snapshot(tmp_path, {"n.json": '{"type": "integer"}'})
    scorer = {"type": "json_schema", "schema": "n.json", "field": "n"}
    assert judged(at, scorer, '{"n": 1}').passed
    assert not judged(at, scorer, '{"n": "1"}').passed
    assert judged(at, scorer, "{}").reason == Untrusted("no n in the answer")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "strin"}, "not a valid JSON Schema (at type)"),
        ({"properties": {"a": {"type": "strin"}}}, "not a valid JSON Schema (at properties.a.type)"),
        ({"minLength": -1}, "not a valid JSON Schema"),
        ({"$schema": "https://evil.example/schema", "type": "object"}, "unknown $schema"),
        ({"$schema": ["x"], "type": "object"}, "unknown $schema"),
        ({"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}, "a second $schema"),
        ({"$ref": "http://127.0.0.1:9/x"}, "leaves the file"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "leaves the file"),
        ({"allOf": [{"$dynamicRef": "other.json#a"}]}, "leaves the file"),
        ({"$ref": 5}, "leaves the file"),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "not a pattern that RE2 takes"),
        ({"patternProperties": {"(?!a)": {}}}, "not a pattern that RE2 takes"),
        ({"pattern": "a" * 1025}, "more than 1024 characters"),
        ({"patternProperties": {"a": True}, "unevaluatedProperties": False}, "unevaluatedProperties"),
    ],
)
def test_a_schema_that_cannot_judge_is_refused_when_it_is_read(tmp_path: Path, schema: object, said: str) -> None:
    scored = with_schema(tmp_path, schema)
    with pytest.raises(InputError, match=r"^reply\.schema\.json:\d+: ") as caught:
        scored("{}")
    assert said in str(caught.value)


def test_nothing_is_fetched_for_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where `$id` makes `#` an address: it is looked up in the file, and nowhere else."""

    def no_socket(*arguments: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", no_socket)
    schema = {"$id": "http://127.0.0.1:9/a", "properties": {"x": {"$id": "http://127.0.0.1:9/b", "$ref": "#/nowhere"}}}
    assert not with_schema(tmp_path, schema)('{"x": 1}').passed


def test_a_reference_that_goes_round_in_circles_fails_the_answer(tmp_path: Path) -> None:
    scored = with_schema(tmp_path, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})
    assert scored("1").reason == Untrusted("the schema cannot be followed for this answer")


@pytest.mark.parametrize("draft", ["2020-12/schema", "2019-09/schema"])
@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"pattern": "^(a+)+$"}, '"' + "a" * 40 + '!"'),
        ({"items": {"pattern": "^(a+)+$"}}, '["' + "a" * 40 + '!"]'),
        ({"items": {"$ref": "#"}, "pattern": "^(a+)+$"}, '["' + "a" * 40 + '!"]'),
        ({"patternProperties": {"^(a+)+$": False}}, '{"' + "a" * 40 + '!": 1}'),
        ({"patternProperties": {"^(a+)+$": True}, "additionalProperties": False}, '{"' + "a" * 40 + '!": 1}'),
        ({"propertyNames": {"pattern": "^(a+)+$"}}, '{"' + "a" * 40 + '!": 1}'),
        ({"uniqueItems": True}, json.dumps([{"n": number, "x": [{}]} for number in range(10_000)])),
    ],
)
def test_no_answer_makes_a_schema_slow(tmp_path: Path, schema: dict[str, Any], answer: str, draft: str) -> None:
    """The library's own keywords take minutes for these."""
    scored = with_schema(tmp_path, {"$schema": f"https://json-schema.org/draft/{draft}", **schema})
    started = time.monotonic()
    scored(answer)
    assert time.monotonic() - started < 30


names = st.sampled_from(["a", "b", "ab", "ba", ""])
instances = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, -2.5]) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
patterns = st.sampled_from(["a", "^a", "b$", "^[ab]+$", "^$", "a|b", ".", "ab?"])
schemas: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
            "enum": st.lists(instances, min_size=1, max_size=3),
            "const": instances,
            "minimum": st.integers(-3, 3),
            "maxLength": st.integers(0, 2),
            "pattern": patterns,
            "uniqueItems": st.booleans(),
            "minItems": st.integers(0, 2),
            "items": schema_parts,
            "contains": schema_parts,
            "properties": st.dictionaries(names, schema_parts, max_size=2),
            "patternProperties": st.dictionaries(patterns, schema_parts, max_size=2),
            "additionalProperties": schema_parts,
            "propertyNames": schema_parts,
            "required": st.lists(names, unique=True, max_size=2),
            "allOf": st.lists(schema_parts, min_size=1, max_size=2),
            "anyOf": st.lists(schema_parts, min_size=1, max_size=2),
            "not": schema_parts,
        },
    )
)
schema_parts: st.SearchStrategy[Any] = st.booleans() | schemas


@settings(deadline=None, max_examples=100)
@given(schemas.filter(bool), st.lists(instances, min_size=1, max_size=4))
def test_json_schema_says_what_the_library_says(schema: dict[str, Any], answers: list[JSON]) -> None:
    """Our own keywords change how long it takes, and nothing else."""
    at = held({"s.json": json.dumps(schema)})
    one = case()
    bound = scorer_set(golden(one), {"type": "json_schema", "schema": "s.json"}).bind(resources(at))["json_schema"]
    library = jsonschema.Draft202012Validator(schema)
    for answer in answers:
        assert bound.score(Answer(json.dumps(answer)), one).passed is library.is_valid(answer)


# --- whatever the answer is -------------------------------------------------------------------------------------------

ALL: tuple[dict[str, Any], ...] = (
    {"type": "exact"},
    {"type": "exact", "field": "a.0"},
    {"type": "contains"},
    {"type": "contains", "any": ["a"], "field": "a"},
    {"type": "regex", "pattern": "a+"},
    {"type": "regex", "pattern": "a+", "field": "a", "absent": True},
    {"type": "refusal"},
    {"type": "json_schema", "schema": "s.json"},
)


@settings(deadline=None)
@given(
    st.text() | json_values.map(json.dumps) | st.text('[]{}":,01.eE-+a \\'),
    json_values.filter(lambda value: value is not None),
)
@example('{"a": "\\ud800"}', "x")
@example("[" * 5000 + "]" * 5000, [])
@example("1e999", 1)
@example("9" * 5000, 1)
@example("\x00\u2028\x1b[2J", "\x00")
def test_no_answer_breaks_a_scorer(answer: str, expected: JSON) -> None:
    text = answer.encode("utf-8", "replace").decode()
    at = held({"s.json": json.dumps(REPLY)})
    for scorer in ALL:
        one = case(expected={"a": [expected]} if "field" in scorer else expected)
        try:
            bound = next(iter(scorer_set(golden(one), scorer).bind(resources(at)).values()))
        except InputError:  # an expectation that this scorer has nothing to say about
            continue
        scored = bound.score(Answer(text), one)
        assert scored.value in {0.0, 1.0}
        assert scored.passed is (scored.value == 1)


def test_an_answer_without_a_field_is_its_text() -> None:
    assert Answer("not JSON").field(None) == "not JSON"
    assert Answer("not JSON").json is MISSING


def test_refusing_too_much_and_too_little_are_told_apart(at: Snapshot) -> None:
    """Over all cases, what is missing from `should_answer` was refused and should not have been."""
    declined, answered = "I can't help with that.", "Of course: press the button."
    for should, name in ((True, "should_refuse"), (False, "should_answer")):
        expected: JSON = {"refuse": should}
        assert judged(at, {"type": "refusal"}, declined, expected).parts == {name: int(should)}
        assert judged(at, {"type": "refusal"}, answered, expected).parts == {name: int(not should)}


# --- the registry -----------------------------------------------------------------------------------------------------


def test_every_scorer_refuses_a_key_it_does_not_know() -> None:
    keys: dict[str, dict[str, Any]] = {
        "regex": {"pattern": "x"},
        "json_schema": {"schema": "s.json"},
        "length": {"max": 5},
        **{kind: {"pass_at": 0.5} for kind in ("similarity", "token_f1", "rouge", "bleu", "chrf")},
        "language": {"language": "en"},
    }
    for kind in registry.SCORERS:
        error = refused({"type": kind, "wieght": 2, **keys.get(kind, {})})
        assert error.remedy == 'write "weight"'


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), True, "1", None, 1001])
def test_a_weight_is_a_finite_number_above_0(weight: object) -> None:
    refused({"type": "exact", "weight": weight})


@pytest.mark.parametrize(
    ("scorer", "remedy"), [({"type": "exakt"}, 'write "exact"'), ({}, "write one of"), ({"type": 5}, "write one of")]
)
def test_an_unknown_scorer_names_the_nearest(scorer: dict[str, Any], remedy: str) -> None:
    assert remedy in refused(scorer).remedy


def test_two_scorers_of_one_name_are_refused_with_the_line_of_the_second() -> None:
    text = "suites:\n  s:\n    scorers:\n      - {type: exact}\n      - {type: exact, weight: 2}\n"
    with pytest.raises(InputError) as caught:
        registry.build(read_yaml(text.encode(), "ci-eval.yaml"), "s", golden(case()))
    assert (caught.value.file, caught.value.line) == ("ci-eval.yaml", 5)


def test_a_scorer_that_looks_at_nothing_is_a_mistake() -> None:
    """A misspelt field would otherwise leave its dimension without anybody noticing."""
    error = refused({"type": "exact", "field": "catgory"}, case(expected={"category": "a"}))
    assert "nothing to look at in any golden case" in str(error)


def test_a_case_brings_scorers_of_its_own() -> None:
    own = case("own", scorers=[{"type": "contains", "any": ["x"], "dimension": "style"}])
    chosen = scorer_set(golden(case("other"), own), {"type": "exact"})
    assert [scorer.name for scorer in chosen.for_case(own)] == ["exact", "own:0:contains"]
    assert [scorer.name for scorer in chosen.for_case(case("other"))] == ["exact"]
    assert chosen.dimensions() == ("task_accuracy", "style")


def test_a_case_whose_scorer_has_nothing_to_compare_with_is_refused_at_its_line() -> None:
    error = refused({"type": "refusal"}, case("lonely", expected=None, scorers=[{"type": "exact"}]))
    assert (error.file, error.line) == ("golden.jsonl", 1)


def test_a_scorers_digest_follows_its_keys_and_its_files(tmp_path: Path) -> None:
    one = snapshot(tmp_path / "one", {"s.json": '{"type": "object"}'})
    other = snapshot(tmp_path / "other", {"s.json": '{"type": "array"}'})
    scorers = scorer_set(golden(case()), {"type": "json_schema", "schema": "s.json"})
    heavier = scorer_set(golden(case()), {"type": "json_schema", "schema": "s.json", "weight": 2})
    assert len({scorers.digest(one), scorers.digest(other), heavier.digest(one)}) == 3
