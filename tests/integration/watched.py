"""`ci-eval` in a process of its own that tells all it does to the outside: `python watched.py LOG ci-eval's arguments`.

Python's own audit events say it (PEP 578), so nothing that is watched can leave it out. One line of JSON for each
connection, process and file that is opened to be written.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _told(event: str, details: tuple[Any, ...]) -> list[str] | None:
    match event:
        case "socket.connect" | "socket.getaddrinfo" | "socket.bind" | "socket.sendto":
            return [event, *(str(item) for item in details[1 if event != "socket.getaddrinfo" else 0 :])]
        case "subprocess.Popen":
            return ["process", *(os.fsdecode(word) for word in details[1])]
        case "os.system" | "os.exec" | "os.posix_spawn" | "os.fork" | "os.forkpty" | "pty.spawn":
            return [event]
        case "open" if details[2] & _WRITING:
            return ["write", str(details[0])]
    return None


def _watch(log: int) -> None:
    def hook(event: str, details: tuple[Any, ...]) -> None:
        if found := _told(event, details):
            os.write(log, f"{json.dumps(found)}\n".encode())

    sys.addaudithook(hook)


if __name__ == "__main__":
    _watch(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    from ci_eval.cli.main import main

    main(sys.argv[2:])
