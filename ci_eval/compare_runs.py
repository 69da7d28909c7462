"""Two run files compared without asking a model, for `ci-eval compare`. Pure.

Nothing can be asked again here, so this informs; only the gate confirms changes, and decides. A run file holds no
weights: every cell counts the same. Where a case was asked several times, a cell's score is the share of its answers
that passed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci_eval.comparison import Effect
from ci_eval.errors import Inconclusive, InputError
from ci_eval.figures.counted_run import CountedRun, PassCount, ScoreKey
from ci_eval.figures.traffic import interval
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.records import Record
from ci_eval.stats import mid_p, points
from ci_eval.verdict import Verdict, worst

_LEVEL = 0.05


@dataclass(frozen=True)
class CellChange:
    """A cell that both runs have."""

    case: str
    scorer: str
    dimension: str
    base: PassCount
    candidate: PassCount

    @property
    def gain(self) -> Fraction:
        """In [-1, 1]; below 0 is worse."""
        return self.candidate.rate - self.base.rate


@dataclass(frozen=True)
class CaseChange:
    """A case of which some cells changed in one direction, and an answer of each side that shows it."""

    case: str
    cells: tuple[CellChange, ...]
    base: Record
    candidate: Record


@dataclass(frozen=True)
class DimensionChange:
    """One dimension over the cells that both runs have. Scores are points on the 0-100 scale."""

    name: str
    cases: int
    cells: int
    missing: int
    """Cells that one side has and the other lost; in no score."""
    base: Fraction
    candidate: Fraction
    worse: int
    """Cases that lost more in this dimension than they gained, as `better` are the others that changed."""
    better: int
    interval: tuple[float, float] | None
    """Of the change in points at 95 %, with the cases as a sample; None of fewer than ten."""
    repeatable: bool
    """Whether both models repeat themselves, so that no change is chance."""

    @property
    def change(self) -> Fraction:
        """In points, candidate less base."""
        return self.candidate - self.base

    @property
    def p(self) -> float:
        """Of McNemar's exact test on the cases that changed (mid-p), both directions."""
        return mid_p(self.worse, self.better)

    @property
    def fell(self) -> bool:
        """Whether more than chance made it worse."""
        return self.change < 0 and (self.repeatable or (self.worse > self.better and self.p <= _LEVEL))

    def verdict(self, limit: Fraction) -> Verdict:
        """Whether it fell by `limit` points or more; inconclusive where that may be chance.

        The drop has to reach the limit even when every missing cell is taken as unchanged.
        """
        unchanged = self.change * self.cells / (self.cells + self.missing)
        if -unchanged >= limit and self.fell:
            return Verdict.REGRESSION
        return Verdict.INCONCLUSIVE if -self.change >= limit else Verdict.PASS


@dataclass(frozen=True)
class Extra:
    """The cases that only one run has."""

    cases: tuple[str, ...]
    effects: tuple[Effect, ...]
    """On the scores of that run, over the cells that both have."""


@dataclass(frozen=True)
class RunComparison:
    """A candidate's run compared with base's."""

    base: CountedRun
    candidate: CountedRun
    shared: tuple[str, ...]
    """Cases that both runs have, by id."""
    dimensions: tuple[DimensionChange, ...]
    worse: tuple[CaseChange, ...]
    """The largest loss first, as `better` has the largest gain."""
    better: tuple[CaseChange, ...]
    only_base: Extra
    only_candidate: Extra
    strangers: tuple[tuple[ScoreKey, ...], tuple[ScoreKey, ...]]
    """What shared cases were scored by on one side alone: base's, then the candidate's."""
    rewritten: tuple[str, ...]
    """Shared cases whose request differs although prompt and model are the same."""

    @property
    def another_golden_set(self) -> bool:
        return self.base.header.fingerprint.golden != self.candidate.header.fingerprint.golden

    @property
    def holes(self) -> bool:
        """Whether something that should have been compared could not be."""
        torn = not self.another_golden_set and (self.only_base.cases or self.only_candidate.cases)
        return bool(self.base.lost or self.candidate.lost or torn or self.vanished)

    @property
    def judges(self) -> tuple[JudgeAgreement, ...]:
        """Of both runs, as each was made; once where both say the same."""
        every = [judge for side in (self.base, self.candidate) for judge in side.header.judges or ()]
        return tuple(judge for place, judge in enumerate(every) if judge not in every[:place])

    @property
    def vanished(self) -> tuple[str, ...]:
        """Dimensions that base has and the candidate was not scored by."""
        known = {one.name for one in self.dimensions}
        return tuple(sorted({dimension for _, dimension in self.strangers[0]} - known))

    def verdict(self, limit: Fraction) -> Verdict:
        """Whether any dimension fell by `limit` points or more. A comparison with holes never passes."""
        found = [one.verdict(limit) for one in self.dimensions]
        return worst([*found, Verdict.INCONCLUSIVE] if self.holes else found)


def compare(base: CountedRun, candidate: CountedRun) -> RunComparison:
    """Raises InputError for runs of two suites, and Inconclusive where they share no score."""
    if base.header.suite != candidate.header.suite:
        problem = f"is a run of suite {candidate.header.suite}, and {base.file} of suite {base.header.suite}"
        raise InputError(problem, remedy="compare runs of one suite", file=candidate.file)
    shared = sorted(base.cases.keys() & candidate.cases.keys())
    cells = [cell for case in shared for cell in _cells(case, base, candidate)]
    if not cells:
        raise Inconclusive(f"{candidate.file} shares no score with {base.file}: there is nothing to compare")
    worse, better = (
        tuple(_changed([cell for cell in cells if sign * cell.gain > 0], base, candidate)) for sign in (-1, 1)
    )
    return RunComparison(
        base=base,
        candidate=candidate,
        shared=tuple(shared),
        dimensions=tuple(_dimensions(cells, _missing(shared, base, candidate), base, candidate)),
        worse=worse,
        better=better,
        only_base=_extra(base, candidate, [(cell.dimension, cell.base.rate) for cell in cells]),
        only_candidate=_extra(candidate, base, [(cell.dimension, cell.candidate.rate) for cell in cells]),
        strangers=(_strangers(shared, base, candidate), _strangers(shared, candidate, base)),
        rewritten=tuple(_rewritten(shared, base, candidate)),
    )


def _cells(case: str, base: CountedRun, candidate: CountedRun) -> Iterator[CellChange]:
    mine, theirs = base.cells[case], candidate.cells[case]
    for score in sorted(mine.keys() & theirs.keys()):
        yield CellChange(case, *score, mine[score], theirs[score])


def _missing(shared: Iterable[str], base: CountedRun, candidate: CountedRun) -> Counter[str]:
    """By dimension."""
    sides = ((base, candidate), (candidate, base))
    return Counter(
        dimension
        for case in shared
        for one, other in sides
        if not other.cells[case]
        for _, dimension in one.cells[case]
    )


def _dimensions(
    cells: Iterable[CellChange], missing: Mapping[str, int], base: CountedRun, candidate: CountedRun
) -> Iterator[DimensionChange]:
    repeatable = base.header.deterministic and candidate.header.deterministic
    by_name = defaultdict[str, list[CellChange]](list)
    for cell in cells:
        by_name[cell.dimension].append(cell)
    for name, own in sorted(by_name.items()):
        gains, weights = defaultdict[str, Fraction](Fraction), defaultdict[str, Fraction](Fraction)
        for cell in own:
            gains[cell.case] += cell.gain
            weights[cell.case] += 1
        yield DimensionChange(
            name=name,
            cases=len(gains),
            cells=len(own),
            missing=missing.get(name, 0),
            base=_mean([cell.base.rate for cell in own]),
            candidate=_mean([cell.candidate.rate for cell in own]),
            worse=sum(gain < 0 for gain in gains.values()),
            better=sum(gain > 0 for gain in gains.values()),
            interval=interval(gains, weights, {case: case for case in gains}, _answers(own)),
            repeatable=repeatable,
        )


def _answers(cells: Iterable[CellChange]) -> int:
    """Of the side that has fewer."""
    return sum(min(cell.base.runs, cell.candidate.runs) for cell in cells)


def _mean(rates: Sequence[Fraction]) -> Fraction:
    return points(sum(rates, Fraction(0)) / len(rates))


def _changed(cells: Iterable[CellChange], base: CountedRun, candidate: CountedRun) -> list[CaseChange]:
    by_case = defaultdict[str, list[CellChange]](list)
    for cell in cells:
        by_case[cell.case].append(cell)
    largest = sorted(by_case.items(), key=lambda item: (-abs(sum(cell.gain for cell in item[1])), item[0]))
    return [
        CaseChange(
            case, tuple(own), _showing(base, own[0], own[0].gain < 0), _showing(candidate, own[0], own[0].gain > 0)
        )
        for case, own in largest
    ]


def _showing(side: CountedRun, cell: CellChange, passed: bool) -> Record:
    """The first answer to a case with a cell that came out so."""
    wanted = (cell.scorer, cell.dimension)
    return next(
        record
        for record in side.cases[cell.case]
        if not record.lost and {(one.scorer, one.dimension): one.passed for one in record.cells}.get(wanted) is passed
    )


def _extra(mine: CountedRun, other: CountedRun, shared: Iterable[tuple[str, Fraction]]) -> Extra:
    names = sorted(mine.cases.keys() - other.cases.keys())
    before, more = defaultdict[str, list[Fraction]](list), defaultdict[str, list[Fraction]](list)
    for dimension, rate in shared:
        before[dimension].append(rate)
    for case in names:
        for (_, dimension), tally in mine.cells[case].items():
            more[dimension].append(tally.rate)
    effects = (
        Effect(name, _mean(before[name]) if before[name] else None, _mean([*before[name], *more[name]]))
        for name in sorted(more)
    )
    return Extra(tuple(names), tuple(effects))


def _strangers(shared: Iterable[str], mine: CountedRun, other: CountedRun) -> tuple[ScoreKey, ...]:
    found = {score for case in shared if other.cells[case] for score in mine.cells[case].keys() - other.cells[case]}
    return tuple(sorted(found))


def _rewritten(shared: Iterable[str], base: CountedRun, candidate: CountedRun) -> Iterator[str]:
    """With the same prompt and model only the case itself can change what is sent."""
    if base.header.fingerprint.target == candidate.header.fingerprint.target:
        yield from (case for case in shared if base.cases[case][0].request != candidate.cases[case][0].request)
