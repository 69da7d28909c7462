"""Confirmation at work: runs what the state machine asks for, fresh, until it has decided or the time is out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from ci_eval.confirm.evidence import Answers
from ci_eval.confirm.machine import Confirmation, Question, Rerun, Result, Side, start
from ci_eval.gating.asking import SIDES, Asking
from ci_eval.gating.first_pass import FirstPass
from ci_eval.records import CellResult, Record, scoring_calls
from ci_eval.runner.cache import FIRST_FRESH
from ci_eval.runner.evaluator import Job


@dataclass
class Reruns:
    """Both sides of one suite, asked again."""

    asking: Asking
    first: FirstPass
    made: Counter[tuple[str, Side]] = field(default_factory=Counter)
    looked: dict[Side, dict[str, Record]] = field(default_factory=lambda: {"base": {}, "candidate": {}})
    """First looks that were asked for here: at cases that the first pass had lost, or had left out."""
    fresh: list[tuple[Side, Record]] = field(default_factory=list)
    timed: list[tuple[Side, Record]] = field(default_factory=list)
    """Asked for their time alone: they have no vote."""
    first_number: int = FIRST_FRESH

    @property
    def calls(self) -> int:
        return len(self.fresh) + len(self.timed) + sum(len(records) for records in self.looked.values())

    @property
    def scoring_calls(self) -> int:
        looked = (record for records in self.looked.values() for record in records.values())
        return scoring_calls([*(record for _, record in (*self.fresh, *self.timed)), *looked])

    def records(self, side: Side) -> dict[str, Record]:
        """The first look of a side, with what was found of it here."""
        return {**self.first.records[side], **self.looked[side]}

    def of_this_job(self, side: Side) -> tuple[Record, ...]:
        """What was asked here beyond the first look, with a load that was the same for both sides."""
        return tuple(record for own, record in (*self.fresh, *self.timed) if own == side)

    def time(self, cases: Iterable[str]) -> None:
        """Ask both sides about some cases once more, to compare how long they take."""
        todo = [Rerun(case, side, 1) for case in cases for side in SIDES]
        asked = self.asking.ask("timing", self._in_turn(todo))
        self.timed += [(side, record) for side, _, record in asked if record]

    def confirm(self, question: Question, planned: frozenset[str]) -> Confirmation:
        """Rerun what differs until every dimension is decided; what is open when time or money ends is inconclusive.

        `planned` are the cases that the first look was for, answered or not.
        """
        sure = frozenset(self._deterministic())
        asked = replace(question, deterministic=sure, planned=planned)
        state = start(asked, *(_answers(side, self.first.records[side]) for side in SIDES))
        while todo := state.todo():
            if self.asking.session.deadline.remaining() <= 0:
                return state.stop("deadline")
            if not self.asking.session.purse.enough_for(sum(rerun.runs for rerun in todo)):
                return state.stop("budget")
            state = self._after(state, todo)
        return state

    def _after(self, state: Confirmation, todo: Iterable[Rerun]) -> Confirmation:
        is_first = state.level == 0
        asked = self.asking.ask("asking about more cases" if is_first else "confirming", self._in_turn(todo))
        known = [(side, record) for side, _, record in asked if record]
        if is_first:
            for side, record in known:
                self.looked[side][record.case] = record
        else:
            self.fresh += known
        results: list[Result] = [
            (record.case, side, {cell.scorer: cell.passed for cell in _cells(side, record)}) for side, record in known
        ]
        after = state.observe(results)
        return after if len(known) == len(asked) else after.stop("budget")

    def _deterministic(self) -> Iterator[tuple[str, Side]]:
        """Where asking again could only give the same answer."""
        cases = self.asking.suite.golden.cases.values()
        for side, evaluator in self.asking.sides.items():
            yield from ((case.id, side) for case in cases if evaluator.is_deterministic(case))

    def _in_turn(self, wanted: Iterable[Rerun]) -> list[tuple[Side, Job]]:
        """Base and candidate by turns, so that both are asked under the same load and their latencies compare."""
        jobs: dict[Side, list[Job]] = {side: [] for side in SIDES}
        for rerun in wanted:
            jobs[rerun.side] += self._jobs(rerun)
        rounds = zip_longest(*([(side, job) for job in jobs[side]] for side in SIDES))
        return [turn for round_ in rounds for turn in round_ if turn]

    def _jobs(self, rerun: Rerun) -> list[Job]:
        case = self.asking.suite.golden.cases[rerun.case]
        # Far from main's stored repeats, and from the cache: a model that draws by repeat must draw anew.
        first = self.first_number + self.made[rerun.case, rerun.side]
        self.made[rerun.case, rerun.side] += rerun.runs
        return [Job(case, first + number) for number in range(rerun.runs)]


def _answers(side: Side, records: Mapping[str, Record]) -> Answers:
    return {(record.case, cell.scorer): cell.passed for record in records.values() for cell in _cells(side, record)}


def _cells(side: Side, record: Record) -> list[CellResult]:
    return record.as_base if side == "base" else record.cells
