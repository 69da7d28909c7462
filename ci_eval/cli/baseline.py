"""`ci-eval baseline`: main's memory."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ci_eval.cli.cache import cache_options, chosen_cache


@click.group()
def baseline() -> None:
    """Store and list main's runs.

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
    """Evaluate a commit and store it as a baseline."""
    from dataclasses import replace

    from ci_eval import config, sides, snapshot
    from ci_eval.cli.laptop import chosen_suites, default_out, local_store, print_scores, refuse_lost, session
    from ci_eval.evaluation import evaluate_all, to_store
    from ci_eval.git import Git

    git = Git.discover(repo)
    at = snapshot.at_commit(git, sides.commit_named(git, ref))
    policy = config.load(at, config_path)
    names = chosen_suites(policy, wanted)
    cache = chosen_cache(no_cache=no_cache, refresh=refresh)
    shared = replace(session(policy, default_out(git), quiet=quiet), cache=cache)
    done = evaluate_all(policy, at, shared, names, repeats=policy.policy.baseline.repeats)
    refuse_lost(done)
    store = local_store(git, policy)
    for _, run in done:
        store.add(to_store(policy, run), f"local.{run.header.time.replace(':', '')}")
    print_scores(done, as_json=False)
    click.echo(f"stored on the branch {store.branch} of this clone")
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
    from ci_eval.text import log

    match path.split("/"):
        case ["runs", suite, fingerprint, file] if "-" in file:
            commit, _, run = file.removesuffix(".jsonl").partition("-")
            return [log(suite), log(commit[:12]), log(run), log(fingerprint)]
    return [log(path), "", "", ""]
