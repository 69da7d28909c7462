"""The one door that sends HTTP (PyGithub, in `github/client.py`, is the named exception).

Nothing ambient counts: no proxy, no netrc, no redirect, no cookie. A request goes to the origin it was built for or
not at all, ends at its deadline however slowly the answer drips, and carries its key in a header only. `requests` reads
the URL and sets up TLS, once; answers then come through its connection pool directly, which takes half of the time.
"""

from __future__ import annotations

import io
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any

import requests
import urllib3
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ci_eval.deadline import Deadline
from ci_eval.origin import origin_of
from ci_eval.text import JSON
from ci_eval.transport.pacing import Limits, Ticket
from ci_eval.transport.rate_limit_headers import advice, retry_after
from ci_eval.transport.turnstile import TooLate, Turnstile

BODY_LIMIT = 8 * 1024 * 1024
_CHUNK = 16 * 1024
_RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_OVERLOADED = frozenset({503, 529})
_NO_MONEY = b"insufficient_quota"
"""OpenAI's code in a 429 that no waiting ends."""
_NO_ROOM = "the server's limits leave no time for it"
_FINAL = ("deadline", _NO_ROOM)
_MAX_ATTEMPTS = 5
_MOST_INTERIM = 100
_MAX_PAUSE_SECONDS = 30.0


class TransportError(Exception):
    """No usable answer: an infrastructure error of one case, never a score. `cause` is one of our own words."""

    def __init__(self, cause: str, status: int | None = None) -> None:
        self.cause = cause
        self.status = status
        super().__init__(cause)


@dataclass(frozen=True)
class Response:
    """One answer, read whole, whatever its status. `attempts` counts the requests that it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    attempts: int = 1
    seconds: float = 0.0
    """From the request to the end of this answer, without what was waited before."""


@dataclass
class Transport:
    """Sends to one origin, with pooled connections and a pace that threads share.

    `clock`, `sleep` and `jitter` are arguments so that a test can see the pauses instead of waiting for them.
    """

    base_url: str
    limits: Limits = field(default_factory=lambda: Limits(concurrency=16))
    timeout: float = 600.0
    """Seconds that one request may take, retries included; waiting for the server's limits is not counted."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] | None = None
    jitter: Callable[[], float] = random.random
    _prepared: dict[object, _Prepared] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._origin = origin_of(self.base_url)
        self._turnstile = Turnstile(self.limits, self.clock, self.sleep)
        self._session = requests.Session()
        self._session.trust_env = False
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=self.limits.concurrency, max_retries=0)

    def post(self, path: str, payload: JSON, headers: Mapping[str, str], deadline: Deadline) -> Response:
        """POST JSON, retrying what may be retried until the deadline; raises TransportError when nothing came.

        A request that the server has no room for now (HTTP 429) waits for its turn, for as long as the deadline allows.
        """
        call = _Call(self._prepare(path, headers), json.dumps(payload, allow_nan=False).encode())
        while True:
            try:
                response = self._attempt(call, deadline)
            except TransportError as error:
                final = error.status is not None or error.cause in _FINAL
                if final or not self._may_retry(call, self._pause(call.failures), deadline):
                    raise
                continue
            if response.status not in _RETRY_STATUS or not self._may_come_back(call, response, deadline):
                return response

    def used(self, tokens: int) -> None:
        """What an answer has cost, for a limit in tokens."""
        self._turnstile.used(tokens)

    def _may_come_back(self, call: _Call, response: Response, deadline: Deadline) -> bool:
        """Whether to try again after an answer that may be another one next time."""
        if response.status == 429:
            hopeless = _NO_MONEY in response.body or self._turnstile.hopeless()
            return not hopeless and self._turnstile.closed() < deadline.remaining()
        asked = retry_after(response.headers, datetime.now(UTC))
        return self._may_retry(call, self._pause(call.failures) if asked is None else asked, deadline)

    def _may_retry(self, call: _Call, pause: float, deadline: Deadline) -> bool:
        """Count a failure; if there is time for another attempt, wait before it."""
        call.failures += 1
        call.seconds += pause
        if call.failures >= _MAX_ATTEMPTS or min(deadline.remaining(), self.timeout - call.seconds + pause) <= pause:
            return False
        (self.sleep or time.sleep)(pause)
        return True

    def _pause(self, failures: int) -> float:
        """0.5 s, doubled each time, with jitter: threads must not march in step."""
        return float(min(_MAX_PAUSE_SECONDS, 0.5 * 2**failures) * (0.5 + self.jitter()))

    def _prepare(self, path: str, headers: Mapping[str, str]) -> _Prepared:
        key = (path, *headers.items())
        found = self._prepared.get(key)
        if found is None:
            url = self.base_url.rstrip("/") + path if path else self.base_url  # a whole address keeps its last slash
            request = requests.Request("POST", url, json={}, headers=dict(headers))
            prepared = self._session.prepare_request(request)
            address, _, _ = (prepared.url or "").partition("?")  # a query is ours: base_url can have none
            if origin_of(address) != self._origin:
                raise TransportError("the prepared request left its origin")
            found = self._prepared[key] = self._adapter.ready(prepared)
        return found

    def _attempt(self, call: _Call, deadline: Deadline) -> Response:
        """Once, when it is this request's turn; the pace learns from what comes of it."""
        ticket = self._enter(deadline)
        started = time.monotonic()
        left = deadline.sooner(self.timeout - call.seconds)
        call.attempts += 1
        try:
            response = _send(call, left)
        except BaseException:
            self._turnstile.failed()
            raise
        finally:
            call.seconds += time.monotonic() - started
        self._learn(ticket, response)
        return response

    def _enter(self, deadline: Deadline) -> Ticket:
        try:
            return self._turnstile.enter(deadline)
        except TooLate:
            raise TransportError("deadline" if deadline.remaining() <= 0 else _NO_ROOM) from None

    def _learn(self, ticket: Ticket, response: Response) -> None:
        refused, overloaded = response.status == 429, response.status in _OVERLOADED
        said = advice(response.headers, datetime.now(UTC), refused=refused or overloaded)
        if refused:
            self._turnstile.refused(ticket, said)
        elif overloaded:
            self._turnstile.overloaded(ticket, said)
        elif response.status in _RETRY_STATUS:
            self._turnstile.failed()
        else:
            self._turnstile.answered(ticket, said)


@dataclass(frozen=True)
class _Prepared:
    """All of a request but its body."""

    pool: Any
    target: str
    headers: Mapping[str, str]


@dataclass
class _Call:
    """One request, over all of its attempts."""

    prepared: _Prepared
    body: bytes
    attempts: int = 0
    failures: int = 0
    seconds: float = 0.0
    """Spent on sending and on pauses of its own."""


def _send(call: _Call, deadline: Deadline) -> Response:
    remaining = deadline.remaining()
    if remaining <= 0:
        raise TransportError("deadline")
    _current.deadline = deadline
    started = time.monotonic()
    prepared = call.prepared
    try:
        with prepared.pool.urlopen(
            "POST",
            prepared.target,
            call.body,
            prepared.headers,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=min(10.0, remaining), read=remaining),
            preload_content=False,
            decode_content=False,
        ) as answer:
            if 300 <= answer.status < 400:
                raise TransportError("redirect refused", answer.status)
            body = _body(answer, deadline)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if deadline.remaining() <= 0:
            raise TransportError("deadline") from error
        unreachable = isinstance(
            error, urllib3.exceptions.NewConnectionError
        )  # which is a kind of timeout to the library
        late = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError) and not unreachable
        raise TransportError("timeout" if late else "connection failed") from error
    return Response(answer.status, answer.headers, body, call.attempts, time.monotonic() - started)


# --- one deadline for all that is sent and read; the libraries' timeouts are per call, and a drip never meets them ----

_current = threading.local()
"""`deadline`: that of the request which this thread is sending."""


def _remaining() -> float:
    """Seconds until this thread's deadline; raises TimeoutError once it has passed."""
    remaining: float = _current.deadline.remaining()
    if remaining <= 0:
        raise TimeoutError("deadline")
    return remaining


class _Reading(io.RawIOBase):
    """What comes in on a socket; no read waits longer than until the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # it keeps a socket open that is closed while its answer is read
        self.over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.over:
            return 0
        self._sock.settimeout(_remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _OneAnswer(io.BufferedReader):
    """The bytes of one answer. A connection that brought more than it was asked for is never used again."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reading = _Reading(sock)
        super().__init__(self._reading)

    def close(self) -> None:
        if not self.closed:
            self._reading.over = True
            # What TLS has decrypted is not seen by the pool, which looks at the bare socket before it sends again.
            if self.peek(1) or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()):
                with suppress(OSError):  # the server has left already
                    self._sock.shutdown(socket.SHUT_RDWR)
        super().close()


class _Answer(HTTPResponse):
    """An answer that is read with the deadline from its first byte, what comes before it and headers included."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = _OneAnswer(sock)

    def begin(self) -> None:
        """Past all that is interim: `http.client` knows `100 Continue` only (RFC 9110, section 15.2)."""
        for _ in range(_MOST_INTERIM):
            super().begin()
            if self.status >= 200:
                return
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise HTTPException("another protocol, which nobody asked for")
            self.headers = None  # type: ignore[assignment]  # which makes it begin again
        raise HTTPException("interim answers without end")


class _Plain(HTTPConnection):
    response_class = _Answer

    def send(self, data: Any) -> None:
        """In pieces, each within the deadline: the library's timeout for sending is the one for connecting."""
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), _CHUNK):
            self.sock.settimeout(_remaining())
            super().send(data[start : start + _CHUNK])


class _Secure(_Plain, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Checks names and certificates by `requests`' own list; what the libraries make obeys SSLKEYLOGFILE."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
        return context

    def ready(self, prepared: requests.PreparedRequest) -> _Prepared:
        """The pool of the request's origin, without a proxy and with its certificates checked, and what it is sent."""
        url = str(prepared.url)
        tls = {"ssl_context": self._tls} if url.startswith("https:") else {}
        pool = self.poolmanager.connection_from_url(url, tls)
        headers = {name: value for name, value in prepared.headers.items() if name.lower() != "content-length"}
        return _Prepared(pool, self.request_url(prepared, {}), headers)


def _body(answer: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
    """The decoded body, to a cap and a deadline."""
    chunks: list[bytes] = []
    size = 0
    while chunk := answer.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > BODY_LIMIT:
            raise TransportError("answer larger than 8 MiB", answer.status)
        if deadline.remaining() <= 0:
            raise TransportError("deadline", answer.status)
        chunks.append(chunk)
    return b"".join(chunks)
