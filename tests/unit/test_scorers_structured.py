"""Scorers of structured answers: fields and entities, numbers, documents, form."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import islice
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from making import case, golden, held, resources, scorer_set
from one_answer import linear, refusal, said, scored
from sklearn.metrics import precision_recall_fscore_support

from ci_eval.scorers.base import Answer
from ci_eval.scorers.numbers import Unreadable, numbers
from ci_eval.scorers.overlap import Overlap
from ci_eval.text import JSON

# --- fields -----------------------------------------------------------------------------------------------------------

FIELDS: dict[str, Any] = {"type": "fields"}
ENTITIES: dict[str, Any] = {"type": "fields", "field": "entities", "key": ["type", "value"]}


def entities(*pairs: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"entities": [{"type": kind, "value": value, **more} for kind, value in pairs]}


def test_what_is_invented_and_what_is_missed_are_told_apart() -> None:
    wanted = entities(("person", "Ada"), ("city", "London"))
    score = scored(ENTITIES, json.dumps(entities(("person", "Ada"), ("city", "Paris"), ("date", "1843"))), wanted)
    assert score.parts == {"precision": 1 / 3, "recall": 1 / 2, "f1": 0.4}
    assert score.value == 0.4
    assert not score.passed
    assert said(score) == (
        'invented {"type":"city","value":"Paris"}, {"type":"date","value":"1843"}; '
        'missed {"type":"city","value":"London"}'
    )


@pytest.mark.parametrize(("report", "value"), [("f1", 0.5), ("precision", 1.0), ("recall", 1 / 3)])
def test_report_decides_which_of_the_three_is_the_score(report: str, value: float) -> None:
    wanted: JSON = {"a": 1, "b": 2, "c": 3}
    score = scored({**FIELDS, "report": report, "pass_at": 0.5}, '{"a": 1}', wanted)
    assert score.value == value
    assert score.passed is (value >= 0.5)
    assert said(score) == "missed b 2, c 3"


def test_entries_are_a_multiset_without_an_order() -> None:
    twice = entities(("person", "Ada"), ("person", "Ada"), ("city", "London"))
    assert scored(ENTITIES, json.dumps({"entities": twice["entities"][::-1]}), twice).passed
    once = scored(ENTITIES, json.dumps(entities(("person", "Ada"), ("city", "London"))), twice)
    assert (once.parts["precision"], once.parts["recall"]) == (1, 2 / 3)


def test_only_the_keys_named_make_an_entity_the_same() -> None:
    wanted = entities(("person", "Ada"))
    assert scored(ENTITIES, json.dumps(entities(("person", "Ada"), start=17)), wanted).passed
    whole = {**ENTITIES, "key": []}
    assert not scored(whole, json.dumps(entities(("person", "Ada"), start=17)), wanted).passed
    assert scored({**whole, "ignore": ["start"]}, json.dumps(entities(("person", "Ada"), start=17)), wanted).passed


def test_fields_of_an_object_are_compared_by_their_paths() -> None:
    wanted: JSON = {"order": {"id": 7, "lines": ["a", "b"]}, "note": None, "at": "today"}
    got = {"order": {"lines": ["b", "a"], "id": 7.0}, "extra": None, "at": "tomorrow"}
    assert scored({**FIELDS, "ignore": ["at"]}, json.dumps(got), wanted).passed
    assert scored({**FIELDS, "ignore": ["order"]}, json.dumps(got), wanted).value == 0
    score = scored(FIELDS, json.dumps(got), wanted)
    assert score.value == 0.75
    assert said(score) == 'invented at "tomorrow"; missed at "today"'


def test_texts_are_normalised_when_told() -> None:
    assert not scored(FIELDS, '{"a": "Zürich"}', {"a": "ZURICH"}).passed
    assert scored({**FIELDS, "normalise": ["case", "accents"]}, '{"a": "Zürich"}', {"a": "ZURICH"}).passed
    assert scored(
        {**ENTITIES, "normalise": ["case"]}, json.dumps(entities(("p", "ADA"))), entities(("p", "Ada"))
    ).passed


def test_nothing_to_find_and_nothing_found_is_right() -> None:
    score = scored(ENTITIES, '{"entities": []}', {"entities": []})
    assert score.passed
    assert said(score) == "nothing was to be found, and nothing was"
    assert scored(ENTITIES, '{"entities": []}', entities(("a", "b"))).value == 0
    assert scored(ENTITIES, json.dumps(entities(("a", "b"))), {"entities": []}).value == 0
    assert scored(ENTITIES, "{}", {"entities": []}).value == 0


def test_an_expectation_without_fields_is_nothing_to_look_at() -> None:
    assert "nothing to look at" in str(refusal(FIELDS, "text"))


def test_a_reason_names_a_few() -> None:
    assert said(scored(FIELDS, "{}", {f"f{n}": n for n in range(9)})).endswith("f4 4 and 4 more")


LABELS = tuple("abcdef")


@settings(deadline=None)
@given(st.sets(st.sampled_from(LABELS)), st.sets(st.sampled_from(LABELS)))
def test_precision_recall_and_f1_are_scikit_learns(given_: set[str], wanted: set[str]) -> None:
    rows = [[label in labels for label in LABELS] for labels in (wanted, given_)]
    library = precision_recall_fscore_support(*np.array(rows)[:, None], average="micro", zero_division=1)
    parts = scored({**FIELDS, "field": "l"}, json.dumps({"l": sorted(given_)}), {"l": sorted(wanted)}).parts
    assert [parts["precision"], parts["recall"], parts["f1"]] == pytest.approx(library[:3])


@given(st.lists(st.sampled_from("ab")), st.lists(st.sampled_from("ab")))
def test_an_overlap_never_leaves_0_to_1(given_: list[str], wanted: list[str]) -> None:
    overlap = Overlap.of(given_, wanted)
    assert all(0 <= part <= 1 for part in overlap.parts().values())
    assert (overlap.f1 == 1) is (sorted(given_) == sorted(wanted))


# --- numeric ----------------------------------------------------------------------------------------------------------

NUMERIC: dict[str, Any] = {"type": "numeric"}


@pytest.mark.parametrize(
    ("keys", "got", "passes"),
    [
        ({}, 5, True),
        ({}, 5.0, True),
        ({}, 5.000001, False),
        ({"absolute": 0.1}, 5.1, True),
        ({"absolute": 0.1}, 4.9, True),
        ({"absolute": 0.1}, 5.1000001, False),
        ({"relative": 0.01}, 5.05, True),
        ({"relative": 0.01}, 5.0501, False),
        ({"relative": 0.01, "absolute": 1}, 6, True),
        ({}, "5", True),
        ({}, "It is 5 in all: 5.0!", True),
        ({}, "5 or 6", False),
        ({}, True, False),
        ({}, None, False),
        ({}, [5], False),
        ({}, "five", False),
        ({}, "NaN", False),
        ({}, "Infinity", False),
        ({"absolute": 1e300}, "1e400", False),
        ({"absolute": 1e300}, "inf", False),
    ],
)
def test_numeric(keys: dict[str, Any], got: JSON, passes: bool) -> None:
    """0.1 is a tenth here, not the double that lies next to it."""
    assert scored({**NUMERIC, "field": "n", **keys}, json.dumps({"n": got}), {"n": 5}).passed is passes


def test_a_share_of_a_negative_number_is_a_distance_too() -> None:
    assert scored({**NUMERIC, "relative": 0.01}, "-5.05", -5).passed
    assert not scored({**NUMERIC, "relative": 0.01}, "5", -5).passed


def test_what_json_does_not_know_as_a_number_is_none() -> None:
    for text in ("NaN", "Infinity", "-Infinity", "1e400", "9" * 5000, "1" + "0" * 400):
        assert said(scored({**NUMERIC, "field": "n"}, f'{{"n": {text}}}', {"n": 5})) in {
            "no n in the answer",
            "a number that cannot be read in the answer",
        }


def read(text: str, decimal: Literal[".", ","] = ".", *units: str, percent: bool = False) -> list[float] | None:
    try:
        return [float(one) for one in numbers(text, decimal, units, percent=percent)]
    except Unreadable:
        return None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The total is $1,234.50.", [1234.5]),
        ("-$5", [-5]),
        ("$-5", [-5]),
        ("\u2212 7 °C", [-7]),
        (".5 and -.25", [0.5, -0.25]),
        ("1'000'000", [1000000]),
        ("1\u202f000", [1000]),
        ("100,000", [100000]),
        ("pages 10-15", [10, 15]),
        ("1e3", [1000]),
        ("v2, 3rd, B12, 5kg, x_9", []),
        ("(8)", [8]),
        ("1,23", None),
        ("1,234,56", None),
        ("1.2.3", None),
        ("1,,000", None),
        ("1e400", None),
        ("1e99999999999999", None),
        ("1e-00000999999999", None),
        ("0e+00000999999999", None),
        ("٣", []),
        ("3 3.0 3.00", [3]),
    ],
)
def test_numbers_are_read_in_one_way_or_not_at_all(text: str, found: list[float] | None) -> None:
    assert read(text) == found


def test_a_decimal_comma_is_read_where_it_is_one() -> None:
    assert read("1.234,50 €", ",") == [1234.5]
    assert read("0,5", ",") == [0.5]
    assert read("1.5", ",") is None


def test_only_numbers_with_a_unit_count_where_one_is_asked_for() -> None:
    assert read("5 EUR, that is 6 USD", ".", "EUR") == [5]
    assert read("5EUR", ".", "EUR") == [5]
    assert read("EUR 5 for 2", ".", "EUR") == [5]
    assert read("-$5 of 7", ".", "$") == [-5]
    assert read("5 EUROS, XEUR 6", ".", "EUR") == []
    assert read("3 of 12 %", ".", "%") == [12]
    assert read("12 % or 0.12", ".", percent=True) == [0.12]
    assert read("12 % of 3", ".") == [12, 3]


def test_the_right_number_in_the_wrong_currency_is_wrong() -> None:
    euros = {**NUMERIC, "units": ["€", "EUR"], "against": "total"}
    assert scored(euros, "That makes 1,200 EUR.", {"total": 1200}).passed
    assert said(scored(euros, "That makes 1,200 USD.", {"total": 1200})) == "no number in the answer"
    assert said(scored(euros, "€1 or €2", {"total": 1})) == "more than one number in the answer"
    assert said(scored(NUMERIC, "about 7", 8)) == "7, not 8"


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_a_number_is_read_as_it_was_written(number: Any) -> None:
    for text, decimal in ((f"{number:,}", "."), (f"{number:,}".translate(str.maketrans(",.", ".,")), ",")):
        assert list(numbers(f"It is {text}.", decimal)) == [Fraction(number)]  # type: ignore[arg-type]


@given(st.text("0123456789.,eE+-'%$ \u00a0aé", max_size=40))
@example("1e-400")
def test_whatever_is_read_is_finite(text: str) -> None:
    assert all(math.isfinite(value) for value in read(text) or ())


@pytest.mark.parametrize("part", ["1", "1,", "-", "1e", "1 ", "1.1", "$", "- ", "1 %"])
def test_no_text_makes_reading_numbers_slow(part: str) -> None:
    with linear():
        read(part * (100_000 // len(part)))


def test_reading_ends_with_the_second_number() -> None:
    assert len(list(islice(numbers("1 2 1.2.3", "."), 2))) == 2


# --- retrieval --------------------------------------------------------------------------------------------------------

RETRIEVAL: dict[str, Any] = {"type": "retrieval"}


def test_retrieval_tells_recall_precision_and_the_first_rank() -> None:
    score = scored(RETRIEVAL, '{"documents": ["x", "a", "y", "b"]}', {"documents": ["a", "b", "c"]})
    assert score.parts == {"recall": 2 / 3, "precision": 0.5, "mrr": 0.5}
    assert score.value == 2 / 3
    assert not score.passed
    assert said(score) == '1 of 3 not among the 4 found: "c"'


def test_retrieval_looks_at_the_first_k() -> None:
    found = '{"documents": ["x", "x", "y", "a"]}'
    assert scored({**RETRIEVAL, "k": 3}, found, {"documents": ["a"]}).passed
    assert not scored({**RETRIEVAL, "k": 2}, found, {"documents": ["a"]}).passed
    assert scored({**RETRIEVAL, "k": 2, "report": "mrr", "pass_at": 0.3}, found, {"documents": "a"}).value == 0


def test_retrieval_reads_all_steps_of_a_kind_and_ids_of_objects() -> None:
    steps: tuple[JSON, ...] = (
        {"tool": "search", "hits": [{"id": 1, "text": "…"}]},
        {"tool": "search", "error": "timeout"},
        {"tool": "rank", "hits": [{"id": 9}]},
        {"tool": "search", "hits": [{"id": 2}, {"id": 1}]},
    )
    searched = {**RETRIEVAL, "step": {"tool": "search"}, "field": "hits", "key": "id"}
    score = scored(searched, "the answer", {"documents": [2, 1]}, steps)
    assert score.passed
    assert score.parts["precision"] == 1
    assert said(scored(searched, "the answer", {"documents": [2]}, steps[2:3])) == 'no step with {"tool":"search"}'
    assert said(scored(searched, "the answer", {"documents": [2]}, steps[1:2])) == "no hits in the answer"


def test_no_document_needed_and_none_found_is_right() -> None:
    assert scored(RETRIEVAL, '{"documents": []}', {"documents": []}).parts == {"recall": 1, "precision": 1, "mrr": 1}
    assert scored({**RETRIEVAL, "report": "mrr"}, '{"documents": [1]}', {"documents": []}).value == 0
    assert scored(RETRIEVAL, '{"documents": []}', {"documents": [1]}).value == 0
    assert scored(RETRIEVAL, "[]", {"documents": [1]}).value == 0


def test_the_whole_and_its_retrieval_are_dimensions_of_their_own() -> None:
    one = case(expected={"label": "a", "documents": ["d"]})
    scorers = scorer_set(golden(one), {"type": "exact", "field": "label"}, RETRIEVAL, {"type": "format"})
    assert scorers.dimensions() == ("task_accuracy", "retrieval", "format")


# --- format -----------------------------------------------------------------------------------------------------------


def formatted(answer: str, *scorers: dict[str, Any], expected: JSON, **keys: Any) -> str:
    one = case(expected=expected)
    bound = scorer_set(golden(one), {"type": "format", **keys}, *scorers).bind(resources(held({})))
    score = bound["format"].score(Answer(answer), one)
    assert score.passed is (said(score) == "a JSON object with all required fields")
    return said(score)


RIGHT = "a JSON object with all required fields"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"a": 1, "b": {"c": false}}', RIGHT),
        ('{"a": 1, "b": {"c": ""}, "d": 1}', RIGHT),
        ('{"a": 1}', "no b.c"),
        ('{"a": null, "b": {}}', "no a, b.c"),
        ("[]", "not a JSON object"),
        ('```json\n{"a": 1}\n```', "the answer is not JSON"),
        ('{"a": 1} Done.', "the answer is not JSON"),
        ("", "the answer is not JSON"),
    ],
)
def test_format(answer: str, reason: str) -> None:
    assert formatted(answer, expected="x", required=["a", "b.c"]) == reason


def test_format_asks_for_what_the_others_look_at() -> None:
    others = ({"type": "exact", "field": "label"}, {"type": "numeric", "field": "total.sum"})
    expected: JSON = {"label": "a", "total": {"sum": 1}}
    assert formatted('{"label": "b", "total": {"sum": "?"}}', *others, expected=expected) == RIGHT
    assert formatted('{"label": "a"}', *others, expected=expected) == "no total.sum"
    in_a_step = {"type": "exact", "field": "query", "step": {"tool": "search"}, "against": "label"}
    assert formatted('{"label": "a"}', in_a_step, expected=expected) == RIGHT


def test_format_asks_in_each_case_for_what_is_looked_at_there() -> None:
    whole, short = case("whole", expected={"a": "1", "b": "2"}), case("short", expected={"a": "1"})
    scorers = ({"type": "format"}, {"type": "exact", "field": "a"}, {"type": "exact", "field": "b"})
    bound = scorer_set(golden(whole, short), *scorers).bind(resources(held({})))["format"]
    assert bound.score(Answer('{"a": 1}'), short).passed
    assert not bound.score(Answer('{"a": 1}'), whole).passed


# --- whatever the answer is -------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
HOSTILE = (
    "",
    "\x00\x1b[2J",
    "9" * 5000,
    "1e400",
    "[" * 50_000,
    '{"a":' * 5000,
    "[" * 50 + "]" * 50,
    "x" * 100_000,
    "[" + "1," * 49_999 + "1]",
    json.dumps({"a": ["x"] * 20_000}),
    json.dumps([{"a": number} for number in range(8000)]),
    json.dumps({str(number): number for number in range(8000)}),
    '{"a": "\\ud800"}',
)
ALL: tuple[dict[str, Any], ...] = (
    FIELDS,
    {**FIELDS, "field": "a", "key": ["a", "b.c"], "ignore": ["d"], "normalise": ["case", "accents", "unicode"]},
    NUMERIC,
    {**NUMERIC, "field": "a", "relative": 0.1, "percent": True, "units": ["€"]},
    {**RETRIEVAL, "field": "a", "against": "a", "key": "b"},
    {"type": "format", "required": ["a.b"]},
)


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("scorer", ALL)
def test_no_answer_breaks_a_scorer_or_makes_it_slow(scorer: dict[str, Any], answer: str) -> None:
    with linear(3):
        for expected in ({"a": 5}, {"a": ["x", {"a": 1}]}):
            if not refusal(scorer, expected):
                score = scored(scorer, answer, expected)
                assert all(0 <= part <= 1 for part in (score.value, *score.parts.values()))
                assert len(said(score)) < 5000


@settings(deadline=None)
@given(json_values, json_values)
def test_json_of_any_shape_gets_a_score(answer: JSON, expected: JSON) -> None:
    for scorer in ALL:
        if not refusal(scorer, {"a": expected}):
            score = scored(scorer, json.dumps({"a": answer}), {"a": expected})
            assert all(0 <= part <= 1 for part in (score.value, *score.parts.values()))
            same = scored(scorer, json.dumps({"a": expected}), {"a": expected})
            assert same.passed or scorer["type"] in {"numeric", "retrieval", "format"}
