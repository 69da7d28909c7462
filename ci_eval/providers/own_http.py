"""The user's own HTTP service as a provider: each case is posted with the prompt and config of its side."""

from __future__ import annotations

from dataclasses import replace

from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.providers.base import ProviderError, Reply, Request
from ci_eval.providers.own_reply import to_reply
from ci_eval.reader import parse_reply
from ci_eval.secrets import Secret
from ci_eval.transport.pacing import Limits
from ci_eval.transport.send import Transport, TransportError

_ABOUT_REQUEST = frozenset({400, 413, 422})
_KEY = "the service refused the key; check the variable that key_env of the target names"
_REMEDIES = {401: _KEY, 403: _KEY, 404: "nothing is at this address; check http: of the target"}
_UNREACHED = {"connection failed": "connection failed; check http: of the target, and whether the service is up"}


class HttpProvider:
    """One URL, which main's policy names. Safe to call from several threads at once."""

    def __init__(self, url: str, key: Secret | None, *, concurrency: int, timeout_seconds: float) -> None:
        self._transport = Transport(url, Limits(concurrency), timeout_seconds)
        self._headers = dict([key.header("Authorization", "Bearer ")]) if key else {}

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        payload = {**(request.body or {}), "repeat": repeat}
        try:
            answer = self._transport.post("", payload, self._headers, deadline)
        except TransportError as error:
            raise ProviderError(_UNREACHED.get(error.cause, error.cause)) from error
        if answer.status != 200:
            remedy = _REMEDIES.get(answer.status)
            told = f"HTTP {answer.status}: {remedy}" if remedy else f"HTTP {answer.status}"
            raise ProviderError(told, about_request=answer.status in _ABOUT_REQUEST)
        try:
            value = parse_reply(answer.body)
        except InputError:
            raise ProviderError("an answer that is not JSON") from None
        return replace(to_reply(value), seconds=answer.seconds)

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - no service promises it
        return False
