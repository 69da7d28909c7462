"""`ci-eval baseline`: make, list, check and prune the stored runs of main."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_eval.cli.cache import cache_options, chosen_cache
from ci_eval.cli.lazy import LazyGroup
from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.baseline.upkeep import Checked, Problem
    from ci_eval.cli.stored import Clone


_LAZY = {"replay": "ci_eval.cli.replay:replay", "show": "ci_eval.cli.baseline_show:show"}


@click.group(cls=LazyGroup, lazy=_LAZY)
def baseline() -> None:
    """Store, show and check main's runs.

    On GitHub the workflow's push event stores them; these commands work on the baseline branch of this clone.
    """


_repo = click.option(
    "--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR"
)
_config = click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")


@baseline.command()
@_repo
@_config
@click.option("--ref", default="HEAD", show_default=True, metavar="REF", help="The commit to evaluate and store.")
@click.option("--suite", "wanted", metavar="NAME", help="Only this suite; by default all of them.")
@cache_options
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def update(
    repo: Path, config_path: str, ref: str, wanted: str | None, no_cache: bool, refresh: bool, quiet: bool
) -> int:
    """Evaluate a commit and store it as a baseline.

    And its suites' anchors, where the store has no run of them that serves.
    """
    from dataclasses import replace

    from ci_eval import config, sides, snapshot
    from ci_eval.cli.laptop import chosen_suites, default_out, local_baselines, print_scores, refuse_lost, session
    from ci_eval.evaluation.anchored import missing_anchors
    from ci_eval.evaluation.full_run import evaluate_all
    from ci_eval.evaluation.suite import to_store
    from ci_eval.figures.tally import Tally
    from ci_eval.git import Git

    git = Git.discover(repo)
    at = snapshot.at_commit(git, sides.commit_named(git, ref))
    policy = config.load(at, config_path)
    names = chosen_suites(policy, wanted)
    cache = chosen_cache(no_cache=no_cache, refresh=refresh)
    shared = replace(session(policy, default_out(git), quiet=quiet), cache=cache)
    done = evaluate_all(policy, at, shared, names, repeats=policy.policy.baseline.repeats)
    counted = [(suite, Tally.of(run.records)) for suite, run in done]
    refuse_lost(counted)
    baselines, repeats = local_baselines(git, policy), policy.policy.baseline.repeats
    anchors = missing_anchors([suite for suite, _ in done], git, baselines, shared, repeats=repeats)
    refuse_lost([(suite, Tally.of(run.records)) for suite, run in anchors])
    for _, run in (*done, *anchors):
        baselines.store.add(to_store(policy, run), f"local.{run.header.time.replace(':', '')}")
    print_scores(counted, as_json=False)
    click.echo(f"stored on the branch {baselines.store.branch} of this clone")
    return 0


@baseline.command("list")
@_repo
@_config
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(repo: Path, config_path: str, as_json: bool) -> int:
    """List the stored runs."""
    from tabulate import tabulate

    from ci_eval import config, snapshot
    from ci_eval.cli.laptop import local_store
    from ci_eval.git import Git

    git = Git.discover(repo)
    policy = config.load(snapshot.of_work_tree(git), config_path)
    paths = local_store(git, policy).paths()
    if as_json:
        click.echo(json.dumps(paths))
    elif not paths:
        click.echo("no stored runs; make one with: ci-eval baseline update")
    else:
        rows = [_parts(path) for path in paths]
        click.echo(tabulate(rows, ["suite", "commit", "run", "fingerprint"], "plain", disable_numparse=True))
    return 0


def _parts(path: str) -> list[str]:
    """A path of the store, taken apart: the branch may hold files that we did not write, and those are shown whole."""
    match path.split("/"):
        case ["runs", suite, fingerprint, file] if "-" in file:
            commit, _, run = file.removesuffix(".jsonl").partition("-")
            return [log(suite), log(commit[:12]), log(run), log(fingerprint)]
    return [log(path), "", "", ""]


@baseline.command()
@_repo
@_config
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def verify(repo: Path, config_path: str, as_json: bool) -> int:
    """Say what is wrong with the store.

    Reads every file. Exit code 2 if anything is wrong.
    """
    from ci_eval.cli.stored import Clone
    from ci_eval.errors import EXIT_PASS, EXIT_REFUSED

    clone = Clone.at_head(repo, config_path)
    checked = list(_checked(clone))
    problems = [problem for file in checked for problem in file.problems]
    if as_json:
        keys = ("path", "problem", "remedy")
        click.echo(json.dumps([dict(zip(keys, _told(problem), strict=True)) for problem in problems]))
    else:
        for problem in problems:
            path, what, remedy = _told(problem)
            click.echo(f"{path} {what}; {remedy}")
        bad = sum(bool(file.problems) for file in checked)
        click.echo(f"{_files(len(checked))} in {clone.store.branch} of this clone, {bad or 'none'} with problems")
    return EXIT_REFUSED if problems else EXIT_PASS


def _checked(clone: Clone) -> Iterator[Checked]:
    from ci_eval.baseline.upkeep import check

    return check(clone.store.files(), clone.cases_of, datetime.now(UTC))


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _told(problem: Problem) -> tuple[str, str, str]:
    return log(problem.path), log(problem.what), problem.remedy


@baseline.command()
@_repo
@_config
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N runs of every fingerprint.")
@click.option("--older-than", type=click.IntRange(min=1), metavar="DAYS", help="Only runs older than this go.")
@click.option("--damaged", is_flag=True, help="Take out what `verify` finds fault with, and nothing else.")
@click.option("--dry-run", is_flag=True, help="Say what would go.")
def prune(repo: Path, config_path: str, keep: int | None, older_than: int | None, damaged: bool, dry_run: bool) -> int:
    """Take old runs out of the store.

    Never the newest of a fingerprint. One more commit lacks them; the branch's history keeps them, and other writers
    lose nothing.
    """
    from ci_eval.baseline.upkeep import surplus
    from ci_eval.cli.stored import Clone
    from ci_eval.errors import UsageError

    if damaged == (keep is not None or older_than is not None):
        raise UsageError("say which runs may go: --keep N, --older-than DAYS or both; or --damaged alone")
    clone = Clone.at_head(repo, config_path)
    checked = _checked(clone)
    if damaged:
        going = tuple(file.path for file in checked if file.problems)
    else:
        age = None if older_than is None else timedelta(days=older_than)
        going = surplus(checked, keep=keep, older_than=age, now=datetime.now(UTC))
    gone = going if dry_run else clone.store.remove(going)
    for path in sorted(gone):
        click.echo(log(path))
    click.echo(f"{_files(len(gone))} {'to take' if dry_run else 'taken'} out of {clone.store.branch} of this clone")
    return 0
