"""`regex`: the answer matches a pattern. RE2, so no answer can make a pattern run for ever."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import re2
from pydantic import AfterValidator, Field

from ci_eval.golden.cases import Case
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Judge, Resources, Score, ScorerPolicy, as_text, binary


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _pattern(value: str) -> str:
    try:
        compiled = re2.compile(value, _options())
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error.args[0]
        raise wrong(f"not a pattern that RE2 takes ({reason})", "leave out look-around and back-references") from None
    if compiled.search(""):
        raise wrong("a pattern that matches the empty answer", "write one that asks for something")
    return value


class Regex(ScorerPolicy):
    """A match anywhere in the answer; with `absent: true`, no match."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["regex"]
    pattern: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_pattern)]
    absent: bool = False

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - the pattern is the same for every case
        return True

    def bind(self, resources: Resources) -> Judge:  # noqa: ARG002 - needs none
        pattern = re2.compile(self.pattern, _options())

        def score(answer: Answer, case: Case) -> Score:  # noqa: ARG001 - the pattern is the same for every case
            got = answer.field(self.field)
            if got is MISSING:
                return binary(False, f"no {self.field} in the answer")
            found = pattern.search(as_text(got).encode("utf-8", "replace").decode()) is not None
            return binary(found != self.absent, "matches" if found else "does not match")

        return score
