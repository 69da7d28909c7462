"""The one door that sends HTTP (PyGithub, in `github/client.py`, is the named exception).

Nothing ambient counts: no proxy, no netrc, no redirect, no cookie. A request goes to the origin it was built for or
not at all, ends at its deadline however slowly the answer drips, and carries its key in a header only.
"""

from __future__ import annotations

import io
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ci_eval.deadline import Deadline
from ci_eval.origin import origin_of
from ci_eval.text import JSON

BODY_LIMIT = 8 * 1024 * 1024
_CHUNK = 16 * 1024
_RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_MAX_ATTEMPTS = 5
_MAX_PAUSE_SECONDS = 30.0


class TransportError(Exception):
    """No usable answer: an infrastructure error of one case, never a score. `cause` is one of our own words."""

    def __init__(self, cause: str, status: int | None = None) -> None:
        self.cause = cause
        self.status = status
        super().__init__(cause)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes
    attempts: int = 1


@dataclass
class Transport:
    """Sends to one origin, with pooled connections that threads share.

    `sleep` and `jitter` are arguments so that a test can see the pauses instead of waiting for them.
    """

    base_url: str
    pool: int = 16
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    _sessions: threading.local = field(default_factory=threading.local, repr=False)

    def __post_init__(self) -> None:
        self._origin = origin_of(self.base_url)

    def post(self, path: str, payload: JSON, headers: Mapping[str, str], deadline: Deadline) -> Response:
        """POST JSON, retrying what may be retried until the deadline; raises TransportError when nothing came."""
        request = requests.Request("POST", self.base_url.rstrip("/") + path, json=payload, headers=dict(headers))
        prepared = self._session().prepare_request(request)
        self._check_origin(prepared)
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            failure = None
            try:
                response = self._once(prepared, deadline, attempt)
            except TransportError as error:
                if error.status is not None:  # an answer that is refused for what it is
                    raise
                failure = error
            else:
                if response.status not in _RETRY_STATUS:
                    return response
            pause = self._pause(attempt, None if failure else response)
            if attempt == _MAX_ATTEMPTS or pause >= deadline.remaining():
                if failure:
                    raise failure
                return response
            self.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = _Session()
            session.trust_env = False
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            adapter = _Adapter(pool_connections=1, pool_maxsize=self.pool, max_retries=0)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._sessions.session = session
        return session

    def _check_origin(self, prepared: requests.PreparedRequest) -> None:
        address, _, _ = (prepared.url or "").partition("?")  # a query is ours: base_url can have none
        if origin_of(address) != self._origin:
            raise TransportError("the prepared request left its origin")

    def _once(self, prepared: requests.PreparedRequest, deadline: Deadline, attempt: int) -> Response:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise TransportError("deadline")
        _current.deadline = deadline
        try:
            with self._session().send(
                prepared, stream=True, allow_redirects=False, verify=True, timeout=(min(10.0, remaining), remaining)
            ) as response:
                if response.is_redirect or 300 <= response.status_code < 400:
                    raise TransportError("redirect refused", response.status_code)
                return Response(response.status_code, response.headers, _body(response, deadline), attempt)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if deadline.remaining() <= 0:
                raise TransportError("deadline") from error
            raise TransportError("timeout" if isinstance(error, requests.Timeout) else "connection failed") from error

    def _pause(self, attempt: int, response: Response | None) -> float:
        """What `Retry-After` asks for, else 0.5 s doubled each time, with jitter: threads must not march in step."""
        asked = response.headers.get("retry-after", "") if response else ""
        if asked.isascii() and asked.isdigit():
            return min(float(asked), 600.0)
        return float(min(_MAX_PAUSE_SECONDS, 0.5 * 2 ** (attempt - 1)) * (0.5 + self.jitter()))


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - wherever it leads
        """Nowhere. Asked not to follow a redirect, the library still reads all of its body to find the next one."""
        return None


# --- one deadline for all that is read; the libraries' timeouts are per read, and a drip never meets them -------------

_current = threading.local()
"""`deadline`: that of the request which this thread is sending."""


class _Reading(io.RawIOBase):
    """What comes in on a socket; no read waits longer than until the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # it keeps a socket open that is closed while its answer is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = _current.deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("deadline")
        self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer that is read with the deadline from its first byte, `100 Continue` and headers included."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Reading(sock))


class _Plain(HTTPConnection):
    response_class = _Answer


class _Secure(HTTPSConnection):
    response_class = _Answer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def _body(response: requests.Response, deadline: Deadline) -> bytes:
    """The decoded body, to a cap and a deadline."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > BODY_LIMIT:
            raise TransportError("answer larger than 8 MiB", response.status_code)
        if deadline.remaining() <= 0:
            raise TransportError("deadline", response.status_code)
        chunks.append(chunk)
    return b"".join(chunks)
