"""Calls an endpoint, and says what a failed call means: is it the request, the account, or neither?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ci_eval.deadline import Deadline
from ci_eval.providers.base import ProviderError, Reply
from ci_eval.providers.endpoint import Endpoint
from ci_eval.text import JSON
from ci_eval.transport.send import Response, Transport, TransportError

# What a server refuses for what it is. Not 404: a model that is gone looks like an address that is wrong, and a wrong
# address must not let both sides fail alike.
_ABOUT_REQUEST = frozenset({400, 413, 422})
_ACCOUNT = ("api key", "api_key", "apikey", "credit", "billing", "usage limit", "quota", "disabled", "deactivated")
_ERROR_READ = 20_000
_REMEDIES = {
    401: "the key was refused; check the variable that key_env names",
    402: "the account has no credit",
    403: "the key may not use this model; check its permissions",
    404: "no such model, or no such address; check the model config and base_url",
    429: "the rate limit or the quota is used up",
}
_UNREACHED = {
    "connection failed": "connection failed; check base_url, and whether the server is up",
    "redirect refused": "redirect refused; write the address that it leads to as base_url",
}


@dataclass(frozen=True)
class Caller:
    """Sends to one origin with one set of headers. Safe to call from several threads at once."""

    transport: Transport
    headers: Mapping[str, str]

    @classmethod
    def of(cls, endpoint: Endpoint, default_url: str, headers: Mapping[str, str]) -> Caller:
        return cls(Transport(endpoint.base_url or default_url, endpoint.limits, endpoint.timeout_seconds), headers)

    def post(self, path: str, payload: JSON, deadline: Deadline) -> Response:
        """Whatever the server answered; raises ProviderError where nothing came."""
        try:
            return self.transport.post(path, payload, self.headers, deadline)
        except TransportError as error:
            raise ProviderError(_UNREACHED.get(error.cause, error.cause)) from error

    def counted(self, reply: Reply, answer: Response) -> Reply:
        """A reply with the time that it took; what it has used counts toward the policy's tokens a minute."""
        self.transport.used((reply.usage.tokens_in or 0) + (reply.usage.tokens_out or 0))
        return replace(reply, seconds=answer.seconds)


def failure(status: int, body: bytes = b"", *, about_request: bool = True) -> ProviderError:
    """An answer that is an error, told by its status: the provider's own words may echo a key.

    Its body is only searched for words about the account. `about_request=False`: it is not about the request, whatever
    the status.
    """
    if about_request and status in _ABOUT_REQUEST and not _is_about_account(body):
        return ProviderError(f"HTTP {status}", about_request=True)
    of_account = "the key or its account was refused; check the key, its credit and its limits"
    remedy = of_account if status in _ABOUT_REQUEST and about_request else _REMEDIES.get(status)
    return ProviderError(f"HTTP {status}: {remedy}" if remedy else f"HTTP {status}")


def _is_about_account(body: bytes) -> bool:
    """Whether a 400 is what an empty, closed or unknown account is told: several providers use that status for it."""
    said = body[:_ERROR_READ].decode("utf-8", "replace").casefold()
    return any(word in said for word in _ACCOUNT)
