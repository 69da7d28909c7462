"""Runs in a process of its own, started as `python -I python_runner.py module:function folder threads target|scorer`.

Imports the function from the folder and answers each JSON line of the standard input with a line on the pipe that
`CI_EVAL_REPLY_FD` names. Nothing of ci_eval is imported here. Why a function could not be imported is told to whoever
asks that first; why a target failed is not told, and of a scorer, which is main's own code, the kind of exception.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
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
    answer, state = _function(named, folder)
    if kind == "scorer":
        answer = _telling(answer)
    bare = _BARE[kind]
    with ThreadPoolExecutor(threads) as pool:
        for line in sys.stdin.buffer:
            asked = json.loads(line)
            own = {"id": asked.pop("id"), "nonce": asked.pop("nonce")}
            if asked == {"are you": "ready"}:
                _say({**state, **own}, replies)
            else:
                pool.submit(_serve, answer, bare, asked, own, replies)


def _function(named: str, folder: str) -> tuple[Answer, dict[str, Any]]:
    """The function, and whether it is one: else what is wrong."""
    module, _, name = named.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except BaseException as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name
        state = {"missing": missing} if missing else {"raises": type(error).__name__}
        return _cannot_be_imported, {**state, **_place(error, folder)}
    return (found, {"ready": True}) if callable(found) else (_cannot_be_imported, {})


def _place(error: BaseException, folder: str) -> dict[str, Any]:
    """The last line of the folder's own code on the way to an error."""
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 1))
    own = [(path, line) for path, line in places if path.startswith(f"{folder}/")]
    return {"file": own[-1][0][len(folder) + 1 :], "line": own[-1][1]} if own else {}


def _cannot_be_imported(_: dict[str, Any]) -> object:
    return {"unavailable": True}


def _telling(score: Answer) -> Answer:
    def answer(asked: dict[str, Any]) -> object:
        try:
            return score(asked)
        except BaseException as error:
            return {"raised": type(error).__name__}

    return answer


def _serve(answer: Answer, bare: Bare, asked: dict[str, Any], own: dict[str, Any], replies: int) -> None:
    _say({**_reply(answer, bare, asked), **own}, replies)


def _say(reply: dict[str, Any], replies: int) -> None:
    line = json.dumps(reply).encode() + b"\n"
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
