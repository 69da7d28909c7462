"""The difference between two texts, word by word, at a bounded cost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MOST_PAIRS = 20_000
"""Of equal words, one on each side. A matcher looks at each of them over and over."""


class Span(NamedTuple):
    text: str
    differs: bool


def word_diff(base: str, candidate: str) -> tuple[list[Span], list[Span]]:
    """Both texts in spans, by whether the other side has them.

    By words; by lines where equal words are too many to sort out; and where lines are, too, all between the equal
    beginning and the equal end differs.
    """
    for pattern in (_WORD, _LINE):
        sides = [pattern.findall(text) for text in (base, candidate)]
        ends = _same_ends(*sides)
        middles = [_between(side, ends) for side in sides]
        if _pairs(*middles) <= _MOST_PAIRS:
            return _both(sides, ends, list(_matches(*middles)))
    return _both(sides, ends, [])


def _same_ends(base: Sequence[str], candidate: Sequence[str]) -> tuple[int, int]:
    """How many words are equal at the beginning, and how many of the others at the end."""
    shorter = min(len(base), len(candidate))
    start = next((n for n in range(shorter) if base[n] != candidate[n]), shorter)
    room = shorter - start
    end = next((n for n in range(room) if base[-1 - n] != candidate[-1 - n]), room)
    return start, end


def _between(side: Sequence[str], ends: tuple[int, int]) -> Sequence[str]:
    start, end = ends
    return side[start : len(side) - end]


def _pairs(base: Sequence[str], candidate: Sequence[str]) -> int:
    ours, theirs = Counter(base), Counter(candidate)
    return sum(count * theirs[word] for word, count in ours.items())


class _Match(NamedTuple):
    base: int
    candidate: int
    size: int


def _matches(base: Sequence[str], candidate: Sequence[str]) -> Iterator[_Match]:
    """Without those of blanks and points alone: between two changes they only break what is read."""
    for match in SequenceMatcher(None, base, candidate, autojunk=False).get_matching_blocks():
        if any(character.isalnum() for word in base[match.a : match.a + match.size] for character in word):
            yield _Match(*match)


def _both(
    sides: Sequence[Sequence[str]], ends: tuple[int, int], matches: Sequence[_Match]
) -> tuple[list[Span], list[Span]]:
    base = _spans(sides[0], ends, [(match.base, match.size) for match in matches])
    candidate = _spans(sides[1], ends, [(match.candidate, match.size) for match in matches])
    return list(base), list(candidate)


def _spans(side: Sequence[str], ends: tuple[int, int], equal: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """What is equal before, what differs between the equal parts of the middle, and what is equal after."""
    middle = _between(side, ends)
    pieces = [("".join(side[: ends[0]]), False)]
    position = 0
    for at, size in [*equal, (len(middle), 0)]:
        pieces += [("".join(middle[position:at]), True), ("".join(middle[at : at + size]), False)]
        position = at + size
    pieces.append(("".join(side[len(side) - ends[1] :]), False))
    yield from (Span(text, differs) for text, differs in pieces if text)
