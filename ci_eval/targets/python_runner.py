"""Runs in a process of its own, started as `python -I python_runner.py module:function folder threads target|scorer`.

Imports the function from the folder and answers each JSON line of the standard input with a line on the pipe that
`CI_EVAL_REPLY_FD` names. Nothing of ci_eval is imported here, and nothing of it is told why a target failed.
Of a scorer, which is main's own code, the kind of exception is told.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Answer = Callable[[dict[str, Any]], object]
Bare = tuple[str, type | tuple[type, ...]]

_BARE: dict[str, Bare] = {"target": ("output", str), "scorer": ("score", (bool, int, float))}
"""What a function may return by itself, and what it is then called."""

# A pipeline that cannot read what the model wrote has failed the case. Anything else that it raises (a connection, a
# provider's own exception) may be an outage, which is never a score.
_FAILED = (ValueError, LookupError, TypeError, ArithmeticError, AssertionError, AttributeError)
_DEEPEST = 100
_writing = threading.Lock()


def main(named: str, folder: str, threads: int, kind: str, replies: int) -> None:
    """Serve until the standard input ends."""
    os.set_inheritable(replies, False)
    sys.path.insert(0, folder)
    answer = _function(named, kind)
    bare = _BARE[kind]
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin.buffer:
            pool.submit(_serve, answer, bare, json.loads(line), replies)


def _function(named: str, kind: str) -> Answer:
    module, _, name = named.partition(":")
    try:
        found: Answer = getattr(importlib.import_module(module), name)
    except BaseException as error:
        told = {"not_imported": type(error).__name__} if kind == "scorer" else {"unavailable": True}
        return lambda _: told
    return _telling(found) if kind == "scorer" else found


def _telling(score: Answer) -> Answer:
    def answer(asked: dict[str, Any]) -> object:
        try:
            return score(asked)
        except BaseException as error:
            return {"raised": type(error).__name__}

    return answer


def _serve(answer: Answer, bare: Bare, asked: dict[str, Any], replies: int) -> None:
    own = {"id": asked.pop("id"), "nonce": asked.pop("nonce")}
    line = json.dumps({**_reply(answer, bare, asked), **own}).encode() + b"\n"
    with _writing:
        while line:
            line = line[os.write(replies, line) :]


def _reply(answer: Answer, bare: Bare, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        given = answer(asked)
        reply = {bare[0]: given} if isinstance(given, bare[1]) else given
        json.dumps(reply, allow_nan=False)
    except BaseException as error:
        failed = isinstance(error, _FAILED) and not _comes_of_the_system(error)
        return {"error": True} if failed else {"unavailable": True}
    return reply if isinstance(reply, dict) else {"error": True}


def _comes_of_the_system(error: BaseException) -> bool:
    """An `OSError` (a connection, a timeout, a file), also where the function or a library made another out of it."""
    before: BaseException | None = error
    for _ in range(_DEEPEST):  # whoever raises an exception from itself makes a circle
        if before is None or isinstance(before, OSError):
            break
        before = before.__cause__ or (None if before.__suppress_context__ else before.__context__)
    return isinstance(before, OSError)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(os.environ["CI_EVAL_REPLY_FD"]))
