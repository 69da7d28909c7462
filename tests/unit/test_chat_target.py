"""What is sent for a case: prompt, few-shot rows, input; and that nothing in them is more than text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import case, held, jsonl, target

from ci_eval.config import Examples, ProviderPolicy, Subject
from ci_eval.errors import InputError
from ci_eval.providers.base import Labelled, Message
from ci_eval.targets import chat
from ci_eval.targets.chat import ChatTarget
from ci_eval.text import JSON

MODEL = "provider: openai\nmodel: gpt-5\ntemperature: 0\nmax_tokens: 100\n"
FILES = {"prompt.md": "Be kind.", "model.yaml": MODEL}


def system(prompt: str, given: JSON) -> str:
    return target(prompt).request(case(input=given)).messages[0].content


def loaded(files: dict[str, str], examples: Examples | None = None, prompt: str = "prompt.md") -> ChatTarget:
    return chat.load(
        held(files), Subject(prompt, "model.yaml", examples, ()), None, {"openai": ProviderPolicy(api="openai")}
    )


# --- {{name}} ---------------------------------------------------------------------------------------------------------


def test_names_are_filled_from_the_fields_of_an_object() -> None:
    fields: JSON = {"name": "Ada", "n": 5, "list": ["é", {"a": True}], "nothing": None}
    assert system("Hi {{name}}, {{ n }}, {{\tlist}}, {{nothing}}, {{name}}.", fields) == (
        'Hi Ada, 5, ["é",{"a":true}], null, Ada.'
    )


def test_what_a_value_brings_in_is_not_looked_at_again() -> None:
    fields: JSON = {"a": "{{b}} {{a}} \\1 \\g<0>", "b": "{{a}}", "c": "{{"}
    assert system("{{a}}|{{b}}|{{c}}a}}", fields) == "{{b}} {{a}} \\1 \\g<0>|{{a}}|{{a}}"


LITERAL = (
    "${{ env.X }}",
    "${{env.X}}",
    "{{ env.X }}",
    "{{env.HOME}}",
    "${HOME}",
    "$HOME",
    "$(id)",
    "`id`",
    "{name}",
    "{0.__class__}",
    "{name!r:>{width}}",
    "%(name)s",
    "{% include 'x' %}",
    "{{ name | upper }}",
    "{{name.upper()}}",
    "{{ 7*7 }}",
    "{{}}",
    "{{ }}",
    "{{#if name}}x{{/if}}",
    "{{> partial}}",
    "{{\nname\n}}",
    "{{1name}}",
    "{{na-me}}",
    "{{nämé}}",
    "<%= name %>",
    "#{name}",
    "@file",
    "!include x",
)


@pytest.mark.parametrize("text", LITERAL)
@pytest.mark.parametrize("given", [{"name": "Ada", "env": {"X": "secret"}}, "text"])
def test_anything_else_is_text(text: str, given: JSON, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "secret")
    assert system(f"a {text} b", given) == f"a {text} b"


@given(st.text(), st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(), min_size=1))
def test_a_prompt_without_names_arrives_as_it_is(prompt: str, fields: dict[str, str]) -> None:
    literal = prompt.replace("{{", "{ {")
    assert system(literal, dict(fields)) == literal


@given(st.lists(st.sampled_from(["a", "b"])), st.text(), st.text())
def test_each_name_is_replaced_by_its_value(names: list[str], a: str, b: str) -> None:
    filled = system("|".join(f"{{{{{name}}}}}" for name in names) + ".", {"a": a, "b": b})
    assert filled == "|".join({"a": a, "b": b}[name] for name in names) + "."


@pytest.mark.parametrize(("given", "known"), [({"nmae": "Ada"}, "has nmae"), ("text", "has none")])
def test_an_unknown_name_is_an_error_at_its_line(given: JSON, known: str) -> None:
    with pytest.raises(InputError) as caught:
        system("Line one\n\nDear {{name}},", given)
    assert (caught.value.file, caught.value.line) == ("prompt.md", 3)
    assert 'unknown variable "name"' in str(caught.value)
    assert known in str(caught.value)


def test_a_small_prompt_that_names_a_long_field_many_times_is_refused_before_it_is_built() -> None:
    """4 TB, if it were."""
    with pytest.raises(InputError, match="too large"):
        system("{{a}}" * 40_000, {"a": "x" * 100_000_000})


def test_a_request_has_a_limit() -> None:
    long = case(input="x" * (4 * 1024 * 1024))
    with pytest.raises(InputError, match="too large"):
        target().request(long)


# --- messages ---------------------------------------------------------------------------------------------------------


def roles(request: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in request.messages]


def test_text_is_the_user_message() -> None:
    assert roles(target("P").request(case(input="{{q}}"))) == [("system", "P"), ("user", "{{q}}")]


def test_an_object_is_sent_as_json_in_its_own_order() -> None:
    assert roles(target("P").request(case(input={"b": "é", "a": [1]})))[1] == ("user", '{"b": "é", "a": [1]}')


def test_an_object_fills_the_user_template() -> None:
    with_template = target("P {{b}}", user="{{a}}? ${{ env.X }}")
    assert roles(with_template.request(case(input={"a": "{{b}}", "b": "x"}))) == [
        ("system", "P x"),
        ("user", "{{b}}? ${{ env.X }}"),
    ]
    with pytest.raises(InputError, match=r"target\.user:1: unknown variable"):
        with_template.request(case(input={"b": "x"}))


def test_the_user_template_is_for_objects_only() -> None:
    assert roles(target("P", user="{{a}}").request(case(input="text")))[1] == ("user", "text")


def test_a_list_is_the_conversation_so_far() -> None:
    talk: JSON = [
        {"role": "user", "content": "a {{x}}"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert roles(target("P").request(case(input=talk))) == [
        ("system", "P"),
        ("user", "a {{x}}"),
        ("assistant", "b"),
        ("user", "c"),
    ]


def test_few_shot_rows_stand_in_order_between_prompt_and_question() -> None:
    shots = (Labelled("q1 {{x}}", "a1"), Labelled("q2", "a2"))
    assert target("P", examples=shots).request(case(input="q")).messages == (
        Message("system", "P"),
        Message("user", "q1 {{x}}"),
        Message("assistant", "a1"),
        Message("user", "q2"),
        Message("assistant", "a2"),
        Message("user", "q"),
    )


# --- digests ----------------------------------------------------------------------------------------------------------

PROPERTIES = {"reason": {"type": "string"}, "answer": {"type": "string"}}
TURNED = {"answer": {"type": "string"}, "reason": {"type": "string"}}


def wanted(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "r", "schema": {"properties": properties}}}


@pytest.mark.parametrize(
    "different",
    [
        {"prompt": "Q"},
        {"temperature": 0.7},
        {"max_tokens": 5},
        {"model": "other"},
        {"provider": "other"},
        {"examples": (Labelled("q", "a"),)},
        {"response_format": wanted(TURNED)},
        {"stop": ["x"]},
    ],
)
def test_whatever_reaches_the_model_changes_both_digests(different: dict[str, Any]) -> None:
    """Also the order of a response format: models answer in the order of its properties."""
    one = target("P", response_format=wanted(PROPERTIES))
    again = target("P", response_format=wanted(PROPERTIES))
    other = target(**{"prompt": "P", "response_format": wanted(PROPERTIES), **different})
    assert one.digest == again.digest != other.digest
    assert one.request(case()).digest == again.request(case()).digest != other.request(case()).digest


# --- loading ----------------------------------------------------------------------------------------------------------


def test_loading(tmp_path: Path) -> None:
    rows = jsonl(*({"input": f"q{n}", "output": f"a{n}"} for n in range(3)))
    found = loaded({**FILES, "e.jsonl": rows}, Examples.model_validate({"from": "e.jsonl", "k": 2}))
    assert found.examples == (Labelled("q0", "a0"), Labelled("q1", "a1"))
    assert found.model.parameters() == {"temperature": 0, "max_tokens": 100}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"prompt.md": " \n"}, "prompt.md:1: an empty prompt"),
        ({"prompt.md": "\ufeffHi"}, "byte-order mark"),
        ({"model.yaml": MODEL.replace("openai", "attacker")}, 'model.yaml:1: no provider "attacker"'),
        ({"model.yaml": MODEL + "base_url: https://attacker.example\n"}, "model.yaml:5: "),
        ({"model.yaml": MODEL + "api_key: x\n"}, "model.yaml:5: "),
        ({"model.yaml": MODEL.replace("temperature: 0", "temperature: .nan")}, "model.yaml:3: "),
        ({"model.yaml": MODEL.replace("temperature: 0", "temperature: true")}, "model.yaml:3: "),
        ({"model.yaml": MODEL.replace("temperature: 0", "temperature: '0'")}, "model.yaml:3: "),
        ({"model.yaml": MODEL.replace("temperature: 0", "temperature: 2.1")}, "model.yaml:3: "),
        ({"model.yaml": MODEL.replace("max_tokens: 100", "max_tokens: 0")}, "model.yaml:4: "),
        ({"model.yaml": MODEL.replace("max_tokens: 100", "max_tokens: 1.5")}, "model.yaml:4: "),
        ({"model.yaml": MODEL + "train: ../secrets.jsonl\n"}, "model.yaml:5: "),
        ({"model.yaml": MODEL + "train: /etc/passwd\n"}, "model.yaml:5: "),
        ({"model.yaml": MODEL + "train: gone.jsonl\n"}, "gone.jsonl: is not in the repository"),
        ({"model.yaml": "- a\n"}, "model.yaml:1: "),
        ({"e.jsonl": jsonl({"input": "q", "output": "a"})}, "e.jsonl: has 1 rows where examples.k asks for 2"),
        ({"e.jsonl": "{}\n"}, "e.jsonl:1: a row without input and output"),
    ],
)
def test_what_is_refused_and_where(files: dict[str, str], said: str) -> None:
    examples = Examples.model_validate({"from": "e.jsonl", "k": 2}) if "e.jsonl" in files else None
    with pytest.raises(InputError) as caught:
        loaded({**FILES, **files}, examples)
    assert said in str(caught.value)
