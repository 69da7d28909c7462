"""The report on a terminal, or in the log of a job: coloured where somebody looks at it, plain where it is piped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich import box
from rich.console import Console, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text as Line

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
from ci_eval.text import Untrusted, log
from ci_eval.verdict import Verdict

_STYLES = {
    Verdict.PASS: "bold green",
    Verdict.ACCEPTED: "bold green",
    Verdict.REGRESSION: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
}
_PIPED_WIDTH = 100
_LINES_OF_QUOTE = 20
_NAME_WIDTH = 24


def show(report: Report, *, file: TextIO | None = None, width: int | None = None, most: int = 20) -> None:
    """Print it to stdout or a file; of each list, `most` items."""
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    if width is None and not console.is_terminal:
        console.width = _PIPED_WIDTH
    for renderable in _report(report, most):
        console.print(renderable)


def _report(report: Report, most: int) -> Iterator[RenderableType]:
    word = report.verdict and (report.verdict.value.capitalize(), _STYLES[report.verdict])
    yield Line.assemble(*((word, ": ") if word else ()), _line(report.headline))
    for section in report.sections:
        yield ""
        yield from _section(section, most)


def _section(section: Section, most: int) -> Iterator[RenderableType]:
    if section.suite:
        yield Line.assemble(("Suite ", "bold"), (log(section.suite), "bold"))
    if section.folded:
        yield Line(section.heading, style="bold")
    for number, block in enumerate(section.blocks):
        if number and isinstance(block, Table):
            yield ""
        yield from _block(block, most)


def _block(block: Block, most: int) -> Iterator[RenderableType]:
    match block:
        case Paragraph():
            yield _line(block.text)
        case Quote():
            yield from _quote(block)
        case Sides():
            yield _sides(block)
        case Table():
            yield _grid(block, most)
            yield from _more(len(block.rows) - most, block.noun)
        case Listing():
            yield from (_bullet(item) for item in block.items[:most])
            yield from _more(len(block.items) - most, block.noun)
        case Entries():
            for number, entry in enumerate(block.items[:most]):
                yield from ("",) if number else ()
                yield from _entry(entry, most)
            yield from _more(len(block.items) - most, block.noun)


def _more(number: int, noun: Noun) -> Iterator[Line]:
    if number > 0:
        yield Line(f"  {noun.more(number)} in the run files.", style="dim")


def _bullet(text: Text) -> RenderableType:
    row = Grid.grid(padding=(0, 1))
    row.add_row("  -", _line(text))
    return row


def _entry(entry: Entry, most: int) -> Iterator[RenderableType]:
    yield Line.assemble((log(entry.name), "bold"), " ", _line(entry.about))
    for block in entry.blocks:
        yield from _block(block, most)


def _quote(quote: Quote) -> Iterator[RenderableType]:
    if quote.label:
        yield Line(f"  {quote.label}:" if quote.text else f"  {quote.label}", style="dim")
    if quote.text:
        yield Padding(_lines(quote.text), (0, 0, 0, 4), expand=False)


def _sides(sides: Sides) -> RenderableType:
    grid = Grid(box=box.SIMPLE, show_edge=False, header_style="dim", padding=(0, 2))
    for quote in (sides.base, sides.candidate):
        grid.add_column(Line(quote.label), ratio=1, overflow="fold")
    grid.add_row(*(_lines(quote.text) if quote.text else "" for quote in (sides.base, sides.candidate)))
    return grid


def _lines(value: Untrusted) -> Line:
    """Line by line, since the encoder makes one line of what it gets."""
    lines = value.text().split("\n")
    more = len(lines) - _LINES_OF_QUOTE
    shown = [log(line) for line in lines[:_LINES_OF_QUOTE]]
    return Line("\n".join([*shown, *([f"… ({more} more lines)"] if more > 0 else [])]), overflow="fold")


def _grid(table: Table, most: int) -> RenderableType:
    grid = Grid(box=box.SIMPLE, show_edge=False, header_style="bold")
    rows = [[_line(text) for text in row] for row in table.rows[:most]]
    for number, (header, letter) in enumerate(zip(table.headers, table.align, strict=True)):
        # What a row is about is read first: other columns give way to it.
        least = 0 if number else min(_NAME_WIDTH, max((row[0].cell_len for row in rows), default=0))
        justify: JustifyMethod = "right" if letter == "r" else "left"
        grid.add_column(Line(header), justify=justify, overflow="fold", min_width=least)
    for row in rows:
        grid.add_row(*row)
    return grid


def _line(text: Text) -> Line:
    return Line.assemble(*(_piece(piece) for piece in text), overflow="fold")


def _piece(piece: Piece) -> str | tuple[str, str]:
    if isinstance(piece, Untrusted):
        return log(piece)
    return (piece.value, _STYLES[piece]) if isinstance(piece, Verdict) else piece
