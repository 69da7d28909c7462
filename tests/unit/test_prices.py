"""What an answer cost: by the policy, by the list of the day, or nobody knows."""

from __future__ import annotations

import socket
from decimal import Decimal
from typing import Any

import pytest

from ci_eval.config import Price, ProviderPolicy
from ci_eval.prices import cost_of
from ci_eval.providers.base import Usage

OPENAI = ProviderPolicy(api="openai")
USAGE = Usage(1_000_000, 100_000, 400_000)


def priced(**prices: Price) -> ProviderPolicy:
    return ProviderPolicy(api="openai", base_url="http://localhost:8000/v1", prices=prices)


def test_the_policy_says_what_a_model_costs_and_the_first_pattern_counts() -> None:
    policy = priced(**{"gpt-4o-mini": Price(input=1, output=1), "gpt-4o*": Price(input=2.5, output=10, cached=1.25)})
    assert cost_of(USAGE, "gpt-4o-2024", policy) == Decimal("0.6") * Decimal("2.5") + Decimal("0.5") + Decimal(1)
    assert cost_of(USAGE, "gpt-4o-mini", policy) == Decimal("1.1")
    assert cost_of(USAGE, "llama", policy) is None


def test_prices_are_exact() -> None:
    policy = priced(m=Price(input=0.1, output=0.2))
    assert cost_of(Usage(1, 1), "m", policy) == Decimal("0.0000003")


def test_listed_models_cost_what_the_list_says() -> None:
    """USD 0.15 a million in, 0.60 out, half of it for what was cached: gpt-4o-mini has cost that since 2024."""
    found = cost_of(USAGE, "gpt-4o-mini", OPENAI)
    assert found == Decimal("0.6") * Decimal("0.15") + Decimal("0.4") * Decimal("0.075") + Decimal("0.06")
    assert cost_of(USAGE, "gpt-4o-mini", ProviderPolicy(api="openai", base_url="https://api.openai.com/v1")) == found
    claude = ProviderPolicy(api="anthropic", key_env="K")
    gemini = ProviderPolicy(api="google", key_env="K")
    assert (cost_of(USAGE, "claude-haiku-4-5", claude) or 0) > 0
    assert (cost_of(USAGE, "gemini-2.5-flash", gemini) or 0) > 0


@pytest.mark.parametrize(
    ("usage", "model", "policy"),
    [
        (USAGE, "no-such-model", {"api": "openai"}),
        (USAGE, "gpt-4o-mini", {"api": "openai", "base_url": "http://localhost:8000/v1"}),
        (USAGE, "gpt-4o-mini", {"api": "github"}),
        (USAGE, "gpt-4o", {"api": "azure", "base_url": "https://a.openai.azure.com/openai/v1", "key_env": "K"}),
        (Usage(None, 5), "gpt-4o-mini", {"api": "openai"}),
        (Usage(5, None), "gpt-4o-mini", {"api": "openai"}),
        (Usage(5, 5, 6), "gpt-4o-mini", {"api": "openai"}),
    ],
)
def test_what_nobody_knows_is_not_guessed(usage: Usage, model: str, policy: dict[str, Any]) -> None:
    """A server of one's own, a deployment whose name means nothing, counts that contradict each other."""
    assert cost_of(usage, model, ProviderPolicy(**policy)) is None


def test_the_local_model_costs_nothing() -> None:
    assert cost_of(Usage(), "minilm", ProviderPolicy(api="local")) == 0


def test_no_price_is_ever_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a price was looked up over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert cost_of(USAGE, "gpt-4o-mini", OPENAI)
