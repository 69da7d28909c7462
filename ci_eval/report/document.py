"""The parts of a report, for any renderer: what is said, and nothing of how it looks.

A bare `str` is ours: constant words and numbers. `Untrusted` is everybody else's, names included, and each renderer
sends it through its encoder. So a renderer cannot forget one, and a name that looks like a link stays a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

Piece = str | Untrusted
"""A `Verdict` is a piece too: renderers give it a sign or a colour."""
Text = tuple[Piece, ...]

CANDIDATE = "this PR"
"""What reports call the candidate, where nothing says otherwise."""


@dataclass(frozen=True)
class Noun:
    """What is counted, for one and for many."""

    one: str
    many: str

    def count(self, number: int) -> str:
        return f"{number:,} {self.one if number == 1 else self.many}"

    def more(self, number: int) -> str:
        return f"{number:,} more {self.one if number == 1 else self.many} {'is' if number == 1 else 'are'}"


CASE, SCORE, ROW = Noun("case", "cases"), Noun("score", "scores"), Noun("row", "rows")
"""A score is one case under one scorer: what the code calls a cell."""


def listed(items: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces with commas between them."""
    for number, item in enumerate(items):
        if number:
            yield ", "
        yield item


def in_words(text: Text, encode: Callable[[Untrusted], str]) -> str:
    """A text where nothing sets its parts apart."""
    return "".join(encode(piece) if isinstance(piece, Untrusted) else str(piece) for piece in text)


def joined(texts: Iterable[Text], between: str) -> Text:
    """The texts with `between` between them, as one text."""
    return tuple(piece for number, text in enumerate(texts) for piece in (*((between,) if number else ()), *text))


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of text."""

    text: Text


@dataclass(frozen=True)
class Table:
    """A table. `noun` names its rows, for a renderer that has to leave some out."""

    headers: tuple[str, ...]
    align: str
    """One letter a column: l or r."""
    rows: tuple[tuple[Text, ...], ...]
    noun: Noun = ROW


@dataclass(frozen=True)
class Listing:
    """A list with a mark before each item. `noun` names the items."""

    items: tuple[Text, ...]
    noun: Noun


@dataclass(frozen=True)
class Quote:
    """A text of some lines, as it was written."""

    label: str
    text: Untrusted | None
    """None: there is none, and the label says why."""
    diff: bool = False
    """Whether its lines begin with +, - or a blank."""


@dataclass(frozen=True)
class Sides:
    """The same thing on both sides."""

    base: Quote
    candidate: Quote


@dataclass(frozen=True)
class Entry:
    """One case and what is to be seen of it."""

    name: Untrusted
    about: Text
    blocks: tuple[Paragraph | Listing | Quote | Sides, ...]


@dataclass(frozen=True)
class Entries:
    """A list of cases. `noun` names them."""

    items: tuple[Entry, ...]
    noun: Noun


Block = Paragraph | Table | Listing | Quote | Sides | Entries


@dataclass(frozen=True)
class Section:
    """A part of the report with a title, which a renderer may fold, cut or leave out."""

    title: str
    """Constant words; not shown where the section is not folded."""
    blocks: tuple[Block, ...]
    importance: int
    """Where there is no room for all, the larger number stays."""
    folded: bool = True
    count: int | None = None
    suite: Untrusted | None = None
    """Whose section it is, where that has to be said."""

    @property
    def heading(self) -> str:
        return self.title if self.count is None else f"{self.title} ({self.count:,})"


@dataclass(frozen=True)
class Report:
    """The whole report of a gate, or of compared runs."""

    verdict: Verdict | None
    """None where nothing is judged."""
    headline: Text
    """Why, in words of ours; it follows the verdict's own word."""
    sections: tuple[Section, ...]


# --- the candidate's name ---------------------------------------------------------------------------------------------

Part = TypeVar("Part")


def calling(name: str, part: Part) -> Part:
    """A report, or a part of one, that calls the candidate so; words that are not ours stay as they are."""
    return part if name == CANDIDATE else cast(Part, _calling(name, part))


def _calling(name: str, part: Any) -> Any:
    if type(part) is str:  # and not a Verdict
        return part.replace(CANDIDATE, name)
    if isinstance(part, tuple):
        return tuple(_calling(name, one) for one in part)
    if isinstance(part, Mapping):
        return {key: _calling(name, one) for key, one in part.items()}
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: _calling(name, getattr(part, field.name)) for field in fields(part)})
    return part
