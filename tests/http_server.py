"""A real HTTP server on loopback that answers by a script, or writes whatever bytes a test likes."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from loopback import Handler, Loopback


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An ordinary answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spoken:
    """Bytes that are written as they are, in one piece; the connection stays open."""

    data: bytes


Raw = Callable[[BinaryIO], None]
"""Writes an answer byte by byte, and may go on until the client leaves."""


class Reset:
    """The connection is torn down in the middle of things."""


class Server(Loopback):
    """Answers the nth request with the nth of the script, and with its last for ever after."""

    def __init__(self, *script: Answer | Spoken | Raw | Reset, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(_Handler, patient=False)
        self.script: Sequence[Answer | Spoken | Raw | Reset] = script or (Answer(),)
        self.received: list[Received] = []
        self.connections = 0
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.owner.connections += 1

    def serve(self) -> None:
        script: Server = self.server.owner
        script.received.append(Received(self.command, self.path, dict(self.headers), self.body()))
        answer = script.script[min(len(script.received), len(script.script)) - 1]
        if isinstance(answer, Answer):
            self.answer(answer.status, answer.body, answer.headers.items())
        elif isinstance(answer, Spoken):
            self.wfile.write(answer.data)
        else:
            self.close_connection = True
            self._write(answer)

    def _write(self, answer: Raw | Reset) -> None:
        if isinstance(answer, Reset):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        try:
            answer(self.wfile)  # type: ignore[arg-type]  # it has all that a test writes with
        except OSError:  # the client has left
            return
