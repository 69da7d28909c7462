"""Runs in a process of its own: scores answers by scorers that need nothing else.

Reads lines of JSON from the standard input: names and policies of scorers, then a number, an answer and its case, again
and again. For each answer it writes a line to the pipe that `CI_EVAL_REPLY_FD` names: the number and, by the name of
each scorer that looks at the case, value, whether it passed, reason and parts. What cannot be scored has none.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci_eval.golden.cases import Case
    from ci_eval.scorers.base import Answer
    from ci_eval.scorers.registry import BoundScorer

    Row = tuple[float, bool, Any, Mapping[str, float]]


def main(replies: int) -> None:
    # Started by its path, isolated: what it imports lies where this file lies.
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from ci_eval.golden.cases import Case  # noqa: PLC0415 - not found before

    asked: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(asked,), daemon=True).start()
    scorers = [_bound(name, policy) for name, policy in json.loads(asked.get()).items()]
    while line := asked.get():
        number, answer, case = json.loads(line)
        _say(replies, (number, _rows(scorers, _answer(*answer), Case.model_validate(case))))


def _bound(name: str, policy: Mapping[str, Any]) -> BoundScorer:
    from ci_eval.scorers.memory import ScoreMemory  # noqa: PLC0415 - as above
    from ci_eval.scorers.registry import BoundScorer, Scorer, policy_class  # noqa: PLC0415

    found = policy_class(policy["type"]).model_validate(policy)
    return BoundScorer(Scorer(name, "", Fraction(1), found), found.ready(), ScoreMemory())


def _read(asked: SimpleQueue[bytes]) -> None:
    """In a thread, so that whoever asks does not wait until there is time. An empty line is the end."""
    line = b" "
    while line:
        line = sys.stdin.buffer.readline()
        asked.put(line)


def _answer(text: str, calls: Sequence[Sequence[Any]], steps: Sequence[Any], system: str) -> Answer:
    from ci_eval.providers.base import ToolCall  # noqa: PLC0415 - as above
    from ci_eval.scorers.base import Answer  # noqa: PLC0415
    from ci_eval.text import Untrusted  # noqa: PLC0415

    called = tuple(ToolCall(Untrusted(name), Untrusted(arguments)) for name, arguments in calls)
    return Answer(text, called, tuple(map(Untrusted, steps)), system)


def _rows(scorers: Sequence[BoundScorer], answer: Answer, case: Case) -> Mapping[str, Row]:
    try:
        found = {one.scorer.name: one.score(answer, case) for one in scorers if one.applies(case)}
    except Exception:
        return {}
    return {name: (score.value, score.passed, score.reason.reveal(), score.parts) for name, score in found.items()}


def _say(replies: int, what: object) -> None:
    line = json.dumps(what).encode() + b"\n"
    while line:
        line = line[os.write(replies, line) :]


if __name__ == "__main__":
    main(int(os.environ["CI_EVAL_REPLY_FD"]))
