"""The one door that sends: what it takes from a server, what it never does, and when it gives up."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

import pytest
from http_server import Answer, Raw, Reset, Server

from ci_eval.deadline import Deadline
from ci_eval.transport import BODY_LIMIT, Response, Transport, TransportError

HOUR = 3600.0


@dataclass(frozen=True)
class Ticking(Deadline):
    """A deadline on a clock that moves a second whenever somebody looks at it, and not otherwise."""

    clock: Iterator[int] = field(default_factory=itertools.count)

    def remaining(self) -> float:
        return self.at - next(self.clock)


@dataclass
class Line:
    """A transport whose pauses are seen instead of waited for."""

    url: str
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.transport = Transport(self.url, sleep=self.pauses.append, jitter=lambda: 0.5)

    def post(self, headers: Mapping[str, str] | None = None, deadline: Deadline | None = None) -> Response:
        return self.transport.post("/chat", {"a": "é"}, headers or {}, deadline or Deadline.after(HOUR))


def headers(extra: bytes = b"Content-Length: 100000000\r\n") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + extra + b"\r\n"


def endless(start: bytes, more: bytes) -> Raw:
    """Bytes for as long as anybody takes them, or nearly: a test that fails should end, too."""

    def write(out: BinaryIO) -> None:
        out.write(start)
        for _ in range(20_000):
            out.write(more)

    return write


def once(data: bytes) -> Raw:
    def write(out: BinaryIO) -> None:
        out.write(data)

    return write


class TestAnAnswer:
    def test_what_was_sent_and_what_came_back(self) -> None:
        with Server(Answer(body=b'{"b": 1}', headers={"X-One": "1"})) as server:
            response = Line(f"{server.url}/v1/").post({"Authorization": "Bearer k"})
        (sent,) = server.received
        assert (sent.method, sent.path, json.loads(sent.body)) == ("POST", "/v1/chat", {"a": "é"})
        assert sent.headers["Authorization"] == "Bearer k"
        assert (response.status, response.body, response.headers["x-one"], response.attempts) == (
            200,
            b'{"b": 1}',
            "1",
            1,
        )

    @pytest.mark.parametrize("status", [201, 204, 400, 401, 403, 404, 422, 501])
    def test_a_final_status_is_told_and_not_tried_again(self, status: int) -> None:
        with Server(Answer(status, b"" if status == 204 else b"no")) as server:
            assert Line(server.url).post().status == status
        assert len(server.received) == 1

    @pytest.mark.parametrize(("name", "compress"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
    def test_a_compressed_body_is_decoded_however_it_is_cut(
        self, name: bytes, compress: Callable[[bytes], bytes]
    ) -> None:
        """Chunks of one byte: the first of them decode to nothing, which is not the end."""
        text = b'{"reply": "' + b"long " * 1000 + b'"}'
        data = compress(text)
        start = headers(b"Content-Encoding: " + name + b"\r\nTransfer-Encoding: chunked\r\n")
        chunks = b"".join(b"1\r\n" + data[at : at + 1] + b"\r\n" for at in range(len(data)))
        with Server(once(start + chunks + b"0\r\n\r\n")) as server:
            assert Line(server.url).post().body == text

    def test_a_body_that_ends_with_the_connection(self) -> None:
        with Server(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")) as server:
            assert Line(server.url).post().body == b"all of it"

    def test_connections_are_used_again(self) -> None:
        with Server() as server:
            line = Line(server.url)
            for _ in range(5):
                line.post()
        assert server.connections == 1

    def test_threads_share_a_transport(self) -> None:
        with Server() as server:
            line = Line(server.url)
            with ThreadPoolExecutor(8) as pool:
                statuses = {response.status for response in pool.map(lambda _: line.post(), range(64))}
        assert statuses == {200}
        assert len(server.received) == 64
        assert server.connections <= 8


class TestTryingAgain:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
    def test_what_may_pass_is_tried_again(self, status: int) -> None:
        with Server(Answer(status), Answer(status), Answer(200)) as server:
            line = Line(server.url)
            response = line.post()
        assert (response.status, response.attempts) == (200, 3)
        assert line.pauses == [0.5, 1.0]

    def test_five_times_and_then_the_last_answer_is_told(self) -> None:
        with Server(Answer(503)) as server:
            line = Line(server.url)
            assert line.post().status == 503
        assert (len(server.received), line.pauses) == (5, [0.5, 1.0, 2.0, 4.0])

    @pytest.mark.parametrize(
        ("asked", "pause"),
        [("7", 7.0), ("0", 0.0), ("9" * 5000, 600.0), ("-1", 0.5), ("1.5", 0.5), ("soon", 0.5), ("٣", 0.5), ("", 0.5)],
    )
    def test_the_pause_that_the_server_asks_for(self, asked: str, pause: float) -> None:
        with Server(Answer(429, headers={"Retry-After": asked.encode().decode("latin-1")}), Answer()) as server:
            line = Line(server.url)
            line.post()
        assert line.pauses == [pause]

    def test_a_pause_beyond_the_deadline_is_not_begun(self) -> None:
        with Server(Answer(429, headers={"Retry-After": "60"})) as server:
            line = Line(server.url)
            assert line.post(deadline=Deadline.after(30)).status == 429
        assert line.pauses == []

    def test_a_torn_connection_is_tried_again(self) -> None:
        with Server(Reset(), Answer()) as server:
            assert Line(server.url).post().attempts == 2

    def test_a_server_that_is_gone(self) -> None:
        with Server() as server:
            line = Line(server.url)
        with pytest.raises(TransportError, match="connection failed") as caught:
            line.post()
        assert caught.value.status is None
        assert len(line.pauses) == 4

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"HTTP",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 two OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        ],
        ids=range(10),
    )
    def test_what_is_no_whole_answer_is_infrastructure(self, answer: bytes) -> None:
        with Server(once(answer)) as server, pytest.raises(TransportError, match=r"^connection failed$"):
            Line(server.url).post()


class TestTheDeadline:
    def test_one_that_has_passed_sends_nothing(self) -> None:
        with Server() as server, pytest.raises(TransportError, match=r"^deadline$"):
            Line(server.url).post(deadline=Deadline.after(-1))
        assert server.received == []

    @pytest.mark.parametrize(
        "drip",
        [
            endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 60_000 + b"\r\n"),
            endless(headers(), b"x"),
            endless(headers(b"Transfer-Encoding: chunked\r\n"), b"1\r\nx\r\n"),
            endless(
                headers(b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n")
                + b"a\r\n"
                + gzip.compress(b"")[:10],
                b"\r\n5\r\n\x00\x00\x00\xff\xff",
            ),
        ],
        ids=["100 Continue", "headers", "body", "chunks", "gzip of nothing"],
    )
    def test_holds_however_the_answer_drips(self, drip: Raw) -> None:
        """A server may always have one more byte: the timeout of a read never ends it."""
        with Server(drip) as server, pytest.raises(TransportError, match=r"^deadline$"):
            Line(server.url).post(deadline=Ticking(20))

    def test_each_thread_has_its_own(self) -> None:
        """A request with an hour to go is not ended by that of its neighbour."""
        first_is_in = threading.Event()
        second_is_done = threading.Event()

        def patient(out: BinaryIO) -> None:
            first_is_in.set()
            second_is_done.wait()
            out.write(headers(b"Content-Length: 1000000\r\n") + b"x" * 1_000_000)

        with Server(patient, endless(headers(), b"x")) as server, ThreadPoolExecutor(1) as pool:
            line = Line(server.url)
            slow = pool.submit(line.post)
            first_is_in.wait()
            with pytest.raises(TransportError, match=r"^deadline$"):
                line.post(deadline=Ticking(20))
            second_is_done.set()
            assert len(slow.result().body) == 1_000_000


class TestTheCap:
    def test_a_body_at_the_limit_is_taken(self) -> None:
        with Server(Answer(body=b"x" * BODY_LIMIT)) as server:
            assert len(Line(server.url).post().body) == BODY_LIMIT

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(body=b"x" * (BODY_LIMIT + 1)),
            Answer(body=gzip.compress(b"x" * 50 * BODY_LIMIT), headers={"Content-Encoding": "gzip"}),
            endless(headers(b"Transfer-Encoding: chunked\r\n"), b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
            endless(headers(b"Connection: close\r\n"), b"x" * 0x4000),
        ],
        ids=["long", "gzip bomb", "endless chunks", "endless"],
    )
    def test_more_is_refused_and_not_asked_for_again(self, answer: Answer | Raw) -> None:
        with Server(answer) as server, pytest.raises(TransportError, match="larger than 8 MiB"):
            Line(server.url).post()
        assert len(server.received) == 1


class TestWhatItNeverDoes:
    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
    def test_follow_a_redirect(self, status: int) -> None:
        with Server() as other, Server(Answer(status, headers={"Location": f"{other.url}/x"})) as server:
            with pytest.raises(TransportError, match="redirect refused") as caught:
                Line(server.url).post({"x-api-key": "k"})
            assert caught.value.status == status
        assert (len(server.received), other.received) == (1, [])

    def test_read_what_a_redirect_says(self) -> None:
        """Which the library would do to the end, however far that is."""
        taken: list[int] = []

        def much(out: BinaryIO) -> None:
            out.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n")
            taken.extend(out.write(b"x" * 2**16) for _ in range(1000))

        with Server(much) as server, pytest.raises(TransportError, match="redirect refused"):
            Line(server.url).post()
        assert len(taken) < 1000

    def test_keep_a_cookie(self) -> None:
        with Server(Answer(headers={"Set-Cookie": "session=1; Path=/"})) as server:
            line = Line(server.url)
            line.post()
            line.post()
        assert [request.headers.get("Cookie") for request in server.received] == [None, None]
