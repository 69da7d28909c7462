"""`ci-eval baseline`: main's memory."""

from __future__ import annotations

import json
from pathlib import Path

import click


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
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def update(repo: Path, config_path: str, ref: str, wanted: str | None, quiet: bool) -> int:
    """Evaluate a commit and store it as a baseline."""
    from ci_eval import config, snapshot
    from ci_eval.cli.laptop import chosen_suites, default_out, local_store, print_scores, refuse_lost, session
    from ci_eval.evaluation import evaluate_all
    from ci_eval.git import Git

    git = Git.discover(repo)
    at = snapshot.at_commit(git, git.commit(ref))
    policy = config.load(at, config_path)
    names = chosen_suites(policy, wanted)
    shared = session(policy, default_out(git), quiet=quiet)
    done = evaluate_all(policy, at, shared, names, repeats=policy.policy.baseline.repeats)
    refuse_lost(done)
    for _, run in done:
        local_store(git, policy).add(run, "local")
    print_scores(done, as_json=False)
    return 0


@baseline.command("list")
@_repo
@_config
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(repo: Path, config_path: str, as_json: bool) -> int:
    """List the stored runs: suite, fingerprint, commit and run."""
    from ci_eval import config, snapshot
    from ci_eval.cli.laptop import local_store
    from ci_eval.git import Git
    from ci_eval.text import log

    git = Git.discover(repo)
    policy = config.load(snapshot.of_work_tree(git), config_path)
    paths = local_store(git, policy).paths()
    if as_json:
        click.echo(json.dumps(paths))
    else:
        for path in paths or ["no stored runs; make one with: ci-eval baseline update"]:
            click.echo(log(path))
    return 0
