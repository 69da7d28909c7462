"""What commands on a laptop share: where files go, keys, and the clone's own baselines."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import click
from tabulate import tabulate

from ci_eval.baseline.store import WRITERS, Store, Trust
from ci_eval.cli.progress import choose
from ci_eval.config import Config
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, UsageError
from ci_eval.evaluation.base_run import Baselines
from ci_eval.evaluation.session import LAPTOP, Session
from ci_eval.evaluation.suite import Suite, required_keys
from ci_eval.figures.tally import Tally
from ci_eval.git import Git, Remote
from ci_eval.reader import write_file
from ci_eval.report.judges import lines
from ci_eval.secrets import Secret, take
from ci_eval.text import log

_FULL_SECONDS = 6 * 3600.0


def echo_markdown(text: str) -> None:
    """Print a comment. In a CI log its fences could hold workflow commands, so there the runner is told not to look."""
    if not os.environ.get("GITHUB_ACTIONS"):
        click.echo(text)
        return
    token = uuid4().hex
    click.echo(f"::stop-commands::{token}\n{text}\n::{token}::")


def no_keys(names: Iterable[str]) -> dict[str, Secret]:
    """For commands that ask nothing: every key is there, and none is real."""
    return {name: Secret("none") for name in names}


def default_out(git: Git) -> Path:
    """`.ci-eval` at the root of the work tree; it ignores itself, so git and the next gate do not see it."""
    assert git.work_tree is not None, "a bare repository has no working tree"  # noqa: S101 - discover finds work trees
    folder = git.work_tree / ".ci-eval"
    write_file(folder / ".gitignore", b"*\n")
    return folder


def session(config: Config, out: Path, *, quiet: bool) -> Session:
    """A full evaluation: keys out of the environment, and all the time it needs."""
    keys = take(os.environ, required_keys(config))
    return Session(keys, choose(quiet=quiet), out, LAPTOP, Deadline.after(_FULL_SECONDS))


def chosen_suites(config: Config, wanted: str | None) -> list[str]:
    known = list(config.policy.suites)
    if wanted and wanted not in known:
        raise UsageError(f"no suite of that name; there are {', '.join(known)}")
    return [wanted] if wanted else known


def print_scores(done: Sequence[tuple[Suite, Tally]], *, as_json: bool) -> None:
    table = {suite.name: tally.scores(suite.scorers) for suite, tally in done}
    if as_json:
        click.echo(json.dumps({name: {d: f"{float(v):.4f}" for d, v in row.items()} for name, row in table.items()}))
    else:
        rows = [[name, dimension, f"{float(v):.2f}"] for name, row in table.items() for dimension, v in row.items()]
        click.echo(
            tabulate(rows, ["suite", "dimension", "score"], disable_numparse=True, colalign=("left", "left", "right"))
        )
    for suite, _ in done:
        for line in lines(suite.judge_agreements, log):
            click.echo(line, err=as_json)  # the JSON has a key for each suite, and the run file has the figures


def refuse_lost(done: Sequence[tuple[Suite, Tally]], *, remedy: str = "run again") -> None:
    """A run with holes is not a result."""
    lost = sum(tally.unanswered for _, tally in done)
    if lost:
        what = "1 answer was" if lost == 1 else f"{lost} answers were"
        raise Inconclusive(f"{what} refused or lost to infrastructure ({_cause(done)}); {remedy}")


def _cause(done: Sequence[tuple[Suite, Tally]]) -> str:
    """What most of them failed by: it is the same for all, where a key or an address is wrong."""
    causes = sum((tally.causes for _, tally in done), Counter[str]())
    if not causes:
        return "the run file says why"
    cause = log(causes.most_common(1)[0][0], limit=200)
    return cause if len(causes) == 1 else f"most often: {cause}; the run file has the others"


def local_store(git: Git, config: Config) -> Store:
    """The baseline branch of the clone itself."""
    return Store(Remote(str(git.git_dir.resolve()), protocols="file"), config.policy.baseline.branch)


def local_baselines(git: Git, config: Config) -> Baselines:
    """A laptop trusts what it wrote itself, besides what main wrote."""
    policy = config.policy.baseline
    trust = Trust(WRITERS | {"local"}, None, timedelta(days=policy.max_age_days), datetime.now(UTC))
    return Baselines(local_store(git, config), trust)
