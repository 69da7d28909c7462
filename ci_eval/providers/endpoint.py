"""An endpoint: where a provider is and how fast it may be called, from the policy."""

from __future__ import annotations

from dataclasses import dataclass

from ci_eval.config import ProviderPolicy
from ci_eval.transport.pacing import Limits


@dataclass(frozen=True)
class Endpoint:
    """What a provider is made from, out of the policy."""

    api: str
    base_url: str | None
    key_env: str | None
    limits: Limits
    timeout_seconds: float
    """The longest that one request may take, retries included."""
    api_version: str | None = None
    stream: bool = False

    @classmethod
    def of(cls, policy: ProviderPolicy) -> Endpoint:
        return cls(
            policy.api,
            policy.base_url,
            policy.key_variable,
            Limits(policy.max_concurrency, policy.requests_per_minute, policy.tokens_per_minute),
            float(policy.timeout_seconds),
            policy.api_version,
            policy.stream,
        )
