"""The report as GitHub reads it: the comment and the job summary.

It is always whole: what does not fit is left out block by block, the least important first, and counted. Nothing is cut
within a block, so every fence and fold that is opened is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile

from tabulate import tabulate

from ci_eval.report.document import (
    Block,
    Entries,
    Entry,
    Listing,
    Noun,
    Paragraph,
    Piece,
    Quote,
    Report,
    Section,
    Sides,
    Table,
    Text,
)
from ci_eval.text import Untrusted, cell, fence
from ci_eval.verdict import Verdict

_SIGNS = {Verdict.PASS: "✅", Verdict.ACCEPTED: "☑️", Verdict.REGRESSION: "❌", Verdict.INCONCLUSIVE: "⚠️"}
_ALIGN = {"l": "left", "r": "right"}
_LONGEST_WORDS = 500
_LONGEST_IN_TABLE = 200
_TEXT = Noun("text", "texts")
# Kept free for the lines that say what was left out: of a block, and of the whole.
_ROOM_FOR_COUNT, _ROOM_FOR_TITLES = 120, 600


@dataclass(frozen=True)
class _Page:
    """Where the text will stand, and how much of it that place takes."""

    limit: int
    size: Callable[[str], int]
    longest_quote: int
    """Of a case's texts; what stands for itself, as a diff does, may be three times as long."""
    elsewhere: str
    """Where a reader finds what is left out."""

    def left_out(self, noun: Noun, number: int) -> str:
        return f"{noun.more(number)} in {self.elsewhere}."


def comment(report: Report, *, limit: int = 60_000) -> str:
    """The pull request's comment, in at most `limit` characters. Its first line is the verdict."""
    return _render(report, _Page(limit, len, 1200, "the job summary"))


def summary(report: Report, *, limit: int = 900 * 1024) -> str:
    """The job summary, in at most `limit` bytes."""
    return _render(report, _Page(limit, _bytes, 4000, "the run files"))


def page(report: Report, *, limit: int = 60_000) -> str:
    """What stands alone, in at most `limit` characters: to read, or to post as a comment."""
    return _render(report, _Page(limit, len, 1200, "the run files"))


def _bytes(text: str) -> int:
    return len(text.encode())


# --- what fits --------------------------------------------------------------------------------------------------------


@dataclass
class _Room:
    """What is left of a page, and whether something had to stay out."""

    page: _Page
    left: int
    full: bool = False

    def take(self, text: str) -> bool:
        """Whether a text fits, with the blank line after it."""
        need = self.page.size(text) + 2
        if need > self.left:
            self.full = True
            return False
        self.left -= need
        return True


@dataclass(frozen=True)
class _Part:
    """A section as it is shown; without a text where nothing of it fits."""

    text: str | None
    size: int = 0
    cut: bool = False


def _render(report: Report, page: _Page) -> str:
    word = f"{_SIGNS[report.verdict]} {report.verdict.value.capitalize()}: " if report.verdict else ""
    head = f"### {word}{_text(report.headline)}"
    parts = _fit(report.sections, page, page.limit - page.size(head) - _ROOM_FOR_TITLES)
    shown = [part.text for part in parts if part.text is not None]
    missing = [section.title for section, part in zip(report.sections, parts, strict=True) if part.text is None]
    return "\n\n".join([head, *shown, *_without(missing, page)]) + "\n"


def _without(titles: Iterable[str], page: _Page) -> Iterator[str]:
    names = ", ".join(dict.fromkeys(titles))
    if names:
        yield f"Left out here, and in {page.elsewhere}: {names}."


def _fit(sections: Sequence[Section], page: _Page, room: int) -> list[_Part]:
    """First a share for each section, the most important first; then what is left for those that were cut."""
    parts = [_Part(None, cut=True) for _ in sections]
    order = sorted(range(len(sections)), key=lambda index: -sections[index].importance)
    for share in (_share, lambda _section, limit: limit):
        for index in order:
            if parts[index].cut:
                old = parts[index]
                allowed = min(room + old.size, share(sections[index], page.limit))
                parts[index] = max(old, _section(sections[index], page, allowed), key=lambda part: part.size)
                room -= parts[index].size - old.size
    return parts


def _share(section: Section, limit: int) -> int:
    """Unfolded sections as they are; half of the page for cases side by side; a little for everything else."""
    if not section.folded:
        return limit
    return limit // 2 if any(isinstance(block, Entries) for block in section.blocks) else limit // 12


def _section(section: Section, page: _Page, limit: int) -> _Part:
    room = _Room(page, limit)
    opening, closing = _frame(section)
    if not room.take(f"{opening}\n\n{closing}"):
        return _Part(None, cut=True)
    blocks = list(_blocks(section.blocks, room))
    if not all(blocks):
        return _Part(None, cut=True)
    texts = [*opening.splitlines(), *chain.from_iterable(blocks), *closing.splitlines()]
    return _Part("\n\n".join(texts), limit - room.left, room.full)


def _blocks(blocks: Sequence[Block], room: _Room) -> Iterator[list[str]]:
    """Each block, holding back what the later ones need to say at least how much they leave out."""
    for number, block in enumerate(blocks, start=1):
        held = (len(blocks) - number) * (_ROOM_FOR_COUNT + 2)
        room.left -= held
        yield list(_block(block, room))
        room.left += held


def _frame(section: Section) -> tuple[str, str]:
    if section.folded:
        return f"<details><summary>{section.heading}</summary>", "</details>"
    return (f"**Suite {cell(section.suite)}**" if section.suite else "", "")


def _block(block: Block, room: _Room) -> Iterator[str]:
    """A block, as much of it as there is room for; nothing where not even a count fits."""
    if isinstance(block, Table):
        yield from _table(block, room)
    elif isinstance(block, Listing):
        yield from _many((f"- {_text(item)}" for item in block.items), len(block.items), block.noun, room, "\n")
    elif isinstance(block, Entries):
        entries = (_entry(entry, room.page) for entry in block.items)
        yield from _many(entries, len(block.items), block.noun, room, "\n\n")
    else:
        small, more = _small(block, 3 * room.page.longest_quote), room.page.left_out(_TEXT, 1)
        yield from islice(filter(room.take, (small, more)), 1)


def _many(texts: Iterator[str], total: int, noun: Noun, room: _Room, between: str) -> Iterator[str]:
    if not room.take(" " * _ROOM_FOR_COUNT):
        return
    kept = list(takewhile(room.take, texts))
    if kept:
        yield between.join(kept)
    if len(kept) < total:
        yield room.page.left_out(noun, total - len(kept))
    else:
        room.left += _ROOM_FOR_COUNT + 2


def _table(table: Table, room: _Room) -> Iterator[str]:
    rows = [[_text(text, _LONGEST_IN_TABLE) for text in row] for row in table.rows]
    kept = len(rows)
    while kept and room.page.size(_grid(table, rows[:kept])) + 2 > room.left - _ROOM_FOR_COUNT:
        kept = kept * 3 // 4
    lines = [_grid(table, rows[:kept])] if kept else []
    if kept < len(rows):
        room.full = True
        lines.append(room.page.left_out(table.noun, len(rows) - kept))
    yield from takewhile(room.take, lines)


def _grid(table: Table, rows: list[list[str]]) -> str:
    # "pipe" is "github" with the colons that align a column.
    align = [_ALIGN[letter] for letter in table.align]
    return tabulate(rows, list(table.headers), tablefmt="pipe", disable_numparse=True, colalign=align)


# --- what it looks like -----------------------------------------------------------------------------------------------


def _small(block: Paragraph | Listing | Quote | Sides, longest: int) -> str:
    match block:
        case Paragraph():
            return _text(block.text)
        case Listing():
            return "\n".join(f"- {_text(item)}" for item in block.items)
        case Quote():
            return _quote(block, longest)
        case Sides():
            return f"{_quote(block.base, longest)}\n\n{_quote(block.candidate, longest)}"


def _entry(entry: Entry, page: _Page) -> str:
    head = f"**{cell(entry.name)}** {_text(entry.about)}"
    return "\n\n".join([head, *(_small(block, page.longest_quote) for block in entry.blocks)])


def _quote(quote: Quote, longest: int) -> str:
    if quote.text is None:
        return quote.label
    block = fence(quote.text, limit=longest, lines=longest // 40)
    return f"{quote.label}:\n{block}" if quote.label else block


def _text(text: Text, limit: int = _LONGEST_WORDS) -> str:
    return "".join(_piece(piece, limit) for piece in text)


def _piece(piece: Piece, limit: int) -> str:
    if isinstance(piece, Untrusted):
        return cell(piece, limit=limit)
    return f"{_SIGNS[piece]} {piece.value}" if isinstance(piece, Verdict) else piece
