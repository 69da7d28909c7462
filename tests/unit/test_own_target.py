"""Targets of one's own: what they are handed, what makes two requests the same, and how the policy names them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import case, held, record, run

from ci_eval import config as configs
from ci_eval.config import Subject, TargetPolicy
from ci_eval.errors import InputError
from ci_eval.providers.base import ProviderError
from ci_eval.providers.own_reply import to_reply
from ci_eval.reader import Document, validate
from ci_eval.records import kept_steps, parse, to_bytes
from ci_eval.targets import own
from ci_eval.targets.own import OwnTarget
from ci_eval.text import JSON, Untrusted

FILES = {"p.md": "Be kind, {{name}} {% if %}.\n", "m.yaml": "k: 3\nnested: {a: [1]}\n", "a.py": "1", "b/c.py": "2"}
CODE: dict[str, Any] = {"command": ["node", "serve.js"], "files": ["**/*.py"]}


def target(
    policy: dict[str, Any], prompt: str | None = "p.md", model: str | None = "m.yaml", **files: str
) -> OwnTarget:
    found = validate(TargetPolicy, Document("ci-eval.yaml", policy))
    return own.load(held({**FILES, **files}), Subject(prompt, model, None, ()), found)


# --- what it is handed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["text", {"a": {"b": "{{name}}"}}, [{"role": "user", "content": "hi"}]])
def test_a_case_is_handed_over_as_it_stands(given: JSON) -> None:
    """Nothing is filled in: the prompt is the pipeline's own, in whatever language it has for templates."""
    body = target({"http": "http://localhost:1/"}).request(case("one", input=given)).body
    assert body == {
        "case": "one", "input": given, "prompt": FILES["p.md"], "config": {"k": 3, "nested": {"a": [1]}}
    }  # fmt: skip


def test_prompt_and_config_may_be_left_out() -> None:
    body = target({"http": "http://localhost:1/"}, None, None).request(case("one", input="x")).body
    assert body == {"case": "one", "input": "x"}


def test_the_expectation_is_not_handed_over() -> None:
    """A pipeline that could see the answer would be right."""
    asked = target({"http": "http://localhost:1/"}).request(case(expected="the secret answer"))
    assert "the secret answer" not in json.dumps(asked.body)


def test_a_request_has_a_limit() -> None:
    with pytest.raises(InputError, match="too large"):
        target({"http": "http://localhost:1/"}).request(case(input="x" * 5_000_000))


# --- what makes two requests the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [{"p.md": "Q"}, {"m.yaml": "k: 4"}, {"a.py": "changed"}, {"new.py": ""}, {"m.yaml": "nested: {a: [1]}\nk: 3\n"}],
)
def test_whatever_it_is_made_of_changes_both_digests(files: dict[str, str]) -> None:
    one, again, other = target(CODE), target(CODE), target(CODE, **files)
    if files.keys() & {"a.py", "new.py"}:
        other = own.load(  # `held` numbers its objects; contents make the ids of a real store
            held({"first": "", **FILES, **files}), Subject("p.md", "m.yaml", None, ()),
            validate(TargetPolicy, Document("ci-eval.yaml", CODE)),
        )  # fmt: skip
    assert one.digest == again.digest != other.digest
    assert one.request(case()).digest == again.request(case()).digest != other.request(case()).digest


def test_files_that_it_does_not_consist_of_make_no_difference() -> None:
    assert target(CODE).digest == target(CODE, **{"readme.txt": "more"}).digest


# --- the policy -------------------------------------------------------------------------------------------------------


def config(target: str) -> str:
    return f"version: 1\nsuites:\n  s:\n    target: {target}\n    golden: g.jsonl\n    scorers: [{{type: exact}}]\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{http: "http://localhost:8080/answer"}', "http"),
        ('{http: "https://desk.example/v1", prompt: p.md, model: m.yaml, key_env: KEY, timeout_seconds: 5}', "http"),
        ("{command: [node, a.js], files: [src/**], env: [KEY], code: trusted, max_concurrency: 4}", "command"),
        ('{python: "app.pipeline:answer", files: [app/**], prompt: p.md}', "python"),
    ],
)
def test_each_kind(text: str, kind: str) -> None:
    """They need no provider: what they ask is their own business."""
    assert configs.load(held({"ci-eval.yaml": config(text)})).policy.suites["s"].target.kind == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", '"prompt" is missing'),
        ("{http: 'http://localhost/', command: [x], files: [x]}", "http and command are two targets"),
        ("{http: 'http://localhost/', files: [x]}", '"files" is no key of a http target'),
        ("{http: 'http://localhost/', code: trusted}", '"code" is no key of a http target'),
        ("{http: 'http://localhost/', provider: x}", '"provider" is no key of a http target'),
        ("{http: 'http://localhost/', user: x}", '"user" is no key of a http target'),
        ("{http: 'http://localhost/', headers: {a: b}}", 'unknown key "headers"'),
        ("{http: 7}", "target.http: must be text"),
        ("{prompt: p.md, model: m.yaml, files: [x]}", '"files" is no key of a chat target'),
        ("{prompt: p.md, model: m.yaml, env: [X]}", '"env" is no key of a chat target'),
        ("{command: [x]}", '"files" is missing'),
        ("{command: [], files: [x]}", "target.command: is empty"),
        ("{command: [''], files: [x]}", "target.command.0: is empty"),
        ("{command: [1], files: [x]}", "target.command.0: must be text"),
        ("{command: [x], files: [../x]}", "not a path in the repository"),
        ("{command: [x], files: [x], code: yes}", "target.code: must be 'trusted'"),
        ("{command: [x], files: [x], key_env: X}", '"key_env" is no key of a command target'),
        ("{python: app, files: [x]}", "not a function; write module:function"),
        ("{python: 'app:f()', files: [x]}", "not a function"),
        ("{python: '-c:f', files: [x]}", "not a function"),
        ("{python: 'os;x:f', files: [x]}", "not a function"),
        ("{python: 'äpp:f', files: [x]}", "not a function"),
    ],
)
def test_what_the_policy_refuses(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        configs.load(held({"ci-eval.yaml": config(text)}))
    assert str(caught.value).startswith("ci-eval.yaml:4: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"m.yaml": "- 1\n"}, "m.yaml:1: not a mapping"),
        ({"m.yaml": "a: 1\na: 2\n"}, "m.yaml:2: "),
        ({"p.md": "\ufeffx"}, "p.md:1: "),
    ],
)
def test_files_that_are_refused(files: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        target(CODE, **files)
    assert said in str(caught.value)


def test_code_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"^src/\*\*: target\.files names no file of this side"):
        target({"command": ["x"], "files": ["src/**"]})


# --- what it answers --------------------------------------------------------------------------------------------------


def test_an_answer() -> None:
    found = to_reply({"output": {"b": "é", "a": 1}, "tokens_in": 3, "tokens_out": 0, "finish": "refusal",
                      "steps": [{"tool": "x"}]})  # fmt: skip
    assert (found.text.reveal(), found.finish) == ('{"b": "é", "a": 1}', "refusal")
    assert (found.usage.tokens_in, found.usage.tokens_out) == (3, 0)
    assert [step.reveal() for step in found.steps] == [{"tool": "x"}]
    assert to_reply({"output": ""}).text.reveal() == ""


@pytest.mark.parametrize(("value", "about_request"), [({"error": True}, True), ({"unavailable": True}, False)])
def test_no_answer_is_a_failed_case_or_no_score(value: JSON, about_request: bool) -> None:
    with pytest.raises(ProviderError) as caught:
        to_reply(value)
    assert caught.value.about_request is about_request


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=5))
def test_a_trajectory_goes_out_and_comes_back(steps: list[dict[str, Any]]) -> None:
    one = record("a", steps=kept_steps([Untrusted(step) for step in steps]))
    (back,) = parse(to_bytes(run(one)), "run.jsonl").records
    assert [step.reveal() for step in back.steps] == steps


@pytest.mark.parametrize(
    "steps", [[{"n": n} for n in range(5000)], [{"x": "\x00" * 1000}] * 100, [{"x": "é" * 30_000}]]
)
def test_a_long_trajectory_is_cut_and_says_so(steps: list[dict[str, Any]]) -> None:
    kept = kept_steps([Untrusted(step) for step in steps])
    assert kept[-1].reveal() == {"left out": len(steps) - len(kept) + 1}
    assert [step.reveal() for step in kept[:-1]] == steps[: len(kept) - 1]
    whole = record("a", steps=kept, output=Untrusted("\x00" * 100_000))
    assert parse(to_bytes(run(whole)), "run.jsonl").records[0].steps == kept


def test_a_trajectory_is_a_text_of_the_products() -> None:
    """`outputs: hide` keeps it out of what is stored."""
    (hidden,) = run(record("a", steps=[Untrusted({"tool": "x"})])).without_texts().records
    assert hidden.steps == []
