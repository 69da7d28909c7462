"""Base run and candidate run, paired cell by cell. What is compared is a case with itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ci_eval.golden.cases import Case
from ci_eval.records import CellResult, Record
from ci_eval.scorers.registry import ScorerSet
from ci_eval.stats import points


@dataclass(frozen=True)
class Pair:
    """One cell on both sides. None: the case was lost to infrastructure, or was never run, on that side."""

    case: str
    scorer: str
    dimension: str
    weight: Fraction
    base: CellResult | None
    candidate: CellResult | None

    @property
    def broke(self) -> bool:
        return self.base is not None and self.candidate is not None and self.base.passed and not self.candidate.passed

    @property
    def repaired(self) -> bool:
        return self.base is not None and self.candidate is not None and self.candidate.passed and not self.base.passed

    @property
    def missing(self) -> bool:
        return self.base is None or self.candidate is None

    @property
    def known_loss(self) -> int:
        """-1, 0 or 1: what is lost if an unknown side did what the other did."""
        return int(self.broke) - int(self.repaired)

    @property
    def worst_loss(self) -> int:
        """What is lost if an unknown candidate broke and an unknown base passed."""
        base = self.base is None or self.base.passed
        candidate = self.candidate is not None and self.candidate.passed
        return int(base) - int(candidate)


@dataclass(frozen=True)
class Comparison:
    """All pairs of one suite, and the records that they come from."""

    pairs: tuple[Pair, ...]
    cases: Mapping[str, Case]
    base: Mapping[str, Record]
    candidate: Mapping[str, Record]

    def dimension(self, name: str) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.dimension == name)

    def changed_cases(self, which: Callable[[Pair], bool]) -> tuple[str, ...]:
        """Cases with at least one pair of a kind, in the order of the golden set."""
        return tuple(dict.fromkeys(pair.case for pair in self.pairs if which(pair)))

    def lost(self) -> tuple[str, ...]:
        """Cases that one side or the other lost."""
        return self.changed_cases(lambda pair: pair.missing)


def pair_up(
    cases: Mapping[str, Case], scorers: ScorerSet, base: Mapping[str, Record], candidate: Mapping[str, Record]
) -> Comparison:
    """Pair two runs over some cases of base's golden set; what is missing on a side stays in as missing.

    Records of other cases are left out: main's stored run has all of them, whatever part is run now.
    """
    base, candidate = ({case: side[case] for case in cases if case in side} for side in (base, candidate))
    base_cells = {(record.case, cell.scorer): cell for record in base.values() for cell in record.as_base}
    candidate_cells = {(record.case, cell.scorer): cell for record in candidate.values() for cell in record.cells}
    pairs = tuple(
        Pair(
            case.id,
            scorer.name,
            scorer.dimension,
            scorer.weight,
            base_cells.get((case.id, scorer.name)),
            candidate_cells.get((case.id, scorer.name)),
        )
        for case in cases.values()
        for scorer in scorers.for_case(case)
    )
    return Comparison(pairs, cases, base, candidate)


def share(pairs: Sequence[Pair], passed: Callable[[Pair], bool | None]) -> Fraction | None:
    """The weighted share of passed cells among those that are known; None when none is."""
    known = [(pair.weight, answer) for pair in pairs if (answer := passed(pair)) is not None]
    total = sum((weight for weight, _ in known), Fraction(0))
    return sum((weight for weight, answer in known if answer), Fraction(0)) / total if total else None


def base_passed(pair: Pair) -> bool | None:
    return pair.base.passed if pair.base else None


def candidate_passed(pair: Pair) -> bool | None:
    return pair.candidate.passed if pair.candidate else None


def passed_cases(pairs: Iterable[Pair], passed: Callable[[Pair], bool | None]) -> dict[str, bool]:
    """Whether all cells of a case passed on a side; a case of which one is unknown is left out."""
    cells: dict[str, list[bool | None]] = {}
    for pair in pairs:
        cells.setdefault(pair.case, []).append(passed(pair))
    return {case: all(answers) for case, answers in cells.items() if None not in answers}


class Effect(NamedTuple):
    """What further cases do to one dimension's score, in points."""

    dimension: str
    without: Fraction | None
    """None where no other case has it."""
    whole: Fraction


def effects(pairs: Iterable[Pair], added: Iterable[Record]) -> tuple[Effect, ...]:
    """What cases that base does not have would do to the candidate's scores; of dimensions that they have alone.

    A scorer weighs there what it weighs in the pairs; one that these do not have, as a new case may bring, weighs 1.
    """
    known = [pair for pair in pairs if pair.candidate]
    weights = {pair.scorer: pair.weight for pair in known}
    new = [
        Pair(record.case, cell.scorer, cell.dimension, weights.get(cell.scorer, Fraction(1)), None, cell)
        for record in added
        for cell in record.cells
    ]
    return tuple(_effect(name, known, new) for name in sorted({pair.dimension for pair in new}))


def _effect(name: str, known: Iterable[Pair], new: Iterable[Pair]) -> Effect:
    old, more = ([pair for pair in pairs if pair.dimension == name] for pairs in (known, new))
    without, whole = share(old, candidate_passed), share([*old, *more], candidate_passed)
    return Effect(name, without and points(without), points(whole or Fraction(0)))
