"""`ci-eval golden`: check golden sets."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group()
def golden() -> None:
    """Look after the golden sets."""


@golden.command()
@click.option("--suite", "wanted", metavar="NAME", help="Only this suite's; by default those of all.")
@click.option("--ref", metavar="REF", help="Look at this commit; by default at the working tree.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--strict", is_flag=True, help="Exit 3 for warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def lint(wanted: str | None, ref: str | None, config_path: str, repo: Path, strict: bool, as_json: bool) -> int:
    """Say what is wrong with the golden sets, each with its file and line.

    Personal data and keys (masked; also in few-shot and dataset rows), cases that are the same, nearly the same or
    contradict each other, that nothing scores or that are learnt, hidden characters, misspelt keys, strata that are
    missing. Nobody is asked, and no key is needed.

    Exits 0 when there is no problem, 2 when a run or a gate would refuse what is there (with pii: refuse, personal
    data too), 3 when there is another problem.
    """
    from ci_eval import config, sides, snapshot
    from ci_eval.cli.laptop import chosen_suites
    from ci_eval.git import Git
    from ci_eval.lint import told
    from ci_eval.lint.examination import Examination
    from ci_eval.lint.findings import exit_code

    git = Git.discover(repo)
    at = snapshot.at_commit(git, sides.commit_named(git, ref)) if ref is not None else snapshot.of_work_tree(git)
    policy = config.load(at, config_path)
    names = chosen_suites(policy, wanted)
    examination = Examination(policy, at)
    findings = examination.findings(names)
    code = exit_code(findings, strict=strict)
    if as_json:
        about = {"suites": names, "cases": examination.cases, "exit_code": code}
        click.echo(json.dumps({**about, "findings": told.as_json(findings)}, indent=2))
    else:
        click.echo("\n".join(told.lines(findings, examination.cases)))
    return code
