"""A parameter that the provider's API cannot carry is refused where it stands, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from making import held

from ci_eval.config import ProviderPolicy
from ci_eval.errors import InputError
from ci_eval.providers.parameters import CARRIED
from ci_eval.targets import model_config
from ci_eval.targets.model_config import ModelConfig

PROVIDERS: Mapping[str, ProviderPolicy] = {
    "openai": ProviderPolicy(api="openai"),
    "house": ProviderPolicy(api="openai", base_url="http://localhost:8000/v1", extra_parameters=["min_p", "guided"]),
    "azure": ProviderPolicy(
        api="azure", base_url="https://a.openai.azure.com", api_version="2024-10-21", key_env="AZURE_KEY"
    ),
    "github": ProviderPolicy(api="github"),
    "anthropic": ProviderPolicy(api="anthropic", key_env="CLAUDE_KEY"),
    "google": ProviderPolicy(api="google", key_env="GEMINI_KEY"),
    "local": ProviderPolicy(api="local"),
}
TOOLS = "tools: [{type: function, function: {name: track, parameters: {type: object}}}]\n"
SCHEMA = "response_format: {type: json_schema, json_schema: {name: n, schema: {type: object}}}\n"


def loaded(provider: str, text: str) -> ModelConfig:
    whole = f"provider: {provider}\nmodel: m\n{text}"
    return model_config.load(held({"m.yaml": whole}), "m.yaml", PROVIDERS)


def refusal(provider: str, text: str) -> str:
    with pytest.raises(InputError) as caught:
        loaded(provider, text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("provider", "text", "said"),
    [
        ("anthropic", "max_tokens: 9\nseed: 7\n", "m.yaml:4: the api anthropic has no seed; remove it"),
        ("anthropic", "temperature: 0\n", "m.yaml:2: the api anthropic needs max_tokens; add max_tokens"),
        ("anthropic", "max_completion_tokens: 9\n", "m.yaml:3: the api anthropic has no max_completion_tokens; write"),
        ("anthropic", "max_tokens: 9\ntemperature: 1.1\n", "m.yaml:4: the api anthropic takes a temperature from"),
        ("anthropic", "max_tokens: 9\npresence_penalty: 1\n", "m.yaml:4: the api anthropic has no presence_penalty"),
        ("anthropic", "max_tokens: 9\nresponse_format: {type: json_object}\n", "m.yaml:4: the api anthropic has no"),
        ("anthropic", "max_tokens: 2000\nthinking_tokens: 1023\n", "m.yaml:4: the api anthropic takes 0, or 1024"),
        ("anthropic", "max_tokens: 1024\nthinking_tokens: 1024\n", "m.yaml:4: the api anthropic takes 0, or 1024"),
        ("anthropic", "max_tokens: 9\nreasoning_effort: minimal\n", "m.yaml:4: the api anthropic has no such"),
        ("anthropic", "max_tokens: 9\nparallel_tool_calls: false\n", "m.yaml:4: there are no tools"),
        ("google", "parallel_tool_calls: true\n", "m.yaml:3: the api google has no parallel_tool_calls"),
        ("google", "reasoning_effort: none\n", "m.yaml:3: the api google has no such reasoning_effort; write one of"),
        ("google", "reasoning_effort: low\nthinking_tokens: 5\n", "m.yaml:4: the api google takes thinking_tokens or"),
        ("google", TOOLS.replace("name: track", "name: track, strict: true"), "m.yaml:3: the api google has no strict"),
        ("openai", "top_k: 5\n", "m.yaml:3: OpenAI has no top_k, other servers have; remove it"),
        ("openai", "thinking_tokens: 5\n", "m.yaml:3: the api openai has no thinking_tokens"),
        ("github", "top_k: 5\n", "m.yaml:3: the api github has no top_k"),
        ("local", "seed: 5\n", "m.yaml:3: the api local has no seed; remove it"),
        ("openai", "tool_choice: auto\n", "m.yaml:1: tool_choice without tools"),
        ("openai", TOOLS + "tool_choice: {type: function, function: {name: x}}\n", "tool_choice names a tool"),
        ("openai", TOOLS.replace("]", ", {type: function, function: {name: track}}]"), "two tools of one name"),
        ("openai", TOOLS.replace("type: function,", "type: shell,"), "m.yaml:3: tools.0.type: must be 'function'"),
        ("openai", TOOLS.replace("track", '"a b"'), "m.yaml:3: tools.0.function.name: must match"),
        ("openai", TOOLS.replace("name: track", "name: track, run: x"), 'unknown key "run" in tools.0.function'),
        ("openai", "response_format: {type: json_schema}\n", "m.yaml:3: response_format: type and json_schema do not"),
        ("openai", "response_format: {type: text, json_schema: {name: n, schema: {}}}\n", "do not fit"),
        ("openai", "response_format: {type: regex}\n", "m.yaml:3: response_format.type: must be 'text', 'json_object'"),
        ("openai", f"seed: {2**63}\n", "m.yaml:3: seed: must be less than"),
        ("openai", "stream: true\n", 'm.yaml:3: unknown key "stream"'),
        ("openai", "n: 100\n", 'm.yaml:3: unknown key "n"'),
        ("openai", "extra: {min_p: 0.1}\n", 'm.yaml:3: main\'s policy lets no model config set "min_p" (known'),
        ("house", "extra: {n: 100}\n", 'm.yaml:3: main\'s policy lets no model config set "n" (known are min_p'),
        ("house", "extra:\n  temperature: 3\n", "m.yaml:4: temperature is a parameter of every server; write"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(provider: str, text: str, said: str) -> None:
    assert said in refusal(provider, text)


@pytest.mark.parametrize(
    ("provider", "model", "said"),
    [
        ("azure", "../evil", "m.yaml:2: not the name of a deployment"),
        ("azure", "..", "m.yaml:2: not the name of a deployment"),
        ("google", "../../evil", "m.yaml:2: not the name of a Gemini model"),
        ("google", "models/..", "m.yaml:2: not the name of a Gemini model"),
        ("google", "a:deleteAll?key=x", "m.yaml:2: not the name of a Gemini model"),
    ],
)
def test_a_model_that_would_be_a_path(provider: str, model: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        model_config.load(held({"m.yaml": f"provider: {provider}\nmodel: '{model}'\n"}), "m.yaml", PROVIDERS)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "text", "expected"),
    [
        ("anthropic", "max_tokens: 2000\nthinking_tokens: 0\n", {"max_tokens": 2000, "thinking_tokens": 0}),
        ("house", "top_k: 5\nextra: {guided: [null], min_p: 1}\n", {"top_k": 5, "guided": [None], "min_p": 1}),
        ("google", "seed: 1\nstop: x\n", {"seed": 1, "stop": "x"}),
        (
            "openai",
            SCHEMA.replace("type: object", "default: null, enum: [b, null, a]"),
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"default": None, "enum": ["b", None, "a"]}},
                }
            },
        ),
        (
            "anthropic",
            "max_tokens: 9\n" + TOOLS + "tool_choice: {type: function, function: {name: track}}\n",
            {
                "max_tokens": 9,
                "tools": [{"type": "function", "function": {"name": "track", "parameters": {"type": "object"}}}],
                "tool_choice": {"type": "function", "function": {"name": "track"}},
            },
        ),
    ],
)  # fmt: skip
def test_what_is_taken_arrives_as_it_was_written(provider: str, text: str, expected: dict[str, object]) -> None:
    assert loaded(provider, text).parameters() == expected


def test_each_key_of_a_model_config_is_carried_by_some_api() -> None:
    apart = {"provider", "model", "train", "extra"}
    assert set().union(*CARRIED.values()) == ModelConfig.model_fields.keys() - apart
