"""`numeric`: the answer's number is the expected one, within a tolerance."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import MISSING, Answer, Comparing, Score, Scoring, as_text, binary
from ci_eval.scorers.numbers import Decimal, Unreadable, finite, numbers

Tolerance = Annotated[int | float, Field(ge=0, le=1e300)]


class Numeric(Comparing):
    """A JSON number, or the one number that a text holds. It is right if either of the tolerances is kept."""

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["numeric"]
    absolute: Tolerance = 0
    """How far it may be from the expected number."""
    relative: Tolerance = 0
    """The same, as a share of the expected number: 0.01 is one percent of it."""
    decimal: Decimal = "."
    """The decimal sign of numbers in texts; `,` for 1.234,5."""
    units: list[Annotated[str, Field(min_length=1, max_length=20)]] = Field(default_factory=list)
    """Currencies and units, as in `[€, EUR]`: only numbers beside one of them count. Without any, every number does."""
    percent: bool = False
    """Read 12 % as 0.12."""

    def applies(self, case: Case) -> bool:
        return isinstance(self._wanted(case), Fraction)

    def ready(self) -> Scoring:
        return self._score

    def _wanted(self, case: Case) -> Fraction | str:
        expected = self.expected(case)
        return self._read(expected, ()) if expected is not MISSING else "nothing"

    def _score(self, answer: Answer, case: Case) -> Score:
        got = answer.field(self.field)
        if got is MISSING:
            return self.nothing()
        read, wanted = self._read(got, self.units), self._wanted(case)
        if isinstance(read, str) or isinstance(wanted, str):
            return binary(False, f"{read} in the answer")
        allowed = max(Fraction(str(self.absolute)), Fraction(str(self.relative)) * abs(wanted))
        right = abs(read - wanted) <= allowed
        return binary(right, f"{_shown(read)}, as expected" if right else f"{_shown(read)}, not {_shown(wanted)}")

    def _read(self, value: Any, units: list[str] | tuple[()]) -> Fraction | str:
        """The number, or what there is instead of one."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return "no number"
        try:
            if not isinstance(value, str):
                return finite(as_text(value))
            found = list(islice(numbers(value, self.decimal, units, percent=self.percent), 2))
        except Unreadable:
            return "a number that cannot be read"
        return found[0] if len(found) == 1 else "more than one number" if found else "no number"


def _shown(number: Fraction) -> str:
    return f"{float(number):.15g}"
