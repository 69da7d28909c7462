"""`ci-eval merge`: join the shards of one evaluation into one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ci_eval.evaluation.suite import Suite
    from ci_eval.git import Git
    from ci_eval.records import Header
    from ci_eval.runner.shards import Part


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(dir_okay=False, exists=True, path_type=Path)
)
@click.option("-o", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The whole run.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def merge(files: Sequence[Path], file: Path | None, config_path: str, repo: Path, as_json: bool) -> int:
    """Join the shards of one evaluation, and print its scores.

    Every shard must be there once, whole, and of the same inputs as the commit (or the working tree) that they name.
    """
    from ci_eval.cli.laptop import print_scores, refuse_lost
    from ci_eval.figures.tally import Tally
    from ci_eval.git import Git
    from ci_eval.reader import write_file
    from ci_eval.records import read, to_bytes
    from ci_eval.runner.shards import join

    parts = [(str(path), read(path)) for path in files]
    suite = _suite_of(Git.discover(repo), config_path, parts[0])
    whole = join(parts, suite.golden.cases)
    if file:
        write_file(file, to_bytes(whole))
    done = [(suite, Tally.of(whole.records))]
    print_scores(done, as_json=as_json)
    refuse_lost(done, remedy="finish its shard with the same command and --resume, and merge again")
    return 0


def _suite_of(git: Git, config_path: str, part: Part) -> Suite:
    """The suite as it was evaluated; raises InputError when the files of this clone are others."""
    from ci_eval import config, sides, snapshot
    from ci_eval.cli.laptop import chosen_suites
    from ci_eval.errors import InputError
    from ci_eval.evaluation.suite import Suite

    name, run = part
    header: Header = run.header
    commit = header.commit
    at = snapshot.at_commit(git, sides.commit_named(git, commit)) if commit else snapshot.of_work_tree(git)
    policy = config.load(at, config_path)
    suite = Suite.load(policy, at, chosen_suites(policy, header.suite)[0])
    now = suite.fingerprint(suite.side(at).target)
    others = [words for words, (then, here) in header.fingerprint.differences(now).items() if then != here]
    if others:
        where = f"commit {commit[:12]} has" if commit else "the working tree has"
        remedy = "merge where the shards were evaluated, with the same config and ci-eval"
        raise InputError(f"{where} {', '.join(others)}", remedy=remedy, file=name)
    return suite
