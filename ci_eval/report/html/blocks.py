"""The blocks of a report document as HTML elements."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ci_eval.report.document import (
    Block,
    Entries,
    Entry,
    Listing,
    Noun,
    Paragraph,
    Quote,
    Section,
    Sides,
    Table,
    Text,
)
from ci_eval.report.html.tree import Child, el, words
from ci_eval.report.html.worddiff import Span, word_diff
from ci_eval.text import Untrusted, node

_MOST_ITEMS = 1000
LONGEST_QUOTE = 20_000
_ALIGN = {"l": None, "r": "number"}


def section(one: Section) -> Element:
    """To be read: under its heading, or beside it where it is only some words."""
    heading: list[Child] = ["Suite ", el("code", node(one.suite))] if one.suite else [one.heading]
    brief = all(isinstance(block, Paragraph | Listing) for block in one.blocks) and not one.folded
    return el("section", el("h2", *heading), el("div", *_parts(one)), class_="brief" if brief else None)


def fold(one: Section) -> Element:
    """To be looked up."""
    return el("details", el("summary", one.heading), *_parts(one), class_="section")


def _parts(one: Section) -> Iterator[Element]:
    return (part for block in one.blocks for part in blocks(block))


def blocks(block: Block, longest: int = LONGEST_QUOTE) -> Iterator[Element]:
    """As much as a page takes, and a count of the rest."""
    match block:
        case Paragraph():
            yield el("p", *words(block.text))
        case Table():
            yield _table(block)
            yield from _more(len(block.rows), block.noun)
        case Listing():
            yield el("ul", *(el("li", *words(item)) for item in block.items[:_MOST_ITEMS]))
            yield from _more(len(block.items), block.noun)
        case Quote():
            yield _quote(block, longest)
        case Sides():
            yield _sides(block, longest)
        case Entries():
            yield from (_entry(entry, longest) for entry in block.items[:_MOST_ITEMS])
            yield from _more(len(block.items), block.noun)


def _more(number: int, noun: Noun) -> Iterator[Element]:
    if number > _MOST_ITEMS:
        yield el("p", f"{noun.more(number - _MOST_ITEMS)} in the run files.", class_="more")


def _entry(entry: Entry, longest: int) -> Element:
    parts = [part for block in entry.blocks for part in blocks(block, longest)]
    return el("article", el("h3", el("code", node(entry.name)), " ", *words(entry.about)), *parts)


# --- tables -----------------------------------------------------------------------------------------------------------


def _table(table: Table) -> Element:
    """Its cells name their column, for a screen on which each row becomes a block of lines."""
    kinds = [_ALIGN[letter] for letter in table.align]
    headers = (el("th", text, scope="col", class_=kind) for text, kind in zip(table.headers, kinds, strict=True))
    rows = (_row(table, kinds, row) for row in table.rows[:_MOST_ITEMS])
    return el("table", el("thead", el("tr", *headers)), el("tbody", *rows))


def _row(table: Table, kinds: list[str | None], row: tuple[Text, ...]) -> Element:
    cells = zip(row, table.headers, kinds, strict=True)
    return el("tr", *(el("td", *words(text), data_label=header, class_=kind) for text, header, kind in cells))


# --- texts ------------------------------------------------------------------------------------------------------------


def _quote(quote: Quote, longest: int) -> Element:
    if quote.text is None:
        return el("p", quote.label, class_="label")
    shown = node(quote.text, limit=longest)
    lines = _diff_lines(shown) if quote.diff else [shown]
    return _labelled(quote.label, el("pre", *lines))


def _labelled(label: str, text: Element) -> Element:
    return el("figure", *((el("figcaption", label),) if label else ()), text, class_="quote")


_LINES = {"+": "ins", "-": "del"}


def _diff_lines(text: str) -> Iterator[Child]:
    for line in text.splitlines(keepends=True):
        tag = _LINES.get(line[:1])
        yield el(tag, line) if tag else line


def _sides(sides: Sides, longest: int) -> Element:
    """Next to each other, with what differs marked."""
    texts = [_shown(quote.text, longest) for quote in (sides.base, sides.candidate)]
    base, candidate = word_diff(*texts) if all(texts) else ([Span(text, differs=False)] for text in texts)
    return el(
        "div",
        _side(sides.base, base, "base"),
        _side(sides.candidate, candidate, "candidate"),
        class_="sides",
    )


def _shown(text: Untrusted | None, longest: int) -> str:
    return "" if text is None else node(text, limit=longest)


def _side(quote: Quote, spans: list[Span], who: str) -> Element:
    parts = (el("mark", span.text) if span.differs else span.text for span in spans)
    made = _labelled(quote.label, el("pre", *parts))
    made.set("class", f"quote {who}")
    return made
