"""The one door that sends: what it takes from a server, what it never does, and when it gives up."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import BinaryIO

import pytest
from http_server import Answer, Raw, Reset, Server, Spoken

from ci_eval.deadline import Deadline
from ci_eval.transport.pacing import Limits
from ci_eval.transport.send import BODY_LIMIT, Response, Transport, TransportError

HOUR = 3600.0


@dataclass(frozen=True)
class Ticking(Deadline):
    """A deadline on a clock that moves a second whenever somebody looks at it, and not otherwise."""

    clock: Iterator[int] = field(default_factory=itertools.count)

    def remaining(self) -> float:
        return self.at - next(self.clock)

    def sooner(self, seconds: float) -> Ticking:  # noqa: ARG002 - which is an hour: never sooner
        return self


@dataclass
class Line:
    """A transport whose pauses are seen instead of waited for."""

    url: str
    pauses: list[float] = field(default_factory=list)
    limits: Limits = field(default_factory=lambda: Limits(16))

    def __post_init__(self) -> None:
        # Its clock stands still but for the pauses.
        self.transport = Transport(
            self.url,
            self.limits,
            clock=lambda: math.fsum(self.pauses),
            sleep=self.pauses.append,
            jitter=lambda: 0.5,
        )

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
            response = Line(f"{server.origin}/v1/").post({"Authorization": "Bearer k"})
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
            assert Line(server.origin).post().status == status
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
            assert Line(server.origin).post().body == text

    @pytest.mark.parametrize("path", ["", "/", "/evaluate", "/evaluate/", "/evaluate//"])
    def test_a_whole_address_is_asked_as_it_was_written(self, path: str) -> None:
        with Server() as server:
            Transport(server.origin + path).post("", {}, {}, Deadline.after(HOUR))
        assert server.received[0].path == path or (path, server.received[0].path) == ("", "/")

    def test_a_body_that_ends_with_the_connection(self) -> None:
        with Server(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")) as server:
            assert Line(server.origin).post().body == b"all of it"

    def test_connections_are_used_again(self) -> None:
        with Server() as server:
            line = Line(server.origin)
            for _ in range(5):
                line.post()
        assert server.connections == 1

    def test_threads_share_a_transport(self) -> None:
        with Server() as server:
            line = Line(server.origin)
            with ThreadPoolExecutor(8) as pool:
                statuses = {response.status for response in pool.map(lambda _: line.post(), range(64))}
        assert statuses == {200}
        assert len(server.received) == 64
        assert server.connections <= 8


def spoken(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class TestWhoseAnswerItIs:
    """Never that of the case before: what a connection brings beyond one answer is nobody's."""

    @pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"199 Soon"])
    def test_what_comes_before_an_answer_is_none(self, interim: bytes) -> None:
        early = b"HTTP/1.1 " + interim + b"\r\nLink: </x>\r\n\r\n"
        with Server(*(Spoken(early * 3 + spoken(b"%d" % case)) for case in range(3))) as server:
            line = Line(server.origin)
            assert [line.post().body for _ in range(3)] == [b"0", b"1", b"2"]
        assert server.connections == 1

    def test_interim_answers_without_end_are_infrastructure(self) -> None:
        early = endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n")
        with Server(early) as server, pytest.raises(TransportError, match=r"^connection failed$"):
            Line(server.origin).post()

    def test_another_protocol_is_infrastructure(self) -> None:
        switch = Spoken(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + spoken(b"{}"))
        with Server(switch) as server, pytest.raises(TransportError, match=r"^connection failed$"):
            Line(server.origin).post()
        assert server.connections == 5

    @pytest.mark.parametrize(
        "first",
        [
            spoken(b"1"),
            spoken(b"", b"204 No Content"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n",
        ],
        ids=["length", "nothing", "chunks"],
    )
    @pytest.mark.parametrize(
        "more", [spoken(b"not asked for"), spoken(b"x" * 100_000), b"\n"], ids=["short", "long", "rest"]
    )
    def test_a_second_answer_is_not_that_to_the_next_request(self, first: bytes, more: bytes) -> None:
        with Server(Spoken(first + more), Answer(body=b"2")) as server:
            line = Line(server.origin)
            assert line.post().body in {b"1", b""}
            assert line.post().body == b"2"
        assert server.connections == 2

    def test_an_answer_that_nobody_waited_for_is_not_that_to_the_next_request(self) -> None:
        """It comes when the first is read already, and before the next is asked for."""
        sent = threading.Event()

        def late(out: BinaryIO) -> None:
            out.write(spoken(b"1"))
            first_is_read.wait()
            out.write(spoken(b"not asked for"))
            sent.set()
            done.wait()

        first_is_read, done = threading.Event(), threading.Event()
        with Server(late, Answer(body=b"2")) as server:
            line = Line(server.origin)
            assert line.post().body == b"1"
            first_is_read.set()
            sent.wait()
            assert line.post().body == b"2"
            done.set()


class TestTryingAgain:
    @pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 529])
    def test_what_may_pass_is_tried_again(self, status: int) -> None:
        with Server(Answer(status), Answer(status), Answer(200)) as server:
            line = Line(server.origin)
            response = line.post()
        assert (response.status, response.attempts) == (200, 3)
        assert line.pauses == [0.5, 1.0]

    def test_five_times_and_then_the_last_answer_is_told(self) -> None:
        with Server(Answer(503)) as server:
            line = Line(server.origin)
            assert line.post().status == 503
        assert (len(server.received), line.pauses) == (5, [0.5, 1.0, 2.0, 4.0])

    @pytest.mark.parametrize(
        ("asked", "pause"),
        [("7", 7.0), ("0", 0.0), ("1.5", 1.5), ("-1", 0.5), ("soon", 0.5), ("٣", 0.5), ("", 0.5)],
    )
    def test_the_pause_that_an_error_asks_for(self, asked: str, pause: float) -> None:
        with Server(Answer(500, headers={"Retry-After": asked.encode().decode("latin-1")}), Answer()) as server:
            line = Line(server.origin)
            line.post()
        assert line.pauses == [pause]

    def test_a_pause_beyond_the_deadline_is_not_begun(self) -> None:
        with Server(Answer(500, headers={"Retry-After": "60"})) as server:
            line = Line(server.origin)
            assert line.post(deadline=Deadline.after(30)).status == 500
        assert line.pauses == []

    def test_a_pause_beyond_the_request_s_own_time_is_not_begun(self) -> None:
        with Server(Answer(500, headers={"Retry-After": "60"})) as server:
            line = Line(server.origin)
            line.transport.timeout = 30
            assert line.post().status == 500
        assert line.pauses == []

    def test_a_torn_connection_is_tried_again(self) -> None:
        with Server(Reset(), Answer()) as server:
            assert Line(server.origin).post().attempts == 2

    def test_a_server_that_is_gone(self) -> None:
        with Server() as server:
            line = Line(server.origin)
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
            Line(server.origin).post()


class TestTheServersLimits:
    def test_a_request_that_is_refused_for_now_is_never_given_up(self) -> None:
        """Far more often than errors are tried again, and longer than a request may take: waiting is not counted."""
        refusals = [Answer(429, headers={"Retry-After": "30"})] * 40
        with Server(*refusals, Answer()) as server:
            line = Line(server.origin)
            line.transport.timeout = 1
            assert (line.post().status, len(server.received)) == (200, 41)
        assert sum(line.pauses) >= 40 * 29

    @pytest.mark.parametrize(
        ("said", "least", "most"),
        [
            ({"Retry-After": "7"}, 6.0, 7.0),  # whole seconds, rounded up: the moment lies within the last of them
            ({"Retry-After": "0"}, 0.0, 0.1),
            ({"retry-after-ms": "2500", "Retry-After": "3"}, 2.5, 2.5),
            ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 359.0, 360.0),
            ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2.5s"}, 2.5, 2.5),
            ({}, 0.0, 0.1),
        ],
    )
    def test_the_pause_that_a_refusal_asks_for(self, said: dict[str, str], least: float, most: float) -> None:
        with Server(Answer(429, headers=said), Answer()) as server:
            line = Line(server.origin)
            line.post()
        assert least <= sum(line.pauses) <= most

    def test_a_moment_is_read_by_the_server_s_own_clock(self) -> None:
        date, moment = b"Date: Mon, 04 May 2026 08:30:00 GMT", b"Retry-After: Mon, 04 May 2026 08:30:20 GMT"
        refusal = b"\r\n".join([b"HTTP/1.1 429 Too Many Requests", date, moment, b"Connection: close", b"", b""])
        with Server(once(refusal), Answer()) as server:
            line = Line(server.origin)
            line.post()
        assert 19.0 <= sum(line.pauses) <= 20.0

    def test_a_refusal_concerns_whoever_asks_next(self) -> None:
        with Server(Answer(429, headers={"retry-after-ms": "2000"}), Answer()) as server:
            line = Line(server.origin)
            assert line.post(deadline=Deadline.after(1)).status == 429
            with pytest.raises(TransportError, match="leave no time"):
                line.post(deadline=Deadline.after(1))
            assert len(server.received) == 1
            assert line.post().status == 200
        assert sum(line.pauses) == pytest.approx(2.0)

    def test_the_last_answer_of_a_limit_is_an_answer(self) -> None:
        """It is kept, and the next request waits."""
        last = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}
        with Server(Answer(body=b"1", headers=last), Answer(body=b"2")) as server:
            line = Line(server.origin)
            assert (line.post().body, line.pauses) == (b"1", [])
            assert (line.post().body, line.pauses) == (b"2", [2.0])

    def test_a_refusal_whose_pause_ends_after_the_deadline_is_told_at_once(self) -> None:
        with Server(Answer(429, headers={"Retry-After": "60"})) as server:
            line = Line(server.origin)
            assert line.post(deadline=Deadline.after(30)).status == 429
        assert line.pauses == []

    def test_an_empty_purse_is_not_waited_for(self) -> None:
        with Server(Answer(429, b'{"error": {"code": "insufficient_quota"}}')) as server:
            assert Line(server.origin).post().status == 429
        assert len(server.received) == 1

    def test_a_server_that_never_lets_anything_in_is_given_up(self) -> None:
        """After minutes on its own clock, and not before."""
        with Server(Answer(429)) as server:
            line = Line(server.origin)
            assert line.post().status == 429
        assert 300 < sum(line.pauses) < 600
        assert len(server.received) < 25

    def test_what_an_answer_took_does_not_count_the_waiting(self) -> None:
        with Server(Answer(429, headers={"Retry-After": "30"}), Answer()) as server:
            line = Line(server.origin)
            assert line.post().seconds < sum(line.pauses)

    def test_the_policy_s_own_limit(self) -> None:
        with Server() as server:
            line = Line(server.origin, limits=Limits(4, requests_per_minute=30))
            for _ in range(4):
                line.post()
        assert line.pauses == [2.0, 2.0, 2.0]

    def test_the_policy_s_limit_of_tokens(self) -> None:
        with Server() as server:
            line = Line(server.origin, limits=Limits(4, tokens_per_minute=60))
            for _ in range(3):
                line.post()
                line.transport.used(10)
        assert line.pauses == [10.0, 10.0]


class TestTheDeadline:
    def test_one_that_has_passed_sends_nothing(self) -> None:
        with Server() as server, pytest.raises(TransportError, match=r"^deadline$"):
            Line(server.origin).post(deadline=Deadline.after(-1))
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
            Line(server.origin).post(deadline=Ticking(20))

    def test_is_all_that_limits_sending(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A slow reader has as long as the request may take, on a new connection and on one that is used again."""
        seen: list[float] = []

        send = HTTPConnection.send

        def seeing(connection: HTTPConnection, data: bytes) -> None:
            seen.append(connection.sock.gettimeout() or math.inf)
            send(connection, data)

        with Server() as server:
            line = Line(server.origin)
            monkeypatch.setattr(HTTPConnection, "send", seeing)
            for seconds in (60, 500):
                line.post(deadline=Deadline.after(seconds))
        assert {round(timeout, -1) for timeout in seen} == {60, 500}

    def test_holds_while_a_request_is_sent(self) -> None:
        """Each piece that the server takes is progress, and would begin the library's timeout anew."""
        with Server(once(spoken(b"{}"))) as server, pytest.raises(TransportError, match=r"^deadline$"):
            Line(server.origin).transport.post("/chat", "x" * 10_000_000, {}, Ticking(20))

    def test_each_thread_has_its_own(self) -> None:
        """A request with an hour to go is not ended by that of its neighbour."""
        first_is_in = threading.Event()
        second_is_done = threading.Event()

        def patient(out: BinaryIO) -> None:
            first_is_in.set()
            second_is_done.wait()
            out.write(headers(b"Content-Length: 1000000\r\n") + b"x" * 1_000_000)

        with Server(patient, endless(headers(), b"x")) as server, ThreadPoolExecutor(1) as pool:
            line = Line(server.origin)
            slow = pool.submit(line.post)
            first_is_in.wait()
            with pytest.raises(TransportError, match=r"^deadline$"):
                line.post(deadline=Ticking(20))
            second_is_done.set()
            assert len(slow.result().body) == 1_000_000


class TestTheCap:
    def test_a_body_at_the_limit_is_taken(self) -> None:
        with Server(Answer(body=b"x" * BODY_LIMIT)) as server:
            assert len(Line(server.origin).post().body) == BODY_LIMIT

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
            Line(server.origin).post()
        assert len(server.received) == 1


class TestWhatItNeverDoes:
    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
    def test_follow_a_redirect(self, status: int) -> None:
        with Server() as other, Server(Answer(status, headers={"Location": f"{other.origin}/x"})) as server:
            with pytest.raises(TransportError, match="redirect refused") as caught:
                Line(server.origin).post({"x-api-key": "k"})
            assert caught.value.status == status
        assert (len(server.received), other.received) == (1, [])

    def test_read_what_a_redirect_says(self) -> None:
        """Which the library would do to the end, however far that is."""
        taken: list[int] = []

        def much(out: BinaryIO) -> None:
            out.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n")
            taken.extend(out.write(b"x" * 2**16) for _ in range(1000))

        with Server(much) as server, pytest.raises(TransportError, match="redirect refused"):
            Line(server.origin).post()
        assert len(taken) < 1000

    def test_keep_a_cookie(self) -> None:
        with Server(Answer(headers={"Set-Cookie": "session=1; Path=/"})) as server:
            line = Line(server.origin)
            line.post()
            line.post()
        assert [request.headers.get("Cookie") for request in server.received] == [None, None]
