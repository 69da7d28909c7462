"""The confirmation, carried out: what the state machine asks for is run, fresh, until it has decided or time is out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from ci_eval.comparison import Comparison
from ci_eval.config import GatePolicy
from ci_eval.confirm import Confirmation, Question, Rerun, Result, Side, start
from ci_eval.evaluation import Session, Suite
from ci_eval.evidence import Answers, Cell, Key, Limit, Stored
from ci_eval.records import Record, RunFile
from ci_eval.runner import Evaluator, Job, run_all

# Fresh runs are numbered from here, far from main's stored repeats: a model that draws by repeat must draw anew.
_FIRST_FRESH = 1000


@dataclass
class Reruns:
    """Both sides of one suite, ready to be asked again."""

    suite: Suite
    sides: Mapping[Side, Evaluator]
    session: Session
    made: Counter[tuple[str, Side]] = field(default_factory=Counter)
    second_tries: dict[Side, dict[str, Record]] = field(default_factory=lambda: {"base": {}, "candidate": {}})
    """Answers to cases that the first look had lost: they belong to it."""

    @property
    def calls(self) -> int:
        """How many reruns were asked for."""
        return self.made.total()

    def confirm(self, comparison: Comparison, gate: GatePolicy, stored: Mapping[Key, Stored]) -> Confirmation:
        """Rerun what differs until every dimension is decided; what is open at the deadline is inconclusive."""
        limits = {name: gate.limit(name) for name in self.suite.scorers.dimensions()}
        question = question_of(comparison, limits, set(self._deterministic(comparison)), stored)
        state = start(question, *first_answers(comparison))
        while todo := state.todo():
            if self.session.deadline.remaining() <= 0:
                return state.stop("deadline")
            state = state.observe(self._run(todo, first_look=state.level == 0))
        return state

    def _deterministic(self, comparison: Comparison) -> Iterable[tuple[str, Side]]:
        """Where asking again could only give the same answer; what was refused for what it is will be refused again."""
        first: Mapping[Side, Mapping[str, Record]] = {"base": comparison.base, "candidate": comparison.candidate}
        for side, evaluator in self.sides.items():
            for case in self.suite.golden.cases.values():
                record = first[side].get(case.id)
                if evaluator.is_deterministic(case) or (record and record.error_kind == "request"):
                    yield case.id, side

    def _run(self, todo: Iterable[Rerun], *, first_look: bool) -> list[Result]:
        wanted = list(todo)
        label = "asking again for lost cases" if first_look else "confirming"
        self.session.progress.start(f"{self.suite.name}: {label}", sum(rerun.runs for rerun in wanted))
        try:
            records = self._ask(self._in_turn(wanted))
        finally:
            self.session.progress.finish()
        if first_look:
            for side, record in records:
                self.second_tries[side][record.case] = record
        return [(record.case, side, {cell.scorer: cell.passed for cell in record.cells}) for side, record in records]

    def _in_turn(self, wanted: Iterable[Rerun]) -> list[tuple[Side, Job]]:
        """Base and candidate by turns, so that both are asked under the same load and their latencies compare."""
        jobs: dict[Side, list[Job]] = {side: [] for side in self.sides}
        for rerun in wanted:
            jobs[rerun.side] += self._jobs(self.sides[rerun.side], rerun)
        rounds = zip_longest(*([(side, job) for job in jobs[side]] for side in self.sides))
        return [turn for round_ in rounds for turn in round_ if turn]

    def _ask(self, jobs: Sequence[tuple[Side, Job]]) -> list[tuple[Side, Record]]:
        files = {side: RunFile(self.session.out / self.suite.name / f"{side}.jsonl") for side in self.sides}

        def seen(index: int, record: Record) -> None:
            files[jobs[index][0]].add(record)
            self.session.progress.advance(record)

        records = run_all([(self.sides[side], job) for side, job in jobs], self.session.deadline, seen)
        return [(side, record) for (side, _), record in zip(jobs, records, strict=True)]

    def _jobs(self, evaluator: Evaluator, rerun: Rerun) -> list[Job]:
        case = self.suite.golden.cases[rerun.case]
        request = evaluator.target.request(case)
        first = _FIRST_FRESH + self.made[rerun.case, rerun.side]
        self.made[rerun.case, rerun.side] += rerun.runs
        return [Job(case, first + number, request) for number in range(rerun.runs)]


def question_of(
    comparison: Comparison,
    limits: Mapping[str, Limit],
    deterministic: Collection[tuple[str, Side]],
    stored: Mapping[Key, Stored],
) -> Question:
    """What the first look asks of the confirmation."""
    return Question(
        cells=[Cell(pair.case, pair.scorer, pair.dimension, pair.weight) for pair in comparison.pairs],
        limits=limits,
        same={case for case, record in comparison.candidate.items() if record.reused},
        deterministic=deterministic,
        stored=stored,
    )


def first_answers(comparison: Comparison) -> tuple[Answers, Answers]:
    """What base's cells and the candidate's did in the first look."""
    pairs = comparison.pairs
    return (
        {(pair.case, pair.scorer): pair.base.passed for pair in pairs if pair.base},
        {(pair.case, pair.scorer): pair.candidate.passed for pair in pairs if pair.candidate},
    )
