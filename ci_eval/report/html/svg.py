"""Draws plots and the map of cases as SVG. Positions are shares of the width, so plots fit phones and wide screens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ci_eval.report.gallery import Tile
from ci_eval.report.html.tree import el, piece
from ci_eval.report.plots import Dot, Plot, PlotRow

_HEIGHT = 26
_MIDDLE = _HEIGHT / 2
_MARGIN = 3.0
"""Percent of the width that is left free on both sides, so that a dot at the end is whole."""
_WIDE = 30.0
"""An axis that is so many times as long as its limit is compressed, or the limit would not be seen."""
_TICKS = 5


# --- the axis ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """From values to places, in percent of the width."""

    low: float
    high: float
    bend: Callable[[float], float]
    compressed: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        low, high = self.bend(self.low), self.bend(self.high)
        share = (self.bend(min(max(value, self.low), self.high)) - low) / (high - low)
        return f"{_MARGIN + share * (100 - 2 * _MARGIN):.2f}%"


def axis(plot: Plot) -> Axis:
    """Over all that is shown; straight, unless a limit would vanish beside a far larger change."""
    limits = [row.limit for row in plot.rows if row.limit is not None]
    values = [value for row in plot.rows for dot in row.dots for value in _values(dot)] + limits
    low, high = min(values), max(values)
    if plot.zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = max((high - low) * 0.05, 0.5 if high - low < 10 else 0)
    low, high = (low - room if low < 0 or not plot.zero else low), high + room
    unit = max((abs(limit) for limit in limits), default=0.0)
    if unit and high - low > _WIDE * unit:
        return Axis(low, high, lambda value: math.asinh(value / unit), True, tuple(_powers(low, high, unit)))
    return Axis(low, high, lambda value: value, False, tuple(_steps(low, high)))


def _values(dot: Dot) -> Iterator[float]:
    yield dot.value
    yield from (end for end in (dot.low, dot.high) if end is not None)


def _steps(low: float, high: float) -> Iterator[float]:
    """Round numbers between both ends."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    yield from (step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1))


def _powers(low: float, high: float, unit: float) -> Iterator[float]:
    """The limit, and ten and a hundred times as much, on both sides of zero."""
    sizes = [unit * 10**power for power in range(3)]
    yield from (value for value in (*(-size for size in reversed(sizes)), 0.0, *sizes) if low <= value <= high)


# --- rows -------------------------------------------------------------------------------------------------------------


def draw(plot: Plot) -> Element:
    """A figure: name, picture and numbers of each row, and the axis below."""
    scale = axis(plot)
    rows = [part for row in plot.rows for part in _row(row, scale)]
    compressed = " The axis is compressed towards its ends." if scale.compressed else ""
    sides = any(dot.who == "base" for row in plot.rows for dot in row.dots)
    return el(
        "figure",
        el("h3", plot.title),
        el("div", *rows, *_scale(scale, plot.unit), class_="plot"),
        el("figcaption", *(_legend(plot.candidate) if sides else ()), f"{plot.about}{compressed}"),
    )


def _legend(candidate: str) -> tuple[Element | str, ...]:
    return el("span", "base", class_="key base"), " ", el("span", candidate, class_="key candidate"), " "


def _row(row: PlotRow, scale: Axis) -> tuple[Element, Element, Element]:
    grid = [_upright(scale.at(tick), "zero" if tick == 0 else "tick") for tick in scale.ticks]
    limit = [_upright(scale.at(row.limit), "limit")] if row.limit is not None else []
    dots = [part for number, dot in enumerate(row.dots) for part in _dot(dot, _place(number, row.dots), scale)]
    drawn = (*grid, *limit, *_way(row.dots, scale), *dots)
    picture = el("svg", *drawn, height=str(_HEIGHT), aria_hidden="true", focusable="false")
    return el("span", piece(row.name), class_="name"), picture, el("span", row.says, class_="says")


def _place(number: int, dots: Sequence[Dot]) -> float:
    """Dots share a line; with intervals the first stands above it and the second below."""
    if all(dot.low is None for dot in dots):
        return _MIDDLE
    return _MIDDLE + (number - (len(dots) - 1) / 2) * 10


def _way(dots: Sequence[Dot], scale: Axis) -> Iterator[Element]:
    """From one side to the other, where they share a line."""
    if len(dots) > 1 and all(dot.low is None for dot in dots):
        start, *_, end = (scale.at(dot.value) for dot in dots)
        yield el("line", x1=start, x2=end, y1=f"{_MIDDLE:g}", y2=f"{_MIDDLE:g}", class_="span base")


def _upright(x: str, kind: str) -> Element:
    return el("line", x1=x, x2=x, y1="0", y2=str(_HEIGHT), class_=kind)


def _dot(dot: Dot, y: float, scale: Axis) -> Iterator[Element]:
    if dot.low is not None:
        start, end = scale.at(dot.low), scale.at(scale.high if dot.high is None else dot.high)
        kind = f"span {dot.who} open" if dot.high is None else f"span {dot.who}"
        yield el("line", x1=start, x2=end, y1=f"{y:g}", y2=f"{y:g}", class_=kind)
    yield el("circle", cx=scale.at(dot.value), cy=f"{y:g}", r="4.5", class_=f"dot {dot.who}")


def _scale(scale: Axis, unit: str) -> Iterator[Element]:
    texts = [el("text", _number(tick) + unit, x=scale.at(tick), y="12", text_anchor="middle") for tick in scale.ticks]
    yield el("span", class_="name")
    yield el("svg", *texts, height="16", class_="axis", aria_hidden="true", focusable="false")
    yield el("span", class_="says")


def _number(value: float) -> str:
    return f"{value:,.6g}".replace("-", "−") if abs(value) < 1e6 else f"{value:.2g}"


# --- every case -------------------------------------------------------------------------------------------------------

MOST_TILES = 3000
_TILE, _ACROSS = 10, 50


def card_id(number: int) -> str:
    """Where a page tells of a case, by its place among those that changed."""
    return f"case-{number + 1}"


def case_map(groups: Mapping[str, Sequence[Tile]], kinds: Iterable[str], shown: int) -> Element:
    """A tile a case, coloured by what became of it; those that the page shows lead there."""
    present = {tile.status for tiles in groups.values() for tile in tiles}
    parts = [part for group, tiles in groups.items() for part in _group(group, tiles, shown)]
    keys = [el("span", kind, class_=f"key tile {kind}") for kind in (*kinds, "same") if kind in present]
    return el("figure", el("h3", "Every case"), *parts, el("figcaption", *keys), class_="cases")


def _group(name: str, tiles: Sequence[Tile], shown: int) -> Iterator[Element]:
    size = f"0 0 {_ACROSS * _TILE} {math.ceil(len(tiles) / _ACROSS) * _TILE}"
    drawn = (_tile(number, tile, shown) for number, tile in enumerate(tiles))
    yield el("p", f"{name} ({len(tiles):,})", class_="label")
    yield el("svg", *drawn, viewBox=size, class_="map", aria_hidden="true", focusable="false")


def _tile(number: int, tile: Tile, shown: int) -> Element:
    x, y = number % _ACROSS * _TILE, number // _ACROSS * _TILE
    side = str(_TILE - 2)
    made = el("rect", x=str(x), y=str(y), width=side, height=side, rx="1.5", class_=tile.status)
    if tile.card is None or tile.card >= shown:
        return made
    made.append(el("title", tile.case, f": {tile.status}"))
    return el("a", made, href=f"#{card_id(tile.card)}", tabindex="-1")
