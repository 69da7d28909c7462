"""`python`: a function of the user's own, out of main's commit, in a process of its own that has no keys."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ci_eval.config import Function, RepoPath
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import ProviderError
from ci_eval.reader import Document, Strict, validate
from ci_eval.scorers.base import (
    MISSING,
    Answer,
    Ask,
    PassAt,
    Program,
    Resources,
    Score,
    ScorerPolicy,
    Scoring,
)
from ci_eval.snapshot import Snapshot
from ci_eval.text import JSON, Untrusted

_NO_SCORE = "the scorer returned something that is no score: see docs/scorers.md for its shape"
_EXCEPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}", re.ASCII)
Share = Annotated[int | float, Field(ge=0, le=1)]
PartName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:@+-]{1,100}$")]


class OwnScore(Strict):
    """What a function returns; a number or true or false by itself is its `score`."""

    score: bool | Share
    reason: str = ""
    parts: Annotated[dict[PartName, Share], Field(max_length=50)] = Field(default_factory=dict)


class PythonScorer(ScorerPolicy):
    """A function of one argument, a dict with `case`, `input`, `expected`, `context`, `output` (of `field`, where
    there is one), `tool_calls` and `steps`. It returns true, false, a number in [0, 1], or an object with `score`,
    `reason` and `parts`. Anything else, whatever it raises, and a case that takes too long, is no score.
    """

    default_dimension: ClassVar[str] = "task_accuracy"
    runs_code: ClassVar[bool] = True
    type: Literal["python"]
    function: Function
    """As in `scorers.tone:score`."""
    files_: Annotated[list[RepoPath], Field(min_length=1, alias="files")]
    """The code that it consists of: patterns. Main's counts; it runs in a folder that holds nothing else."""
    pass_at: PassAt = 0.5
    """The least score that passes."""
    timeout_seconds: Annotated[int | float, Field(gt=0, le=600)] = 30
    """The longest that one case may take."""

    def read_from(self, snapshot: Snapshot) -> list[JSON]:
        paths = sorted({path for pattern in self.files_ for path in snapshot.glob(pattern)})
        return [[path, snapshot.entries[path].mode, snapshot.oid(path)] for path in paths]

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - the function knows
        return True

    def bind(self, resources: Resources) -> Scoring:
        if resources.program is None:
            raise InputError("a python scorer cannot be run here", remedy="leave it out")
        ask = resources.program(Program(self.function, tuple(self.files_), float(self.timeout_seconds)))
        return lambda answer, case: self._score(ask, answer, case)

    def _score(self, ask: Ask, answer: Answer, case: Case) -> Score:
        output = answer.field(self.field)
        if output is MISSING:
            return self.nothing()
        given = dict(ask(_question(answer, case, output)))
        name = given.get("raised")
        if isinstance(name, str) and _EXCEPTION.fullmatch(name):
            remedy = "call it by hand with the mapping of docs/scorers.md"
            raise ProviderError(f"the scorer's function raised an exception, {name}; {remedy}")
        try:
            found = validate(OwnScore, Document("", given))
        except InputError:
            raise ProviderError(_NO_SCORE) from None
        value = float(found.score)
        return Score(value, value >= self.pass_at, Untrusted(found.reason), found.parts)


def _question(answer: Answer, case: Case, output: JSON) -> dict[str, JSON]:
    calls = [{"name": call.name.text(), "arguments": call.arguments.text()} for call in answer.tool_calls]
    return {
        "case": case.id,
        "input": case.input.reveal(),
        "expected": case.expected.reveal() if case.expected else None,
        "context": [part.reveal() for part in case.context],
        "output": output,
        "tool_calls": calls,
        "steps": [step.reveal() for step in answer.steps],
    }
