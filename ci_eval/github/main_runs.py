"""Main's own runs on GitHub: evaluated, remembered, and compared with what main was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from ci_eval import config as configs
from ci_eval import snapshot
from ci_eval.baseline.drift import Again, drifts, first_run
from ci_eval.config import Config
from ci_eval.deadline import Deadline
from ci_eval.evaluation.anchored import missing_anchors
from ci_eval.evaluation.full_run import evaluate_all
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Suite, required_keys, to_store
from ci_eval.figures.tally import Tally
from ci_eval.github.drift_issue import DriftIssue, in_markdown
from ci_eval.github.publish import config_id, cost, write_outputs, write_summary
from ci_eval.github.workplace import Workplace
from ci_eval.records import Run
from ci_eval.report.judges import lines
from ci_eval.runner.cache import ResponseCache
from ci_eval.secrets import take
from ci_eval.text import cell, log
from ci_eval.verdict import Verdict

_FULL_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class MainRuns:
    """The job of a push, a schedule, or a dispatch that names no pull request."""

    place: Workplace

    def evaluate(self, sha: str, branch: str, *, store: bool) -> int:
        """Evaluate every suite of a commit, and remember it where the event may write baselines."""
        environment = self.place.environment
        at = snapshot.at_commit(self.place.git(), sha)
        if not at.has(environment.inputs.config):
            click.echo(f"ci-eval: nothing to do: no {log(environment.inputs.config)} in this commit")
            return 0
        config = configs.load(at, environment.inputs.config)
        session = self._session(config, branch)
        with self._cache(wanted=store) as cache:
            session = replace(session, cache=cache)
            done = evaluate_all(config, at, session, config.policy.suites, repeats=config.policy.baseline.repeats)
        lost = sum(run.unanswered for _, run in done)
        again = [] if lost else self._again(config, done)
        if store and not lost:
            self._remember(config, done)
            self._remember_anchors(config, [suite for suite, _ in done], session)
        self.place.tell(write_summary(environment.summary_path, _scores_in_markdown(done, lost, stored=store)))
        self._tell_drift(again, every=len(again) == len(done))
        spent = cost(session.purse.spent)
        write_outputs(environment.output_path, {"verdict": "inconclusive" if lost else "pass"} | spent)
        return Verdict.INCONCLUSIVE.exit_code if lost else 0

    def _session(self, config: Config, branch: str) -> Session:
        place = self.place
        keys = take(place.environ, required_keys(config))
        deadline = Deadline.after(_FULL_SECONDS)
        return Session(keys, place.progress, place.fresh_folder(), place.origin(branch), deadline)

    def _remember(self, config: Config, done: Iterable[tuple[Suite, Run]]) -> None:
        run_id = f"{self.place.environment.run_id}.{self.place.environment.run_attempt}"
        for _, run in done:
            self.place.store(config).add(to_store(config, run), run_id)

    def _remember_anchors(self, config: Config, suites: Iterable[Suite], session: Session) -> None:
        baselines = self.place.baselines(config)
        if baselines:
            repeats = config.policy.baseline.repeats
            made = missing_anchors(suites, self.place.git(), baselines, replace(session, cache=None), repeats=repeats)
            self._remember(config, [(suite, run) for suite, run in made if not run.unanswered])

    def _again(self, config: Config, done: Sequence[tuple[Suite, Run]]) -> list[Again]:
        """By the clock: each suite beside the first run of the same inputs, where there is one."""
        if self.place.environment.event_name != "schedule":
            return []
        found = []
        for suite, run in done:
            stored = self.place.store(config).find(suite.name, run.header.fingerprint)
            before = first_run(stored, self.place.trust(config), suite.golden.cases)
            if before:
                limits = {name: suite.gate.limit(name) for name in suite.scorers.dimensions()}
                found.append(Again(suite.name, suite.cells(), limits, before, run))
        return found

    def _tell_drift(self, again: Sequence[Again], *, every: bool) -> None:
        """In the issue about it, which is closed where nothing differs in `every` suite."""
        drifted = drifts(again)
        environment = self.place.environment
        if drifted:
            self.place.tell("main answers differently than before, and main did not change; see the job's summary")
            text = f"## ci-eval: changed scores\n\n{in_markdown(drifted, environment.run_url)}"
            self.place.tell(write_summary(environment.summary_path, text))
        if environment.token and (drifted or (again and every)):
            own = config_id(environment.workflow, environment.inputs.config)
            with self.place.github() as github:
                self.place.tell(DriftIssue(github, own, environment.run_url, datetime.now(UTC)).keep(drifted))

    @contextmanager
    def _cache(self, *, wanted: bool) -> Iterator[ResponseCache | None]:
        """Main's, where its workflow names a folder to keep it in; what is done by the clock asks everything anew."""
        folder = self.place.environ.get("XDG_CACHE_HOME", "")
        remembers = self.place.environment.event_name in {"push", "workflow_dispatch"}
        if not (wanted and remembers and folder.startswith("/")):
            yield None
            return
        cache = ResponseCache(Path(folder, "ci-eval", "responses.sqlite"), self.place.tell, private=False)
        try:
            yield cache
        finally:
            cache.close()


def _scores_in_markdown(done: Sequence[tuple[Suite, Run]], lost: int, *, stored: bool) -> str:
    from tabulate import tabulate  # noqa: PLC0415 - only a full evaluation prints this table

    rows = [
        [suite.name, name, f"{float(score):.2f}"]
        for suite, run in done
        for name, score in Tally.of(run.records).scores(suite.scorers).items()
    ]
    table = tabulate(rows, headers=["suite", "dimension", "score"], tablefmt="github", disable_numparse=True)
    ending = f"Answers lost to infrastructure: {lost}, so nothing was stored." if lost else ""
    kept = "Stored as main's baseline." if stored and not lost else ending
    judges = "".join(f"- {line}\n" for suite, _ in done for line in lines(suite.judge_agreements, cell))
    return "\n\n".join(part for part in ("## ci-eval: full evaluation", table, judges, kept) if part) + "\n"
