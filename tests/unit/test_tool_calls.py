"""`tool_calls`: which calls are right, which are wrong, and what is said of them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from behaving import called, judged, refused, stepped, why
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_eval.scorers.base import Answer
from ci_eval.text import JSON

CALLS: dict[str, Any] = {"type": "tool_calls"}


def wants(*calls: tuple[str, JSON]) -> JSON:
    return {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


FIND: tuple[str, JSON] = ("find", {"order": 7})
PAY: tuple[str, JSON] = ("pay", {"order": 7, "usd": 20.0})


def test_the_calls_that_are_expected_pass() -> None:
    score = judged(CALLS, called(FIND, PAY), wants(FIND, PAY))
    assert score.passed
    assert dict(score.parts) == {"precision": 1, "recall": 1, "tools": 1}
    assert why(score) == "the calls that are expected"


def test_steps_of_a_pipeline_that_name_a_tool_are_calls() -> None:
    """A target of one's own has no tool calls but those it tells of; other steps are none."""
    told = stepped(
        {"tool": "find", "arguments": {"order": 7}},
        {"thought": "now pay"},
        {"tool": "pay", "arguments": '{"order": 7, "usd": 20}'},
    )
    assert judged(CALLS, told, wants(FIND, PAY)).passed
    assert judged(CALLS, stepped({"tool": "find"}), {"tool_calls": [{"name": "find"}]}).passed


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (called(FIND), "does not call pay"),
        (called(PAY, FIND), "calls find in another order"),
        (called(FIND, ("pay", {"order": 8, "usd": 20})), "calls pay with another order"),
        (called(FIND, ("pay", {"order": 7})), "calls pay with another usd"),
        (called(FIND, ("pay", {"order": 7, "usd": 20, "note": ""})), "calls pay with another note"),
        (called(FIND, ("pay", {"order": "7", "usd": 20})), "calls pay with another order"),
        (called(FIND, ("pay", {"order": 7, "usd": True})), "calls pay with another usd"),
        (called(FIND, PAY, FIND), "calls find, which is not expected"),
        (called(("Find", {"order": 7}), PAY), "does not call find"),
        (called(), "does not call find"),
    ],
)
def test_what_is_wrong_is_said(made: Answer, said: str) -> None:
    score = judged(CALLS, made, wants(FIND, PAY))
    assert (score.passed, why(score)) == (False, said)


@pytest.mark.parametrize(
    "written",
    [
        '{"order": 7',
        "{'order': 7}",
        '{"order": 7, "order": 7}',
        '{"order": NaN}',
        "[7]",
        '"order"',
        "null",
        "[" * 50_000,
        '```json\n{"order": 7}\n```',
    ],
)
def test_arguments_that_are_no_json_object_are_a_wrong_call(written: str) -> None:
    score = judged(CALLS, called(("find", written)), wants(FIND))
    assert (score.passed, why(score)) == (False, "calls find with arguments that are no JSON object")
    assert score.parts["tools"] == 1
    assert not judged({**CALLS, "arguments": "ignore"}, called(("find", written)), wants(FIND)).passed


def test_no_arguments_at_all_are_an_empty_object() -> None:
    """As models write them for a tool that takes none."""
    assert judged(CALLS, called(("list", "")), wants(("list", {}))).passed


def test_arguments_are_compared_as_told() -> None:
    more = called(("pay", {"order": 7, "usd": 20, "meta": {"by": "bot", "at": 3}}))
    wanted = wants(("pay", {"order": 7, "meta": {"by": "bot"}}))
    assert not judged(CALLS, more, wanted).passed
    assert judged({**CALLS, "arguments": "subset"}, more, wanted).passed
    assert judged({**CALLS, "arguments": "ignore"}, called(("pay", {})), wanted).passed
    assert judged({**CALLS, "ignored": ["usd", "meta"]}, more, wants(("pay", {"order": 7}))).passed
    assert judged(
        {**CALLS, "normalise": ["case"]}, called(("pay", {"to": [" BOB"]})), wants(("pay", {"to": ["Bob"]}))
    ).passed
    assert judged(CALLS, called(("pay", {"any": 1})), {"tool_calls": [{"name": "pay"}]}).passed


def test_any_order_gives_a_call_to_the_expectation_that_has_no_other() -> None:
    """The first call fits both expectations, the second only one of them."""
    any_order = {**CALLS, "order": "any", "arguments": "subset"}
    made = called(("find", {"a": 1, "b": 2}), ("find", {"a": 1}))
    assert judged(any_order, made, wants(("find", {"a": 1}), ("find", {"b": 2}))).passed
    assert judged({**CALLS, "order": "any"}, called(PAY, FIND), wants(FIND, PAY)).passed


def test_more_calls_may_be_allowed() -> None:
    score = judged({**CALLS, "extra": "allow"}, called(FIND, ("log", {}), PAY), wants(FIND, PAY))
    assert score.passed
    assert score.parts["precision"] == pytest.approx(2 / 3)


def test_a_forbidden_tool_is_worth_nothing_whatever_else_is_right() -> None:
    strict = {**CALLS, "forbidden": ["delete"], "extra": "allow"}
    score = judged(strict, called(FIND, ("delete", "not even JSON")), wants(FIND))
    assert (score.value, why(score)) == (0, "uses delete, which is forbidden")
    assert judged(strict, called(FIND), "some text").passed  # also where a case expects no calls


def test_no_calls_may_be_what_is_expected() -> None:
    assert judged(CALLS, "Hello.", {"tool_calls": []}).passed
    assert judged(CALLS, called(FIND), {"tool_calls": []}).value == 0


def test_a_part_of_the_calls_is_a_part_of_the_score() -> None:
    score = judged({**CALLS, "pass_at": 0.5}, called(FIND, ("x", {})), wants(FIND, PAY))
    assert (score.value, score.passed) == (0.5, True)
    assert dict(score.parts) == {"precision": 0.5, "recall": 0.5, "tools": 0.5}


def test_many_calls_are_no_plan_and_take_no_time() -> None:
    many = called(*([FIND] * 5_000))
    assert why(judged({**CALLS, "order": "any"}, many, wants(*([FIND] * 100)))) == "more than 500 calls"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "find"},
        [{"arguments": {}}],
        [{"name": ""}],
        [{"name": "find", "args": {}}],
        "find",
        [{"name": "x", "arguments": "{}"}],
    ],
)
def test_an_expectation_of_another_shape_is_refused_before_anything_is_asked(wrong: JSON) -> None:
    assert 'the case "one" expects' in str(refused(CALLS, {"tool_calls": wrong}))


def test_a_field_is_no_key() -> None:
    assert '"field" is no key' in str(refused({**CALLS, "field": "x"}, {"tool_calls": []}))


names = st.sampled_from(["a", "b"])
some_calls = st.lists(
    st.tuples(names, st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from([1, 2]), max_size=2)), max_size=4
)


@settings(max_examples=150)
@given(some_calls, some_calls, st.sampled_from(["any", "given"]), st.sampled_from(["exact", "subset"]))
def test_as_many_calls_count_as_could_be_paired_by_hand(
    wanted: list[tuple[str, JSON]], made: list[tuple[str, JSON]], order: str, arguments: str
) -> None:
    """Against every way to pair them."""
    score = judged({**CALLS, "order": order, "arguments": arguments, "extra": "allow"}, called(*made), wants(*wanted))
    most = max(
        sum(_is(one, made[place], arguments) for one, place in zip(chosen, places, strict=True))
        for size in range(min(len(wanted), len(made)) + 1)
        for chosen in itertools.combinations(wanted, size)
        for places in itertools.permutations(range(len(made)), size)
        if order == "any" or list(places) == sorted(places)
    )
    assert score.value == (most / len(wanted) if wanted else 1)


def _is(wanted: tuple[str, Any], made: tuple[str, Any], arguments: str) -> bool:
    same = wanted[1] == made[1] or (arguments == "subset" and wanted[1].items() <= made[1].items())
    return wanted[0] == made[0] and same


@given(st.text(), st.text(max_size=200))
def test_no_name_and_no_arguments_of_a_model_raise(name: str, written: str) -> None:
    score = judged(CALLS, called((name, written), (name, json.dumps(written))), wants(FIND))
    assert 0 <= score.value <= 1
