"""Which cases are run first: the largest part of the golden set that fits the budget, with room to confirm.

    plan(options, terms, budget, seed) -> Plan

The whole set where it fits. Otherwise each stratum keeps its share; within it 70 % are the cases that tell most
(`ranking`), the rest are drawn. The verdict still speaks of the whole set: see `Question.planned`. Pure.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from ci_eval.stats import fewest_unseen

_HAIR = 1e-9
"""What sums of dollars may be off by: a budget of exactly the cost is enough."""
_RANKED = Fraction(7, 10)
LEAST_CASES = 20
"""Fewer than this, of a larger golden set, would be no check at all."""
# Of the rule of `confirm`, as `tests/benchmarks/gate_simulation.py` prints it: 95 of 100 gates stay below these.
_RERUNS_PER_FLIP = 13
"""A side, for a case that differs by chance."""
_RERUNS_PER_BREAK = 7
_RERUNS_AT_MOST = 1.6
"""A side, per case of the plan."""
_LOOKS = 5
"""The first pass and the batches of the confirmation: each ends with its slowest answer."""


@dataclass(frozen=True)
class Cost:
    """What some calls take."""

    calls: float = 0
    """Of the target."""
    seconds: float = 0.0
    """One after another."""
    usd: float | None = 0.0
    """None: no price is known."""
    tokens_in: float = 0
    tokens_out: float = 0
    scoring: float = 0
    """Further calls, by scorers that ask a provider."""

    @property
    def requests(self) -> float:
        """Of target and scorers together."""
        return self.calls + self.scoring

    @property
    def tokens(self) -> float:
        return self.tokens_in + self.tokens_out

    def __add__(self, other: Cost) -> Cost:
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Cost(
            self.calls + other.calls,
            self.seconds + other.seconds,
            usd,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.scoring + other.scoring,
        )

    def times(self, count: float) -> Cost:
        usd = None if self.usd is None else self.usd * count
        counts = self.tokens_in * count, self.tokens_out * count, self.scoring * count
        return Cost(self.calls * count, self.seconds * count, usd, *counts)


NOTHING = Cost()


@dataclass(frozen=True)
class Option:
    """A case that may be run, and what that would take."""

    case: str
    stratum: str
    first: Cost
    """In the first pass: no call where the answer is known, two where main has to be asked as well."""
    again: Cost
    """Asking once more on both sides; no call on a side that can only repeat itself."""
    flips: float | None
    """The chance that two runs of the same side differ, from main's repeats; None: not known."""
    rank: float = 0.0

    def with_more(self, other: Option) -> Option:
        """The same case, compared with something else as well."""
        return replace(self, first=self.first + other.first, again=self.again + other.again)


@dataclass(frozen=True)
class Terms:
    """How calls are made, and how they are judged."""

    concurrency: int
    calls_per_second: float | None
    """The provider's limit, where policy names one."""
    slowest: float
    """Seconds that one of a hundred calls takes or more; 0 where no call was ever timed."""
    max_drop: Fraction
    """In points: the strictest limit."""
    scoring_per_second: float | None = None
    """The limit of a provider that scorers ask, where policy names one."""


@dataclass(frozen=True)
class Budget:
    """What a gate may take. None: no limit."""

    seconds: float
    usd: float | None = None
    calls: float | None = None
    """Of targets and scorers."""
    tokens: float | None = None
    """In and out together."""

    def affords(self, cost: Cost) -> bool:
        """Whether it covers all of a cost but its time; an unknown price is more than any limit."""
        return (
            (self.usd is None or (cost.usd is not None and cost.usd <= self.usd * (1 + _HAIR)))
            and (self.calls is None or cost.requests <= self.calls)
            and (self.tokens is None or cost.tokens <= self.tokens)
        )

    def after(self, cost: Cost, seconds: float) -> Budget:
        """What something that comes first leaves of it; nothing where that has no price."""

        def left(limit: float | None, taken: float) -> float | None:
            return None if limit is None else max(0.0, limit - taken)

        usd = float("inf") if cost.usd is None else cost.usd
        return Budget(
            max(0.0, self.seconds - seconds),
            left(self.usd, usd),
            left(self.calls, cost.requests),
            left(self.tokens, cost.tokens),
        )


@dataclass(frozen=True)
class Plan:
    """What to run, and what it is expected to take."""

    cases: tuple[str, ...]
    """Those of the first pass, in the order in which they are asked: a random one, so that whatever is asked by some
    moment is a fair part of them."""
    of: int
    chance: Mapping[str, float]
    """Of every case of the golden set: how likely it was to be chosen; 0 for what is left out for its low rank."""
    first: Cost
    confirmation: Cost
    """At most, in 95 of 100 gates."""
    first_seconds: float
    most_seconds: float
    """By the clock, confirmation included; without any timed call, what the limit of requests makes of it."""
    fits: bool

    @property
    def whole(self) -> bool:
        return len(self.cases) == self.of

    @property
    def first_share(self) -> float:
        """The part of the time that the first pass may take; the rest is for the confirmation."""
        timed = self.first_seconds / self.most_seconds if self.most_seconds else 0.0
        return timed or self.first.calls / max(1.0, self.most.calls)

    @cached_property
    def most(self) -> Cost:
        return self.first + self.confirmation


def plan(options: Sequence[Option], terms: Terms, budget: Budget, seed: int, *, whole: bool = False) -> Plan:
    """The largest plan that fits; `whole` asks for every case whatever it takes.

    Where not even a small part fits, the plan is that part, and `fits` is False.
    """
    everything = _planned(options, terms, budget, seed, len(options))
    if whole or everything.fits:
        return everything
    high = sum(option.first.calls > 0 for option in options)
    low = min(LEAST_CASES, high)
    while high - low > 1:
        middle = (low + high) // 2
        if _planned(options, terms, budget, seed, middle).fits:
            low = middle
        else:
            high = middle
    return _planned(options, terms, budget, seed, low)


def _planned(options: Sequence[Option], terms: Terms, budget: Budget, seed: int, size: int) -> Plan:
    chosen, chance = _choose(options, size, seed)
    first = sum((option.first for option in chosen), NOTHING)
    confirmation = _confirmation(chosen, terms, len(options))
    first_seconds = _wall(first, terms, looks=1)
    most_seconds = first_seconds + (_wall(confirmation, terms, looks=_LOOKS - 1) if confirmation.calls else 0.0)
    order = [option.case for option in chosen]
    random.Random(seed).shuffle(order)  # noqa: S311 - repeatable, not secret
    return Plan(
        cases=tuple(order),
        of=len(options),
        chance=chance,
        first=first,
        confirmation=confirmation,
        first_seconds=first_seconds,
        most_seconds=most_seconds,
        fits=budget.affords(first + confirmation) and most_seconds <= budget.seconds,
    )


def _wall(cost: Cost, terms: Terms, *, looks: int) -> float:
    """Seconds by the clock: calls side by side, and at the end of each look a wait for its slowest answer."""
    if not cost.calls:
        return 0.0
    paced = cost.calls / terms.calls_per_second if terms.calls_per_second else 0.0
    paced += cost.scoring / terms.scoring_per_second if terms.scoring_per_second else 0.0
    return max(cost.seconds / terms.concurrency, paced) + looks * terms.slowest


def _confirmation(chosen: Sequence[Option], terms: Terms, of: int) -> Cost:
    """Room for what chance flips, and to be sure of a drop (`evidence.Dimension.telling`)."""
    asked = [option for option in chosen if option.again.calls]
    if not asked:
        return NOTHING
    most = _RERUNS_AT_MOST * len(asked)
    known = [option.flips for option in asked if option.flips is not None]
    if len(known) == len(asked):
        flips = sum(known) + 1.65 * math.sqrt(sum(known))
        breaks = float(4 * terms.max_drop * of / 100)
        most = min(most, _RERUNS_PER_FLIP * flips + _RERUNS_PER_BREAK * breaks)
    one = sum((option.again for option in asked), NOTHING).times(1 / len(asked))
    return one.times(math.ceil(most))


# --- which cases ------------------------------------------------------------------------------------------------------


def _choose(options: Sequence[Option], size: int, seed: int) -> tuple[list[Option], dict[str, float]]:
    """So many of the options that need a call, and all others; and how likely each was to be among them."""
    free = [option for option in options if not option.first.calls]
    chance = {option.case: 1.0 for option in free}
    chosen = list(free)
    strata = defaultdict[str, list[Option]](list)
    for option in options:
        if option.first.calls:
            strata[option.stratum].append(option)
    quotas = _quotas({name: len(members) for name, members in strata.items()}, size)
    for name, members in strata.items():
        part, chances = _of_stratum(members, quotas[name], f"{seed}:{name}")
        chosen += part
        chance |= chances
    return chosen, chance


def _of_stratum(members: Iterable[Option], quota: int, seed: str) -> tuple[list[Option], dict[str, float]]:
    best_first = sorted(members, key=lambda option: (-option.rank, option.case))
    ranked = math.floor(_RANKED * quota)
    top, rest = best_first[:ranked], sorted(best_first[ranked:], key=lambda option: option.case)
    drawn = random.Random(seed).sample(rest, quota - ranked)  # noqa: S311 - repeatable, not secret
    chance = {option.case: 1.0 for option in top} | {option.case: (quota - ranked) / len(rest) for option in rest}
    return [*top, *drawn], chance


def _quotas(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` places among strata, by size (largest remainder); none is left without one where there are enough."""
    everyone = sum(sizes.values())
    total = min(total, everyone)
    exact = {name: Fraction(total * size, everyone) for name, size in sizes.items()}
    quotas = {name: math.floor(share) for name, share in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: (quotas[name] - exact[name], name))
    for name in by_remainder[: total - sum(quotas.values())]:
        quotas[name] += 1
    for name in [name for name in sizes if not quotas[name]]:
        largest = max(quotas, key=lambda other: quotas[other])
        if quotas[largest] > 1:
            quotas[largest], quotas[name] = quotas[largest] - 1, 1
    return quotas


# --- what a plan can see ----------------------------------------------------------------------------------------------


def smallest_drop(limit: Fraction, cells: int, asked: int, *, broke: int | None = None) -> Fraction:
    """The smallest drop of the whole set, in points, that a part of it shows, at 95 %: no less than the limit.

    Before the run, showing means half the limit, which extends the run to all cases; afterwards, more than the `broke`
    cells that it has shown. It takes the part for a random one: a ranked part tells at least as much.
    """
    if asked >= cells:
        return limit
    shown = math.ceil(limit / 2 * cells / 100) - 1 if broke is None else broke
    hidden = min(fewest_unseen(cells, asked, max(0, shown)), cells)
    return max(limit, Fraction(100 * hidden, cells))
