"""Runs in a process of its own, which can be killed: checks JSON values against one JSON Schema.

Reads the schema and then the values, one in a line, from the standard input. Answers each line with one on the pipe
that `CI_EVAL_REPLY_FD` names: what is wrong with the value, or null.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

_MOST_MEMORY = 2 * 1024**3
_MOST_CPU_SECONDS = 600
"""If nobody is left who would kill it."""


def main(replies: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_SECONDS, _MOST_CPU_SECONDS))
    # Started by its path, isolated: what it imports lies where this file lies.
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from ci_eval.reader import Document  # noqa: PLC0415 - not found before
    from ci_eval.scorers.json_schema import problem_of, validator_of  # noqa: PLC0415

    validator = validator_of(Document("", json.loads(sys.stdin.buffer.readline())))
    problem = None
    while True:
        line = json.dumps(problem).encode() + b"\n"
        while line:
            line = line[os.write(replies, line) :]
        if not (asked := sys.stdin.buffer.readline()):
            return
        problem = problem_of(validator, json.loads(asked))


if __name__ == "__main__":
    main(int(os.environ["CI_EVAL_REPLY_FD"]))
