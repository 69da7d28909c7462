"""What the gate promises, measured: drives the shipped state machine through simulated models and prints the table.

    python tests/benchmarks/gate_simulation.py            # every row
    python tests/benchmarks/gate_simulation.py --quick    # a few rows, few repetitions, in seconds
    python tests/benchmarks/gate_simulation.py --seed 7 --only diffuse

A row is a world (cases, how many of them are coin flips, how they are scored) and a change in one of five dimensions.
*Hard*: cells break outright. *Soft*: cells become coin flips. *Diffuse*: every passing cell fails a little more often.
Red is a regression or no verdict, in any dimension. Calls are the candidate's, in units of n. `ref.` is what
another implementation of the rule that this one grew from (batches of 5, 5, 10) measured in 4,000 repetitions, in
percent.

SHORT marks known limits: one cell weighs more than the limit, most cells fail now and then, the runs of one moment fall
together. They are printed, and fail nothing.

A promise is missed when the measured figure is beyond it (`--quick`: by three standard errors); a figure of the
reference, when ours is worse by more than three standard errors of the difference: of some fifty such rows, chance puts
one or two beyond two. Exit 1 on a miss.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from ci_eval.confirm.evidence import RULE, Cell, Key, Limit, Look, Rule, Stored
from ci_eval.confirm.machine import Confirmation, Question, Result, Side, start

BASE_RATE = 0.85
DIMENSIONS = tuple(f"d{number}" for number in range(5))
CHANGED = DIMENSIONS[0]
REFERENCE_REPETITIONS = 4000
CHUNK = 100

EFFECT = Fraction(3, 10)
REFERENCE_LOOKS = (Look(5, 2.8, 4, EFFECT, full=False), Look(5, 2.8, 4, EFFECT, full=False))
REFERENCE_RULE = replace(RULE, looks=(*REFERENCE_LOOKS, Look(10, 1.96, 9, EFFECT, full=True)))
"""The batches of the reference; 20 more below 200 cases."""
REFERENCE_RULE_SMALL = replace(
    RULE, looks=(*REFERENCE_LOOKS, Look(10, 2.8, 4, EFFECT, full=False), Look(20, 1.96, 9, EFFECT, full=True))
)

Change = Literal["none", "hard", "soft", "diffuse"]


@dataclass(frozen=True)
class Promise:
    """What a row must keep: shares in percent, calls in units of n, bias in points."""

    red_at_most: float | None = None
    red_at_least: float | None = None
    reference_red: float | None = None
    """The reference's figure; whether more is better follows from the change."""
    calls_at_most: float | None = None
    bias_at_most: float | None = None
    known_limit: bool = False
    """The rule is known to fall short here: it is said, and does not fail the benchmark."""


@dataclass(frozen=True)
class Row:
    """A world and a change."""

    group: str
    n: int = 300
    flaky: float = 0.05
    change: Change = "none"
    points: float = 0
    note: str = ""
    promise: Promise = field(default_factory=Promise)
    scorers: int = 1
    """In every dimension."""
    weights: tuple[int, ...] = (1,)
    """Of cases, in turn."""
    one_draw: bool = False
    """All flaky cells of a run fall alike: the dimensions and scorers of a case see one answer."""
    moods: float = 0
    """Correlation of the flaky cells of all cases within one run of a side: a provider's good and bad moments."""
    rare: float = 0
    """The share of passing cells that fail one time in twenty, on both sides."""
    stored: int = 0
    """Main's stored runs; the first look is one of them."""
    drift: float = 0
    """The share of cells that the provider has broken since main was stored."""
    planned: int | None = None
    lost: float = 0
    """The share of runs that infrastructure loses."""
    limit: Limit = Fraction(1)
    rule: Rule = RULE

    @property
    def title(self) -> str:
        change = self.change if self.change == "none" else f"{self.change} {self.points:g}"
        return f"n={self.n} f={100 * self.flaky:g} % {change}{', ' if self.note else ''}{self.note}"


@dataclass(frozen=True)
class World:
    """What a row's repetitions share: the cells, and what those do that are no coin flips."""

    question: Question
    names: tuple[str, ...]
    keys: Mapping[str, tuple[Key, ...]]
    always: Mapping[Key, bool]


@lru_cache(maxsize=2)
def world(row: Row) -> World:
    names = tuple(f"c{number}" for number in range(row.n))
    scorers = [(f"{name}-{number}", name) for name in DIMENSIONS for number in range(row.scorers)]
    weights = {case: Fraction(row.weights[number % len(row.weights)]) for number, case in enumerate(names)}
    cells = tuple(Cell(case, scorer, name, weights[case]) for case in names for scorer, name in scorers)
    passing = set(random.Random(row.n).sample(names, round(BASE_RATE * row.n)))
    always = {cell.key: cell.case in passing for cell in cells}
    keys = {case: tuple((case, scorer) for scorer, _ in scorers) for case in names}
    return World(Question(cells, dict.fromkeys(DIMENSIONS, row.limit), rule=row.rule), names, keys, always)


@dataclass
class Model:
    """One repetition: how often every cell passes on both sides, and runs drawn from that, only where asked for."""

    row: Row
    rng: random.Random

    def __post_init__(self) -> None:
        self.world = world(self.row)
        self.rates: dict[Side, dict[Key, float]] = {"base": {}, "candidate": {}}
        self.runs: Counter[tuple[str, Side]] = Counter()
        self.mood: dict[tuple[Side, int], float] = {}
        self._make_flaky()
        self.true_drop = self._change()

    def _make_flaky(self) -> None:
        row, count = self.row, round(self.row.flaky * self.row.n)
        chosen = self.rng.sample(self.world.names, count)
        for name in DIMENSIONS:
            cases = chosen if row.one_draw else self.rng.sample(self.world.names, count)
            rare = [case for case in self.world.names if row.rare and self.rng.random() < row.rare]
            for rate, some in ((0.95, rare), (0.5, cases)):
                self._set(("base", "candidate"), self._cells(some, name, passing=rate > 0.5), rate)

    def _change(self) -> float:
        """Makes the candidate worse in one dimension; the drop in points that it comes to."""
        row = self.row
        if row.change == "none":
            return 0.0
        sure = [case for case in self.world.names if self._is_sure(case)]
        if row.change == "diffuse":
            rate = 1 - row.points * row.n / 100 / len(sure)
            self._set(("candidate",), self._cells(sure, CHANGED), rate)
            return row.points
        share, rate = (1, 0.0) if row.change == "hard" else (2, 0.5)
        broken = self._worth(sure, share * row.points)
        self._set(("base",), self._cells(broken, CHANGED), 1.0)
        self._set(("candidate",), self._cells(broken, CHANGED), rate)
        return row.points

    def _worth(self, cases: list[str], points: float) -> list[str]:
        """Cases drawn until they are worth so many points."""
        weights = {cell.case: cell.weight for cell in self.world.question.cells if cell.dimension == CHANGED}
        due, found = Fraction(points) / 100 * sum(weights.values()), list[str]()
        for case in self.rng.sample(cases, len(cases)):
            if due <= 0:
                break
            found.append(case)
            due -= weights[case]
        return found

    def _is_sure(self, case: str) -> bool:
        return all(self.world.always[key] and key not in self.rates["base"] for key in self._cells([case], CHANGED))

    def _cells(self, cases: Iterable[str], dimension: str, *, passing: bool = False) -> list[Key]:
        found = [(case, f"{dimension}-{number}") for case in cases for number in range(self.row.scorers)]
        return [key for key in found if self.world.always[key] or not passing]

    def _set(self, sides: Iterable[Side], keys: Iterable[Key], rate: float) -> None:
        for side in sides:
            self.rates[side].update(dict.fromkeys(keys, rate))

    def run(self, case: str, side: Side) -> Result:
        """One more run of a case."""
        number = self.runs[case, side]
        self.runs[case, side] += 1
        if self.row.lost and self.rng.random() < self.row.lost:
            return case, side, {}
        rates, draw = self.rates[side], self._draw(side, number)
        return (
            case,
            side,
            {
                key[1]: self.world.always[key] if (rate := rates.get(key)) is None else next(draw) < rate
                for key in self.world.keys[case]
            },
        )

    def _draw(self, side: Side, number: int) -> Iterator[float]:
        """Uniform numbers, as correlated as the row says."""
        mood = self._mood_of(side, number)
        once = self.rng.random()
        while True:
            fresh = once if self.row.one_draw else self.rng.random()
            yield fresh if mood is None else self._mixed(mood)

    def _mood_of(self, side: Side, number: int) -> float | None:
        if not self.row.moods:
            return None
        return self.mood.setdefault((side, number), self.rng.gauss(0, 1))

    def _mixed(self, mood: float) -> float:
        share = self.row.moods
        mixed = math.sqrt(share) * mood + math.sqrt(1 - share) * self.rng.gauss(0, 1)
        return 0.5 * (1 + math.erf(mixed / math.sqrt(2)))

    def first(self, side: Side, cases: Iterable[str]) -> dict[Key, bool | None]:
        """The first look; only cells that can differ are drawn."""
        found: dict[Key, bool | None] = dict(self.world.always)
        if self.row.lost or self.row.moods or self.row.one_draw:
            for case in self.world.names:
                answers = self.run(case, side)[2]
                found.update({key: answers.get(key[1]) for key in self.world.keys[case]})
        else:
            for key, rate in self.rates[side].items():
                found[key] = self.rng.random() < rate
        kept = set(cases)
        return found if len(kept) == self.row.n else {key: value for key, value in found.items() if key[0] in kept}

    def store(self, first: Mapping[Key, bool | None]) -> dict[Key, Stored]:
        """Main's stored runs, `first` among them."""
        runs, rates = self.row.stored, self.rates["base"]
        drawn = {key: 1 - (key not in rates) for key in first}
        return {
            key: Stored(
                bool(passed) + sum(self.rng.random() < rates[key] if more else bool(passed) for _ in range(runs - 1)),
                runs,
            )
            for (key, passed), more in zip(first.items(), drawn.values(), strict=True)
        }

    def drift(self) -> None:
        """The provider breaks cells after main was stored, for both sides."""
        for name in DIMENSIONS:
            cases = [case for case in self.world.names if self.rng.random() < self.row.drift]
            self._set(("base", "candidate"), self._cells(cases, name), 0.0)


@dataclass(frozen=True)
class Outcome:
    """What one repetition came to."""

    verdicts: tuple[str, ...]
    calls: float
    base_calls: float
    bias: float
    """Of the drop in the changed dimension; with no change the mean over all dimensions."""


def repeat(row: Row, rng: random.Random) -> Outcome:
    model = Model(row, rng)
    state = _begin(model)
    calls: Counter[Side] = Counter()
    calls["candidate"] = row.planned or row.n
    while todo := state.todo():
        for _, side, runs in todo:
            calls[side] += runs
        state = state.observe([model.run(case, side) for case, side, runs in todo for _ in range(runs)])
    found = state.decision()
    asked = (CHANGED,) if row.change != "none" else DIMENSIONS
    bias = sum(float(found[name].drop) for name in asked) / len(asked) - model.true_drop
    verdicts = tuple(found[name].verdict for name in DIMENSIONS)
    return Outcome(verdicts, calls["candidate"] / row.n, calls["base"] / row.n, bias)


def _begin(model: Model) -> Confirmation:
    row, question = model.row, model.world.question
    planned = model.rng.sample(model.world.names, row.planned) if row.planned else model.world.names
    base = model.first("base", model.world.names if row.stored else planned)
    if row.stored or row.planned:
        stored = model.store(base) if row.stored else {}
        question = replace(question, stored=stored, planned=frozenset(planned))
    if row.drift:
        model.drift()
    return start(question, base, model.first("candidate", planned))


@dataclass(frozen=True)
class Sums:
    """Sums over repetitions."""

    count: int = 0
    red: int = 0
    no_verdict: int = 0
    calls: float = 0
    base_calls: float = 0
    bias: float = 0
    bias_squared: float = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.count + other.count,
            self.red + other.red,
            self.no_verdict + other.no_verdict,
            self.calls + other.calls,
            self.base_calls + other.base_calls,
            self.bias + other.bias,
            self.bias_squared + other.bias_squared,
        )


def chunk(row: Row, seed: str, repetitions: int) -> Sums:
    total, rng = Sums(), random.Random(seed)
    for _ in range(repetitions):
        one = repeat(row, rng)
        red = any(verdict != "pass" for verdict in one.verdicts)
        unclear = red and "regression" not in one.verdicts
        total += Sums(1, red, unclear, one.calls, one.base_calls, one.bias, one.bias**2)
    return total


def _over(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit


@dataclass(frozen=True)
class Measured:
    """A row's figures, and whether its promise was kept."""

    row: Row
    sums: Sums
    slack: float
    """Standard errors that a promise may be missed by."""

    @property
    def red(self) -> float:
        return self.sums.red / self.sums.count

    def _error(self, share: float, *more: int) -> float:
        """The standard error of a share, of the difference to another simulation's where that is given."""
        share = min(max(share, 1 / self.sums.count), 1 - 1 / self.sums.count)
        return math.sqrt(share * (1 - share) * sum(1 / count for count in (self.sums.count, *more)))

    @property
    def bias(self) -> tuple[float, float]:
        mean = self.sums.bias / self.sums.count
        return mean, math.sqrt(max(0.0, self.sums.bias_squared / self.sums.count - mean**2) / self.sums.count)

    def misses(self) -> list[str]:
        """What was promised and not kept."""
        promise, slack, (bias, error) = self.row.promise, self.slack, self.bias
        sure = 100 * slack * self._error(self.red)
        calls = self.sums.calls / self.sums.count
        found = {
            "red too often": _over(100 * self.red - sure, promise.red_at_most),
            "red too seldom": _over(promise.red_at_least, 100 * self.red + sure),
            "worse than the reference": promise.reference_red is not None
            and self._worse_than_reference(promise.reference_red / 100),
            "calls": _over(calls * (1 - 0.05 * slack), promise.calls_at_most),
            "bias": _over(abs(bias) - slack * error, promise.bias_at_most),
        }
        return [word for word, missed in found.items() if missed]

    def _worse_than_reference(self, reference: float) -> bool:
        worse = self.red - reference if self.row.change == "none" else reference - self.red
        return worse > max(3.0, self.slack) * self._error((reference + self.red) / 2, REFERENCE_REPETITIONS)

    def line(self) -> str:
        sums, promise, (bias, error) = self.sums, self.row.promise, self.bias
        reference = "" if promise.reference_red is None else f"{promise.reference_red:g}"
        asked = [f"≤ {promise.red_at_most:g}"] if promise.red_at_most is not None else []
        asked += [f"≥ {promise.red_at_least:g}"] if promise.red_at_least is not None else []
        misses = self.misses()
        short = "SHORT" if promise.known_limit else "MISS"
        word = f"{short} ({', '.join(misses)})" if misses else "PASS" if promise != Promise() else ""
        return (
            f"| {self.row.title:58} | {100 * self.red:5.1f} ± {196 * self._error(self.red):3.1f} "
            f"| {100 * sums.no_verdict / sums.count:4.1f} | {reference:>5} | {' '.join(asked):>7} "
            f"| {sums.calls / sums.count:4.2f} (+{sums.base_calls / sums.count:4.2f}) "
            f"| {bias:+.3f} ± {1.96 * error:.3f} | {word}"
        )


HEAD = f"| {'world and change':58} | red % ± 95 %  | none | ref.  | promise | calls (+base)  | bias, points   |"


def headline() -> Iterator[Row]:
    group = "promise"
    yield Row(group, promise=Promise(red_at_most=1, reference_red=0.3, calls_at_most=2.3, bias_at_most=0.05))
    for points, hard, soft in ((1, 97, 90), (2, 100, 99.6), (3, 100, 99.9), (5, 100, 100)):
        least = (95, 85) if points == 1 else (99, 99)
        yield Row(group, change="hard", points=points, promise=Promise(red_at_least=least[0], reference_red=hard))
        yield Row(group, change="soft", points=points, promise=Promise(red_at_least=least[1], reference_red=soft))


def sizes() -> Iterator[Row]:
    group = "sizes"
    yield Row(group, flaky=0, promise=Promise(red_at_most=0, calls_at_most=1, bias_at_most=0))
    reference = {(100, 2): (0.5, 98), (100, 5): (2.2, 97), (200, 2): (0, 97), (200, 5): (0.9, 97), (500, 2): (0, 96)}
    reference |= {(500, 5): (0, 97)}
    for (n, flaky), (none, hard) in reference.items():
        yield Row(group, n, flaky / 100, promise=Promise(reference_red=none))
        yield Row(group, n, flaky / 100, "hard", 1, promise=Promise(reference_red=hard))
    yield Row(group, 200, 0.1, promise=Promise(reference_red=12))
    yield Row(group, 300, 0.1, promise=Promise(reference_red=1.7, calls_at_most=4.2))
    yield Row(group, 200, 0.1, "hard", 1, promise=Promise(red_at_least=95))
    yield Row(group, 300, 0.1, "hard", 1, promise=Promise(red_at_least=95))
    yield Row(group, 200, 0.05, "soft", 1, promise=Promise(reference_red=86))
    yield Row(group, 500, 0.05, "soft", 1, promise=Promise(reference_red=86))


def diffuse() -> Iterator[Row]:
    reference = {0: (57, 89, 100), 5: (54, 86, 99.8), 10: (52, 82, 99.6)}
    for flaky, (two, three, five) in reference.items():
        for points, figure in ((1, None), (2, two), (3, three), (4, None), (5, five)):
            yield Row(
                "diffuse", flaky=flaky / 100, change="diffuse", points=points, promise=Promise(reference_red=figure)
            )
    for share in (0.1, 0.3, 0.6):
        note = f"{100 * share:.0f} % fail 1 in 20"
        kept = Promise(red_at_most=1, known_limit=share > 0.3)
        yield Row("diffuse", flaky=0, rare=share, note=note, promise=kept)
        yield Row("diffuse", rare=share, note=note, promise=kept)


def kinds() -> Iterator[Row]:
    """Rows that the reference does not list, under the promise's own bounds where they should hold."""
    quiet, hard = Promise(red_at_most=1, calls_at_most=2.3), Promise(red_at_least=95)
    for note, row in {
        "weights 1, 2, 3": Row("kinds", weights=(1, 2, 3)),
        "weights 1 x 9, 10": Row("kinds", weights=(1,) * 9 + (10,)),
        "dimensions fall together": Row("kinds", one_draw=True),
        "5 stored, quarantine": Row("kinds", stored=5),
    }.items():
        heavy = max(row.weights) > 3
        yield replace(row, note=note, promise=replace(quiet, known_limit=heavy))
        yield replace(row, note=note, change="hard", points=1, promise=hard)
        soft = Promise(red_at_least=85, known_limit=heavy)
        yield replace(row, note=note, change="soft", points=1, promise=soft)
    wide = Promise(red_at_most=1)
    yield Row("kinds", scorers=3, note="3 scorers a dimension", promise=wide)
    yield Row("kinds", scorers=3, change="hard", points=1, note="3 scorers a dimension", promise=hard)
    yield Row("kinds", scorers=3, one_draw=True, note="3 scorers, one answer", promise=wide)
    yield Row("kinds", scorers=3, one_draw=True, change="hard", points=1, note="3 scorers, one answer", promise=hard)
    yield Row("kinds", flaky=0.1, stored=5, note="5 stored, quarantine", promise=wide)
    yield Row("kinds", flaky=0.1, stored=5, change="hard", points=1, note="5 stored, quarantine", promise=hard)
    yield Row(
        "kinds", stored=5, change="diffuse", points=3, note="5 stored, quarantine", promise=Promise(reference_red=86)
    )


def trouble() -> Iterator[Row]:
    """What models, networks and budgets do; red counts no verdict, which is never a pass."""
    for moods in (0.1, 0.3):
        note = f"runs correlate {moods:g}"
        yield Row("trouble", moods=moods, note=note, promise=Promise(red_at_most=1, known_limit=moods > 0.1))
        yield Row("trouble", moods=moods, change="hard", points=1, note=note)
    for drift in (0.01, 0.05):
        note = f"drift broke {100 * drift:.0f} % since"
        yield Row("trouble", stored=5, drift=drift, note=note, promise=Promise(red_at_most=1))
    for lost in (0.01, 0.05, 0.2):
        note = f"{100 * lost:.0f} % of runs lost"
        yield Row("trouble", lost=lost, note=note, promise=Promise(red_at_most=1) if lost < 0.05 else Promise())
        yield Row("trouble", lost=lost, change="hard", points=1, note=note, promise=Promise(red_at_least=95))
    yield Row("trouble", limit="any", note="limit any", promise=Promise(red_at_most=1))
    yield Row("trouble", limit="any", change="hard", points=1 / 3, note="limit any", promise=Promise(red_at_least=99))


def large() -> Iterator[Row]:
    """What breaks a third, or all, is answered without asking about every case again."""
    for flaky, points, calls in ((0, 30, 1.6), (0.05, 30, 2.6), (0, 80, 1.6), (0.05, 80, 2.6)):
        kept = Promise(red_at_least=99, calls_at_most=calls)
        yield Row("large", flaky=flaky, change="hard", points=points, promise=kept)


def subsets() -> Iterator[Row]:
    for planned in (60, 150):
        note = f"{planned} of 300 planned"
        yield Row("subset", planned=planned, note=note, promise=Promise(red_at_most=1, calls_at_most=2.3))
        for points in (1, 3, 5):
            kept = Promise(red_at_least=95) if (planned, points) == (150, 5) else Promise()
            yield Row("subset", planned=planned, change="hard", points=points, note=note, promise=kept)


def compared() -> Iterator[Row]:
    """The reference's batches beside the shipped ones, in the rows where they differ most."""
    for n, flaky in ((300, 0.05), (200, 0.1), (100, 0.05)):
        rule = REFERENCE_RULE_SMALL if n < 200 else REFERENCE_RULE
        for change, points in (("none", 0), ("hard", 1), ("soft", 1)):
            row = Row("compared", n, flaky, change, points)  # type: ignore[arg-type]
            yield replace(row, note="shipped")
            yield replace(row, note="the reference's batches", rule=rule)


GROUPS = {
    "promise": headline,
    "sizes": sizes,
    "diffuse": diffuse,
    "kinds": kinds,
    "trouble": trouble,
    "large": large,
    "subset": subsets,
    "compared": compared,
}


def quick_rows() -> list[Row]:
    """What a change to the rule would most likely break."""
    wanted = {("none", 0), ("hard", 1), ("soft", 1), ("hard", 3)}
    rows = [row for row in headline() if (row.change, row.points) in wanted]
    return [
        *rows,
        Row("diffuse", change="diffuse", points=3, promise=Promise(reference_red=86)),
        Row("sizes", 100, 0.05, promise=Promise(reference_red=2.2)),
        Row(
            "trouble",
            100,
            lost=0.05,
            change="hard",
            points=1,
            note="5 % of runs lost",
            promise=Promise(red_at_least=95),
        ),
    ]


def measure(rows: Sequence[Row], repetitions: int, seed: int, slack: float) -> Iterator[Measured]:
    """The rows in order, each when it is ready; two processes."""
    with ProcessPoolExecutor(max_workers=2) as pool:
        parts = [
            [
                pool.submit(chunk, row, f"{seed} {row.title} {row.group} {done}", min(CHUNK, repetitions - done))
                for done in range(0, repetitions, CHUNK)
            ]
            for row in rows
        ]
        for row, futures in zip(rows, parts, strict=True):
            total = Sums()
            for future in futures:
                total += future.result()
            yield Measured(row, total, slack)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rows and repetitions, promises with slack")
    parser.add_argument("--only", choices=GROUPS, action="append", help="only this group of rows")
    parser.add_argument("--repetitions", type=int, default=None)
    parser.add_argument("--seed", type=int, default=20261121)
    options = parser.parse_args(arguments)
    rows = [row for name in options.only or GROUPS for row in GROUPS[name]()]
    rows = quick_rows() if options.quick else rows
    repetitions = options.repetitions or (100 if options.quick else 2000)
    started, misses = time.monotonic(), 0
    print(f"{repetitions} repetitions a row, seed {options.seed}", HEAD, sep="\n")
    for measured in measure(rows, repetitions, options.seed, slack=3 if options.quick else 0):
        print(measured.line(), flush=True)
        misses += bool(measured.misses()) and not measured.row.promise.known_limit
    print(f"{len(rows)} rows, {misses} missed, {time.monotonic() - started:.0f} s")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
