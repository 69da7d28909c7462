"""Which parameters of a model config each API can carry: known before anything is sent, so that nothing is dropped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci_eval.config import ProviderPolicy

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Unfit:
    """A parameter that an API cannot carry, or not with this value."""

    key: str
    problem: str
    remedy: str


_SAMPLING = frozenset({"temperature", "top_p", "max_tokens", "stop"})
_TOOLS = frozenset({"tools", "tool_choice"})
_PENALTIES = frozenset({"presence_penalty", "frequency_penalty", "seed"})
_SHAPED = frozenset({"response_format", "reasoning_effort"})
_CHAT = _SAMPLING | _TOOLS | _PENALTIES | _SHAPED | {"max_completion_tokens", "parallel_tool_calls"}

CARRIED: Mapping[str, frozenset[str]] = {
    "openai": _CHAT | {"top_k"},
    "azure": _CHAT,
    "github": _CHAT,
    "anthropic": _SAMPLING | _TOOLS | _SHAPED | {"top_k", "parallel_tool_calls", "thinking_tokens"},
    "google": _SAMPLING | _TOOLS | _PENALTIES | _SHAPED | {"top_k", "thinking_tokens"},
    "local": frozenset({"temperature", "max_tokens", "stop"}),
}

_INSTEAD = {"max_completion_tokens": "write max_tokens"}
_ANTHROPIC_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_GOOGLE_EFFORTS = ("minimal", "low", "medium", "high", "xhigh")
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GOOGLE_MODEL = re.compile(r"((models|tunedModels)/)?[A-Za-z0-9][A-Za-z0-9._-]*")


def unfit(provider: ProviderPolicy, model: str, given: Parameters) -> Unfit | None:
    """The first thing in a model config that the provider's API cannot carry; None where all is well."""
    return next(_all_unfit(provider, model, given), None)


def _all_unfit(provider: ProviderPolicy, model: str, given: Parameters) -> Iterator[Unfit]:
    for key in given:
        if key not in CARRIED[provider.api]:
            yield Unfit(key, f"the api {provider.api} has no {key}", _INSTEAD.get(key, "remove it"))
    yield from _RULES.get(provider.api, _nothing)(provider, model, given)


def _nothing(provider: ProviderPolicy, model: str, given: Parameters) -> Iterator[Unfit]:  # noqa: ARG001 - a rule
    return iter(())


def _openai(provider: ProviderPolicy, model: str, given: Parameters) -> Iterator[Unfit]:  # noqa: ARG001 - a rule
    if "top_k" in given and provider.base_url is None:
        yield Unfit("top_k", "OpenAI has no top_k, other servers have", "remove it")


def _azure(provider: ProviderPolicy, model: str, given: Parameters) -> Iterator[Unfit]:  # noqa: ARG001 - a rule
    if provider.api_version and not _DEPLOYMENT.fullmatch(model):
        yield Unfit("model", "not the name of a deployment", "write letters, digits, '.', '_' and '-'")


def _anthropic(provider: ProviderPolicy, model: str, given: Parameters) -> Iterator[Unfit]:  # noqa: ARG001 - a rule
    if "max_tokens" not in given:
        yield Unfit("model", "the api anthropic needs max_tokens", "add max_tokens")
    if given.get("temperature", 0) > 1:
        yield Unfit("temperature", "the api anthropic takes a temperature from 0 to 1", "lower it")
    if _kind(given) == "json_object":
        yield Unfit(
            "response_format", "the api anthropic has no json_object", "write json_schema, or ask in the prompt"
        )
    budget, most = given.get("thinking_tokens", 0), given.get("max_tokens", 0)
    if budget and not 1024 <= budget < most:
        yield Unfit(
            "thinking_tokens", "the api anthropic takes 0, or 1024 up to less than max_tokens", "change one of them"
        )
    yield from _effort(given, "anthropic", _ANTHROPIC_EFFORTS)
    if given.get("parallel_tool_calls") is False and "tools" not in given:
        yield Unfit("parallel_tool_calls", "there are no tools", "add tools, or remove it")


def _google(provider: ProviderPolicy, model: str, given: Parameters) -> Iterator[Unfit]:  # noqa: ARG001 - a rule
    if not _GOOGLE_MODEL.fullmatch(model):
        yield Unfit("model", "not the name of a Gemini model", "write it as gemini-2.5-flash")
    if any(tool["function"].get("strict") for tool in given.get("tools", ())):
        yield Unfit("tools", "the api google has no strict tools", "remove strict")
    if {"thinking_tokens", "reasoning_effort"} <= given.keys():
        yield Unfit("thinking_tokens", "the api google takes thinking_tokens or reasoning_effort", "remove one of them")
    yield from _effort(given, "google", _GOOGLE_EFFORTS)


def _kind(given: Parameters) -> str:
    return str(given.get("response_format", {}).get("type", "text"))


def _effort(given: Parameters, api: str, known: tuple[str, ...]) -> Iterator[Unfit]:
    if given.get("reasoning_effort", known[0]) not in known:
        remedy = f"write one of {', '.join(known)}"
        yield Unfit("reasoning_effort", f"the api {api} has no such reasoning_effort", remedy)


Rule = Callable[[ProviderPolicy, str, Parameters], Iterator[Unfit]]
_RULES: Mapping[str, Rule] = {"openai": _openai, "azure": _azure, "anthropic": _anthropic, "google": _google}
