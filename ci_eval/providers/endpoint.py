"""Where a provider is and how it may be called, out of the policy."""

from __future__ import annotations

from dataclasses import dataclass

from ci_eval.config import ProviderPolicy


@dataclass(frozen=True)
class Endpoint:
    """What a provider is made from, out of the policy."""

    api: str
    base_url: str | None
    key_env: str | None
    concurrency: int
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
            policy.max_concurrency,
            float(policy.timeout_seconds),
            policy.api_version,
            policy.stream,
        )
