"""`ci-eval run`: evaluate one snapshot and write a run file."""

from __future__ import annotations

from pathlib import Path

import click

from ci_eval.cli.cache import cache_options, chosen_cache


@click.command()
@click.option("--suite", "wanted", metavar="NAME", help="Only this suite; by default all of them.")
@click.option("--ref", metavar="REF", help="Evaluate this commit; by default the working tree.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--repeats", type=click.IntRange(1, 20), default=1, show_default=True, help="Answers per case.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where run files go.")
@click.option(
    "-o", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="One suite's run file."
)
@click.option("--shard", "shard_text", metavar="I/N", help="Only part I of N, as in 2/4; ci-eval merge joins them.")
@click.option("--resume", is_flag=True, help="Keep what the run file holds already, and ask for the rest.")
@cache_options
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def run(
    wanted: str | None,
    ref: str | None,
    config_path: str,
    repo: Path,
    repeats: int,
    out: Path | None,
    file: Path | None,
    shard_text: str | None,
    resume: bool,
    no_cache: bool,
    refresh: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Evaluate the working tree (or a commit) and print its scores."""
    from dataclasses import replace

    from ci_eval import config, sides, snapshot
    from ci_eval.cli.laptop import chosen_suites, default_out, print_scores, refuse_lost, session
    from ci_eval.evaluation.full_run import count_all
    from ci_eval.git import Git
    from ci_eval.runner.shards import Shard

    if file and out:
        raise click.UsageError("-o names the run file and --out its folder; choose one.")
    shard = Shard.parse(shard_text) if shard_text else None
    git = Git.discover(repo)
    at = snapshot.at_commit(git, sides.commit_named(git, ref)) if ref is not None else snapshot.of_work_tree(git)
    policy = config.load(at, config_path)
    names = chosen_suites(policy, wanted)
    if file and len(names) > 1:
        raise click.UsageError(f"a run file holds one suite; name it with --suite ({', '.join(names)}).")
    folder = file.parent if file else out or default_out(git)
    shared = replace(
        session(policy, folder, quiet=quiet),
        cache=chosen_cache(no_cache=no_cache, refresh=refresh),
        file=file,
        shard=shard,
        resume=resume,
    )
    done = count_all(policy, at, shared, names, repeats=repeats)
    print_scores(done, as_json=as_json)
    refuse_lost(done, remedy="run again with --resume, which asks for nothing else")
    return 0
