"""How far a judge agrees with people, as a run carries it with its records: counts, from which readers compute."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ci_eval.reader import Strict, wrong
from ci_eval.text import Untrusted

_Count = Annotated[int, Field(ge=0)]
_Criterion = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Stale = Literal["the rubric changed since", "the judge's model or settings changed since"]


def _table(value: list[list[int]]) -> list[list[int]]:
    if any(len(row) != len(value) for row in value) or not any(map(any, value)):
        raise wrong("not a table of counts", "make the file anew with ci-eval judge calibrate")
    return value


Table = Annotated[list[list[_Count]], Field(min_length=2, max_length=5), AfterValidator(_table)]
_PAIR = Field(min_length=2, max_length=2)
TwoByTwo = Annotated[list[Annotated[list[_Count], _PAIR]], _PAIR]


class Tables(Strict):
    """Labels of one criterion, or of all together. Rows are people's word, columns the judge's, from bad to good."""

    table: Table
    passes: TwoByTwo
    """The same as fail and pass."""
    people: Table | None = None
    """Two people about the same answers: rows one, columns the other."""


class Standing(Strict):
    """One judge, and what was known of it when the run was made."""

    scorer: Untrusted
    dimension: Untrusted
    model: Untrusted
    """Who judges."""
    answers: Annotated[int, Field(ge=1)] | None = None
    """Labelled answers that it was compared about; None where it was never compared with people."""
    compared: dict[_Criterion, Tables] = Field(default_factory=dict)
    """By criterion, and `overall`."""
    stale: Stale | None = None
    """What changed since; None where the comparison holds."""
