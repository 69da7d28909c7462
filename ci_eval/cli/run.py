"""`ci-eval run`: evaluate one snapshot."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--suite", "wanted", metavar="NAME", help="Only this suite; by default all of them.")
@click.option("--ref", metavar="REF", help="Evaluate this commit; by default the working tree.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--repeats", type=click.IntRange(1, 20), default=1, show_default=True, help="Answers per case.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where run files go.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def run(
    wanted: str | None,
    ref: str | None,
    config_path: str,
    repo: Path,
    repeats: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Evaluate the working tree (or a commit) and print its scores."""
    from ci_eval import config, sides, snapshot
    from ci_eval.cli.laptop import chosen_suites, default_out, print_scores, refuse_lost, session
    from ci_eval.evaluation import evaluate_all
    from ci_eval.git import Git

    git = Git.discover(repo)
    at = snapshot.at_commit(git, sides.commit_named(git, ref)) if ref else snapshot.of_work_tree(git)
    policy = config.load(at, config_path)
    names = chosen_suites(policy, wanted)
    shared = session(policy, out or default_out(git), quiet=quiet)
    done = evaluate_all(policy, at, shared, names, repeats=repeats)
    print_scores(done, as_json=as_json)
    refuse_lost(done)
    return 0
