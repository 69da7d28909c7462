"""`ci-eval show CASE`: one case on both sides: request, answers and scores."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.config import Config
    from ci_eval.evaluation.suite import Side, Suite
    from ci_eval.golden.cases import Case
    from ci_eval.records import Record
    from ci_eval.secrets import Secret
    from ci_eval.snapshot import Snapshot


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option("--suite", "wanted", metavar="NAME", help="The suite; by default the one that has the case.")
@click.option("--base", "base_ref", metavar="REF", help="Compare with this; by default origin's main, or main.")
@click.option("--head", "head_ref", metavar="REF", help="Show this commit; by default the working tree.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where run files are.")
@click.option("--run", "ask", is_flag=True, help="Ask the model again, on both sides.")
def show(
    case_id: str,
    wanted: str | None,
    base_ref: str | None,
    head_ref: str | None,
    config_path: str,
    repo: Path,
    out: Path | None,
    ask: bool,
) -> int:
    """Show one case on both sides.

    The request as it is sent, the answer, the scores. Answers come from the run files of the last gate, or from the
    model with --run.
    """
    from ci_eval import config, sides
    from ci_eval.cli.laptop import default_out
    from ci_eval.errors import UsageError
    from ci_eval.evaluation.screened import refuse_personal
    from ci_eval.evaluation.suite import required_keys
    from ci_eval.git import Git
    from ci_eval.report.judges import lines
    from ci_eval.secrets import take

    git = Git.discover(repo)
    chosen = sides.on_laptop(git, base_ref, head_ref)
    if not chosen.base.has(config_path):
        raise UsageError(f"no {config_path} on main, so there is no case to show; merge one, or name another --base")
    main = config.load(chosen.base, config_path)
    head = config.load(chosen.candidate, config_path)
    suite = _suite_with(main, chosen.base, wanted, case_id)
    case = suite.golden.cases[case_id]
    base = suite.side(chosen.base)
    candidate = suite.side(chosen.candidate, head if suite.name in head.policy.suites else main)
    keys = take(os.environ, required_keys(main))
    click.echo(f"case {case.id} of suite {suite.name}, {case.stratum}")
    _block("expected", case.expected.text() if case.expected else "nothing in particular")
    folder = (out or default_out(git)) / suite.name
    if ask:
        _refuse_strange_code(suite, base, candidate)
        for named_by, at in ((main, chosen.base), (head, chosen.candidate)):
            refuse_personal(main.policy, named_by, at, named_by.policy.suites.keys() & {suite.name})
    for label, side, file in (("main", base, "base.jsonl"), ("this change", candidate, "candidate.jsonl")):
        record = _ask(suite, side, case, keys) if ask else _stored(folder / file, case.id)
        _show_side(label, side, case, record)
    judges = list(lines(suite.judge_agreements, log))
    if judges:
        click.echo("\n" + "\n".join(judges))
    return 0


def _suite_with(main: Config, snapshot: Snapshot, wanted: str | None, case_id: str) -> Suite:
    from ci_eval.cli.laptop import chosen_suites
    from ci_eval.errors import UsageError
    from ci_eval.evaluation.suite import Suite

    known: list[str] = []
    for name in chosen_suites(main, wanted):
        suite = Suite.load(main, snapshot, name)
        known += suite.golden.cases
        if case_id in suite.golden.cases:
            return suite
    near = difflib.get_close_matches(case_id, known, n=1)
    meant = f"did you mean {near[0]}?" if near else "case ids stand in the golden files"
    raise UsageError(f"no golden case {case_id} on main; {meant}")


def _refuse_strange_code(suite: Suite, base: Side, candidate: Side) -> None:
    """A commit that somebody names may hold anybody's code."""
    from ci_eval.errors import Inconclusive
    from ci_eval.targets.trust import code_objection

    policy = suite.config.policy.suites[suite.name].target
    found = code_objection(policy, base.snapshot, candidate.snapshot, "local")
    if found:
        raise Inconclusive(found)


def _ask(suite: Suite, side: Side, case: Case, keys: Mapping[str, Secret]) -> Record:
    from ci_eval.deadline import Deadline
    from ci_eval.runner import pool

    evaluator = suite.evaluator(side.target, keys)
    found: list[Record] = []
    pool.run(evaluator, evaluator.jobs([case], 1), Deadline.after(600), found.append)
    return found[0]


def _stored(path: Path, case_id: str) -> Record | None:
    from ci_eval.reader import read_file
    from ci_eval.records import parse

    if not path.exists():
        return None
    records: Mapping[str, Record] = parse(read_file(path), str(path)).repeat(0)
    return records.get(case_id)


def _show_side(label: str, side: Side, case: Case, record: Record | None) -> None:
    from ci_eval.scorers.base import as_text

    request = side.target.request(case)
    click.secho(f"\n=== {label} ===", bold=True)
    parameters = "".join(f", {key} {log(as_text(value))}" for key, value in request.parameters.items())
    if request.body is None:
        click.echo(f"model {log(request.model)} of provider {log(request.provider)}{parameters}")
    else:
        click.echo(f"a target of your own: {log(request.provider)}{parameters}")
    for message in request.messages:
        _block(message.role, message.content)
    if record is None:
        click.echo("no answer stored: run ci-eval gate first, or add --run")
        return
    if record.request != request.digest:
        click.echo("the stored answer is to another request: run ci-eval gate again, or add --run")
        return
    _block("answer", record.output.text() if record.output else f"none: {log(record.error or 'not stored')}")
    for cell in record.cells:
        mark = click.style("pass", fg="green") if cell.passed else click.style("FAIL", fg="red")
        click.echo(f"  {mark}  {cell.dimension:<16} {cell.scorer:<20} {cell.score:.2f}  {log(cell.reason)}")


def _block(title: str, text: str) -> None:
    click.secho(f"{title}:", dim=True)
    for line in text.removesuffix("\n").split("\n"):
        click.echo(f"  {log(line, limit=4000)}")
