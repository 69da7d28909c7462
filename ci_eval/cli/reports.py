"""The option `--report FILE` of commands whose result can be written as a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ci_eval.report.files import Form

HELP = "Write the report to a file, too: .html, .md, .json, .xml (JUnit) or .sarif. May be given several times."


def _named(ctx: click.Context, param: click.Parameter, paths: Sequence[Path]) -> Sequence[Path]:
    """Refused before anything is asked, not after."""
    if paths:
        from ci_eval.report.files import form_of

        for path in paths:
            form_of(path)
    return paths


def report_option(command: Callable[..., Any]) -> Callable[..., Any]:
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--report", "reports", multiple=True, callback=_named, type=path, metavar="FILE", help=HELP)(
        command
    )


def write_reports(paths: Iterable[Path], render: Callable[[Form], str]) -> None:
    from ci_eval.reader import write_file
    from ci_eval.report.files import form_of

    for path in paths:
        write_file(path, render(form_of(path)).encode())
