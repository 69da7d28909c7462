"""Two runs side by side: a judge compares their stored answers to each same case, in both orders, and blind.

The first answers alone: repeats of one case are not independent, and would feign more cases than there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from ci_eval.errors import InputError
from ci_eval.evaluation.score_given_answers import score_given
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Suite
from ci_eval.figures.position_bias import PositionBias
from ci_eval.figures.win_rate import WinRate
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import NOTHING, Cost
from ci_eval.records import Record, Run, missing_answers
from ci_eval.runner.given_answers import GivenAnswer, part_recorded
from ci_eval.scorers.base import ScorerPolicy
from ci_eval.scorers.judge_pair import CONSISTENCY, FIRST, in_one_form
from ci_eval.scorers.registry import BoundScorer
from ci_eval.text import Untrusted


@dataclass(frozen=True)
class Pair:
    """What two runs answered to one case: of each, what the judge looks at. None: the answer does not have it."""

    case: Case
    base: str | None
    candidate: str | None

    @property
    def known(self) -> float | None:
        """How far the candidate is preferred where nobody needs to be asked: whoever lacks what is judged has lost."""
        if self.base is None or self.candidate is None:
            return 0.5 + ((self.base is None) - (self.candidate is None)) / 2
        base, candidate = in_one_form(self.base, self.candidate)
        return 0.5 if base == candidate else None

    @property
    def given(self) -> GivenAnswer:
        """As the candidate's answer to a case whose reference is base's. Raises ValueError where one is not there."""
        if self.base is None or self.candidate is None:
            raise ValueError("needs both answers")
        return GivenAnswer(self.case.model_copy(update={"expected": Untrusted(self.base)}), self.candidate)


@dataclass(frozen=True)
class Pairs:
    """All that two runs have in common."""

    pairs: tuple[Pair, ...]
    unanswered: tuple[str, ...]
    """Cases that both runs have, of which one has no answer."""
    unknown: tuple[str, ...]
    """Cases that both runs have, and the golden set has not: nobody can say what was asked."""

    @property
    def open(self) -> list[Pair]:
        """Those that the judge is asked about."""
        return [pair for pair in self.pairs if pair.known is None]

    def takes(self, bound: BoundScorer) -> Cost:
        """What asking about them will take."""
        given = (pair.given for pair in self.open)
        return sum((bound.takes(one.case, len(one.answer)) for one in given), NOTHING)


def pair_up(base: Run, candidate: Run, golden: Mapping[str, Case], policy: ScorerPolicy, file: str) -> Pairs:
    """Raises InputError, about the candidate's file, where nothing can be compared."""
    ours, theirs = base.repeat(0), candidate.repeat(0)
    shared = [name for name in ours if name in theirs]
    known = [name for name in shared if name in golden]
    answered = [name for name in known if ours[name].output is not None and theirs[name].output is not None]
    if not answered:
        problem = "no golden case has an answer in both runs" if known else "the runs share no case of the golden set"
        raise InputError(problem, remedy="compare runs of one golden set that keep their answers", file=file)
    pairs = tuple(
        Pair(golden[name], part_recorded(policy, ours[name]), part_recorded(policy, theirs[name])) for name in answered
    )
    left = set(answered)
    return Pairs(pairs, tuple(name for name in known if name not in left), tuple(sorted(set(shared) - set(known))))


@dataclass(frozen=True)
class Judged:
    """One pair, and how far its candidate is preferred; None where the judge gave no verdict."""

    pair: Pair
    value: float | None
    parts: Mapping[str, float]
    reason: Untrusted

    @property
    def leaning(self) -> Mapping[str, float]:
        """Over all criteria; nothing where nobody was asked."""
        consistent = [share for name, share in self.parts.items() if name.endswith(CONSISTENCY)]
        first = [share for name, share in self.parts.items() if name.endswith(FIRST)]
        return {CONSISTENCY: min(consistent), FIRST: fmean(first)} if consistent else {}


def judge_all(pairs: Pairs, bound: BoundScorer, suite: Suite, session: Session) -> SideBySide:
    """Ask about every pair that is open."""
    given = [pair.given for pair in pairs.open]
    records = score_given(bound, suite, session, given, 0, "two answers to each case for")
    return SideBySide(tuple(_judged(pair, records.get(pair.case.id)) for pair in pairs.pairs), pairs)


def _judged(pair: Pair, record: Record | None) -> Judged:
    if pair.known is not None:
        return Judged(pair, pair.known, {}, Untrusted(_KNOWN[pair.known]))
    if record is None:
        return Judged(pair, None, {}, Untrusted("there was no money left to ask"))
    if not record.cells:
        return Judged(pair, None, {}, record.error or Untrusted("no verdict"))
    (cell,) = record.cells
    return Judged(pair, float(cell.score), cell.parts, cell.reason)


_KNOWN = {0.0: "it lacks what is judged", 0.5: "the same on both sides", 1.0: "base lacks what is judged"}


@dataclass(frozen=True)
class SideBySide:
    """A candidate beside base, by a judge."""

    judged: tuple[Judged, ...]
    pairs: Pairs

    @cached_property
    def ruled(self) -> Sequence[tuple[Judged, float]]:
        return [(one, one.value) for one in self.judged if one.value is not None]

    @property
    def overall(self) -> WinRate:
        """By the mean of all criteria."""
        return WinRate.of(value for _, value in self.ruled)

    def of(self, criterion: str) -> WinRate:
        """By one criterion; what needed no judge is of all alike."""
        return WinRate.of(one.parts.get(criterion, value) for one, value in self.ruled)

    @property
    def leaning(self) -> PositionBias:
        """By cases: one is swayed when the orders disagree over any criterion."""
        return PositionBias.of(one.leaning for one, _ in self.ruled)

    @property
    def decided(self) -> list[tuple[Judged, float]]:
        """What was preferred, the clearest first."""
        return sorted(((one, v) for one, v in self.ruled if v != 0.5), key=lambda item: -abs(item[1] - 0.5))

    @property
    def lost(self) -> list[Judged]:
        """Pairs without a verdict: neither a tie nor anything else."""
        return [one for one in self.judged if one.value is None]

    @property
    def torn(self) -> bool:
        """Whether so many are lost that the others are no result: of those that were asked about, more than one in
        twenty, as of a run.
        """
        return missing_answers(0, len(self.lost), len(self.pairs.open)) > 0
