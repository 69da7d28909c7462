"""A run: what one suite did on one snapshot. A header says where it comes from, and each answer is a record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.reader import Strict
from ci_eval.records.record import Hex, Record, Time, Word
from ci_eval.text import Untrusted

_MANY_REFUSED = 20
"""One in so many."""


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
    judges: list[JudgeAgreement] | None = None
    """Its scorers that are models, and how far they agree with people; None in a file that says nothing of them."""


def missing_answers(lost: int, refused: int, answers: int) -> int:
    """What a run lacks: where more than one answer in twenty was refused, it is not for what a few requests are, but a
    key or an account that is refused, and those are missing, too.
    """
    return lost + (refused if refused * _MANY_REFUSED > answers else 0)


@dataclass(frozen=True)
class Run:
    """A run as it was read or made: its header and one record per answer."""

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


def safe_word(value: str) -> str:
    """A word for a header out of what the environment says; anything odd is left out."""
    return value if re.fullmatch(r"[A-Za-z0-9_./:@+-]{0,200}", value) else ""
