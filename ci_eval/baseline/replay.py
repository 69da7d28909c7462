"""Main against itself, through the shipped gate: how often it would be red though nothing changed.

A real gate compares what main remembers with answers that are made anew. Here all of them are main's own stored answers
to a case, drawn case by case and whole, so that the cells of a case stay together. With m stored answers to a case:

* *The two first looks are two different answers.* Drawn with replacement they would be the same one once in m times,
  and hide a fifth of all flips where m is 5. Without replacement the share of cells that flip is right on average.
* *The candidate's first look is not among the runs that main remembers*, as it never is. Counted in, a flip would make
  its own cell a flaky one, and so quarantine it. A gate remembers r answers; where no more are stored, one of the
  others counts twice, so that quarantine works as it does on a gate.
* *Fresh runs* are the answers not used yet, each once; as a confirmation may ask for 40 a side, it goes on with draws
  from all m. These are not unbiased: m answers vary by (m - 1)/m of what they should, so reruns agree too often, and a
  case that flipped has a pass and a fail among them, so its rate lies too close to a coin flip. The first outweighs:
  of red gates about 70 in 100 are seen at m = 5, nearly all at m = 20 (`tests/benchmarks/replay_bias.py`).

Cases are drawn independently: where many cases fall together, in a provider's good and bad moments, more gates are red
than are here. Nothing reads a clock or makes a call, and the same seed gives the same replays.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from ci_eval.confirm.evidence import Answers, Found, Key, Stored
from ci_eval.confirm.machine import Question, start
from ci_eval.records import Run
from ci_eval.stats import wilson


class Answer(NamedTuple):
    """One stored answer to a case."""

    passed: Mapping[str, bool]
    """By scorer."""
    seconds: float = 0
    """What it took; 0 where that is not known."""


@dataclass(frozen=True)
class Memory:
    """What main has stored of itself, and how much of it one gate sees."""

    answers: Mapping[str, Sequence[Answer]]
    """Every stored answer, by case."""
    remembered: int
    """How many answers to a case one stored run holds: a gate counts one stored run."""

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Memory:
        """Runs of one fingerprint, the newest first."""
        answers: dict[str, list[Answer]] = {}
        for record in (record for run in runs for record in run.records if not record.lost):
            passed = {cell.scorer: cell.passed for cell in record.cells}
            answers.setdefault(record.case, []).append(Answer(passed, (record.latency_ms or 0) / 1000))
        return cls(answers, runs[0].header.repeats)

    @property
    def least(self) -> int:
        """The answers that every case has."""
        return min((len(answers) for answers in self.answers.values()), default=0)

    @cached_property
    def counts(self) -> Mapping[Key, Stored]:
        """How often each cell passed, in all that is stored."""
        return _counts(self.answers)

    @cached_property
    def varying(self) -> Mapping[str, Sequence[Answer]]:
        """The cases that were not always answered alike."""
        return {
            case: answers
            for case, answers in self.answers.items()
            if any(answer.passed != answers[0].passed for answer in answers)
        }

    @cached_property
    def steady(self) -> Answers:
        """The cells of all other cases."""
        return _cells({case: answers[0] for case, answers in self.answers.items() if case not in self.varying})

    @cached_property
    def usual(self) -> tuple[Answer, ...]:
        """One answer to every case, with the time that it takes on average."""
        return tuple(
            Answer({}, sum(answer.seconds for answer in answers) / len(answers)) for answers in self.answers.values()
        )


@dataclass(frozen=True)
class Pace:
    """How fast a gate asks, and for how long it may."""

    concurrency: int
    seconds: float

    def takes(self, answers: Iterable[Answer]) -> float:
        """The seconds that answers take when they are asked for side by side."""
        each = [answer.seconds for answer in answers]
        return max(sum(each) / self.concurrency, max(each, default=0))


@dataclass
class Deal:
    """The answers to one case in one replay."""

    every: Sequence[Answer]
    base: Answer
    candidate: Answer
    remembered: Sequence[Answer]
    """What main is taken to have stored; base's first look is one of them, the candidate's is not."""
    unused: list[Answer]
    """For fresh runs, before any answer is drawn again."""

    @classmethod
    def of(cls, answers: Sequence[Answer], remembered: int, rng: random.Random) -> Deal:
        """Two answers or more, shuffled and dealt."""
        *others, candidate = rng.sample(answers, len(answers))
        known = others[:remembered]
        known += rng.choices(others, k=remembered - len(known))
        return cls(answers, others[0], candidate, known, others[remembered:] or others[1:])

    def fresh(self, rng: random.Random) -> Answer:
        return self.unused.pop() if self.unused else rng.choice(self.every)


class Once(NamedTuple):
    """One replay."""

    verdicts: Mapping[str, Found]
    """By dimension."""
    calls: int
    """Of both sides; base's first look is stored, and costs none."""

    @property
    def verdict(self) -> Found:
        """As of the whole gate: a regression outweighs what is inconclusive."""
        order: tuple[Found, ...] = ("regression", "inconclusive")
        return next((found for found in order if found in self.verdicts.values()), "pass")


def replays(memory: Memory, question: Question, pace: Pace, *, repetitions: int, seed: str) -> Iterator[Once]:
    """One gate after the other, of main against itself; what the question says to be stored is drawn instead."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    for _ in range(repetitions):
        yield _once(memory, question, pace, rng)


def _once(memory: Memory, question: Question, pace: Pace, rng: random.Random) -> Once:
    deals = {case: Deal.of(answers, memory.remembered, rng) for case, answers in memory.varying.items()}
    # A cell that never varied is neither flaky nor flips: what is remembered of it changes nothing.
    stored = _counts({case: deal.remembered for case, deal in deals.items()})
    base = {**memory.steady, **_cells({case: deal.base for case, deal in deals.items()})}
    candidate = {**memory.steady, **_cells({case: deal.candidate for case, deal in deals.items()})}
    state = start(replace(question, stored=stored), base, candidate)
    calls, elapsed = len(memory.answers), pace.takes(memory.usual)
    while todo := state.todo():
        if elapsed >= pace.seconds:
            state = state.stop("deadline")
            break
        fresh = [(case, side, deals[case].fresh(rng)) for case, side, runs in todo for _ in range(runs)]
        calls, elapsed = calls + len(fresh), elapsed + pace.takes(answer for _, _, answer in fresh)
        state = state.observe([(case, side, answer.passed) for case, side, answer in fresh])
    return Once({name: decision.verdict for name, decision in state.decision().items()}, calls)


def _cells(answers: Mapping[str, Answer]) -> dict[Key, bool]:
    return {(case, scorer): passed for case, answer in answers.items() for scorer, passed in answer.passed.items()}


def _counts(answers: Mapping[str, Sequence[Answer]]) -> dict[Key, Stored]:
    passes, runs = Counter[Key](), Counter[Key]()
    for case, given in answers.items():
        for answer in given:
            for scorer, passed in answer.passed.items():
                runs[case, scorer] += 1
                passes[case, scorer] += passed
    return {key: Stored(passes[key], runs[key]) for key in runs}


@dataclass(frozen=True)
class Share:
    """How many of the replays, and which share of all gates that speaks for."""

    count: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %, in [0, 1]."""
        return wilson(self.count, self.total)


@dataclass(frozen=True)
class Rates:
    """What some replays came to. No replay is a change for the worse, so whatever is red is a false alarm."""

    repetitions: int
    gates: Counter[Found]
    dimensions: Mapping[str, Counter[Found]]
    calls: float
    """Of one replay on average, in units of n: one pass over the golden set is 1."""

    def share(self, found: Found, dimension: str | None = None) -> Share:
        of = self.dimensions[dimension] if dimension else self.gates
        return Share(of[found], self.repetitions)

    def red(self, dimension: str | None = None) -> Share:
        of = self.dimensions[dimension] if dimension else self.gates
        return Share(self.repetitions - of["pass"], self.repetitions)


def summed(found: Iterable[Once], dimensions: Iterable[str], cases: int) -> Rates:
    """The rates over replays of one question."""
    gates, by_dimension, calls = Counter[Found](), {name: Counter[Found]() for name in dimensions}, 0
    for one in found:
        gates[one.verdict] += 1
        calls += one.calls
        for name, verdict in one.verdicts.items():
            by_dimension[name][verdict] += 1
    total = gates.total()
    return Rates(total, gates, by_dimension, calls / total / cases if total else 0.0)
