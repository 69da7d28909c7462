"""Golden cases that stand where the model learns from: word for word, in the same words, or eight words in a row.

Eight words are what is usual for a copied passage (as the 13 of GPT-3's paper, Brown et al. 2020, are for whole web
pages, and 8 those of PaLM's, Chowdhery et al. 2022). A run of words that several cases share is how people talk, and
gives nothing away.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from ci_eval.datasets.rows import Row
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.reader import parse_json
from ci_eval.text import stream_safe

Match = Literal["word for word", "same words", "8 words in a row"]
MATCHES: tuple[Match, ...] = ("word for word", "same words", "8 words in a row")
"""The strongest first."""

_SHORTEST_INPUT = 4
_SHORTEST_ANSWER = 6
_RUN = 8
_EVERYBODYS = 3
"""A run of words that so many cases share is nobody's."""
_WORD = re.compile(r"[^\W_]+")
_BLANKS = {code: " " for code in range(128) if not chr(code).isalnum()}
"""The same for ASCII, in a fifth of the time."""


@dataclass(frozen=True)
class Leak:
    """A golden case whose input or answer stands where the model learns from."""

    case: str
    part: str
    """`input` or `answer`."""
    file: str
    line: int | None
    """None for the prompt, where the text may span lines."""
    match: Match


def words(text: str) -> list[str]:
    """NFKC, case-folded, without punctuation."""
    if text.isascii():
        return text.lower().translate(_BLANKS).split()
    return _WORD.findall(unicodedata.normalize("NFKC", stream_safe(text)).casefold())


def normalised(text: str) -> str:
    """Words only, with one blank between them.

    >>> normalised("  Where's my REFUND?! ")
    'where s my refund'
    """
    return " ".join(words(text))


def leaks_in_rows(cases: Iterable[Case], rows: Iterable[Row]) -> list[Leak]:
    """Golden inputs that are, or are in, a row's input, and golden answers in a row's output: the strongest match."""
    secrets = _Secrets(tuple(_parts(cases)))
    found: dict[int, Leak] = {}
    for row in rows:
        for part, text in (("input", row.input), ("answer", row.output)):
            said = words(text)
            if secrets.anchors.isdisjoint(said) and "\\" not in text:
                continue
            texts = [text, *(_strings_of(text) if part == "answer" else ())]
            for index, match in secrets.found(part, texts):
                _keep(found, index, Leak(secrets.parts[index].case, part, row.file, row.line, match))
    return [found[index] for index in sorted(found)]


def leaks_in_text(cases: Iterable[Case], text: str, file: str) -> list[Leak]:
    """Golden inputs and answers that a prompt quotes. What an answer says in part, a prompt may have to say too."""
    secrets = _Secrets(tuple(_parts(cases)))
    said = words(text)
    whole = f" {' '.join(said)} "
    found: dict[int, Leak] = {}
    for index, part in enumerate(secrets.parts):
        if f" {part.words} " in whole:
            match: Match = "word for word" if part.text in text else "same words"
            _keep(found, index, Leak(part.case, part.part, file, None, match))
    for index in secrets.runs_in(said):
        if secrets.parts[index].part == "input":
            _keep(found, index, Leak(secrets.parts[index].case, "input", file, None, "8 words in a row"))
    return [found[index] for index in sorted(found)]


def _keep(found: dict[int, Leak], index: int, leak: Leak) -> None:
    before = found.get(index)
    if before is None or MATCHES.index(leak.match) < MATCHES.index(before.match):
        found[index] = leak


class _Part(NamedTuple):
    """What may not be known in advance of one case."""

    case: str
    part: str
    text: str
    words: str


@dataclass(frozen=True)
class _Secrets:
    """All parts of a golden set, ready to be looked for in a hundred thousand rows.

    Most rows have none of the words by which a part could be known: its longest one, and the longest of each run. So
    one look at the set of them is all that a row costs.
    """

    parts: Sequence[_Part]

    @cached_property
    def by_words(self) -> dict[tuple[str, str], list[int]]:
        found = defaultdict[tuple[str, str], list[int]](list)
        for index, part in enumerate(self.parts):
            found[part.part, part.words].append(index)
        return found

    @cached_property
    def runs(self) -> dict[tuple[str, ...], list[int]]:
        """Eight words in a row, and the parts that have them; without those that are everybody's."""
        found = defaultdict[tuple[str, ...], list[int]](list)
        for index, part in enumerate(self.parts):
            for run in dict.fromkeys(_runs(part.words.split())):
                found[run].append(index)
        cases = {run: {self.parts[index].case for index in indexes} for run, indexes in found.items()}
        return {run: indexes for run, indexes in found.items() if len(cases[run]) < _EVERYBODYS}

    @cached_property
    def places(self) -> dict[str, set[int]]:
        """The longest word of each run, and where in a run it stands."""
        found = defaultdict[str, set[int]](set)
        for run in self.runs:
            place = max(range(_RUN), key=lambda place: len(run[place]))
            found[run[place]].add(place)
        return found

    @cached_property
    def anchors(self) -> frozenset[str]:
        return frozenset({max(part.words.split(), key=len) for part in self.parts} | self.places.keys())

    def found(self, kind: str, texts: Iterable[str]) -> Iterator[tuple[int, Match]]:
        """The parts of a kind that some texts are, or hold a run of."""
        for text in texts:
            said = words(text)
            for index in self.by_words.get((kind, " ".join(said)), ()):
                yield index, "word for word" if self.parts[index].text.strip() == text.strip() else "same words"
            for index in self.runs_in(said):
                if self.parts[index].part == kind:
                    yield index, "8 words in a row"

    def runs_in(self, said: Sequence[str]) -> Iterator[int]:
        for at, word in enumerate(said):
            for place in self.places.get(word, ()):
                if at >= place:
                    yield from self.runs.get(tuple(said[at - place : at - place + _RUN]), ())


def _runs(said: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(said[at : at + _RUN]) for at in range(len(said) - _RUN + 1))


def _parts(cases: Iterable[Case]) -> Iterator[_Part]:
    """What may not be known in advance. Short ones are left out: everybody says "thank you"."""
    for case in cases:
        for part, texts, shortest in (
            ("input", strings(case.input.reveal()), _SHORTEST_INPUT),
            ("answer", strings(case.expected.reveal() if case.expected else None), _SHORTEST_ANSWER),
        ):
            for text in texts:
                said = words(text)
                if len(said) >= shortest:
                    yield _Part(case.id, part, text, " ".join(said))


def _strings_of(output: str) -> Iterator[str]:
    """The texts in an answer that is JSON."""
    if output.lstrip()[:1] in {"{", "["}:
        try:
            yield from strings(parse_json(output))
        except InputError:
            return


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
