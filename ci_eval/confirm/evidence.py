"""What fresh runs say of one dimension: the rule of the gate, without the question what to run next.

Only fresh runs vote, because the first look chose the cells that are rerun. The rule is non-inferiority (Liu 2002,
Tango 1998): pass when the drop is surely below the limit. The gate is an intersection-union test of its dimensions, so
their number asks for no correction. Drops are points on the 0-100 scale, positive when the candidate is worse; they are
exact, only standard errors are floats.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple

from ci_eval.stats import jeffreys_variance, points, sign_test

Key = tuple[str, str]
"""Case and scorer: the name of a cell."""
Answers = Mapping[Key, bool | None]
"""Whether cells passed; None, or no entry, where there is no answer."""
Limit = Fraction | Literal["any"]
"""The drop in points that fails a dimension; `any`: one confirmed broken cell."""
Found = Literal["pass", "regression", "inconclusive"]
Why = Literal["half margin", "none broke", "settled", "interim look", "final look", "diffuse", "part", "lost runs"]


class Look(NamedTuple):
    """A batch of fresh runs per flipped case and side, and what is asked of the answer once it is in."""

    batch: int
    pass_z: float
    """A pass lies this many standard errors below the limit."""
    promoted_runs: int
    """A partly broken cell is promoted (see `Flip.effect`) when one side agreed in all its runs, so many, and …"""
    promoted_effect: Fraction
    """… the other differed from it in this share of its runs or more."""
    full: bool
    """Enough runs to tell a diffuse drop, and a cell that is partly broken."""


@dataclass(frozen=True)
class Rule:
    """The numbers of the rule; `tests/benchmarks/gate_simulation.py` shows what they promise."""

    looks: tuple[Look, ...] = (
        Look(7, 2.8, 4, Fraction(15, 100), full=False),
        Look(7, 2.8, 4, Fraction(15, 100), full=False),
        Look(6, 2.5, 9, Fraction(30, 100), full=True),
        Look(20, 2.3, 9, Fraction(30, 100), full=True),
    )
    """Most is clear after 20 runs; 20 more for the rest keep noise from failing small and flaky sets.

    An early pass picks estimates that happen to be low: the less so the more runs they rest on (so 7, not 5, come
    first), and with a lower bar to promotion few soft breaks slip through.
    """
    telling_from: int = 12
    """Below so many broken cells in a dimension all are rerun at once: leaving some out would save little."""
    fail_z: float = 3.5
    settled_runs: int = 6
    diffuse_level: float = 0.02
    stored_runs: int = 5
    """So many stored runs of a cell can tell that it is flaky, or that the provider has drifted."""
    quarantined_share: Fraction = Fraction(1, 20)


RULE = Rule()


@dataclass(frozen=True)
class Cell:
    """One case under one scorer, with its weight in its dimension."""

    case: str
    scorer: str
    dimension: str
    weight: Fraction = Fraction(1)

    @cached_property
    def key(self) -> Key:
        return self.case, self.scorer


class Stored(NamedTuple):
    """What main's stored runs of the same fingerprint did in one cell."""

    passes: int
    runs: int

    def always(self, passed: bool) -> bool:
        return self.passes == passed * self.runs


NOTHING_STORED = Stored(0, 0)


@dataclass(frozen=True, slots=True)
class Tally:
    """One side of a flipped cell: its first look, and the fresh runs since."""

    first: bool
    sure: bool = False
    """Deterministic: the first look is all there is to know."""
    stored: Stored = NOTHING_STORED
    passes: int = 0
    runs: int = 0
    lost: int = 0

    def add(self, answers: Sequence[bool | None]) -> Tally:
        lost = sum(passed is None for passed in answers)
        passes = self.passes + sum(passed is True for passed in answers)
        return Tally(self.first, self.sure, self.stored, passes, self.runs + len(answers) - lost, self.lost + lost)

    def counting_lost_as(self, passed: bool) -> Tally:
        return replace(self, passes=self.passes + passed * self.lost, runs=self.runs + self.lost, lost=0)

    @property
    def known(self) -> bool:
        return self.sure or self.runs > 0

    @property
    def rate(self) -> Fraction:
        return Fraction(self.first) if self.sure else Fraction(self.passes, self.runs)

    @property
    def variance(self) -> float:
        return 0.0 if self.sure else jeffreys_variance(self.passes, self.runs)

    def unanimous(self, runs: int) -> bool:
        """Whether all runs of this job agree, the first look among them, and are at least so many."""
        return self.sure or (self.passes == self.first * self.runs and self.runs + 1 >= runs)


@dataclass(frozen=True, slots=True)
class Flip:
    """A gated cell in which the first look differed."""

    cell: Cell
    base: Tally
    candidate: Tally

    @property
    def sign(self) -> int:
        """1: it broke; -1: it was repaired."""
        return 1 if self.base.first else -1

    @property
    def worst(self) -> Flip:
        """The same with every lost run counted against the candidate."""
        return Flip(self.cell, self.base.counting_lost_as(True), self.candidate.counting_lost_as(False))

    @property
    def known(self) -> bool:
        """Whether both sides were asked again, or could only repeat themselves."""
        return self.base.known and self.candidate.known

    def settled(self, rule: Rule) -> bool:
        """Perfect separation: further runs have nothing to tell."""
        return self.base.unanimous(rule.settled_runs) and self.candidate.unanimous(rule.settled_runs)

    def steady(self, runs: int) -> bool:
        """Whether at least one side always did the same."""
        return self.base.unanimous(runs) or self.candidate.unanimous(runs)

    def stable_sides(self, runs: int) -> int:
        """How many sides always did the same; stored runs have a say on base."""
        return (self.base.stored.always(self.base.first) and self.base.unanimous(runs)) + self.candidate.unanimous(runs)

    def drifted(self, rule: Rule) -> bool:
        """Whether base itself does not do any more what main's stored runs always did: the provider changed."""
        base, enough = self.base, rule.stored_runs
        separated = base.stored.always(base.first) and base.passes == (not base.first) * base.runs
        return separated and min(base.stored.runs, base.runs) >= enough

    def outdated(self, rule: Rule) -> bool:
        """Whether main's first look is a stored one that all its fresh runs contradict: no main of today."""
        base = self.base
        contradicted = base.passes == (not base.first) * base.runs and base.runs >= rule.settled_runs
        return base.stored.runs > 0 and contradicted

    def effect(self, rule: Rule, promote: Look | None) -> tuple[Fraction, float]:
        """What the cell lost, in [-1, 1], and its variance; partly broken cells are promoted as the look says.

        A cell that never fails on one side and fails with probability d on the other is seen by the first look with
        probability d. So one that was seen stands for 1/d of them (Horvitz and Thompson 1952): its loss is d/d = 1 and
        the variance 1 - d. Without that, fresh runs would hide the soft breaks that the first look missed (Girshick,
        Mosteller and Savage 1946, on unbiased estimates after a choice).
        """
        if self.settled(rule):
            return Fraction(self.sign), 0.0
        if not self.known:
            return Fraction(0), 0.0
        loss = self.base.rate - self.candidate.rate
        if promote and abs(loss) >= promote.promoted_effect and self.steady(promote.promoted_runs):
            return Fraction(1 if loss > 0 else -1), float(1 - abs(loss))
        return loss, self.base.variance + self.candidate.variance


class Estimate(NamedTuple):
    """A drop in points, exact, and its standard error."""

    drop: Fraction
    error: float

    def surely_below(self, limit: Fraction, z: float) -> bool:
        return self.drop + Fraction(z * self.error) < limit

    def surely_at(self, limit: Fraction, z: float) -> bool:
        """At the limit or beyond, and more than z standard errors above no drop at all."""
        return self.drop >= limit and self.drop > Fraction(z * self.error)


Judgement = tuple[Found, Why, Estimate]


@dataclass(frozen=True)
class Dimension:
    """What is known of one dimension at one look, and what follows from it."""

    rule: Rule
    limit: Limit
    weight: Fraction
    """Of all its gated cells, seen or not."""
    lost: Fraction
    """The weight that would be lost if every unknown side had done its worst."""
    flips: Sequence[Flip]
    level: int
    """Batches that are in; 0: the first look alone."""

    def judge(self) -> Judgement | None:
        """The verdict, why, and what it stands on; None while it is open."""
        if self.limit == "any":
            return self._judge_any()
        if self.level == 0 and self._broken() < self.limit / 2:
            return "pass", "half margin", self.unconfirmed()
        if self.all_settled or self.level == len(self.rule.looks):
            return self._judge_last(self.limit)
        return self._judge_between(self.limit) if self.level else None

    @property
    def all_settled(self) -> bool:
        return all(flip.settled(self.rule) for flip in self.flips)

    @property
    def look(self) -> Look:
        return self.rule.looks[self.level - 1]

    def estimate(self, promote: Look | None = None, *, worst: bool = False) -> Estimate:
        """By fresh runs alone; lost ones are left out or, at `worst`, count against the candidate.

        Cells of one case share its answers, so their errors add up; cases err independently.
        """
        total, errors = self.lost if worst else Fraction(0), defaultdict[str, float](float)
        for flip in self.flips:
            loss, variance = (flip.worst if worst else flip).effect(self.rule, promote)
            total += flip.cell.weight * loss
            errors[flip.cell.case] += float(flip.cell.weight) * math.sqrt(variance)
        return Estimate(self._points(total), float(self._points(Fraction(1))) * math.hypot(*errors.values()))

    def unconfirmed(self) -> Estimate:
        """Before any fresh run: flips that are not sure count as none, and their error as if each were a coin flip."""
        error = math.hypot(*(float(flip.cell.weight) for flip in self.flips if not flip.settled(self.rule)))
        return Estimate(self.estimate().drop, float(self._points(Fraction(1))) * error)

    def _points(self, weight: Fraction) -> Fraction:
        return points(weight / self.weight)

    def telling(self) -> Sequence[str]:
        """Where far more broke than the limit: cases, evenly spread, of which half would be enough to fail.

        So a change that breaks everything is answered before time and money are out. None where it would not save the
        half of the reruns.
        """
        broke = [flip for flip in self.flips if flip.sign > 0 and not flip.settled(self.rule)]
        if len(broke) < self.rule.telling_from:
            return []
        if self.limit == "any":
            enough = 3.0
        else:
            one = self._points(sum((flip.cell.weight for flip in broke), Fraction(0))) / max(1, len(broke))
            enough = float(2 * (2 * self.limit + self._unsure_gains()) / one) if one else math.inf
        step = len(broke) / enough
        return [broke[int(number * step)].cell.case for number in range(math.ceil(enough))] if step >= 2 else []

    def judge_part(self) -> Judgement | None:
        """A regression that a part of the flips shows; the drop is what they show, and the whole is larger."""
        if self.limit == "any":
            found = self._judge_any()
            return found if found and found[0] == "regression" else None
        here = self.estimate()
        least = Estimate(here.drop - self._unsure_gains(), here.error)
        return ("regression", "part", least) if least.surely_at(self.limit, self.rule.fail_z) else None

    def _unsure_gains(self) -> Fraction:
        """What the repairs that were not asked again make up for if all of them are real."""
        unsure = (flip for flip in self.flips if flip.sign < 0 and not flip.known)
        return self._points(sum((flip.cell.weight for flip in unsure), Fraction(0)))

    def _broken(self) -> Fraction:
        return self._points(sum((flip.cell.weight for flip in self.flips if flip.sign > 0), self.lost))

    def _judge_between(self, limit: Fraction) -> Judgement | None:
        look = self.look
        here = self.estimate(look)
        if self.estimate().surely_at(limit, self.rule.fail_z):
            return "regression", "interim look", here
        if not self.estimate(look, worst=True).surely_below(limit, look.pass_z):
            return None
        if look.full:
            return self._pass_unless_diffuse(limit, "interim look", here)
        return None if self._may_be_diffuse(limit) else ("pass", "interim look", here)

    def _judge_last(self, limit: Fraction) -> Judgement:
        last = self.rule.looks[-1]
        here, why = self.estimate(last), self._last_word()
        if not here.surely_below(limit, last.pass_z):
            return "regression", why, here
        if not self.estimate(last, worst=True).surely_below(limit, last.pass_z):
            return "inconclusive", "lost runs", here
        return self._pass_unless_diffuse(limit, why, here)

    def _last_word(self) -> Why:
        return "settled" if self.all_settled else "final look"

    def _pass_unless_diffuse(self, limit: Fraction, why: Why, here: Estimate) -> Judgement:
        """A small loss spread over many cells: its flips do not come back, but they fall on cells that are stable.

        Coin flips agree on neither side and drop out; under no change the others are worse or better by a fair coin.
        The cells of one case have one vote in the sign test.
        """
        votes: defaultdict[str, Fraction] = defaultdict(Fraction)
        for flip in self.flips:
            if flip.stable_sides(self.rule.settled_runs) == 1 and not flip.outdated(self.rule):
                votes[flip.cell.case] += flip.sign * flip.cell.weight
        worse, better = sum(vote > 0 for vote in votes.values()), sum(vote < 0 for vote in votes.values())
        net = self._points(sum(votes.values(), Fraction(0)))
        diffuse = net >= limit and sign_test(worse, better) <= self.rule.diffuse_level
        return ("regression", "diffuse", here) if diffuse else ("pass", why, here)

    def _may_be_diffuse(self, limit: Fraction) -> bool:
        """Whether a full look could still find the drop diffuse: further runs only make cells less one-sided."""
        worse = [flip for flip in self.flips if flip.sign > 0 and flip.stable_sides(0)]
        most = self._points(sum((flip.cell.weight for flip in worse), Fraction(0)))
        return most >= limit and sign_test(len({flip.cell.case for flip in worse}), 0) <= self.rule.diffuse_level

    def _judge_any(self) -> Judgement | None:
        """One cell that surely broke fails; a flip that does not come back passes."""
        last = self.rule.looks[-1]
        broke = [flip for flip in self.flips if flip.sign > 0]
        if any(flip.settled(self.rule) for flip in broke):
            return "regression", "settled", self.estimate(last)
        if not broke and not self.lost:
            return "pass", "none broke", self.unconfirmed()
        if broke and not (self.level and self.look.full):
            return None
        if any(flip.effect(self.rule, last)[0] == 1 for flip in broke):
            return "regression", "final look", self.estimate(last)
        if self.lost or any(flip.worst.effect(self.rule, last)[0] == 1 for flip in broke):
            return "inconclusive", "lost runs", self.estimate(last)
        return "pass", "final look", self.estimate(last)
