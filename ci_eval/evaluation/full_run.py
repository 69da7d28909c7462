"""A whole suite asked on one snapshot. The run file is written while answers arrive, so a run can be resumed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ci_eval.config import Config
from ci_eval.evaluation.canaries import check_judges
from ci_eval.evaluation.screened import refuse_personal
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Side, Suite, need_cases
from ci_eval.figures.tally import Tally
from ci_eval.golden.cases import Case
from ci_eval.records import Header, Key, Record, Run, RunFile
from ci_eval.runner import pool
from ci_eval.runner.evaluator import Evaluator, Job
from ci_eval.runner.pool import OnRecord
from ci_eval.runner.resume import resumed
from ci_eval.snapshot import Snapshot


@dataclass(frozen=True)
class FullRun:
    """One side of a suite; the run file is `<out>/<suite>/<name>.jsonl`."""

    suite: Suite
    side: Side
    session: Session
    name: str = "run"

    def evaluate(self, cases: Iterable[Case], repeats: int = 1) -> Run:
        """Every record, in the order of the cases. Raises InputError before anything is asked."""
        evaluator, jobs = self._jobs(cases, repeats)
        found: dict[Key, Record] = {}

        def seen(record: Record) -> None:
            found[record.key] = record

        header = self._ask(evaluator, jobs, seen)
        return Run(header, tuple(found[job.key] for job in jobs))

    def count(self, cases: Iterable[Case], repeats: int = 1) -> Tally:
        """The same where scores are all that is wanted: a record leaves memory once it is in the run file."""
        tally = Tally()
        self._ask(*self._jobs(cases, repeats), tally.add)
        return tally

    def _jobs(self, cases: Iterable[Case], repeats: int) -> tuple[Evaluator, list[Job]]:
        cases = tuple(cases)
        self.suite.aside.expect(len(cases) * repeats)  # it starts while the models of scorers are read here, too
        evaluator = self.suite.evaluator(self.side.target, self.session.keys, self.session.cache)
        return evaluator, evaluator.jobs(cases, repeats)

    def _ask(self, evaluator: Evaluator, jobs: list[Job], seen: OnRecord) -> Header:
        """Show each record of the run to `seen`, resumed ones among them."""
        file = RunFile(self.session.run_file(self.suite.name, self.name))
        header, kept = self._begin(file, evaluator, jobs)
        for record in kept.values():
            seen(record)
        todo = [job for job in jobs if job.key not in kept] if kept else jobs
        progress = self.session.progress
        progress.start(f"{self.suite.name}: {self.name}" + (f", {len(kept)} kept" if kept else ""), len(todo))
        try:
            with file.adding() as add:

                def came(record: Record) -> None:
                    add(record)
                    self.session.pay(record)
                    progress.advance(record)
                    seen(record)

                pool.run(evaluator, todo, self.session.deadline, came)
        finally:
            progress.finish()
        return header

    def _begin(self, file: RunFile, evaluator: Evaluator, jobs: list[Job]) -> tuple[Header, Mapping[Key, Record]]:
        """The run file with its header, and what need not be asked."""
        session = self.session
        header = self.suite.header(evaluator, jobs, self.side.snapshot.commit, session.origin)
        header = header.model_copy(update={"shard": str(session.shard) if session.shard else None})
        kept: dict[Key, Record] = {}
        if session.resume:
            header, kept = resumed(file.path, header, {job.key: evaluator.request(job).digest for job in jobs})
        file.start(header, kept.values())
        return header, kept


def evaluate_all(
    config: Config, snapshot: Snapshot, session: Session, names: Iterable[str], *, repeats: int
) -> list[tuple[Suite, Run]]:
    """Every named suite on one snapshot; a model that repeats itself is asked once."""
    return [
        (suite, FullRun(suite, suite.side(snapshot), session).evaluate(cases, repeats))
        for suite, cases in _loaded(config, snapshot, session, names)
    ]


def count_all(
    config: Config, snapshot: Snapshot, session: Session, names: Iterable[str], *, repeats: int
) -> list[tuple[Suite, Tally]]:
    """The same without the records, which are in the run files."""
    return [
        (suite, FullRun(suite, suite.side(snapshot), session).count(cases, repeats))
        for suite, cases in _loaded(config, snapshot, session, names)
    ]


def _loaded(
    config: Config, snapshot: Snapshot, session: Session, names: Iterable[str]
) -> list[tuple[Suite, Collection[Case]]]:
    """Every suite, checked before the first is asked, with its cases: all of them, or those of the session's shard."""
    names = list(names)
    refuse_personal(config.policy, config, snapshot, names)  # before anything that may quote it
    suites = [Suite.load(config, snapshot, name) for name in names]
    for suite in suites:
        need_cases(suite)
    for suite in suites:
        suite.refuse_unready_scorers(session.deadline)
        suite.refuse_unready_target(suite.side(snapshot).target, session.keys, session.deadline)
    check_judges(suites, session)
    shard = session.shard
    return [(suite, shard.of_cases(suite.golden.cases) if shard else suite.golden.cases.values()) for suite in suites]
