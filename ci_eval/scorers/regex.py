"""`regex`: the answer matches a pattern. RE2, so no answer can make a pattern run for ever."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Annotated, ClassVar, Literal

import re2
from pydantic import AfterValidator, Field, model_validator

from ci_eval.golden.cases import Case
from ci_eval.reader import wrong
from ci_eval.scorers.base import MISSING, Answer, Score, ScorerPolicy, Scoring, as_text, binary

MAX_PATTERN = 1024
REMEDY = "correct it; RE2 has neither look-around nor back-references"


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re2._Regexp[str]:
    """A pattern, ready to search with; raises ValueError, saying what RE2 does not take."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0]
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise ValueError(f"not a pattern that RE2 takes ({reason})") from None


def _pattern(value: str) -> str:
    try:
        pattern = compiled(value)
    except ValueError as error:
        raise wrong(str(error), REMEDY) from None
    if pattern.search(""):
        raise wrong("a pattern that matches the empty answer", "write one that asks for something")
    return value


Count = Annotated[int, Field(ge=1, le=100)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN), AfterValidator(_pattern)]


class Regex(ScorerPolicy):
    """A match anywhere in the answer, or several; with `absent: true`, no match."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["regex"]
    pattern: Pattern
    """A regular expression (RE2); `(?i)` at its beginning: in small letters or large."""
    absent: bool = False
    """Whether there may be no match at all."""
    at_least: Count = 1
    """How many matches there have to be, none of which overlap."""
    at_most: Count | None = None
    """How many matches there may be."""

    @model_validator(mode="after")
    def _of_one_mind(self) -> Regex:
        if self.absent and {"at_least", "at_most"} & self.model_fields_set:
            raise wrong("absent, and a number of matches", "write one of them")
        if self.at_most is not None and self.at_most < self.at_least:
            raise wrong('"at_most" is less than "at_least"', "write the smaller number in at_least")
        return self

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - the pattern is the same for every case
        return True

    def ready(self) -> Scoring:
        pattern = compiled(self.pattern)

        def score(answer: Answer, case: Case) -> Score:  # noqa: ARG001 - the pattern is the same for every case
            got = answer.field(self.field)
            if got is MISSING:
                return self.nothing()
            # No further than needed, since a pattern may read all that follows for each match.
            found = sum(1 for _ in islice(pattern.finditer(as_text(got)), (self.at_most or self.at_least) + 1))
            if self.absent:
                return binary(found == 0, "matches" if found else "does not match")
            return binary(self.at_least <= found <= (self.at_most or found), self._said(found))

        return score

    def _said(self, found: int) -> str:
        if found < self.at_least:
            return f"matches {found} times, not {self.at_least}" if found else "does not match"
        return f"matches more than {self.at_most} times" if self.at_most and found > self.at_most else "matches"
