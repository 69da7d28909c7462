"""The longest common subsequence of two lists of words, a row of 64 words at a time.

The table of the textbook has an entry for each pair of words; here a row of it is one integer, whose bits say where the
row grows (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004): 5,000 words by 5,000 take milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Indexed:
    """A list of words, and for each word the bits of its places."""

    words: Sequence[str]
    places: Mapping[str, int]

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        places: dict[str, int] = {}
        for number, word in enumerate(words):
            places[word] = places.get(word, 0) | 1 << number
        return cls(words, places)


def length(one: Sequence[str], other: Indexed) -> int:
    """How many words the longest common subsequence has."""
    row = 0
    for row in _rows(one, other):  # noqa: B007 - the last one is what counts
        pass
    return row.bit_count()


def chosen(one: Sequence[str], other: Indexed) -> set[int]:
    """The places in `one` of one longest common subsequence; of several, the one that ROUGE's authors walk to.

    From the ends of both: two equal words are taken; else the end of `other` goes if that leaves a longer one, and
    otherwise that of `one`.
    """
    rows = [0, *_rows(one, other)]
    found = set()
    i, j, size = len(one), len(other.words), rows[-1].bit_count()
    while size:  # which is how long it is of the first i and the first j words
        if one[i - 1] == other.words[j - 1]:
            found.add(i - 1)
            i, j, size = i - 1, j - 1, size - 1
        elif not rows[i] >> (j - 1) & 1 and _upto(rows[i - 1], j) < size:  # the bit alone often spares the count
            j -= 1
        else:
            i -= 1
    return found


def _upto(row: int, end: int) -> int:
    return (row & ((1 << end) - 1)).bit_count()


def _rows(one: Sequence[str], other: Indexed) -> Iterator[int]:
    """For each word of `one` a row: a bit is set where the subsequence grows by that word of `other`."""
    everything = (1 << len(other.words)) - 1
    steady = everything
    for word in one:
        taken = steady & other.places.get(word, 0)
        if taken:
            steady = ((steady + taken) | (steady - taken)) & everything
        yield everything & ~steady
