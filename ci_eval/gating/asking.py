"""Both sides of one suite at work: answers are written to run files, shown as progress, and counted as spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from ci_eval.confirm.machine import Side
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Suite
from ci_eval.records import Record, RunFile
from ci_eval.runner.evaluator import Evaluator, Job
from ci_eval.runner.pool import always, run_all

SIDES: tuple[Side, Side] = ("base", "candidate")
NAMES: Mapping[Side, str] = {"base": "base", "candidate": "candidate"}


@dataclass(frozen=True)
class Asking:
    """One suite at work."""

    suite: Suite
    sides: Mapping[Side, Evaluator]
    session: Session
    names: Mapping[Side, str] = field(default_factory=lambda: NAMES)
    """What the run files of both sides are called."""

    @cached_property
    def files(self) -> Mapping[Side, RunFile]:
        folder = self.session.out / self.suite.name
        return {side: RunFile(folder / f"{name}.jsonl") for side, name in self.names.items()}

    def ask(
        self, what: str, jobs: Sequence[tuple[Side, Job]], may_start: Callable[[], bool] = always
    ) -> list[tuple[Side, Job, Record | None]]:
        """A record for each job; None for what was not begun, because it might not start or there was no money."""
        progress = self.session.progress
        progress.start(f"{self.suite.name}: {what}", len(jobs))
        found: dict[int, Record] = {}

        def may() -> bool:
            return may_start() and self.session.purse.begin()

        try:
            with ExitStack() as open_files:
                add = {side: open_files.enter_context(file.adding()) for side, file in self.files.items()}

                def seen(index: int, record: Record) -> None:
                    found[index] = record
                    add[jobs[index][0]](record)
                    self.session.pay(record)
                    progress.advance(record)

                run_all([(self.sides[side], job) for side, job in jobs], self.session.deadline, seen, may)
        finally:
            progress.finish()
        return [(side, job, found.get(index)) for index, (side, job) in enumerate(jobs)]
