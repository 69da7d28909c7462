"""What scorers may use: files of main, the local encoder, and models of main's providers."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from ci_eval.config import Config, ProviderPolicy
from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.plan.subset import Cost
from ci_eval.prices import cost_of
from ci_eval.providers.base import Message, Provider, ProviderError, Reply, Request, Usage
from ci_eval.providers.embedding import RemoteEmbedder, shortened
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.parameters import unfit
from ci_eval.providers.redacted import RedactedProvider
from ci_eval.providers.registry import EMBEDDING, PROVIDERS, connect, connect_embedder, local_model
from ci_eval.runner.cache import FIRST_FRESH, CachedProvider, ResponseCache
from ci_eval.scorers.base import Asker, Embedder, Parameters, Resources, Vectors
from ci_eval.scorers.errand import Errand
from ci_eval.secrets import Secret, redactor
from ci_eval.snapshot import Snapshot
from ci_eval.text import canonical

CHARACTERS_PER_TOKEN = 4
"""A guess, for plans alone."""
_UNBOUND = "scorers that were bound to be checked were used to score"
_DRAWS = 16
"""Calls that one errand may tell apart."""


def reached_by(provider: ProviderPolicy) -> Mapping[str, object]:
    """What of a provider's policy decides who answers, and by which of its ways."""
    return provider.model_dump(include={"api", "base_url", "api_version", "stream"})


def remembering(
    provider: Provider, policy: ProviderPolicy, config: Config, keys: Mapping[str, Secret], cache: ResponseCache | None
) -> Provider:
    """A provider with the response cache before it, where its answers may be remembered."""
    if cache is None or policy.api == "local":
        return provider
    secret = keys.get(policy.key_variable or "")
    if not (secret or cache.private):
        return provider
    max_age = timedelta(days=config.policy.baseline.max_age_days)
    return CachedProvider.sealed(provider, cache, canonical(reached_by(policy)), secret, max_age)


def redacted(provider: Provider, keys: Mapping[str, Secret]) -> Provider:
    """A provider that repeats no key."""
    redact = redactor(keys.values())
    return RedactedProvider(provider, redact) if redact else provider


@dataclass(frozen=True)
class Supply:
    """Makes the resources of one suite's scorers."""

    config: Config
    suite: str
    snapshot: Snapshot
    keys: Mapping[str, Secret] | None
    """None: the scorers are bound to be checked, and ask nobody."""
    cache: ResponseCache | None = None

    def resources(self) -> Resources:
        return Resources(self.snapshot, lambda texts: local_model().embed(texts), self._embedder, self._asker)

    def _embedder(self, provider: str, model: str) -> Embedder:
        policy = self._policy(provider, EMBEDDING, "embedding models")
        remote = connect_embedder(Endpoint.of(policy), model, self.keys) if self.keys is not None else None
        return _Embedder(remote, policy, model)

    def _asker(self, provider: str, model: str, parameters: Callable[[str], Parameters]) -> Asker:
        policy = self._policy(provider, frozenset(PROVIDERS), "a chat model")
        wanted = parameters(policy.api)
        found = unfit(policy, model, wanted)
        if found:
            raise self._error(f"{found.key}: {found.problem}", found.remedy)
        asked = None
        if self.keys is not None:
            connected = redacted(connect(Endpoint.of(policy), self.keys), self.keys)
            asked = remembering(connected, policy, self.config, self.keys, self.cache)
        return _Asker(asked, policy, provider, model, wanted)

    def _policy(self, provider: str, apis: frozenset[str], what: str) -> ProviderPolicy:
        policy = self.config.policy.providers.get(provider)
        if policy is None or policy.api not in apis:
            known = [name for name, one in self.config.policy.providers.items() if one.api in apis]
            remedy = f"name one of {', '.join(known) or 'the api ' + ', '.join(sorted(apis))}"
            raise self._error(f'no provider "{provider}" with {what}', remedy)
        return policy

    def _error(self, problem: str, remedy: str) -> InputError:
        return self.config.document.error(("suites", self.suite, "scorers"), problem, remedy)


def _takes(characters: int, tokens_out: int, policy: ProviderPolicy, model: str) -> Cost:
    """One call, by the length of what is sent."""
    tokens_in = math.ceil(characters / CHARACTERS_PER_TOKEN)
    usd = cost_of(Usage(tokens_in, tokens_out), model, policy)
    return Cost(0, 0.0, None if usd is None else float(usd), tokens_in, tokens_out, scoring=1)


@dataclass(frozen=True)
class _Embedder:
    remote: RemoteEmbedder | None
    policy: ProviderPolicy
    model: str

    def embed(self, texts: Sequence[str], errand: Errand) -> Vectors:
        started = time.monotonic()
        deadline = errand.deadline.sooner(float(self.policy.timeout_seconds))
        assert self.remote, _UNBOUND  # noqa: S101
        found = self.remote.embed(texts, deadline)
        errand.bill.add(found.usage, cost_of(found.usage, self.model, self.policy), time.monotonic() - started)
        return found.vectors

    def takes(self, texts: Sequence[str]) -> Cost:
        return _takes(sum(len(shortened(text)) for text in texts), 0, self.policy, self.model)


@dataclass(frozen=True)
class _Asker:
    provider: Provider | None
    policy: ProviderPolicy
    name: str
    model: str
    parameters: Parameters

    @property
    def identity(self) -> str:
        text = canonical([reached_by(self.policy), self.model, dict(self.parameters)])
        return hashlib.sha256(text.encode()).hexdigest()

    def ask(self, messages: Sequence[Message], draw: int, errand: Errand, *, again: bool = False) -> Reply:
        request = Request(self.name, self.model, tuple(messages), self.parameters)
        # Numbers of confirmations stay beyond the cache; what is asked again goes there, too.
        number = errand.repeat * _DRAWS + draw + (FIRST_FRESH * _DRAWS if again else 0)
        started = time.monotonic()
        reply = self._reply(request, number, errand.deadline)
        if reply.cached_at:
            errand.bill.add_cached(reply.cached_at)
        else:
            errand.bill.add(reply.usage, self._cost(reply.usage), time.monotonic() - started)
        return reply

    def takes(self, messages: Sequence[Message], tokens_out: int) -> Cost:
        return _takes(sum(len(message.content) for message in messages), tokens_out, self.policy, self.model)

    def _reply(self, request: Request, number: int, deadline: Deadline) -> Reply:
        assert self.provider, _UNBOUND  # noqa: S101
        try:
            return self.provider.complete(request, number, deadline)
        except ProviderError as error:  # never about the request: who is asked, and how, is the policy's
            raise ProviderError(f"a scorer got no answer: {error.cause}") from error

    def _cost(self, usage: Usage) -> Decimal | None:
        return cost_of(usage, self.model, self.policy)
