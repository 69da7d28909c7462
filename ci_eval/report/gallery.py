"""Every changed case with all that is known of it, for the HTML page. Pure.

Where texts are hidden, none is built in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ci_eval.golden.cases import STRATA, Case
from ci_eval.outcome.model import GateOutcome, SuiteOutcome
from ci_eval.records import CallMade, CellResult, Record
from ci_eval.report.cases import answer, by_case, reruns
from ci_eval.report.document import SCORE, Block, Piece, Quote, Sides, Table, Text
from ci_eval.text import Untrusted

Status = Literal["broken", "unconfirmed", "flaky", "repaired", "lost", "new", "reworded"]
STATUSES: Mapping[str, str] = {
    "broken": "stayed broken",
    "unconfirmed": "changed in one run; no rerun speaks of it",
    "flaky": "flipped and did not stay so, or a coin flip on main",
    "repaired": "stayed repaired",
    "lost": "no score on one side",
    "new": "added by this change, not gated",
    "reworded": "another answer, the same scores",
}
"""What each means, the most telling first. A case may have several."""

Facet = tuple[str, Piece]
"""What a reader may pick a case by, as in `("dimension", Untrusted("format"))`."""


@dataclass(frozen=True)
class Card:
    """One case, and what is to be seen of it."""

    suite: str
    name: Untrusted
    statuses: tuple[str, ...]
    """The most telling first."""
    about: Text
    facets: tuple[Facet, ...]
    blocks: tuple[Block, ...]


def cards(outcome: GateOutcome) -> tuple[Card, ...]:
    """The changed cases of all suites, the most telling first."""
    show = not outcome.hide_outputs
    several = len(outcome.suites) > 1
    found = [card for suite in outcome.suites for card in _of_suite(suite, show=show, named=several)]
    order: list[str] = list(STATUSES)
    return tuple(sorted(found, key=lambda card: order.index(card.statuses[0])))


def statuses(suite: SuiteOutcome) -> dict[str, tuple[Status, ...]]:
    """Of every case that changed; the largest loss first, and then in the order of the golden set."""
    members: dict[Status, Iterable[str]] = {
        "broken": suite.broken,
        "unconfirmed": _flipped(suite, "unconfirmed"),
        "flaky": {*_flipped(suite, "went"), *(case for case, _ in suite.quarantined)},
        "repaired": [case for case, stayed in suite.repaired.items() if stayed],
        "lost": suite.comparison.lost(),
        "new": suite.new_cases,
        "reworded": _reworded(suite),
    }
    sets = {status: frozenset(names) for status, names in members.items()}
    every = dict.fromkeys([*suite.broken, *suite.comparison.cases, *suite.new_cases])
    found = {name: tuple(status for status, names in sets.items() if name in names) for name in every}
    return {name: of_case for name, of_case in found.items() if of_case}


def _flipped(suite: SuiteOutcome, fate: str) -> set[str]:
    return {case for (case, scorer), found in suite.fates.items() if found == fate}


def _reworded(suite: SuiteOutcome) -> Iterator[str]:
    """Answered otherwise, with the same scores."""
    base, candidate = suite.comparison.base, suite.comparison.candidate
    flipped = {case for case, _ in suite.flips} | set(suite.comparison.lost())
    both = base.keys() & candidate.keys()
    yield from (name for name in both - flipped if base[name].output != candidate[name].output)


class Tile(NamedTuple):
    """One case in a map of all."""

    case: Untrusted
    status: str
    """Its first; `same` where nothing changed."""
    card: int | None
    """Which of the cards tells of it."""


def tiles(suite: SuiteOutcome, told: Sequence[Card]) -> dict[str, list[Tile]]:
    """Every case that was run, by stratum, those that changed before the others."""
    places = {card.name.text(): number for number, card in enumerate(told) if card.suite == suite.suite}
    strata = {case.stratum for case in suite.comparison.cases.values()}
    found: dict[str, list[Tile]] = {stratum: [] for stratum in STRATA if stratum in strata}
    for name in sorted(suite.comparison.cases, key=lambda name: places.get(name, len(told))):
        place = places.get(name)
        status = "same" if place is None else told[place].statuses[0]
        found[suite.comparison.cases[name].stratum].append(Tile(Untrusted(name), status, place))
    return found


# --- one case ---------------------------------------------------------------------------------------------------------


class _Cell(NamedTuple):
    """One scorer on both sides."""

    scorer: str
    dimension: str
    base: CellResult | None
    candidate: CellResult | None


Records = tuple[Record | None, Record | None]
"""Base's and the candidate's."""


def _of_suite(suite: SuiteOutcome, *, show: bool, named: bool) -> Iterator[Card]:
    pairs = by_case(suite.comparison.pairs)
    for name, found in statuses(suite).items():
        case, new = suite.comparison.cases.get(name), suite.new_cases.get(name)
        cells = [_Cell(pair.scorer, pair.dimension, pair.base, pair.candidate) for pair in pairs.get(name, ())]
        cells += [_Cell(cell.scorer, cell.dimension, None, cell) for cell in new.cells] if new else []
        records = suite.comparison.base.get(name), suite.comparison.candidate.get(name) or new
        facets = (*((("suite", Untrusted(suite.suite)),) if named else ()), *_facets(case, cells))
        texts = tuple(_texts(case, records)) if show else ()
        scores = _scores(suite, name, cells, show=show)
        about = _about(case, suite if named else None)
        yield Card(suite.suite, Untrusted(name), found, about, facets, (scores, *texts))


def _about(case: Case | None, suite: SuiteOutcome | None) -> Text:
    where: Text = (Untrusted(suite.suite), ", ") if suite else ()
    if case is None:
        return (*where, "new")
    return (*where, case.stratum, ", ", Untrusted(case.category)) if case.category else (*where, case.stratum)


def _facets(case: Case | None, cells: Iterable[_Cell]) -> Iterator[Facet]:
    yield from (("dimension", Untrusted(name)) for name in dict.fromkeys(cell.dimension for cell in cells))
    if case is not None:
        yield "stratum", case.stratum
        yield from (("category", Untrusted(case.category)),) if case.category else ()
        yield from (("tag", Untrusted(tag)) for tag in dict.fromkeys(case.tags))


def _texts(case: Case | None, records: Records) -> Iterator[Block]:
    if case is not None:
        yield Quote("input", case.input)
        yield from (Quote("expected", case.expected),) if case.expected else ()
    base, candidate = records
    yield Sides(answer("base", base), answer("this PR", candidate))
    if any(record and record.tool_calls for record in records):
        yield Sides(_calls("base", base), _calls("this PR", candidate))


def _calls(side: str, record: Record | None) -> Quote:
    calls: Sequence[CallMade] = record.tool_calls if record else ()
    text = Untrusted("\n".join(f"{call.name.text()}({call.arguments.text()})" for call in calls))
    return Quote(f"tools that {side} asked for", text) if calls else Quote(f"no tool that {side} asked for", None)


# --- its scores -------------------------------------------------------------------------------------------------------


def _scores(suite: SuiteOutcome, name: str, cells: Iterable[_Cell], *, show: bool) -> Table:
    """One row a scorer; with both reasons, since one alone tells half."""
    rows = tuple(
        (
            (Untrusted(cell.scorer),),
            (Untrusted(cell.dimension),),
            tuple(_result(cell.base, show=show)),
            tuple(_result(cell.candidate, show=show)),
            tuple(_fate(suite, name, cell.scorer)),
        )
        for cell in cells
    )
    return Table(("scorer", "dimension", "base", "this PR", "what became of it"), "lllll", rows, SCORE)


def _result(cell: CellResult | None, *, show: bool) -> Iterator[Piece]:
    if cell is None:
        yield "no score"
        return
    yield ("passed" if cell.passed else "failed") + ("" if cell.score in {0, 1} else f" ({cell.score:.2f})")
    for name, part in cell.parts.items():
        yield from (", ", Untrusted(name), f" {part:.2f}")
    if show and cell.reason.text():
        yield from (": ", cell.reason)


def _fate(suite: SuiteOutcome, name: str, scorer: str) -> Iterator[str]:
    if (name, scorer) in suite.quarantined:
        yield "a coin flip on main, not gated"
    flip = suite.flips.get((name, scorer))
    if flip:
        yield _WENT[suite.fates[name, scorer]][flip.sign < 0]
        yield from reruns(flip)


_WENT = {
    "stayed": ("broke", "repaired"),
    "went": ("broke once, and did not stay broken", "repaired once, and did not stay so"),
    "unconfirmed": ("broke in one run, not confirmed", "repaired in one run, not confirmed"),
}
