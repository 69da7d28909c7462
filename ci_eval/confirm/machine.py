"""What to run next, and when it is enough: the confirmation of a first look, as a pure state machine.

    state = start(question, base_first, candidate_first)
    while todo := state.todo():
        state = state.observe(...)  # the fresh runs that todo names
    state.decision()

The first look compares one run of each side. The cases that differ, in either direction, are rerun on both sides in
batches, until `evidence` has a verdict on every dimension. Nothing here reads a clock, draws a number or makes a call.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

from ci_eval.confirm.evidence import (
    NOTHING_STORED,
    RULE,
    Answers,
    Cell,
    Dimension,
    Estimate,
    Flip,
    Found,
    Judgement,
    Key,
    Limit,
    Rule,
    Stored,
    Tally,
    Why,
)
from ci_eval.stats import Z95

T = TypeVar("T")
Side = Literal["base", "candidate"]
Run = tuple[str, Side]
Result = tuple[str, Side, Mapping[str, bool | None]]
"""One run: case, side, and whether each scorer passed; {} where it was lost to infrastructure."""
Stop = Literal["budget", "deadline"]
Unanswered = Stop | Literal["no answers"]


class Rerun(NamedTuple):
    """Fresh runs of a case on a side; each answers all cells of the case."""

    case: str
    side: Side
    runs: int


@dataclass(frozen=True)
class Question:
    """What is judged, and what is known beforehand."""

    cells: Sequence[Cell]
    limits: Mapping[str, Limit]
    """Every dimension to decide, and the drop in points that fails it; `any`: one confirmed broken cell."""
    same: Collection[str] = frozenset()
    """Cases whose requests are the same on both sides: equal by definition."""
    deterministic: Collection[tuple[str, Side]] = frozenset()
    """Cases and sides whose reruns cannot differ from the first look."""
    stored: Mapping[Key, Stored] = field(default_factory=dict)
    planned: Collection[str] | None = None
    """The cases of the first pass, when it is a subset; the others run only if a drop comes close to its limit."""
    rule: Rule = RULE

    @cached_property
    def quarantined(self) -> frozenset[Key]:
        """Cells that are coin flips on main: shown, not gated. At most one in twenty of a dimension, flakiest first."""
        return frozenset(key for name in self.limits for key in self._quarantined_of(name))

    def _quarantined_of(self, dimension: str) -> list[Key]:
        keys = [cell.key for cell in self.cells if cell.dimension == dimension]
        known = {key: self.stored[key] for key in keys if key in self.stored}
        doubt = {
            key: abs(Fraction(found.passes, found.runs) - Fraction(1, 2))
            for key, found in known.items()
            if found.runs >= self.rule.stored_runs
        }
        flaky = sorted((away, key) for key, away in doubt.items() if away < Fraction(3, 10))
        return [key for _, key in flaky[: math.floor(self.rule.quarantined_share * len(keys))]]

    @cached_property
    def gated(self) -> Mapping[str, tuple[Cell, ...]]:
        """The cells that count, by dimension: the denominator, whatever part of them is run."""
        found: dict[str, list[Cell]] = {name: [] for name in self.limits}
        for cell in self.cells:
            if cell.dimension in found and cell.key not in self.quarantined:
                found[cell.dimension].append(cell)
        return {name: tuple(cells) for name, cells in found.items()}

    @cached_property
    def weight(self) -> Mapping[str, Fraction]:
        return {name: sum((cell.weight for cell in cells), Fraction(0)) for name, cells in self.gated.items()}

    @cached_property
    def by_case(self) -> Mapping[str, Sequence[Cell]]:
        """The gated cells of every case that has any."""
        found: defaultdict[str, list[Cell]] = defaultdict(list)
        for cells in self.gated.values():
            for cell in cells:
                found[cell.case].append(cell)
        return found

    @cached_property
    def cases(self) -> frozenset[str]:
        return frozenset(self.by_case)


@dataclass(frozen=True)
class DimensionDecision:
    """The verdict on one dimension and what it stands on, in points."""

    verdict: Found
    why: Why | Unanswered
    drop: Fraction
    """By fresh runs alone: a flip that was not rerun counts as none, unless its answers are sure."""
    standard_error: float
    fresh: int
    """Answers of fresh runs that voted."""
    seen: int
    """Gated cells that both sides answered in the first look."""
    gated: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the drop."""
        return float(self.drop) - Z95 * self.standard_error, float(self.drop) + Z95 * self.standard_error


@dataclass(frozen=True)
class FirstLook:
    """One dimension after one run a side."""

    seen: int
    lost: Sequence[Cell]
    flips: Mapping[Key, Flip]


@dataclass(frozen=True)
class Confirmation:
    """Where the confirmation stands. Made by `start`; never changed, only followed by another."""

    question: Question
    base: Answers
    candidate: Answers
    scope: frozenset[str]
    """The cases that the first look is for."""
    tried: frozenset[Run] = frozenset()
    """First looks that the machine asked for: each once, so a case that is lost twice is lost."""
    looks: Mapping[str, FirstLook] = field(default_factory=dict)
    level: int = 0
    """Batches that are in, or asked for; 0: the first look."""
    part: frozenset[str] = frozenset()
    """The cases that the first batch is asked for to begin with; empty: all of them."""
    waiting: Mapping[Run, int] = field(default_factory=dict)
    calls: int = 0
    """Calls asked for so far."""
    decided: Mapping[str, DimensionDecision] = field(default_factory=dict)

    def todo(self) -> tuple[Rerun, ...] | None:
        """The runs to make now, each a fresh call; None when all is decided."""
        return self.unmet if self.open else None

    def decision(self) -> Mapping[str, DimensionDecision]:
        """The verdict on every dimension, in the order of the limits; raises ValueError while any is open."""
        if self.open:
            raise ValueError(f"still open: {', '.join(self.open)}")
        return {name: self.decided[name] for name in self.question.limits}

    @property
    def open(self) -> tuple[str, ...]:
        return tuple(name for name in self.question.limits if name not in self.decided)

    @property
    def unmet(self) -> tuple[Rerun, ...]:
        """The runs that were asked for and are not in: after a stop, what was missing, and so what it would cost."""
        return tuple(Rerun(case, side, count) for (case, side), count in self.waiting.items())

    @property
    def flips(self) -> Mapping[Key, Flip]:
        """Every gated cell in which the first look differed, and what its reruns said."""
        return {key: flip for look in self.looks.values() for key, flip in look.flips.items()}

    @property
    def drifted(self) -> tuple[Key, ...]:
        """Flipped cells in which base does not do any more what main's stored runs always did."""
        return tuple(key for key, flip in self.flips.items() if flip.drifted(self.question.rule))

    def stop(self, reason: Stop) -> Confirmation:
        """The state when time or money is out: what is open has no answer, which is never a pass."""
        state = self._looked() if self.level == 0 else self
        known = state._judged().decided if self.level == 0 else self.decided
        end = {
            name: state._stopped(name, reason)
            for name in self.open
            if name not in known or known[name].why == "lost runs"
        }
        return replace(state, decided={**known, **end})

    def observe(self, results: Iterable[Result]) -> Confirmation:
        """The state after some of the runs of `todo`, in any order; raises ValueError for a run not asked for."""
        results = list(results)
        waiting = Counter(dict(self.waiting) if self.open else {})
        waiting.subtract((case, side) for case, side, _ in results)
        if any(count < 0 for count in waiting.values()):
            raise ValueError("a run that was not asked for")
        seen = self._with_first_looks(results) if self.level == 0 else self._with_fresh_runs(results)
        state = replace(seen, waiting={run: count for run, count in waiting.items() if count})
        return state if state.waiting or not state.open else state._next()

    def _with_first_looks(self, results: Iterable[Result]) -> Confirmation:
        sides = {"base": dict(self.base), "candidate": dict(self.candidate)}
        for case, side, answers in results:
            for scorer, passed in answers.items():
                if sides[side].get((case, scorer)) is None:
                    sides[side][case, scorer] = passed
        return replace(self, base=sides["base"], candidate=sides["candidate"])

    def _with_fresh_runs(self, results: Iterable[Result]) -> Confirmation:
        found: defaultdict[Run, list[Mapping[str, bool | None]]] = defaultdict(list)
        for case, side, answers in results:
            found[case, side].append(answers)
        looks = {name: replace(look, flips=_voted(look.flips, found)) for name, look in self.looks.items()}
        return replace(self, looks=looks)

    def _next(self) -> Confirmation:
        """Nothing is under way: look, and ask for what is open."""
        state = self
        if state.level == 0:
            state = state._looked()
            if missing := state._missing():
                return replace(state, tried=state.tried | missing.keys())._ask(missing)
        if state.part:
            state = replace(state._judged(), part=frozenset())
            if batch := state._batch():
                return state._ask(batch)
        while (state := state._judged()).open:
            state = replace(state, level=state.level + 1)
            if state.level == 1:
                state = replace(state, part=state._part())
            if batch := state._batch():
                return state._ask(batch)
        return state._extended()

    def _part(self) -> frozenset[str]:
        """Cases that are rerun before all others, since they may be enough to fail."""
        return frozenset(case for name in self.open for case in self._dimension(name).telling())

    def _looked(self) -> Confirmation:
        return replace(self, looks={name: self._first_look(name) for name in self.question.limits})

    def _first_look(self, name: str) -> FirstLook:
        seen, lost, flips = 0, list[Cell](), dict[Key, Flip]()
        for cell in self.question.gated[name]:
            base, candidate = self.base.get(cell.key), self.candidate.get(cell.key)
            if cell.case in self.question.same or (base is candidate and base is not None):
                seen += 1
            elif base is not None and candidate is not None:
                seen += 1
                flips[cell.key] = self._flip(name, cell, base, candidate)
            elif cell.case in self.scope:
                lost.append(cell)
        return FirstLook(seen, tuple(lost), flips)

    def _missing(self) -> dict[Run, int]:
        """Sides of cases that have no answer, and were not asked a second time."""
        return {
            (cell.case, side): 1
            for name in self.open
            for cell in self.looks[name].lost
            for side, answers in _sides(self.base, self.candidate)
            if answers.get(cell.key) is None and (cell.case, side) not in self.tried
        }

    def _worst_loss(self, name: str) -> Fraction:
        """The weight that goes if an unknown candidate broke and an unknown base passed."""
        lost = (cell for cell in self.looks[name].lost if self.base.get(cell.key) is not False)
        return sum((cell.weight for cell in lost if not self.candidate.get(cell.key)), Fraction(0))

    def _flip(self, name: str, cell: Cell, base: bool, candidate: bool) -> Flip:
        """A new flip, or the one that is being confirmed since before the run was extended."""
        known = self.looks[name].flips.get(cell.key) if self.looks else None
        sure = self.question.deterministic
        stored = self.question.stored.get(cell.key, NOTHING_STORED)
        return known or Flip(
            cell,
            Tally(base, (cell.case, "base") in sure, stored),
            Tally(candidate, (cell.case, "candidate") in sure),
        )

    def _judged(self) -> Confirmation:
        found = {name: decision for name in self.open if (decision := self._judge(name))}
        return replace(self, decided={**self.decided, **found})

    def _judge(self, name: str) -> DimensionDecision | None:
        if not self.looks[name].seen:
            return self._decision(name, ("inconclusive", "no answers", Estimate(Fraction(0), 0.0)))
        dimension = self._dimension(name)
        judgement = dimension.judge_part() if self.part else dimension.judge()
        return judgement and self._decision(name, judgement)

    def _dimension(self, name: str) -> Dimension:
        look, question = self.looks[name], self.question
        flips, lost = tuple(look.flips.values()), self._worst_loss(name)
        return Dimension(question.rule, question.limits[name], question.weight[name], lost, flips, self.level)

    def _decision(self, name: str, judgement: Judgement | tuple[Found, Unanswered, Estimate]) -> DimensionDecision:
        verdict, why, estimate = judgement
        look = self.looks[name]
        fresh = sum(flip.base.runs + flip.candidate.runs for flip in look.flips.values())
        gated = len(self.question.gated[name])
        return DimensionDecision(verdict, why, estimate.drop, estimate.error, fresh, look.seen, gated)

    def _stopped(self, name: str, reason: Stop) -> DimensionDecision:
        dimension = self._dimension(name)
        here = dimension.estimate() if self.level else dimension.unconfirmed()
        return self._decision(name, ("inconclusive", reason, here))

    def _batch(self) -> dict[Run, int]:
        """What the next look needs: both sides of every flip of an open dimension, but for what is sure or settled."""
        rule, found = self.question.rule, dict[Run, int]()
        due = sum(look.batch for look in rule.looks[: self.level])
        flips = (flip for name in self.open for flip in self.looks[name].flips.values())
        for flip in (flip for flip in flips if not self.part or flip.cell.case in self.part):
            for side, tally in _sides(flip.base, flip.candidate):
                if not (tally.sure or flip.settled(rule)) and (count := due - tally.runs - tally.lost) > 0:
                    found[flip.cell.case, side] = max(count, found.get((flip.cell.case, side), 0))
        return found

    def _ask(self, runs: Mapping[Run, int]) -> Confirmation:
        return replace(self, waiting=runs, calls=self.calls + sum(runs.values()))

    def _extended(self) -> Confirmation:
        """A subset that lost half a limit is no pass: the other cases are run, and all that passed is open again."""
        close = any(self._is_close(name, decision) for name, decision in self.decided.items())
        if not close or self.scope == self.question.cases:
            return self
        decided = {name: decision for name, decision in self.decided.items() if decision.verdict != "pass"}
        return replace(self, scope=self.question.cases, decided=decided, level=0)._next()

    def _is_close(self, name: str, decision: DimensionDecision) -> bool:
        """Also where only lost reruns could have kept it from that."""
        limit = self.question.limits[name]
        if decision.verdict != "pass" or limit == "any":
            return False
        worst = self._dimension(name).estimate(worst=True).drop if decision.fresh else decision.drop
        return max(decision.drop, worst) >= limit / 2


def start(question: Question, base_first: Answers, candidate_first: Answers) -> Confirmation:
    """The state after the first pass. Whatever it lost is asked for once more."""
    planned = question.cases if question.planned is None else question.cases.intersection(question.planned)
    return Confirmation(question, base_first, candidate_first, planned)._next()


def _voted(flips: Mapping[Key, Flip], results: Mapping[Run, Sequence[Mapping[str, bool | None]]]) -> dict[Key, Flip]:
    """Flips with the fresh runs of their cases added."""

    def new(flip: Flip, side: Side) -> list[bool | None]:
        return [answers.get(flip.cell.scorer) for answers in results.get((flip.cell.case, side), ())]

    return {
        key: Flip(flip.cell, flip.base.add(new(flip, "base")), flip.candidate.add(new(flip, "candidate")))
        for key, flip in flips.items()
    }


def _sides(base: T, candidate: T) -> tuple[tuple[Side, T], tuple[Side, T]]:
    return ("base", base), ("candidate", candidate)
