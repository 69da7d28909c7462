"""Rows that say the same twice: word for word, nearly, or with another answer each time. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from ci_eval.datasets.contamination import words
from ci_eval.datasets.rows import Row

_RUN = 3
_SKETCH = 4
"""Least hashes by which rows are brought together: one that is 90 % alike is missed once in ten thousand."""
ALIKE = 0.8
"""Of the runs of three words of two inputs, how many they must have in common to be nearly the same."""
_CROWD = 50
"""Rows that share a hash beyond this many are not compared with each other: it is of a phrase."""


@dataclass(frozen=True)
class Duplicates:
    """Counted in rows that could be left out."""

    exact: int
    """The same input, but for case and punctuation, with the same answer."""
    contradicting: int
    """Inputs that are answered in more than one way."""
    near: int
    """Another input that is nearly one before it."""
    examples: tuple[tuple[Row, Row], ...]
    """Some pairs that are nearly the same."""

    def __bool__(self) -> bool:
        return bool(self.exact or self.contradicting or self.near)


def duplicates(rows: Sequence[Row], shown: int = 5) -> Duplicates:
    """Near ones by the Jaccard index of runs of three words (Broder 1997), found by their least hashes."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, Row] = {}
    for row in rows:
        key = " ".join(words(row.input))
        first.setdefault(key, row)
        answers[key][row.output] += 1
    exact = sum(count - 1 for outputs in answers.values() for count in outputs.values())
    contradicting = sum(len(outputs) > 1 for outputs in answers.values())
    pairs = dict[str, tuple[Row, Row]]()
    for one, other in near(first):
        pairs.setdefault(other, (first[one], first[other]))
    return Duplicates(exact, contradicting, len(pairs), tuple(pairs.values())[:shown])


def near(texts: Collection[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different texts that are nearly the same, the earlier first."""
    buckets = defaultdict[int, list[str]](list)
    runs: dict[str, frozenset[int]] = {}
    for text in texts:
        mine = frozenset(_hashes(text.split()))
        if len(mine) < _SKETCH:
            continue
        compared: set[str] = set()
        for least in sorted(mine)[:_SKETCH]:
            bucket = buckets[least]
            for other in bucket if len(bucket) <= _CROWD else ():
                if other not in compared:
                    compared.add(other)
                    theirs = runs[other]
                    if len(mine & theirs) >= ALIKE * len(mine | theirs):
                        yield other, text
            bucket.append(text)
        runs[text] = mine


def _hashes(said: Sequence[str]) -> Iterable[int]:
    return (crc32(" ".join(said[at : at + _RUN]).encode()) for at in range(len(said) - _RUN + 1))
