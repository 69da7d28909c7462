"""A run: what one suite did on one snapshot, as JSON lines that are written while results arrive.

Aggregates are never stored; whoever reads a run counts its records again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ci_eval.errors import InputError
from ci_eval.golden.cases import CaseId
from ci_eval.providers.base import ToolCall
from ci_eval.reader import MIB, Document, Strict, appending, read_file, read_jsonl, validate, write_file, wrong
from ci_eval.text import Untrusted, canonical, shorten

_TIME = "%Y-%m-%dT%H:%M:%SZ"
# A record must fit a row of the reader, where a control character takes six: far more than a report shows.
_OUTPUT_KEPT = 100_000
_REASON_KEPT = 500
# What was paid for must be readable: 100,000 answers of some pages, or a few thousand of the longest kind.
_FILE_LIMIT = 1024 * MIB
_MANY_REFUSED = 20
"""One in so many."""
_STEPS_KEPT = 20_000
_MOST_STEPS = 200
_CALLS_KEPT = 100
_CALL_TEXT_KEPT = 40_000


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


class Fingerprint(Strict):
    """Digests of all that decides a run. Runs of equal fingerprints may stand for each other."""

    target: Hex
    """Prompt, model config, few-shot and training rows, watched files."""
    golden: Hex
    scorers: Hex

    @property
    def folder(self) -> str:
        """A short name for the whole, safe as a path."""
        return f"{self.target[:16]}-{self.golden[:16]}-{self.scorers[:16]}"

    def differences(self, other: Fingerprint) -> dict[str, tuple[str, str]]:
        """What differs when a digest does, in words, with both digests."""
        return {
            "another prompt, model config or data, or another ci-eval": (self.target, other.target),
            "another golden set": (self.golden, other.golden),
            "other scorers": (self.scorers, other.scorers),
        }


class Header(Strict):
    """Where a run comes from."""

    format: Literal["ci-eval run 1"] = "ci-eval run 1"
    suite: Word
    commit: Hex | None
    """None for a working tree or a merge that is no commit."""
    version: Word
    time: Time
    event: Word
    """The GitHub event that made it, or `local`."""
    repository: Word = ""
    branch: Word = ""
    run_url: Word = ""
    repeats: Annotated[int, Field(ge=1)] = 1
    deterministic: bool = False
    shard: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$")] | None = None
    """Which part of the golden set this is, as in `2/4`; None: all of it."""
    fingerprint: Fingerprint


def _together(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def missing_answers(lost: int, refused: int, answers: int) -> int:
    """What a run lacks: where more than one answer in twenty was refused, it is not for what a few requests are, but a
    key or an account that is refused, and those are missing, too.
    """
    return lost + (refused if refused * _MANY_REFUSED > answers else 0)


@dataclass(frozen=True)
class Run:
    header: Header
    records: tuple[Record, ...]

    def repeat(self, number: int) -> Mapping[str, Record]:
        """The records of one repeat by case."""
        return {record.case: record for record in self.records if record.repeat == number}

    def without_texts(self) -> Run:
        """Without what models said and without reasons, which may quote it."""
        records = []
        for record in self.records:
            cells = [cell.model_copy(update={"reason": Untrusted("hidden")}) for cell in record.cells]
            hidden = {"output": None, "steps": [], "tool_calls": [], "cells": cells}
            records.append(record.model_copy(update=hidden))
        return Run(self.header, tuple(records))

    def as_old_as_its_answers(self) -> Run:
        """With the time of the oldest answer that came out of the response cache, if that is older."""
        parts = [part for record in self.records for part in (record, record.scoring) if part]
        times = [part.cached_at for part in parts if part.cached_at]
        return Run(self.header.model_copy(update={"time": min([self.header.time, *times])}), self.records)

    @property
    def unanswered(self) -> int:
        """Lost answers, and refused ones where they are many."""
        refused = sum(record.error_kind == "request" for record in self.records)
        return missing_answers(sum(record.lost for record in self.records), refused, len(self.records))

    def holds(self, cases: Iterable[str]) -> bool:
        """Whether every repeat has a record of every case that was not lost."""
        wanted = set(cases)
        answered = ({r.case for r in self.repeat(n).values() if not r.lost} for n in range(self.header.repeats))
        return all(wanted <= found for found in answered)


def to_line(item: Strict) -> str:
    return canonical(item.model_dump(mode="json", exclude_defaults=isinstance(item, Record)))


def to_bytes(run: Run) -> bytes:
    return "".join(f"{to_line(item)}\n" for item in (run.header, *run.records)).encode()


def read(path: Path) -> Run:
    """A run file that the user named; raises InputError."""
    return parse(read_file(path, limit=_FILE_LIMIT), str(path))


def read_interrupted(path: Path) -> Run | None:
    """The same without a last line that was torn; None when not even the header is whole."""
    whole, _, _ = read_file(path, limit=_FILE_LIMIT).rpartition(b"\n")
    return parse(whole, str(path)) if whole else None


def parse(data: bytes, file: str) -> Run:
    """A run out of its file; raises InputError for anything that is not whole."""
    documents = read_jsonl(data, file, limit=_FILE_LIMIT)
    if not documents:
        raise InputError("an empty run file", remedy="evaluate again", file=file, line=1)
    header = _header(documents[0])
    records = tuple(validate(Record, document) for document in documents[1:])
    _refuse_duplicates(records, documents[1:])
    return Run(header, records)


def parse_header(data: bytes, file: str) -> Header:
    """The first line alone; raises InputError."""
    documents = read_jsonl(data.partition(b"\n")[0], file)
    if not documents:
        raise InputError("an empty run file", remedy="evaluate again", file=file, line=1)
    return _header(documents[0])


def _header(document: Document) -> Header:
    value = document.value
    if not isinstance(value, dict) or "format" not in value:
        raise document.error((), "not a run file", "name what ci-eval run, merge or a gate wrote")
    return validate(Header, document)


def _refuse_duplicates(records: Iterable[Record], documents: Iterable[Document]) -> None:
    seen: set[tuple[str, int]] = set()
    for record, document in zip(records, documents, strict=True):
        if (record.case, record.repeat) in seen:
            raise document.error((), f'case "{record.case}" twice in one repeat', "evaluate again")
        seen.add((record.case, record.repeat))


@dataclass(frozen=True)
class RunFile:
    """A run that is being written: complete up to the last record, whatever happens next."""

    path: Path

    def start(self, header: Header, kept: Iterable[Record] = ()) -> None:
        """Begin, with what is known already in it."""
        write_file(self.path, to_bytes(Run(header, tuple(kept))))

    def add(self, record: Record) -> None:
        with self.adding() as add:
            add(record)

    @contextmanager
    def adding(self) -> Iterator[Callable[[Record], None]]:
        """Adds records, each as a whole line that is on its way to the disk when the call returns."""
        with appending(self.path) as append:
            yield lambda record: append(f"{to_line(record)}\n")


def kept_output(text: str) -> Untrusted:
    """An answer as it is stored: whole, unless it would make a row that cannot be read back."""
    return Untrusted(shorten(text, _OUTPUT_KEPT))


def kept_steps(steps: Iterable[Untrusted]) -> list[Untrusted]:
    """The first steps, as many as fit a row with everything else; a last one says how many were left out."""
    found: list[Untrusted] = []
    room = _STEPS_KEPT
    left = list(steps)
    while left and len(found) < _MOST_STEPS and len(left[0].text()) <= room:
        room -= len(left[0].text())
        found.append(left.pop(0))
    return [*found, Untrusted({"left out": len(left)})] if left else found


def kept_calls(calls: Iterable[ToolCall]) -> list[CallMade]:
    """Tool calls as they are stored: as many, and as much of each, as fit a row with everything else."""
    found: list[CallMade] = []
    room = _CALL_TEXT_KEPT
    for call in list(calls)[:_CALLS_KEPT]:
        texts = [shorten(part.text(), room // 2) for part in (call.name, call.arguments)]
        room -= min(room, sum(map(len, texts)))
        found.append(CallMade(name=Untrusted(texts[0]), arguments=Untrusted(texts[1])))
    return found


def kept_reason(reason: Untrusted) -> Untrusted:
    return Untrusted(shorten(reason.text(), _REASON_KEPT))


def safe_word(value: str) -> str:
    """A word for a header out of what the environment says; anything odd is left out."""
    return value if re.fullmatch(r"[A-Za-z0-9_./:@+-]{0,200}", value) else ""
