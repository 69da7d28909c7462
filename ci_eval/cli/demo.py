"""`ci-eval demo`: the main job on six pull requests, with a model that needs no key."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ci_eval.cli.scenarios import Files, Scenario
    from ci_eval.git import Git
    from ci_eval.outcome.model import GateOutcome

_IDENTITY = ("-c", "user.name=ci-eval demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgSign=false")


@click.command()
@click.option("--dir", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where to put the repository.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def demo(folder: Path | None, quiet: bool) -> int:
    """See the gate judge six pull requests.

    It makes a throw-away repository of a made-up help desk, stores main's baseline, and judges a harmless edit, four
    that do damage and one that is unrelated. The model is embedded: no key, no network.
    """
    from ci_eval.cli.scenarios import DAMAGED_PROMPT, SCENARIOS
    from ci_eval.errors import CiEvalError

    if folder and folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty; name a new folder.")
    place = folder or Path(tempfile.mkdtemp(prefix="ci-eval-demo-"))
    git, files = _main_branch(place)
    _store_baseline(git, quiet=quiet)
    broken: frozenset[str] = frozenset()
    outcomes = {}
    for scenario in SCENARIOS:
        outcome = _judge(git, files, scenario, broken, quiet=quiet)
        outcomes[scenario.name] = outcome
        if scenario.name == DAMAGED_PROMPT:
            broken = frozenset(case for suite in outcome.suites for case in suite.broken)
    _tell(place, outcomes)
    wrong = [scenario.name for scenario in SCENARIOS if outcomes[scenario.name].verdict != scenario.expected]
    if wrong:
        raise CiEvalError(f"the demo did not come out as expected: {', '.join(wrong)}; please report it")
    return 0


def _main_branch(place: Path) -> tuple[Git, Files]:
    """A repository whose main branch holds the help desk, and its files."""
    from ci_eval.git import Git
    from ci_eval.reader import read_file

    git = Git.create(place / "repository")
    data = _data_folder()
    paths = [data / "ci-eval.yaml", *(path for path in (data / "golden").rglob("*") if path.is_file())]
    files = {path.relative_to(data).as_posix(): read_file(path).decode() for path in paths}
    _commit(git, files, {}, "The help desk")
    return git, files


def _data_folder() -> Path:
    """Inside an installed package, or at the root of a checkout."""
    import ci_eval

    package = Path(ci_eval.__file__).parent
    installed = package / "demo_data"
    return installed if installed.exists() else package.parent


def _commit(git: Git, files: Files, before: Files, message: str) -> str:
    """Commit the files that differ from what is there; returns the commit."""
    from ci_eval.reader import write_file

    assert git.work_tree is not None, "the demo's repository has a work tree"  # noqa: S101 - just made
    for path, text in files.items():
        if before.get(path) != text:
            write_file(git.work_tree / path, text.encode())
    git.run("add", "--all")
    git.run(*_IDENTITY, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return git.commit("HEAD")


def _store_baseline(git: Git, *, quiet: bool) -> None:
    from ci_eval import config, snapshot
    from ci_eval.cli.laptop import default_out, local_store, session
    from ci_eval.evaluation.full_run import evaluate_all

    main = snapshot.at_commit(git, git.commit("main"))
    policy = config.load(main)
    shared = session(policy, default_out(git), quiet=quiet)
    for _, run in evaluate_all(policy, main, shared, policy.policy.suites, repeats=1):
        local_store(git, policy).add(run, "demo")


def _judge(git: Git, files: Files, scenario: Scenario, broken: frozenset[str], *, quiet: bool) -> GateOutcome:
    """The pull request as a branch, judged as on a laptop."""
    from ci_eval.cli.gate import on_laptop

    git.run("checkout", "--quiet", "-b", scenario.name, "main")
    edited = dict(files)
    scenario.edit(edited, broken)
    _commit(git, edited, files, scenario.title)
    git.run("checkout", "--quiet", "main")
    out = git.git_dir.parent.parent / scenario.name
    started = time.monotonic()
    outcome = on_laptop(git, "main", scenario.name, "ci-eval.yaml", out, quiet=quiet).run()
    click.echo(f"{scenario.name}: {outcome.verdict} in {time.monotonic() - started:.1f} s", err=True)
    return outcome


def _tell(place: Path, outcomes: dict[str, GateOutcome]) -> None:
    from tabulate import tabulate

    from ci_eval.cli.laptop import echo_markdown
    from ci_eval.cli.scenarios import DAMAGED_PROMPT, SCENARIOS
    from ci_eval.reader import write_file
    from ci_eval.report.files import of_gate
    from ci_eval.report.markdown import comment
    from ci_eval.report.model import build

    rows = []
    for scenario in SCENARIOS:
        outcome = outcomes[scenario.name]
        write_file(place / f"{scenario.name}.md", comment(build(outcome)).encode())
        write_file(place / f"{scenario.name}.html", of_gate(outcome, "html").encode())
        worst = outcome.worst_dimension()
        drop = f"{worst.name} -{float(worst.drop):.1f}" if worst and worst.drop > 0 else ""
        broke = sum(len(suite.broken) for suite in outcome.suites)
        rows.append([scenario.name, scenario.title, str(outcome.verdict), drop, broke])
    in_the_open, _, _ = comment(build(outcomes[DAMAGED_PROMPT])).partition("<details>")
    click.echo(f"The comment on {DAMAGED_PROMPT}, without what is folded in it:\n")
    echo_markdown(in_the_open)
    click.echo(tabulate(rows, headers=["pull request", "what it does", "verdict", "worst", "broken cases"]))
    click.echo(f"\nA page to look at: {place / DAMAGED_PROMPT}.html")
    click.echo(f"Every comment and HTML report, the run files and the repository: {place}")
