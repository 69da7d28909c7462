"""Row 101 of the threat model: an error says which key is wrong, and never what stood there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from pydantic import BaseModel, ValidationError

from ci_eval.config import Policy
from ci_eval.errors import InputError
from ci_eval.github.event import PullRequest
from ci_eval.golden.cases import Case
from ci_eval.reader import (
    Document,
    Strict,
    parse_json,
    read_document,
    read_json,
    read_jsonl,
    read_rows,
    read_yaml,
    validate,
)
from ci_eval.records import Header, Record
from ci_eval.scorers.registry import SCORERS, policy_class
from ci_eval.targets.model_config import ModelConfig
from ci_eval.text import JSON

CANARY = "sk-canary-0123456789"

POLICY = {
    "version": 1,
    "providers": {
        "house": {
            "api": "openai",
            "base_url": "http://localhost:1/v1",
            "key_env": "KEY",
            "max_concurrency": 1,
            "extra_parameters": ["min_p"],
            "prices": {"m": {"input": 1, "output": 1}},
        }
    },
    "suites": {
        "s": {
            "target": {"prompt": "p", "model": "m", "examples": {"from": "d", "k": 1}, "user": "u"},
            "datasets": ["d"],
            "watch": ["w"],
            "golden": ["g"],
            "scorers": [{"type": "exact"}],
            "gate": {"max_drop": 1, "per_dimension": {"a": 1}},
        }
    },
    "budget": {"seconds": 1},
    "baseline": {"branch": "b", "repeats": 1, "max_age_days": 1, "outputs": "store"},
}
CASE = {"id": "a", "input": "x", "stratum": "edge", "category": "c", "tags": ["t"], "context": ["x"], "scorers": [{}],
        "human": {"tone": 1}, "cluster": "c"}  # fmt: skip
CONFIG = {"provider": "p", "model": "m", "temperature": 0, "max_tokens": 1, "top_p": 1, "seed": 1, "stop": ["x"],
          "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}, "train": "t",
          "tools": [{"type": "function", "function": {"name": "f"}}], "extra": {"min_p": 1},
          "tool_choice": {"type": "function", "function": {"name": "f"}}}  # fmt: skip


def spoiled(value: JSON, bad: JSON) -> Iterator[JSON]:
    """The value with `bad` in the place of each of its parts, one at a time."""
    yield bad
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: other} for other in spoiled(item, bad))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in spoiled(item, bad))


BAD: list[JSON] = [
    CANARY,
    f" {CANARY}\n",
    [CANARY],
    {"x": CANARY},
    [[CANARY]],
    {"x": [CANARY]},
    f"{CANARY}/../x",
    10**15,
]
HIDDEN = (CANARY, str(10**15))


def refused(model: type[BaseModel], value: JSON) -> InputError | None:
    try:
        validate(model, Document("f", value))
    except InputError as error:
        return error
    return None


def check(error: InputError) -> None:
    """Neither the message nor what a traceback would show beside it."""
    assert not any(hidden in str(error) for hidden in HIDDEN)
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.parametrize(("model", "good"), [(Policy, POLICY), (Case, CASE), (ModelConfig, CONFIG)])
@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_101_models(model: type[Strict], good: JSON, bad: JSON) -> None:
    errors = [refused(model, value) for value in spoiled(good, bad)]
    for error in filter(None, errors):
        check(error)
    assert len(errors) - errors.count(None) > 5


@pytest.mark.parametrize("kind", SCORERS)
def test_101_scorers(kind: str) -> None:
    own = policy_class(kind)
    for name, info in own.model_fields.items():
        for bad in BAD:
            error = refused(own, {"type": kind, info.alias or name: bad})
            if error:
                check(error)


@pytest.mark.parametrize("model", [Header, Record, PullRequest])
def test_101_what_was_stored_or_sent(model: type[BaseModel]) -> None:
    for bad in BAD:
        for name, info in model.model_fields.items():
            error = refused(model, {info.alias or name: bad})
            assert error
            check(error)


BROKEN: list[tuple[Callable[[bytes, str], object], str]] = [
    (read_yaml, "a: {c}\nb: [\n"),
    (read_yaml, 'a: "{c}\n'),
    (read_yaml, "a: {c}: x\n"),
    (read_yaml, "{c}\n{c}: x\n"),
    (read_yaml, "a: &{c} 1\n"),
    (read_yaml, "a: *{c}\n"),
    (read_yaml, "a: !{c} 1\n"),
    (read_yaml, "a: !{c}!x 1\n"),
    (read_yaml, "%{c}\n---\na: 1\n"),
    (read_yaml, "a: 'x\\{c}\n"),
    (read_yaml, 'a: "\\x{c}"\n'),
    (read_yaml, "a: @{c}\n"),
    (read_json, '{"a": "{c}",}'),
    (read_json, '{"a": {c}}'),
    (read_json, '"{c}\n"'),
    (read_json, '["{c}", NaN]'),
    (read_json, '"\\ud800{c}"'),
    (read_jsonl, '{"a": "{c}"\n'),
    (read_rows, '{"a": "{c}"} {c}\n'),
]


@pytest.mark.parametrize(("read", "text"), BROKEN)
def test_101_syntax(read: Callable[[bytes, str], object], text: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text.replace("{c}", CANARY).encode(), "f")
    check(caught.value)


@pytest.mark.parametrize("text", [f'a,b\n"{CANARY}\n', f"a,b\n{CANARY}\n", f'a\n"{CANARY}" x\n', f"a\n{{{CANARY}\n"])
def test_101_csv(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rows(text.encode(), "f.csv")
    assert CANARY not in str(caught.value)


def test_101_pydantic_itself_would_not_show_it() -> None:
    """A `ValidationError` that somebody forgets to catch."""
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate({**POLICY, "version": CANARY})
    assert CANARY not in str(caught.value)


def test_101_a_long_name_is_cut() -> None:
    """A whole prompt, pasted where a key should be, is no name."""
    for read in (read_yaml, read_json):
        text = json.dumps({"x" * 100_000: 1})
        with pytest.raises(InputError) as caught:
            validate(Policy, read(text.encode(), "f"))
        assert len(str(caught.value)) < 300
    with pytest.raises(InputError) as caught:
        parse_json(f'{{"{"x" * 100_000}": 1, "{"x" * 100_000}": 1}}', "f")
    assert len(str(caught.value)) < 300
    assert read_document(b"{}", "f.json").value == {}
