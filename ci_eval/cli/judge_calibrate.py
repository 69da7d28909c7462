"""`ci-eval judge calibrate`: how far does a judge agree with people?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_eval.cli.cache import cache_options, chosen_cache
from ci_eval.errors import Inconclusive, UsageError
from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.config import Config
    from ci_eval.evaluation.label_counts import CriterionCount
    from ci_eval.evaluation.labels import Judged, Labels
    from ci_eval.evaluation.suite import Suite
    from ci_eval.figures.calibration import Calibration
    from ci_eval.git import Git
    from ci_eval.runner.cache import ResponseCache
    from ci_eval.scorers.registry import BoundScorer


@click.command()
@click.argument("labels", required=False, type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--run", "run_file", type=click.Path(dir_okay=False, exists=True, path_type=Path), metavar="FILE",
              help="Also the answers of this run file whose golden cases have `human` ratings.")  # fmt: skip
@click.option("--suite", "wanted", metavar="NAME", help="The judge's suite; not needed where there is one.")
@click.option("--scorer", metavar="NAME", help="The judge; not needed where the suite has one.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--width", type=click.FloatRange(0.02, 1), default=0.2, show_default=True,
              help="Say how many labels an interval of this width needs.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what it would ask and cost, and ask nothing.")
@cache_options
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def calibrate(
    labels: Path | None,
    run_file: Path | None,
    wanted: str | None,
    scorer: str | None,
    config_path: str,
    repo: Path,
    width: float,
    dry_run: bool,
    no_cache: bool,
    refresh: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say how far a judge agrees with people.

    It rules on answers that people have labelled.

    LABELS are JSON lines, {"input": …, "output": …, "label": "pass"}; docs/judge.md has their keys. The figures are
    kept beside the rubric: commit that file, and every report shows them. It keeps to the `budget` of ci-eval.yaml:
    where that does not reach, exit 3, before the first call or with the figures of what was judged until then.
    """
    from ci_eval.cli.calibration_output import as_json as to_json
    from ci_eval.cli.calibration_output import lines
    from ci_eval.cli.judging import tell_cost
    from ci_eval.evaluation.label_counts import counts
    from ci_eval.evaluation.spending import refuse_too_dear
    from ci_eval.figures.calibration import kept

    work = _Work.prepare(repo, config_path, wanted, scorer)
    found = work.read(labels, run_file)
    before = kept(work.suite.snapshot, found.judge.rubric)  # what cannot be added to is told before anything is paid
    cost = found.takes(work.judge)
    if dry_run:
        tell_cost(cost, len(found.answers), "labelled answers", "answers", as_json=as_json)
    policy = work.config.policy
    what = f"judging {len(found.answers):,} labelled answers"
    refuse_too_dear(what, cost, policy.budget, policy.providers[found.judge.provider])
    if dry_run:
        return 0
    cache = chosen_cache(no_cache=no_cache, refresh=refresh)
    judge, judged = work.ask(found, cache, quiet=quiet)
    every = counts(found.judge, found.criteria, judged)
    ruled = sum(not one.record.lost for one in judged)
    whole = ruled == len(found.answers)
    if whole and not every:
        raise UsageError("people are of two minds, half by half, about every answer; add labels by another person")
    if every:
        told = json.dumps(to_json(every, ruled, width), indent=2) if as_json else "\n".join(lines(every, ruled, width))
        click.echo(told)
    if not whole:
        raise _unfinished(judged, len(found.answers), remembered=cache is not None)
    _keep(work, before, judge, every, ruled)
    return 0


@dataclass(frozen=True)
class _Work:
    """A judge that is to be compared with people, and where it stands."""

    git: Git
    root: Path
    """The folder that the calibration is written below."""
    config: Config
    suite: Suite
    judge: BoundScorer
    """Without keys: it can say what asking it costs, and cannot be asked."""
    scorer: str | None
    """As the user named it."""

    @classmethod
    def prepare(cls, repo: Path, config_path: str, suite: str | None, scorer: str | None) -> _Work:
        """Raises InputError for a config that does not load, and UsageError where several judges could be meant."""
        from ci_eval import config, snapshot
        from ci_eval.cli.judging import the_judge
        from ci_eval.cli.laptop import chosen_suites, no_keys
        from ci_eval.evaluation.suite import Suite, required_keys
        from ci_eval.git import Git

        git = Git.discover(repo)
        at = snapshot.of_work_tree(git)
        policy = config.load(at, config_path)
        found = _the_suite([Suite.load(policy, at, name) for name in chosen_suites(policy, suite)])
        judge = the_judge(found, found.judges(no_keys(required_keys(policy))), scorer)
        return cls(git, git.work_tree or repo, policy, found, judge, scorer)

    def read(self, path: Path | None, run_file: Path | None) -> Labels:
        """People's labels, out of a file of labels and a run file; raises InputError, and UsageError without any."""
        from ci_eval import records
        from ci_eval.evaluation.labels import Labels
        from ci_eval.scorers.judge import Judge

        policy = self.judge.scorer.policy
        assert isinstance(policy, Judge), "the suite's judges"  # noqa: S101
        found = Labels(policy, [one.name for one in policy.read_rubric(self.suite.snapshot).criteria])
        if path is not None:
            found.read(path, self.suite.golden.cases)
        if run_file is not None:
            found.of_run(records.read(run_file), self.suite.golden.cases, self.judge.scorer.dimension)
        found.refuse_none()
        return found

    def ask(self, labels: Labels, cache: ResponseCache | None, *, quiet: bool) -> tuple[BoundScorer, list[Judged]]:
        """The judge with its keys, and what it says of the labelled answers, within the budget of the config."""
        from ci_eval.cli.judging import the_judge
        from ci_eval.cli.laptop import default_out, session
        from ci_eval.evaluation.screened import refuse_personal
        from ci_eval.evaluation.spending import within

        policy = self.config.policy
        refuse_personal(policy, self.config, self.suite.snapshot, [self.suite.name])
        own = replace(session(self.config, default_out(self.git), quiet=quiet), cache=cache)
        shared = within(own, policy.budget)
        judge = the_judge(self.suite, self.suite.judges(shared.keys, cache), self.scorer)
        return judge, labels.judged(judge, self.suite, shared)


def _the_suite(suites: Sequence[Suite]) -> Suite:
    found = [suite for suite in suites if suite.judges()]
    if len(found) != 1:
        names = ", ".join(suite.name for suite in found)
        raise UsageError(f"several suites have a judge; choose one with --suite ({names})" if found else
                         "no suite has a scorer of type judge")  # fmt: skip
    return found[0]


def _unfinished(judged: Sequence[Judged], of: int, *, remembered: bool) -> Inconclusive:
    """The error where only some answers were judged: the figures are shown, but not kept, since the rest may differ."""
    lost = [one.record for one in judged if one.record.lost]
    cause = "the budget is spent" if len(judged) < of else log(lost[0].error or "no answer")
    missing = of - len(judged) + len(lost)
    again = "run again: what it has judged is remembered" if remembered else "run again, or raise the budget"
    return Inconclusive(
        f"the judge gave no verdict on {missing} of {of} answers ({cause}), so nothing is kept; {again}"
    )


def _keep(
    work: _Work, before: Sequence[Calibration], judge: BoundScorer, every: Sequence[CriterionCount], answers: int
) -> None:
    """Write the calibration beside the rubric, with those that are there. `answers`: how many the judge ruled on."""
    from datetime import UTC, datetime

    from ci_eval.config import calibration_path
    from ci_eval.figures.calibration import Calibration, rubric_digest, with_new
    from ci_eval.reader import write_file

    suite, policy = work.suite, every[0].judge
    new = Calibration(
        suite=suite.name,
        scorer=judge.scorer.name,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=policy.model,
        rubric=rubric_digest(policy, suite.snapshot),
        judge=judge.identity,
        answers=answers,
        compared={count.name: count.compared for count in every},
    )
    others = {one.identity for one in suite.judges()} - {judge.identity}
    file = with_new(before, new, others)
    data = json.dumps(file.model_dump(mode="json", exclude_none=True), indent=1)
    path = calibration_path(policy.rubric)
    write_file(work.root / path, f"{data}\n".encode())
    click.echo(f"ci-eval: kept in {log(path)}; commit it, and every report shows it", err=True)
