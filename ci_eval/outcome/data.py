"""What is told of a changed dataset: refused rows, duplicates, and shifts of labels and lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ci_eval.changes import FileChange, SuiteChanges
from ci_eval.datasets import rows
from ci_eval.datasets.changes import LabelShift, Lengths, RowChanges, compare, lengths, shifts
from ci_eval.datasets.duplicates import Duplicates, duplicates
from ci_eval.datasets.formats import Refused, refused
from ci_eval.datasets.rows import READABLE, Row
from ci_eval.evaluation.suite import Side

_ROW_ROLES = frozenset({"dataset", "examples", "training rows"})


@dataclass(frozen=True)
class DataOutcome:
    """One changed file of rows."""

    path: str
    rows: int
    changes: RowChanges
    refused: tuple[Refused, ...]
    duplicates: Duplicates
    shifts: tuple[LabelShift, ...]
    lengths: tuple[tuple[str, Lengths | None, Lengths | None], ...]
    """Of inputs and of answers, before and after."""


def is_read(change: FileChange) -> bool:
    """Whether a changed file holds rows that can be read."""
    return change.role in _ROW_ROLES and change.path.endswith(READABLE)


def read(side: Side, path: str) -> Sequence[Row]:
    return rows.read(side.snapshot, path) if side.snapshot.has(path) else ()


def data(changes: SuiteChanges, base: Side, candidate: Side) -> tuple[DataOutcome, ...]:
    """Every changed file of rows that is still there."""
    changed = dict.fromkeys(change.path for change in changes.subject if is_read(change))
    there = (path for path in changed if candidate.snapshot.has(path))
    return tuple(_outcome(path, read(base, path), read(candidate, path)) for path in there)


def _outcome(path: str, before: Sequence[Row], after: Sequence[Row]) -> DataOutcome:
    sides = (("inputs", lambda row: row.input), ("answers", lambda row: row.output))
    told = tuple((name, lengths(map(text, before)), lengths(map(text, after))) for name, text in sides)
    return DataOutcome(
        path,
        len(after),
        compare(before, after),
        tuple(refused(after)),
        duplicates(after),
        tuple(shifts(before, after)),
        told,
    )
