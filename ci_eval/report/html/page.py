"""The whole HTML page: verdict, text, plots, changed cases with filters, reference."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from ci_eval.reader import MIB, read_file
from ci_eval.report.document import CASE, Entries, Report, Text
from ci_eval.report.gallery import Card, Facet, Tile
from ci_eval.report.html.blocks import LONGEST_QUOTE, blocks, fold, section
from ci_eval.report.html.svg import MOST_TILES, card_id, case_map, draw
from ci_eval.report.html.tree import SIGNS, Child, el, to_html, words
from ci_eval.report.plots import Plot
from ci_eval.text import Untrusted, canonical, node

_READ_FIRST = 80
"""A section of this importance or more stands open, above the cases, also where it is folded elsewhere."""
_ROOM = 4 * MIB
"""For all cases together."""
_SHORTEST_QUOTE = 1000
_TEXTS_A_CASE = 4
_OPEN_AT_FIRST = 3
_MOST_CHOICES = 200


@dataclass(frozen=True)
class Pictures:
    """What is drawn of one suite, or of one candidate."""

    heading: Text
    plots: tuple[Plot, ...]
    tiles: Mapping[str, Sequence[Tile]]
    """Every case by its group; none where there is nothing to map."""


@dataclass(frozen=True)
class Page:
    """What a page shows beside the report's own words."""

    report: Report
    pictures: tuple[Pictures, ...]
    cards: tuple[Card, ...]
    statuses: Mapping[str, str]
    """Every status that a case may have, in order, and what it means."""


def render(page: Page) -> str:
    """The file: one document that is whole by itself, whatever anybody wrote."""
    style, script = (_own(name) for name in ("page.css", "page.js"))
    head = el("head", *_head(page.report, style, script), el("style", style))
    body = el("body", _verdict(page.report), el("main", *_main(page)), el("script", script))
    return f"<!doctype html>\n{to_html(el('html', head, body, lang='en'))}\n"


def _own(name: str) -> str:
    return read_file(Path(__file__).with_name(name)).decode()


def _head(report: Report, style: str, script: str) -> Iterator[Element]:
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    yield el("meta", charset="utf-8")
    yield _meta("Content-Security-Policy", policy)
    yield el("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield el("meta", name="referrer", content="no-referrer")
    yield el("meta", name="color-scheme", content="light dark")
    yield el("title", f"ci-eval: {report.verdict.value if report.verdict else 'comparison'}")


def _meta(name: str, content: str) -> Element:
    made = el("meta", content=content)
    made.set("http-equiv", name)
    return made


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _verdict(report: Report) -> Element:
    kind = report.verdict.value if report.verdict else "comparison"
    word = f"{SIGNS[report.verdict]} {kind.capitalize()}" if report.verdict else "Comparison"
    return el("header", el("h1", el("span", word, class_="word"), " ", *words(report.headline)), class_=kind)


def _main(page: Page) -> Iterator[Element]:
    own = [one for one in page.report.sections if not any(isinstance(block, Entries) for block in one.blocks)]
    shown = list(_that_fit(page.cards))
    yield from (section(one) for one in own if not one.folded)
    yield from (_pictures(one, page, len(shown)) for one in page.pictures if one.plots)
    yield from (section(one) for one in own if one.folded and one.importance >= _READ_FIRST)
    if page.cards:
        yield _gallery(page, shown)
    yield from (fold(one) for one in own if one.folded and one.importance < _READ_FIRST)


def _pictures(pictures: Pictures, page: Page, shown: int) -> Element:
    drawn = [draw(plot) for plot in pictures.plots]
    if 0 < sum(map(len, pictures.tiles.values())) <= MOST_TILES:
        drawn.append(case_map(pictures.tiles, page.statuses, shown))
    return el("section", el("h2", *words(pictures.heading)), el("div", *drawn, class_="pictures"))


# --- cases ------------------------------------------------------------------------------------------------------------


def _gallery(page: Page, shown: Sequence[Element]) -> Element:
    """As many cases as there is room for; of the others it is told that they are missing."""
    left = len(page.cards) - len(shown)
    return el(
        "section",
        el("h2", f"Cases ({len(page.cards):,})"),
        _filters(page.cards[: len(shown)], page.statuses),
        *shown,
        el("p", "No case is like that.", id="none", hidden="hidden"),
        el("p", f"{CASE.more(left)} in the run files.", class_="more") if left else None,
        id="cases",
    )


def _that_fit(cards: Sequence[Card]) -> Iterator[Element]:
    longest = max(_SHORTEST_QUOTE, min(LONGEST_QUOTE, _ROOM // (_TEXTS_A_CASE * max(len(cards), 1))))
    room = _ROOM
    for number, card in enumerate(cards):
        made = _card(number, card, longest)
        room -= len(to_html(made).encode())
        if room < 0:
            return
        yield made


def _card(number: int, card: Card, longest: int) -> Element:
    parts = [part for block in card.blocks for part in blocks(block, longest)]
    signs = [el("span", status, class_=f"status {status}") for status in card.statuses]
    title = el("summary", el("code", node(card.name)), " ", *signs, " ", el("span", *words(card.about), class_="about"))
    return el(
        "details",
        title,
        *parts,
        id=card_id(number),
        class_="case",
        open="open" if number < _OPEN_AT_FIRST else None,
        data_facets=canonical(_values(card)),
    )


def _values(card: Card) -> dict[str, list[str]]:
    """What the filters look at."""
    found: dict[str, list[str]] = {"status": list(card.statuses)}
    for name, value in card.facets:
        found.setdefault(name, []).append(_word(value))
    return found


def _word(value: str | Untrusted) -> str:
    return node(value, limit=100)


# --- filters ----------------------------------------------------------------------------------------------------------


def _filters(cards: Sequence[Card], statuses: Mapping[str, str]) -> Element:
    """Hidden until the script shows them: without it they would do nothing."""
    return el(
        "form",
        el("fieldset", el("legend", "Status"), *_status_choices(cards, statuses), class_="status"),
        el("div", *_facet_choices(cards), *_tools(), class_="facets"),
        id="filters",
        hidden="hidden",
    )


def _status_choices(cards: Sequence[Card], statuses: Mapping[str, str]) -> Iterator[Element]:
    counts = Counter(status for card in cards for status in card.statuses)
    yield _status_choice("", "all changed", f"{len(cards):,}", "every case below")
    for status, meaning in statuses.items():
        if counts[status]:
            yield _status_choice(status, status, f"{counts[status]:,}", meaning)


def _status_choice(value: str, label: str, count: str, meaning: str) -> Element:
    choice = el("input", type="radio", name="status", value=value, checked=None if value else "checked")
    return el("label", choice, el("span", label, " ", el("b", count)), title=meaning)


def _facet_choices(cards: Sequence[Card]) -> Iterator[Element]:
    """One list for each thing that tells cases apart."""
    counts = Counter(facet for card in cards for facet in _told(card.facets))
    for facet in dict.fromkeys(name for name, _ in counts):
        choices = [(value, count) for (name, value), count in counts.most_common() if name == facet]
        if len(choices) > 1 or choices[0][1] < len(cards):
            options = [el("option", f"{value} ({count:,})", value=value) for value, count in choices[:_MOST_CHOICES]]
            yield el("label", facet, " ", el("select", el("option", "any", value=""), *options, name=facet))


def _told(facets: Iterable[Facet]) -> Iterator[tuple[str, str]]:
    yield from dict.fromkeys((name, _word(value)) for name, value in facets)


def _tools() -> tuple[Child, ...]:
    search = el("input", type="search", name="q", autocomplete="off", spellcheck="false", placeholder="all these words")
    return (
        el("label", "text ", search),
        el("button", "open all", type="button", id="open"),
        el("button", "close all", type="button", id="close"),
        el("output", id="count", aria_live="polite"),
    )
