"""`ci-eval gate`: the main job."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_eval.cli.cache import cache_options, chosen_cache
from ci_eval.cli.reports import report_option, write_reports

if TYPE_CHECKING:
    from ci_eval.gate import Gate
    from ci_eval.git import Git
    from ci_eval.runner.cache import ResponseCache


@click.command()
@click.option("--base", "base_ref", metavar="REF", help="Compare with this; by default origin's main, or main.")
@click.option("--head", "head_ref", metavar="REF", help="Judge this commit; by default the working tree.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where run files go.")
@report_option
@cache_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--markdown", is_flag=True, help="Print the comment that GitHub would show.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def gate(
    base_ref: str | None,
    head_ref: str | None,
    config_path: str,
    repo: Path,
    out: Path | None,
    reports: Sequence[Path],
    no_cache: bool,
    refresh: bool,
    as_json: bool,
    markdown: bool,
    quiet: bool,
) -> int:
    """Judge a change: did it make the product worse on its golden set?

    On GitHub (with neither --base nor --head) it reads the event and answers in the pull request. On a laptop it
    compares the working tree, or --head, with the main branch and prints the same table.
    """
    from ci_eval.git import Git

    if as_json and markdown:
        raise click.UsageError("--json and --markdown are two answers; choose one.")
    if os.environ.get("GITHUB_ACTIONS") == "true" and not base_ref and not head_ref:
        from ci_eval.cli.progress import choose
        from ci_eval.github.job import run_on_github

        return run_on_github(os.environ, choose(quiet=quiet), reports=reports)
    git = Git.discover(repo)

    cache = chosen_cache(no_cache=no_cache, refresh=refresh)
    prepared = on_laptop(git, base_ref, head_ref, config_path, out, quiet=quiet, cache=cache)
    outcome = prepared.run()
    if reports:
        from ci_eval.report.files import of_gate

        write_reports(reports, partial(of_gate, outcome))
    if as_json:
        from ci_eval.report.json_report import to_json

        click.echo(json.dumps(to_json(outcome), ensure_ascii=True, indent=2))
    elif markdown:
        from ci_eval.cli.laptop import echo_markdown
        from ci_eval.report.markdown import comment
        from ci_eval.report.model import build

        echo_markdown(comment(build(outcome)))
    else:
        from ci_eval.report.model import build
        from ci_eval.report.terminal import show

        show(build(outcome))
    return outcome.verdict.exit_code


def on_laptop(
    git: Git,
    base_ref: str | None,
    head_ref: str | None,
    config_path: str,
    out: Path | None,
    *,
    quiet: bool,
    cache: ResponseCache | None = None,
) -> Gate:
    from ci_eval import sides
    from ci_eval.cli.laptop import default_out, local_baselines
    from ci_eval.cli.progress import choose
    from ci_eval.gate import Gate
    from ci_eval.secrets import take

    chosen = sides.on_laptop(git, base_ref, head_ref)
    return Gate(
        base=chosen.base,
        candidate=chosen.candidate,
        config_path=config_path,
        keys=partial(take, os.environ),
        progress=choose(quiet=quiet),
        out=out or default_out(git),
        baselines=partial(local_baselines, git),
        cache=cache,
    )
