"""A chat completions server in a process of its own, quick enough not to be what is measured.

It speaks just the HTTP/1.1 that a client with kept connections needs, and can be slow, strict or unwell:

    python tests/benchmarks/wire_server.py --latency 0.2 --rate 100 --burst 10

The first line it prints is its port. `GET /stats` tells how many requests came, how they were answered, how many were
under way at once, and the time from the first request to the last answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_REASONS = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass(frozen=True)
class Settings:
    """How the server behaves; shares are of all requests, in [0, 1]."""

    latency: float = 0.0
    """Seconds from a request to its answer. A refusal comes at once."""
    rate: float = 0.0
    """Requests a second that are let in; 0: all of them."""
    burst: float = 10
    headers: str = "retry-after"
    """What a refusal carries: `retry-after`, or also `x-ratelimit` headers."""
    errors: float = 0.0
    """Share answered with HTTP 500."""
    resets: float = 0.0
    """Share whose connection is torn down instead of an answer."""
    drip: int = 0
    """The number of the one request that is answered a byte at a time, for ever; 0: none."""
    seed: int = 1


@dataclass
class Bucket:
    """Tokens that fill at a rate, up to a burst."""

    rate: float
    burst: float
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def headers(self) -> dict[str, str]:
        """As OpenAI tells them: the reset is when the bucket is full again."""
        full_in = (self.burst - self.tokens) / self.rate
        return {
            "x-ratelimit-limit-requests": f"{self.burst:.0f}",
            "x-ratelimit-remaining-requests": f"{int(self.tokens)}",
            "x-ratelimit-reset-requests": f"{full_in * 1000:.0f}ms",
        }


@dataclass
class Service:
    """What all connections share."""

    settings: Settings
    now: Callable[[], float]
    chance: random.Random = field(default_factory=random.Random)
    statuses: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most: int = 0
    first: float | None = None
    last: float = 0.0

    def __post_init__(self) -> None:
        self.chance.seed(self.settings.seed)
        self.bucket = Bucket(self.settings.rate, self.settings.burst, self.settings.burst, self.now())

    def came(self) -> None:
        self.first = self.now() if self.first is None else self.first
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    def left(self, what: str) -> None:
        self.under_way -= 1
        self.statuses[what] += 1
        self.last = self.now()

    def number(self) -> int:
        """Of the request that came last."""
        return self.statuses.total() + self.under_way

    def stats(self) -> bytes:
        seconds = self.last - (self.first or self.last)
        return json.dumps({"seconds": round(seconds, 4), "most": self.most, "answers": dict(self.statuses)}).encode()


class Connection(asyncio.Protocol):
    """One connection: a request at a time, as clients without pipelining send them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.waiting = b""
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        head, found, body = self.waiting.partition(b"\r\n\r\n")
        if not found:
            return
        length = _length(head)
        if len(body) < length:
            return
        self.waiting = body[length:]
        if head.startswith(b"GET /stats "):
            self._send(200, self.service.stats())
        elif head.startswith(b"POST /v1/chat/completions "):
            self._ask(body[:length])
        else:
            self._send(404, b"{}")

    def _ask(self, body: bytes) -> None:
        service, settings = self.service, self.service.settings
        service.came()
        if settings.rate and not service.bucket.take(service.now()):
            self._refuse()
        elif service.number() == settings.drip:
            self._answer(self._drip)
        elif service.chance.random() < settings.errors:
            self._answer(lambda: self._tell(500, b'{"error": {"message": "try again"}}'))
        elif service.chance.random() < settings.resets:
            self._answer(self._reset)
        else:
            self._answer(lambda: self._tell(200, completion(body)))

    def _refuse(self) -> None:
        headers = {"retry-after": "1"}
        if self.service.settings.headers != "retry-after":
            headers |= self.service.bucket.headers()
        self._tell(429, b'{"error": {"message": "too many requests"}}', headers)

    def _answer(self, how: Callable[[], None]) -> None:
        if self.service.settings.latency:
            self.loop.call_later(self.service.settings.latency, how)
        else:
            how()

    def _tell(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.service.left(str(status))
        self._send(status, body, headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"content-length: {len(body)}", "", ""]
        self.transport.write("\r\n".join(lines).encode() + body)

    def _reset(self) -> None:
        self.service.left("reset")
        self.transport.abort()

    def _drip(self) -> None:
        self.service.left("drip")
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        self._drop()

    def _drop(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b" ")
            self.loop.call_later(0.1, self._drop)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def completion(body: bytes) -> bytes:
    """What the last message asks to be told, as a completion: the benchmark's cases carry their own answers."""
    asked = json.loads(body)["messages"][-1]["content"]
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "house-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": asked}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 40, "completion_tokens": 12, "total_tokens": 52},
    }
    return json.dumps(answer).encode()


async def serve(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    service = Service(settings, loop.time)
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A chat completions server for benchmarks.")
    for name, default in vars(Settings()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    try:
        asyncio.run(serve(Settings(**vars(parser.parse_args()))))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
