"""`task_completion`: what an agent must have done, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from behaving import called, judged, refused, stepped, why
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.scorers.base import Answer, Score
from ci_eval.text import JSON, Untrusted

TASK: dict[str, Any] = {"type": "task_completion"}
WAY: tuple[JSON, ...] = (
    {"tool": "find", "arguments": {"order": 7}},
    {"thought": "it is late"},
    {"tool": "refund", "arguments": {"order": 7, "usd": 20}, "state": {"order": {"status": "refunded"}}},
)


def done(task: JSON, answer: Answer | None = None, **keys: Any) -> Score:
    return judged({**TASK, **keys}, answer or stepped(*WAY, text="Done."), {"task": task})


def test_a_goal_is_reached_by_the_way_that_it_takes() -> None:
    goal: JSON = {
        "state": {"order.status": "refunded"},
        "steps": ["find", {"tool": "refund", "arguments": {"usd": 20.0}}],
        "in_order": True,
        "forbidden": ["delete", {"tool": "refund", "arguments": {"usd": 200}}],
        "max_steps": 3,
    }
    score = done(goal)
    assert (score.value, score.passed, why(score)) == (1, True, "every check holds")
    assert score.parts == {"state": 1, "steps": 1, "order": 1, "forbidden": 1, "max_steps": 1}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"state": {"order.status": "open"}}, "order.status is refunded in the end"),
        ({"state": {"order.status.code": 1}}, "order.status.code is not there in the end"),
        ({"state": {"order": {}}}, 'order is {"status":"refunded"} in the end'),
        ({"steps": ["mail"]}, "never takes the step mail"),
        ({"steps": [{"tool": "find", "arguments": {"order": "7"}}]}, "never takes the step"),
        ({"steps": ["refund", "find"], "in_order": True}, "does not take the steps in their order"),
        ({"steps": ["find", "find"], "in_order": True}, "does not take the steps in their order"),
        ({"forbidden": [{"thought": "it is late"}]}, "takes the forbidden step"),
        ({"max_steps": 2}, "takes 3 steps where 2 are allowed"),
    ],
)
def test_a_check_that_fails_says_what_happened(task: JSON, said: str) -> None:
    score = done(task)
    assert not score.passed
    assert said in why(score)


@pytest.mark.parametrize(
    "answer",
    [
        stepped({"tool": "refund", "arguments": '{"order": 7, "usd": 200}'}),
        stepped({"tool": "refund", "arguments": '{"usd": 200'}),
        called(("refund", '{"usd": 20, "usd": 200}')),
        called(("refund", '"{\\"usd\\": 200}"')),
    ],
)
def test_a_forbidden_step_is_seen_however_its_arguments_are_written(answer: Answer) -> None:
    """As JSON text they are read; where they cannot be, what obeys them may do what is forbidden."""
    assert "takes the forbidden step" in why(
        done({"forbidden": [{"tool": "refund", "arguments": {"usd": 200}}]}, answer)
    )


def test_arguments_told_as_json_text_are_those_of_a_step() -> None:
    answer = stepped({"tool": "refund", "arguments": '{"order": 7, "usd": 20}'})
    as_told: JSON = {"tool": "refund", "arguments": '{"order": 7, "usd": 20}'}
    task: dict[str, Any] = {"steps": [{"tool": "refund", "arguments": {"usd": 20}}, as_told]}
    assert done({**task, "forbidden": [{"tool": "refund", "arguments": {"usd": 200}}]}, answer).passed


def test_the_score_is_the_share_of_checks_that_hold() -> None:
    goal: JSON = {"steps": ["find", "mail", "refund"], "max_steps": 2}
    assert done(goal).value == 0.5
    assert not done(goal).passed
    assert done(goal, pass_at=0.5).passed
    assert done(goal).parts == {"steps": 2 / 3, "max_steps": 0}
    assert why(done(goal)) == "never takes the step mail; takes 3 steps where 2 are allowed"


def test_the_state_is_the_last_that_a_step_tells_else_the_answer() -> None:
    goal: JSON = {"state": {"open": 0}}
    assert done(goal, stepped({"state": {"open": 1}}, {"state": {"open": 0}}, {"tool": "x"}, text='{"open": 2}')).passed
    assert done(goal, Answer('{"open": 0}')).passed
    assert not done(goal, stepped({"state": {"open": 0}}, {"state": None})).passed
    assert not done(goal, Answer("open: 0")).passed


def test_what_a_model_asks_for_is_a_step() -> None:
    goal: JSON = {
        "steps": ["find", {"tool": "pay", "arguments": {"usd": 2}}],
        "forbidden": ["delete"],
        "in_order": True,
    }
    assert done(goal, called(("find", "not JSON"), ("pay", {"usd": 2, "to": "x"}))).passed
    assert not done(goal, called(("find", {}), ("delete", {}), ("pay", {"usd": 2}))).passed


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        "refund",
        {"state": {}},
        {"state": {"a..b": 1}},
        {"steps": [""]},
        {"steps": [{}]},
        {"steps": [7]},
        {"step": ["find"]},
        {"max_steps": 0},
        {"max_steps": True},
        {"steps": ["find"], "in_order": True},
        {"steps": ["find", "pay"], "in_order": "yes"},
    ],
)
def test_a_task_of_another_shape_is_refused_before_anything_is_asked(wrong: JSON) -> None:
    assert 'the case "one" expects' in str(refused(TASK, {"task": wrong}))


nested = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["state", "tool", "open", "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.lists(nested, max_size=4), st.text(max_size=20))
def test_no_trajectory_raises(told: list[JSON], text: str) -> None:
    goal: JSON = {"state": {"open.0.x": None}, "steps": ["x", {"tool": {"open": 1}}], "in_order": True, "max_steps": 1}
    assert 0 <= done(goal, Answer(text, steps=tuple(map(Untrusted, told)))).value <= 1
