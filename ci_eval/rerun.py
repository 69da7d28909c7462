"""The confirmation, carried out: what the state machine asks for is run, fresh, until it has decided or time is out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ci_eval.comparison import Comparison, Pair
from ci_eval.config import GatePolicy
from ci_eval.confirm import Confirmation, Question, Rerun, Side, start
from ci_eval.evaluation import Session, Suite
from ci_eval.evidence import Answers, Cell, Key, Stored
from ci_eval.golden.cases import Case
from ci_eval.records import Record, RunFile
from ci_eval.runner import Evaluator, Job

# Fresh runs are numbered from here, far from main's stored repeats: a model that draws by repeat must draw anew.
_FIRST_FRESH = 1000


@dataclass
class Reruns:
    """Both sides of one suite, ready to be asked again."""

    suite: Suite
    sides: Mapping[Side, Evaluator]
    session: Session
    made: dict[tuple[str, Side], int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many reruns were made so far."""
        return sum(self.made.values())

    def confirm(self, comparison: Comparison, gate: GatePolicy, stored: Mapping[Key, Stored]) -> Confirmation:
        """Rerun what differs until every dimension is decided; what is open at the deadline is inconclusive."""
        question = self._question(comparison, gate, stored)
        state = start(question, _answers(comparison.base.values()), _answers(comparison.candidate.values()))
        while todo := state.todo():
            if self.session.deadline.remaining() <= 0:
                return state.stop("deadline")
            state = state.observe(self._run(todo))
        return state

    def _question(self, comparison: Comparison, gate: GatePolicy, stored: Mapping[Key, Stored]) -> Question:
        return Question(
            cells=[_cell(pair) for pair in comparison.pairs],
            limits={name: gate.limit(name) for name in self.suite.scorers.dimensions()},
            same={case for case, record in comparison.candidate.items() if record.reused},
            deterministic=set(self._deterministic()),
            stored=stored,
        )

    def _deterministic(self) -> Iterable[tuple[str, Side]]:
        for side, evaluator in self.sides.items():
            for case in self.suite.golden.cases.values():
                if evaluator.is_deterministic(case):
                    yield case.id, side

    def _run(self, todo: Iterable[Rerun]) -> list[tuple[str, Side, Mapping[str, bool | None]]]:
        wanted = list(todo)
        self.session.progress.start(f"{self.suite.name}: confirming", sum(rerun.runs for rerun in wanted))
        try:
            return [result for side in self.sides for result in self._run_side(side, wanted)]
        finally:
            self.session.progress.finish()

    def _run_side(self, side: Side, wanted: Iterable[Rerun]) -> Iterable[tuple[str, Side, Mapping[str, bool | None]]]:
        evaluator = self.sides[side]
        jobs = [job for rerun in wanted if rerun.side == side for job in self._jobs(evaluator, rerun)]
        file = RunFile(self.session.out / self.suite.name / f"{side}.jsonl")

        def seen(record: Record) -> None:
            file.add(record)
            self.session.progress.advance(record)

        for record in evaluator.run(jobs, self.session.deadline, seen):
            yield record.case, side, {cell.scorer: cell.passed for cell in record.cells}

    def _jobs(self, evaluator: Evaluator, rerun: Rerun) -> list[Job]:
        case: Case = self.suite.golden.cases[rerun.case]
        done = self.made.get((rerun.case, rerun.side), 0)
        self.made[rerun.case, rerun.side] = done + rerun.runs
        request = evaluator.target.request(case)
        return [Job(case, _FIRST_FRESH + done + number, request) for number in range(rerun.runs)]


def _cell(pair: Pair) -> Cell:
    return Cell(pair.case, pair.scorer, pair.dimension, pair.weight)


def _answers(records: Iterable[Record]) -> Answers:
    return {(record.case, cell.scorer): cell.passed for record in records for cell in record.cells}
