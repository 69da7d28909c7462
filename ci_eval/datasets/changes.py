"""What changed between two versions of a dataset: rows, labels, lengths. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci_eval.datasets.rows import Row
from ci_eval.errors import InputError
from ci_eval.reader import parse_json
from ci_eval.text import canonical


@dataclass(frozen=True)
class RowChanges:
    """How many rows came and went, as multisets: a row that moved is no change."""

    added: int
    removed: int
    relabelled: int
    """The same input with another output; not counted as added and removed."""
    kept: int


def compare(base: Sequence[Row], head: Sequence[Row]) -> RowChanges:
    """Count the rows that were added, removed, relabelled and kept."""
    before, after = Counter(row.digest for row in base), Counter(row.digest for row in head)
    came = _inputs(head, after - before)
    went = _inputs(base, before - after)
    relabelled = (came & went).total()
    return RowChanges((came - went).total(), (went - came).total(), relabelled, (before & after).total())


def _inputs(rows: Iterable[Row], digests: Counter[str]) -> Counter[str]:
    """The inputs of the rows that some digests name, as often as they are counted."""
    by_digest = {row.digest: row.input for row in rows}
    return Counter(by_digest[digest] for digest in digests.elements())


# --- what it teaches now ----------------------------------------------------------------------------------------------

_MOST_LABELS = 50
_SHIFT = Fraction(5, 100)
"""A part of the rows that has to move from some labels to others before it is told."""


@dataclass(frozen=True)
class LabelShift:
    """How the values of one field of the answers moved."""

    field: str
    """Empty where an answer is a label by itself."""
    moved: Fraction
    """The part of the rows whose label would have to change: the total variation distance, in [0, 1]."""
    labels: tuple[tuple[str, Fraction, Fraction], ...]
    """Labels with their shares before and after, those that changed most first."""


@dataclass(frozen=True)
class Lengths:
    """In words."""

    median: int
    p95: int


def shifts(base: Sequence[Row], head: Sequence[Row]) -> list[LabelShift]:
    """Labels whose shares moved by 5 % of the rows or more, the largest shift first."""
    if not base or not head:
        return []
    before, after = _labels(base), _labels(head)
    found = [_shift(field, before[field], after[field]) for field in before.keys() & after.keys()]
    return sorted((one for one in found if one.moved >= _SHIFT), key=lambda one: (-one.moved, one.field))


def _shift(field: str, before: Counter[str], after: Counter[str]) -> LabelShift:
    shares = [
        (label, Fraction(before[label], before.total()), Fraction(after[label], after.total()))
        for label in sorted(before.keys() | after.keys())
    ]
    moved = sum((abs(new - old) for _, old, new in shares), Fraction(0)) / 2
    return LabelShift(field, moved, tuple(sorted(shares, key=lambda one: -abs(one[2] - one[1]))))


def _labels(rows: Sequence[Row]) -> dict[str, Counter[str]]:
    """The values of each field that is a choice among a few; of answers that are no objects, the answers."""
    found = defaultdict[str, Counter[str]](Counter)
    for row in rows:
        for field, label in _fields(row.output):
            found[field][label] += 1
    return {field: counts for field, counts in found.items() if len(counts) <= min(_MOST_LABELS, len(rows) // 2)}


def _fields(output: str) -> Iterator[tuple[str, str]]:
    value = None
    if output.lstrip().startswith("{"):
        try:
            value = parse_json(output)
        except InputError:
            value = None
    if isinstance(value, dict):
        yield from ((name, canonical(label)) for name, label in value.items() if not isinstance(label, dict | list))
    else:
        yield "", output


def lengths(texts: Iterable[str]) -> Lengths | None:
    counts = sorted(text.count(" ") + 1 for text in texts)
    return Lengths(counts[len(counts) // 2], counts[len(counts) * 95 // 100]) if counts else None
