"""Every provider over real HTTP: what reaches the wire, what is read from it, and what a failure is called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anthropic_server as claude
import gemini_server as gemini
import openai_shapes as chat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import KEY, Answer, Asked, Behaviour, ModelServer, events

from ci_eval.deadline import Deadline
from ci_eval.providers import github
from ci_eval.providers.base import Message, ProviderError, Reply, Request, ToolCall, Usage
from ci_eval.providers.embedding import Vectors
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.registry import EMBEDDING, PROVIDERS, connect, connect_embedder
from ci_eval.secrets import Secret
from ci_eval.text import Untrusted
from ci_eval.transport.pacing import Limits

SYSTEM, USER = Message("system", "Be kind."), Message("user", "Where is my parcel?")
TALK = (SYSTEM, USER, Message("assistant", "Which?"), Message("user", "The blue one."))
WHERE: Mapping[str, str] = {
    "openai": "/v1",
    "azure": "/openai/v1",
    "github": "/inference",
    "anthropic": "/v1",
    "google": "/v1beta",
}
MODELS = {
    "openai": "gpt-5",
    "azure": "my-gpt",
    "github": "openai/gpt-4o",
    "anthropic": "claude-x",
    "google": "gemini-x",
}
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
APIS = pytest.mark.parametrize("api", sorted(PROVIDERS))
TOOL = {"name": "track", "description": "Where it is.", "parameters": {"type": "object", "properties": {"id": {}}}}
TOOLS = [{"type": "function", "function": {**TOOL, "strict": True}}]
SHAPE = {"type": "object", "properties": {"b": {"enum": ["x", None]}, "a": {"default": None}}}


@contextmanager
def served(api: str, behaviour: Behaviour) -> Iterator[tuple[ModelServer, Endpoint]]:
    """A server of an API, and the endpoint that leads to it."""
    with ModelServer(behaviour) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(github, "URL", f"{server.url}/inference")
        yield server, Endpoint(api, f"{server.url}{WHERE[api]}", "KEY", limits=Limits(1), timeout_seconds=20)


def complete(endpoint: Endpoint, *messages: Message, model: str = "", **parameters: Any) -> Reply:
    request = Request("house", model or MODELS[endpoint.api], messages or (SYSTEM, USER), parameters)
    provider = connect(endpoint, {"KEY": Secret(KEY)})
    return provider.complete(request, 0, Deadline.after(20))


def streaming(endpoint: Endpoint, stream: bool) -> Endpoint:
    return replace(endpoint, stream=stream)


def answered(api: str, behaviour: Behaviour, *, stream: bool = False, **parameters: Any) -> Reply:
    with served(api, behaviour) as (_, endpoint):
        return complete(streaming(endpoint, stream), **parameters)


def failed(api: str, behaviour: Behaviour, *, stream: bool = False) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        answered(api, behaviour, stream=stream, max_tokens=9)
    return caught.value


def sent(api: str, said: Callable[[Asked], Any], *messages: Message, **parameters: Any) -> Asked:
    with served(api, said) as (server, endpoint):
        complete(endpoint, *messages, **parameters)
    (only,) = server.asked
    return only


def chatting(said: Mapping[str, Any], finish: Any = "stop", **usage: Any) -> Behaviour:
    return chat.serves(lambda _: chat.completion(said, finish, **usage))


def writing(*blocks: claude.Block, reason: str = "end_turn", **usage: Any) -> Behaviour:
    return claude.serves(lambda _: claude.message(*blocks, stop_reason=reason, **usage))


def generating(*parts: gemini.Part, reason: str = "STOP", **usage: int) -> Behaviour:
    return gemini.serves(lambda _: gemini.content(*parts, reason=reason, **usage))


HELLO: Mapping[str, Behaviour] = {
    "openai": chatting(chat.message("Hello 🙂 there")),
    "azure": chat.serves(lambda _: chat.completion(chat.message("Hello 🙂 there")), key=KEY),
    "github": chatting(chat.message("Hello 🙂 there")),
    "anthropic": writing(claude.text("Hello 🙂 there")),
    "google": generating(gemini.text("Hello 🙂 there")),
}


# --- what reaches the wire --------------------------------------------------------------------------------------------


class TestTheRequest:
    def test_chat_completions(self) -> None:
        parameters = {
            "temperature": 0, "max_completion_tokens": 5, "top_p": 0.5, "seed": 7, "stop": ["x"],
            "presence_penalty": 1, "frequency_penalty": -1, "tools": TOOLS, "tool_choice": "required",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SHAPE}},
            "parallel_tool_calls": False, "reasoning_effort": "low",
        }  # fmt: skip
        asked = sent("openai", HELLO["openai"], *TALK, **parameters)
        assert asked.path == "/v1/chat/completions"
        assert asked.body == {
            "model": "gpt-5",
            "messages": [{"role": one.role, "content": one.content} for one in TALK],
            **parameters,
        }
        assert list(asked.body["response_format"]["json_schema"]["schema"]["properties"]) == ["b", "a"]

    def test_azure_names_a_deployment_in_its_dated_api(self) -> None:
        with served("azure", HELLO["azure"]) as (server, endpoint):
            dated = replace(endpoint, base_url=server.url, api_version="2024-10-21")
            complete(dated)
            complete(dated, model="../../../evil?x=#y@z")
            complete(endpoint)
        assert [asked.path for asked in server.asked] == [
            "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
            "/openai/deployments/..%2F..%2F..%2Fevil%3Fx%3D%23y%40z/chat/completions?api-version=2024-10-21",
            "/openai/v1/chat/completions",
        ]
        assert {asked.headers["api-key"] for asked in server.asked} == {KEY}
        assert not any("authorization" in asked.headers for asked in server.asked)

    def test_github_goes_to_its_own_address_whatever_the_endpoint_says(self) -> None:
        with served("github", HELLO["github"]) as (server, endpoint):
            complete(replace(endpoint, base_url="http://localhost:9/elsewhere"))
        assert server.last.path == "/inference/chat/completions"
        assert github.URL == "https://models.github.ai/inference"

    def test_messages(self) -> None:
        asked = sent(
            "anthropic", HELLO["anthropic"], *TALK, Message("system", "Briefly."), Message("user", "Well?"),
            max_tokens=2000, temperature=1, top_p=0.5, top_k=3, stop="x", tools=TOOLS, thinking_tokens=1024,
            tool_choice={"type": "function", "function": {"name": "track"}}, parallel_tool_calls=False,
            reasoning_effort="high",
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SHAPE, "strict": True}},
        )  # fmt: skip
        assert asked.body == {
            "model": "claude-x",
            "messages": [
                *({"role": one.role, "content": one.content} for one in TALK[1:]),
                {"role": "user", "content": "Well?"},
            ],
            "system": "Be kind.\n\nBriefly.",
            "max_tokens": 2000,
            "temperature": 1,
            "top_p": 0.5,
            "top_k": 3,
            "stop_sequences": ["x"],
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SHAPE}},
            "tools": [
                {
                    "name": "track",
                    "description": "Where it is.",
                    "strict": True,
                    "input_schema": TOOL["parameters"],
                }
            ],
            "tool_choice": {"type": "tool", "name": "track", "disable_parallel_tool_use": True},
        }

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"tool_choice": "auto"}, {"tool_choice": {"type": "auto"}}),
            ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
            ({"tool_choice": "none", "parallel_tool_calls": False}, {"tool_choice": {"type": "none"}}),
            ({"parallel_tool_calls": False}, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
            ({"parallel_tool_calls": True}, {}),
            ({"thinking_tokens": 0}, {"thinking": {"type": "disabled"}}),
            ({"response_format": {"type": "text"}}, {}),
            ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ],
    )
    def test_each_parameter_of_messages(self, given: dict[str, Any], expected: dict[str, Any]) -> None:
        body = sent("anthropic", HELLO["anthropic"], USER, max_tokens=5, **given).body
        assert {key: value for key, value in body.items() if key not in {"model", "messages", "max_tokens"}} == expected

    def test_generate_content(self) -> None:
        asked = sent(
            "google", HELLO["google"], *TALK,
            max_tokens=2000, temperature=0, top_p=0.5, top_k=3, stop="x", tools=TOOLS, thinking_tokens=0, seed=7,
            presence_penalty=1, frequency_penalty=-1,
            tool_choice={"type": "function", "function": {"name": "track"}},
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": SHAPE}},
        )  # fmt: skip
        assert asked.path == "/v1beta/models/gemini-x:generateContent"
        assert KEY not in asked.path
        assert asked.body == {
            "contents": [
                {"role": "user", "parts": [{"text": "Where is my parcel?"}]},
                {"role": "model", "parts": [{"text": "Which?"}]},
                {"role": "user", "parts": [{"text": "The blue one."}]},
            ],
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "generationConfig": {
                "temperature": 0,
                "maxOutputTokens": 2000,
                "topP": 0.5,
                "topK": 3,
                "seed": 7,
                "presencePenalty": 1,
                "frequencyPenalty": -1,
                "stopSequences": ["x"],
                "thinkingConfig": {"thinkingBudget": 0},
                "responseMimeType": "application/json",
                "responseJsonSchema": SHAPE,
            },
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "name": "track",
                            "description": "Where it is.",
                            "parametersJsonSchema": TOOL["parameters"],
                        }
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["track"]}},
        }

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"tool_choice": "auto"}, {"toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}}),
            ({"tool_choice": "required"}, {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
            ({"tool_choice": "none"}, {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
            ({"reasoning_effort": "low"}, {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}),
            (
                {"response_format": {"type": "json_object"}},
                {"generationConfig": {"responseMimeType": "application/json"}},
            ),
            ({"response_format": {"type": "text"}}, {}),
        ],
    )  # fmt: skip
    def test_each_parameter_of_generate_content(self, given: dict[str, Any], expected: dict[str, Any]) -> None:
        body = sent("google", HELLO["google"], USER, **given).body
        assert {key: value for key, value in body.items() if key != "contents"} == expected

    def test_a_gemini_model_leads_to_no_other_path(self) -> None:
        with served("google", lambda _: Answer(404, {})) as (server, endpoint):
            for model in ("tunedModels/mine", "../../v1/evil?key=#x", "a/b/c:deleteAll"):
                with pytest.raises(ProviderError, match="HTTP 404"):
                    complete(endpoint, model=model)
        assert [asked.path for asked in server.asked] == [
            "/v1beta/tunedModels/mine:generateContent",
            "/v1beta/..%2F..%2Fv1/evil%3Fkey%3D%23x:generateContent",
            "/v1beta/a%2Fb/c%3AdeleteAll:generateContent",
        ]

    def test_streams_are_asked_for_in_the_words_of_each(self) -> None:
        for api, expected in {
            "openai": {"stream": True, "stream_options": {"include_usage": True}},
            "anthropic": {"stream": True},
            "google": {},
        }.items():
            with served(api, HELLO[api]) as (server, endpoint):
                complete(streaming(endpoint, True), max_tokens=5)
            body = server.last.body
            assert {key: body[key] for key in body if key.startswith("stream")} == expected
            assert server.last.path.endswith("streamGenerateContent?alt=sse") == (api == "google")


CALLS = [chat.call("track", '{"b": 1, "a": "é"}'), chat.call("end", "{}", 1)]

# --- answers ----------------------------------------------------------------------------------------------------------


@STREAMS
class TestAnswers:
    @APIS
    def test_text(self, api: str, stream: bool) -> None:
        reply = answered(api, HELLO[api], stream=stream, max_tokens=9)
        assert (reply.text, reply.finish, reply.tool_calls) == (Untrusted("Hello 🙂 there"), "stop", ())

    @pytest.mark.parametrize(
        ("api", "behaviour", "text", "finish"),
        [
            ("openai", chatting(chat.message("Half an"), "length"), "Half an", "length"),
            ("openai", chatting(chat.message(None), "length"), "", "length"),
            ("openai", chatting(chat.message("Half an"), "model_length"), "Half an", "length"),
            ("openai", chatting(chat.message(None, refusal="I will not.")), "I will not.", "refusal"),
            ("openai", chatting(chat.message(None), "content_filter"), "", "refusal"),
            ("openai", chatting(chat.message("Well, "), "content_filter"), "Well, ", "refusal"),
            ("openai", chatting(chat.message("")), "", "stop"),
            ("anthropic", writing(claude.text("Half an"), reason="max_tokens"), "Half an", "length"),
            ("anthropic", writing(reason="model_context_window_exceeded"), "", "length"),
            ("anthropic", writing(claude.text("I"), reason="refusal"), "I", "refusal"),
            ("anthropic", writing(reason="refusal"), "", "refusal"),
            ("anthropic", writing(claude.thought("Hm."), claude.text("A"), claude.text("B")), "AB", "stop"),
            ("anthropic", writing(claude.text("A"), reason="stop_sequence"), "A", "stop"),
            ("anthropic", writing(), "", "stop"),
            ("google", generating(gemini.text("Half an"), reason="MAX_TOKENS"), "Half an", "length"),
            ("google", generating(reason="MAX_TOKENS"), "", "length"),
            ("google", generating(reason="SAFETY"), "", "refusal"),
            ("google", generating(gemini.text("Well, "), reason="PROHIBITED_CONTENT"), "Well, ", "refusal"),
            ("google", generating(gemini.text("Well, "), reason="RECITATION"), "Well, ", "refusal"),
            ("google", gemini.serves(lambda _: gemini.blocked()), "", "refusal"),
            ("google", generating(gemini.thought("Hm."), gemini.text("A"), gemini.text("B")), "AB", "stop"),
        ],
    )
    def test_how_it_ended(self, api: str, behaviour: Behaviour, text: str, finish: str, stream: bool) -> None:
        reply = answered(api, behaviour, stream=stream, max_tokens=9)
        assert (reply.text, reply.finish) == (Untrusted(text), finish)

    @pytest.mark.parametrize(
        ("api", "behaviour"),
        [
            ("openai", chatting(chat.message(None, tool_calls=CALLS), "tool_calls")),
            ("anthropic", writing(claude.call("track", {"b": 1, "a": "é"}), claude.call("end", {}), reason="tool_use")),
            ("google", generating(gemini.call("track", {"b": 1, "a": "é"}), gemini.call("end", {}))),
        ],
    )  # fmt: skip
    def test_an_answer_that_is_only_tool_calls(self, api: str, behaviour: Behaviour, stream: bool) -> None:
        reply = answered(api, behaviour, stream=stream, max_tokens=9)
        assert (reply.text, reply.finish) == (Untrusted(""), "stop")
        assert [call.name.text() for call in reply.tool_calls] == ["track", "end"]
        assert [json.loads(call.arguments.text()) for call in reply.tool_calls] == [{"b": 1, "a": "é"}, {}]
        assert reply.tool_calls[0].arguments.text().startswith('{"b"')

    def test_what_a_model_calls_badly_is_kept_in_its_words(self, stream: bool) -> None:
        bad = chat.message("So:", tool_calls=[chat.call("no such tool\n`", '{"a": tru')])
        reply = answered("openai", chatting(bad, "tool_calls"), stream=stream)
        assert reply.text == Untrusted("So:")
        assert reply.tool_calls == (ToolCall(Untrusted("no such tool\n`"), Untrusted('{"a": tru')),)

    @pytest.mark.parametrize(
        ("api", "behaviour", "usage"),
        [
            (
                "openai",
                chatting(
                    chat.message("x"),
                    prompt_tokens_details={"cached_tokens": 12},
                    completion_tokens_details={"reasoning_tokens": 4},
                ),
                Usage(19, 10, 12, 4),
            ),
            (
                "openai",  # as xAI counts: reasoning beside the answer
                chatting(chat.message("x"), total_tokens=33, completion_tokens_details={"reasoning_tokens": 4}),
                Usage(19, 14, 0, 4),
            ),
            ("openai", chatting(chat.message("x"), prompt_tokens_details=None), Usage(19, 10, None, 0)),
            (
                "openai",
                chatting(
                    chat.message("x"),
                    prompt_tokens=True,
                    completion_tokens=-1,
                    prompt_tokens_details={"cached_tokens": 9},
                ),
                Usage(None, None, None, None),
            ),
            (
                "anthropic",
                writing(
                    claude.text("x"),
                    cache_read_input_tokens=100,
                    cache_creation_input_tokens=30,
                    output_tokens_details={"thinking_tokens": 6},
                ),
                Usage(150, 9, 100, 6),
            ),
            ("anthropic", writing(claude.text("x"), cache_read_input_tokens=None), Usage(20, 9, None, None)),
            (
                "google",
                generating(
                    gemini.text("x"), thoughtsTokenCount=40, cachedContentTokenCount=10, toolUsePromptTokenCount=2
                ),
                Usage(16, 45, 10, 40),
            ),
            (
                "google",
                generating(reason="MAX_TOKENS", thoughtsTokenCount=40, candidatesTokenCount=0),
                Usage(14, 40, None, 40),
            ),
        ],
    )  # fmt: skip
    def test_tokens(self, api: str, behaviour: Behaviour, usage: Usage, stream: bool) -> None:
        """In and out are everything; cached and reasoning are among them."""
        reply = answered(api, behaviour, stream=stream, max_tokens=9)
        if api == "openai" and usage.tokens_reasoning is None:
            reply = Reply(reply.text, reply.finish, replace(reply.usage, tokens_reasoning=None))
        assert reply.usage == usage


def test_a_text_in_parts_is_read_without_the_thoughts() -> None:
    """As Mistral's reasoning models answer."""
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]
    assert answered("openai", lambda _: Answer(200, chat.completion(chat.message(parts)))).text == Untrusted("Yes.")


def test_azure_annotates_a_stream_with_choices_that_say_nothing() -> None:
    """As its asynchronous filter does, which judges what has been streamed already."""
    verdict = {"hate": {"filtered": False, "severity": "safe"}}
    offsets = {"check_offset": 0, "start_offset": 0, "end_offset": 5}
    judged = {"index": 0, "finish_reason": None, "content_filter_results": verdict, "content_filter_offsets": offsets}
    note = {"id": "", "object": "", "created": 0, "model": "", "choices": [judged]}
    first, *rest = chat.stream(chat.completion(chat.message("Hello")))
    reply = answered("azure", lambda _: Answer(200, events(first, note, *rest, note, "[DONE]")), stream=True)
    assert (reply.text, reply.finish) == (Untrusted("Hello"), "stop")


def test_azure_tells_a_filtered_prompt_as_an_error() -> None:
    reply = answered("azure", lambda _: chat.fails(400, "content_filter"))
    assert (reply.text, reply.finish) == (Untrusted(""), "refusal")


# --- failures ---------------------------------------------------------------------------------------------------------


class TestFailures:
    @APIS
    @pytest.mark.parametrize(
        ("status", "said", "about_request"),
        [
            (400, "HTTP 400", True),
            (401, "HTTP 401: the key was refused", False),
            (402, "HTTP 402: the account has no credit", False),
            (403, "HTTP 403: the key may not use this model", False),
            (404, "HTTP 404: no such model, or no such address", False),
            (413, "HTTP 413", True),
            (422, "HTTP 422", True),
            (204, "HTTP 204", False),
        ],
    )
    def test_a_status(self, api: str, status: int, said: str, about_request: bool) -> None:
        """A body of Google's own makes a 400 one about the request; that of the others is not looked at for it."""
        body = {"error": {"status": "INVALID_ARGUMENT", "message": f"no: {KEY}"}}
        error = failed(api, lambda _: Answer(status, b"" if status == 204 else body))
        assert error.cause.startswith(said)
        assert error.about_request == about_request
        assert KEY not in str(error)

    @pytest.mark.parametrize("status", [429, 500, 503, 529])
    @APIS
    def test_what_passes_is_asked_again(self, api: str, status: int) -> None:
        times = iter([Answer(status, {}, {"Retry-After": "0"})])
        reply = answered(api, lambda asked: next(times, None) or HELLO[api](asked), max_tokens=9)
        assert reply.text == Untrusted("Hello 🙂 there")

    @pytest.mark.parametrize(
        ("api", "answer"),
        [
            ("google", gemini.fails(400, "INVALID_ARGUMENT", "API_KEY_INVALID")),
            ("google", gemini.fails(400, "FAILED_PRECONDITION")),
            ("google", Answer(400, b"<html>")),
            ("anthropic", claude.fails(400, "invalid_request_error", "Your credit balance is too low to access")),
            ("anthropic", claude.fails(400, "billing_error")),
            (
                "anthropic",
                claude.fails(400, "invalid_request_error", "You have reached your specified API usage limits"),
            ),
            ("anthropic", claude.fails(400, "invalid_request_error", "This organization has been disabled.")),
            ("openai", Answer(400, {"error": {"message": "Incorrect API key provided"}})),
        ],
    )
    def test_a_400_that_is_not_about_the_request(self, api: str, answer: Answer) -> None:
        """A wrong key or an empty account must not count as answers that both sides failed alike."""
        error = failed(api, lambda _: answer)
        assert error.cause.startswith("HTTP 400")
        assert not error.about_request

    @pytest.mark.parametrize("api", ["openai", "anthropic", "google"])
    def test_a_wrong_key_is_infrastructure_and_not_shown(self, api: str) -> None:
        with served(api, HELLO[api]) as (_, endpoint):
            provider = connect(endpoint, {"KEY": Secret("sk-wrong-key")})
            with pytest.raises(ProviderError) as caught:
                provider.complete(Request("h", MODELS[api], (USER,), {"max_tokens": 5}), 0, Deadline.after(20))
        assert not caught.value.about_request
        assert "sk-wrong" not in str(caught.value)

    @pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"])
    @STREAMS
    def test_a_model_that_failed_at_its_answer(self, reason: str, stream: bool) -> None:
        assert failed("google", generating(reason=reason), stream=stream).about_request

    @pytest.mark.parametrize(
        ("api", "behaviour"),
        [
            ("openai", chatting(chat.message("x"), "error")),
            ("openai", chatting(chat.message("x"), "insufficient_system_resource")),
            ("anthropic", writing(claude.text("x"), reason="pause_turn")),
            ("anthropic", writing(claude.text("x"), reason="new_reason")),
            ("google", generating(gemini.text("x"), reason="OTHER")),
            ("google", generating(gemini.text("x"), reason="FINISH_REASON_UNSPECIFIED")),
        ],
    )
    @STREAMS
    def test_an_end_that_nobody_knows_is_no_answer(self, api: str, behaviour: Behaviour, stream: bool) -> None:
        error = failed(api, behaviour, stream=stream)
        assert (error.cause, error.about_request) == ("an answer that does not say why it ended", False)


# --- streams that break -----------------------------------------------------------------------------------------------


STREAMED: Mapping[str, bytes] = {
    "openai": events(*chat.stream(chat.completion(chat.message("Hello there"))), "[DONE]"),
    "anthropic": events(*claude.stream(claude.message(claude.text("Hello there"))), names=True),
    "google": events(*gemini.stream(gemini.content(gemini.text("Hello there")))),
}


class TestStreamsThatBreak:
    @pytest.mark.parametrize("api", STREAMED)
    def test_cut_anywhere_it_is_infrastructure_and_never_a_short_answer(self, api: str) -> None:
        whole = STREAMED[api]
        body = whole
        with served(api, lambda _: Answer(200, body)) as (_, endpoint):
            for at in range(0, len(whole) - 3, 5):
                body = whole[:at]
                with pytest.raises(ProviderError) as caught:
                    complete(streaming(endpoint, True), max_tokens=5)
                assert not caught.value.about_request
            body = whole
            assert complete(streaming(endpoint, True), max_tokens=5).text == Untrusted("Hello there")

    @pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
    @pytest.mark.parametrize("api", STREAMED)
    def test_lines_may_end_in_three_ways_and_comments_mean_nothing(self, api: str, end: bytes) -> None:
        body = b"\xef\xbb\xbf: keep-alive\n\nretry: 5\nid\n" + STREAMED[api].replace(b"data: ", b"data:")
        reply = answered(api, lambda _: Answer(200, body.replace(b"\n", end)), stream=True, max_tokens=5)
        assert reply.text == Untrusted("Hello there")

    @pytest.mark.parametrize(
        ("api", "trouble"),
        [
            ("openai", {"error": {"message": f"overloaded {KEY}", "code": 502}}),
            ("anthropic", {"type": "error", "error": {"type": "overloaded_error", "message": KEY}}),
            ("google", {"error": {"code": 503, "message": KEY, "status": "UNAVAILABLE"}}),
        ],
    )
    def test_an_error_in_the_middle(self, api: str, trouble: dict[str, Any]) -> None:
        parts = STREAMED[api].split(b"\n\n")
        body = b"\n\n".join([*parts[:3], events(trouble).strip(), *parts[3:]])
        error = failed(api, lambda _: Answer(200, body), stream=True)
        assert (error.cause, error.about_request) == ("the provider broke off its answer with an error", False)

    @pytest.mark.parametrize("api", ["openai", "google"])
    def test_an_answer_without_its_end_is_half_an_answer(self, api: str) -> None:
        """Also where the stream itself ends as it should."""
        body = STREAMED[api].replace(b'"stop"', b"null").replace(b'"STOP"', b"null")
        assert failed(api, lambda _: Answer(200, body), stream=True).cause == "a stream that broke off before its end"

    def test_a_server_that_does_not_stream_is_told_so(self) -> None:
        whole = chat.completion(chat.message("Hello"))
        assert "broke off" in failed("openai", lambda _: Answer(200, whole), stream=True).cause


# --- whatever else comes ----------------------------------------------------------------------------------------------

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]))
_KEYS = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "refusal",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "finish_reason",
        "usage",
        "delta",
        "index",
        "type",
        "text",
        "input",
        "stop_reason",
        "candidates",
        "parts",
        "finishReason",
        "functionCall",
        "args",
        "promptFeedback",
        "blockReason",
        "usageMetadata",
        "error",
        "promptTokenCount",
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "message_start",
        "content_block",
    ]
)
_WORDS = st.sampled_from(
    [
        "stop",
        "length",
        "content_filter",
        "message",
        "text",
        "tool_use",
        "end_turn",
        "refusal",
        "STOP",
        "SAFETY",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "message_delta",
        "message_stop",
        "text_delta",
        "input_json_delta",
        "[DONE]",
    ]
)
_JSON = st.recursive(
    _SCALARS | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)


def mutants(whole: Any) -> st.SearchStrategy[Any]:
    """A real answer, with any one of its parts replaced by anything."""
    places = [()] if not isinstance(whole, dict | list) else list(_paths(whole))
    return st.tuples(st.sampled_from(places), _JSON).map(lambda drawn: _with(whole, *drawn))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths(inner, (*path, key))


def _with(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], other)
    return copy


WHOLE: Mapping[str, Any] = {
    "openai": chat.completion(chat.message("Hello", tool_calls=[chat.call("track", "{}")])),
    "anthropic": claude.message(claude.text("Hello"), claude.call("track", {"id": 1})),
    "google": gemini.content(gemini.text("Hello"), gemini.call("track", {"id": 1})),
}
PARTS: Mapping[str, Any] = {
    "openai": [*chat.stream(WHOLE["openai"]), "[DONE]"],
    "anthropic": claude.stream(WHOLE["anthropic"]),
    "google": gemini.stream(WHOLE["google"]),
}
UGLY = (
    b"", b"null", b"[]", b"{}", b"\xff\xfe{}", b"<html>busy</html>", b'{"choices": []}', b'{"candidates": []}',
    b'{"a": 1, "a": 2}', b'{"usage": NaN}', b'{"usage": 1e999}', b'{"usage": ' + b"9" * 5000 + b"}",
    b"[" * 100_000, b'{"a":' * 50_000, b'{"choices": ' + b"[" * 60 + b"]" * 60 + b"}", b"data: [DONE]",
    b"data: [DONE]\n\n",
    b'data: {"choices": [{"index": 5, "delta": {}}]}\n\ndata: [DONE]\n\n', b"data: " + b"[" * 100_000, b"data: 1\n\n",
    b'{"type": "message", "content": [], "stop_reason": {}}', b'{"candidates": [{"finishReason": ["STOP"]}]}',
    b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}', b"data:\n\n", b"\n\n\n",
    b"event: error\n\n",
    b'data: {"type": "content_block_delta", "index": 1e3, "delta": {}}\n\n',
)  # fmt: skip


CAUSES = {
    "an answer that is not a chat completion",
    "an answer that is not a message",
    "an answer that is not a generated content",
    "an answer that does not say why it ended",
    "a stream that broke off before its end",
    "the provider broke off its answer with an error",
    "the model's answer or tool call was malformed",
}


@pytest.mark.parametrize("api", WHOLE)
@STREAMS
class TestHostileBodies:
    """Whatever a server sends is a reply or a ProviderError that quotes nothing of it."""

    @staticmethod
    def check(endpoint: Endpoint) -> None:
        try:
            reply = complete(endpoint, max_tokens=5)
        except ProviderError as error:
            assert error.cause in CAUSES  # noqa: PT017 - either of two ends is right
        else:
            reply.text.text().encode()  # raises for half a character
            assert all(isinstance(call.arguments.reveal(), str) for call in reply.tool_calls)

    def test_bodies_that_are_none(self, api: str, stream: bool) -> None:
        left = list(UGLY)
        with served(api, lambda _: Answer(200, left.pop())) as (_, endpoint):
            while left:
                with pytest.raises(ProviderError):
                    complete(streaming(endpoint, stream), max_tokens=5)

    @settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_any_json(self, api: str, stream: bool, data: st.DataObject) -> None:
        body = self.body(api, stream, data)
        with served(api, lambda _: Answer(200, body)) as (_, endpoint):
            self.check(streaming(endpoint, stream))

    @staticmethod
    def body(api: str, stream: bool, data: st.DataObject) -> bytes:
        if not stream:
            return json.dumps(data.draw(_JSON | mutants(WHOLE[api]))).encode()
        parts = data.draw(st.lists(_JSON, max_size=4) | mutants(PARTS[api]))
        return events(*(part if isinstance(part, dict | str) else {"x": part} for part in parts or []))

    def test_half_a_character_becomes_a_question_mark(self, api: str, stream: bool) -> None:
        """A model that is cut off in the middle of an emoji."""
        whole = json.dumps(PARTS[api] if stream else WHOLE[api]).replace("Hell", "\\ud83d")
        read = json.loads(whole)
        body = events(*read) if stream else whole.encode()
        assert answered(api, lambda _: Answer(200, body), stream=stream, max_tokens=5).text == Untrusted("?o")


# --- embeddings -------------------------------------------------------------------------------------------------------


def vectors(api: str, body: Any, *texts: str) -> Any:
    with served(api, lambda _: body if isinstance(body, Answer) else Answer(200, body)) as (server, endpoint):
        found = connect_embedder(endpoint, "embed-1", {"KEY": Secret(KEY)}).embed(texts, Deadline.after(60))
    return found.vectors, server.last


class TestEmbeddings:
    def test_each_api_that_embeds_has_vectors(self) -> None:
        for api in PROVIDERS:
            provider = connect(Endpoint(api, "http://localhost:9/v1", None, Limits(1), 1), {})
            assert isinstance(provider, Vectors) == (api in EMBEDDING)

    @pytest.mark.parametrize("api", ["openai", "azure", "github"])
    def test_chat_servers(self, api: str) -> None:
        shuffled = chat.embeddings([3, 4], [0, -2.0])
        shuffled["data"].reverse()
        found, asked = vectors(api, shuffled, "one", "")
        assert found == [[0.6, 0.8], [0, -1]]
        assert asked.path == f"{WHERE[api]}/embeddings"
        assert asked.body == {"model": "embed-1", "input": ["one", " "], "encoding_format": "float"}

    def test_google(self) -> None:
        found, asked = vectors("google", {"embeddings": [{"values": [3, 4]}, {"values": [0, 1]}]}, "one", "x" * 9000)
        assert found == [[0.6, 0.8], [0, 1]]
        assert asked.path == "/v1beta/models/embed-1:batchEmbedContents"
        assert asked.body["requests"][0] == {"model": "models/embed-1", "content": {"parts": [{"text": "one"}]}}
        assert len(asked.body["requests"][1]["content"]["parts"][0]["text"]) == 8000

    @pytest.mark.parametrize(
        "body",
        [
            chat.fails(400), chat.fails(404), b"{}", chat.embeddings([1.0]), chat.embeddings([1.0], [1.0, 2.0]),
            chat.embeddings([0, 0], [0, 1]), chat.embeddings([1e308] * 9, [1.0] * 9), chat.embeddings([], []),
            b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}',
            b'{"data": [{"index": 0, "embedding": ["1"]}, {"index": 1, "embedding": [true]}]}',
            b'{"data": [{"index": 0, "embedding": [' + b"9" * 99 + b']}, {"index": -1, "embedding": [1]}]}',
        ],
    )  # fmt: skip
    def test_what_is_none_is_infrastructure(self, body: Any) -> None:
        """The model that embeds is the policy's: no candidate is to blame for it."""
        with pytest.raises(ProviderError, match=r"^no embedding: ") as caught:
            vectors("openai", body, "one", "two")
        assert not caught.value.about_request
