"""A record: one answer to one case, with its scores, time and cost. Here are the types of which it is made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ci_eval.golden.cases import CaseId
from ci_eval.reader import Strict, wrong
from ci_eval.text import Untrusted

_TIME = "%Y-%m-%dT%H:%M:%SZ"


def _time(value: str) -> str:
    try:
        datetime.strptime(value, _TIME)
    except ValueError:
        raise wrong("not a time", "write it as 2026-05-04T08:30:00Z") from None
    return value


Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"), AfterValidator(_time)]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:@+-]{0,200}$")]
Share = Annotated[int | float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
ErrorKind = Literal["infrastructure", "request"]
Key = tuple[str, int]
"""A case and a repeat: what a run has one record of."""


class CellResult(Strict):
    """One case under one scorer."""

    scorer: Word
    dimension: Word
    score: Share
    passed: bool
    reason: Untrusted
    """Why, in a few words; it may quote the answer."""
    parts: dict[Word, Share] = Field(default_factory=dict)
    """Named criteria that the score is made of."""


class Scoring(Strict):
    """What scorers asked of providers about one answer."""

    calls: Count
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost_usd: Annotated[int | float, Field(ge=0)] | None = None
    """By the price of the day; None where it is not known."""
    seconds: Annotated[int | float, Field(ge=0)] = 0
    cached_at: Time | None = None
    """When the oldest of them was made, for those out of the response cache, which count to nothing else here."""


class CallMade(Strict):
    """A tool that the model asked for: its name, and the arguments as JSON text in the model's own words."""

    name: Untrusted
    arguments: Untrusted


class Record(Strict):
    """One answer to one case."""

    case: CaseId
    repeat: Count = 0
    request: Hex
    """The digest of the rendered request: equal digests are one question."""
    output: Untrusted | None = None
    finish: Literal["stop", "length", "refusal"] | None = None
    tool_calls: list[CallMade] = Field(default_factory=list)
    """The tools that the model asked for, in its order."""
    cells: list[CellResult] = Field(default_factory=list)
    """Empty when the case was lost to infrastructure: an error is never a score."""
    latency_ms: Annotated[int | float, Field(ge=0)] | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    tokens_cached: Count | None = None
    """Of those in."""
    tokens_reasoning: Count | None = None
    """Of those out."""
    cost_usd: Annotated[int | float, Field(ge=0)] | None = None
    """By the price of the day; None where it is not known."""
    error: Untrusted | None = None
    error_kind: ErrorKind | None = None
    steps: list[Untrusted] = Field(default_factory=list)
    """How a pipeline or agent came to its answer, in its own words: the trajectory."""
    reused: bool = False
    """Copied from the other side, whose rendered request is the same."""
    scoring: Scoring | None = None
    cached_at: Time | None = None
    """When the model was asked, for an answer out of the response cache: not timed, and not paid for in this run."""

    @property
    def key(self) -> Key:
        return self.case, self.repeat

    @property
    def asked(self) -> bool:
        """Whether the model was asked for it in this run: what is known already costs nothing and takes no time."""
        return not self.reused and self.cached_at is None

    @property
    def _free(self) -> bool:
        """What was known already, and what never came, costs nothing."""
        return not self.asked or (self.error is not None and self.finish is None)

    @property
    def spent_usd(self) -> float | None:
        """What answer and scoring cost in this run; None where nobody knows."""
        both = (0.0 if self._free else self.cost_usd, self.scoring.cost_usd if self.scoring else 0.0)
        return None if None in both else sum(cost or 0.0 for cost in both)

    @property
    def spent_calls(self) -> int:
        """Requests that were made in this run, those of scorers among them."""
        return int(self.asked) + (self.scoring.calls if self.scoring else 0)

    @property
    def spent_tokens(self) -> int | None:
        """In and out together, of answer and scoring; None where the provider did not say."""
        own = 0 if self._free else _together(self.tokens_in, self.tokens_out)
        scoring = _together(self.scoring.tokens_in, self.scoring.tokens_out) if self.scoring else 0
        return _together(own, scoring)

    @property
    def as_base(self) -> list[CellResult]:
        """Its cells as main's side of a comparison. A request of main that is refused says nothing: an account that is
        closed refuses both sides alike, and that is no pass.
        """
        return [] if self.error_kind == "request" else self.cells

    @property
    def lost(self) -> bool:
        return self.error_kind == "infrastructure"


def scoring_calls(records: Iterable[Record]) -> int:
    """How often scorers asked a provider about some answers."""
    return sum(record.scoring.calls for record in records if record.scoring)


def _together(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
