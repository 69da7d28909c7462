"""`ci-eval compare`: two or more run files compared, without asking a model."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ci_eval.cli.reports import report_option, write_reports

if TYPE_CHECKING:
    from ci_eval.compare_runs import RunComparison
    from ci_eval.figures.counted_run import CountedRun
    from ci_eval.report.files import Form

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


def _points(ctx: click.Context, param: click.Parameter, text: str | None) -> Fraction | None:
    """Points on the 0-100 scale, read exactly: as a float, 0.1 is another number."""
    if text is None:
        return None
    found = Fraction(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text, re.ASCII) else Fraction(0)
    if not 0 < found <= 100:
        raise click.BadParameter("write points above 0 and up to 100, as in 1 or 0.5", ctx, param)
    return found


@click.command()
@click.argument("base", metavar="BASE", type=_FILE)
@click.argument("candidates", metavar="CANDIDATE...", nargs=-1, required=True, type=_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "html", "json", "junit", "sarif"]),
    default="text",
    show_default=True,
)
@report_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--fail-on-drop", "limit", callback=_points, metavar="POINTS", help="Exit 1 when a score fell by as much."
)
def compare(
    base: Path,
    candidates: Sequence[Path],
    form: Form | Literal["text"],
    reports: Sequence[Path],
    as_json: bool,
    limit: Fraction | None,
) -> int:
    """Compare run files case by case; no model is asked.

    BASE and each CANDIDATE are what `ci-eval run`, `merge` or a gate wrote, of one suite. Scores are over the cases
    that both have; what the others would change is said apart.

    With --fail-on-drop a drop of so many points exits 1 if a paired test rejects chance at 5 %, and 3 if it does not,
    or if answers are missing. Without it the exit code is 0.
    """
    if form in {"html", "junit"} and os.environ.get("GITHUB_ACTIONS"):
        raise click.UsageError("in a job the runner would read it for commands; write it with --report FILE.")
    found = _compared(base, candidates)
    if reports:
        from ci_eval.report.files import of_runs

        write_reports(reports, partial(of_runs, found, limit))
    _show(found, "json" if as_json else form, limit)
    if limit is None:
        return 0
    from ci_eval.verdict import worst

    return worst(one.verdict(limit) for one in found).exit_code


def _compared(base: Path, candidates: Sequence[Path]) -> list[RunComparison]:
    from ci_eval.compare_runs import compare as compare_runs

    first = _counted(base)
    return [compare_runs(first, _counted(path)) for path in candidates]


def _counted(path: Path) -> CountedRun:
    from ci_eval.figures.counted_run import counted
    from ci_eval.records import read

    return counted(str(path), read(path))


def _show(found: Sequence[RunComparison], form: Form | Literal["text"], limit: Fraction | None) -> None:
    if form == "text":
        from ci_eval.report.compare_runs import build
        from ci_eval.report.terminal import show

        show(build(found, limit))
        return
    from ci_eval.report.files import of_runs

    text = of_runs(found, limit, form)
    if form == "md":
        from ci_eval.cli.laptop import echo_markdown

        echo_markdown(text)
    else:
        click.echo(text, nl=False)
