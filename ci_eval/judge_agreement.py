"""How far an LLM judge agrees with people, as it is stored in the header of a run file.

Only counts are stored; `figures/agreement.py` computes agreement, kappa and the rest from them.
"""

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


class AgreementTables(Strict):
    """How often people and the judge said what: rows are people's labels, columns the judge's, from bad to good."""

    table: Table
    passes: TwoByTwo
    """The same counts with every label reduced to fail or pass."""
    people: Table | None = None
    """What two people said of the same answers: rows one person, columns the other."""


class JudgeAgreement(Strict):
    """One judge, and what was known of its agreement with people when the run was made."""

    scorer: Untrusted
    dimension: Untrusted
    model: Untrusted
    """The model that judges."""
    answers: Annotated[int, Field(ge=1)] | None = None
    """How many labelled answers it was compared on; None where it was never compared with people."""
    compared: dict[_Criterion, AgreementTables] = Field(default_factory=dict)
    """By criterion, and `overall`."""
    stale: Stale | None = None
    """What changed since the comparison; None where it still holds."""
