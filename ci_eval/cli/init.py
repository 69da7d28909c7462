"""`ci-eval init`: from a repository with a prompt to one with a gate."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci_eval.text import log

if TYPE_CHECKING:
    from ci_eval.git import Git
    from ci_eval.scaffold.choices import Start, Wishes
    from ci_eval.scaffold.discovery import Found
    from ci_eval.scaffold.new_files import Checked, NewFiles
    from ci_eval.scaffold.next_steps import Step
    from ci_eval.scaffold.workflow import Job
    from ci_eval.snapshot import Snapshot

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_ACTION = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+@[0-9a-f]{40}")


@click.command()
@click.option("--prompt", "prompts", multiple=True, metavar="PATH", help="Judge this prompt; by default all found.")
@click.option("--provider", metavar="NAME", help="Who is asked: openai, anthropic, google, github, local …")
@click.option("--model", metavar="NAME", help="Which model of it.")
@click.option("--branch", metavar="NAME", help="The default branch; by default what the clone says.")
@click.option("--action", metavar="OWNER/NAME@SHA", help="The release of ci-eval that the workflow uses.")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Show the files, and write none.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON; asks nothing.")
def init(
    prompts: tuple[str, ...],
    provider: str | None,
    model: str | None,
    branch: str | None,
    action: str | None,
    repo: Path,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Start: a config, golden cases and a workflow.

    Looks for prompts, model configs, fine-tune rows and keys, asks what it cannot see, and adds what is missing. A file
    that is there is never changed, so a second run changes nothing. Exits 2, with nothing written, if the config would
    not load.
    """
    from ci_eval import snapshot
    from ci_eval.git import Git
    from ci_eval.scaffold.choices import Wishes
    from ci_eval.scaffold.discovery import look
    from ci_eval.scaffold.new_files import check, with_files

    git = Git.discover(repo)
    before = snapshot.of_work_tree(git)
    found = look(before)
    wishes = Wishes(prompts, provider, model)
    asks = not (yes or as_json) and sys.stdin.isatty() and sys.stdout.isatty()
    done = _prepared(git, before, found, wishes, _job(git, branch, action), asks=asks)
    done = replace(done, checked=check(with_files(before, done.new.files)))
    if not dry_run:
        _write(git, done.new.files)
    click.echo(json.dumps(_as_json(done, dry_run=dry_run), indent=2) if as_json else _in_words(done, dry_run=dry_run))
    return 0


@dataclass(frozen=True)
class _Done:
    """What is told in the end."""

    found: Found
    start: Start | None
    new: NewFiles
    steps: Sequence[Step]
    checked: Checked | None = None


def _prepared(git: Git, before: Snapshot, found: Found, wishes: Wishes, job: Job, *, asks: bool) -> _Done:
    from ci_eval import config as configs
    from ci_eval.doctor.setup import origin_url, repository_of
    from ci_eval.scaffold.choices import choose
    from ci_eval.scaffold.new_files import fits_the_action, keys_of, new_files
    from ci_eval.scaffold.next_steps import site_of, steps

    start, fits = None, True
    if before.has(configs.DEFAULT_PATH):
        config = configs.load(before)
        keys, fits = keys_of(config), fits_the_action(config)
    else:
        start = choose(found, _asked(found, wishes) if asks else wishes)
        keys = start.keys()
    planned = new_files(found, start, replace(job, keys=keys) if fits else None)
    action, site = job.action if fits else None, site_of(repository_of(origin_url(git) or ""))
    return _Done(found, start, planned, list(steps(site, keys, action, planned.replace)))


def _job(git: Git, branch: str | None, action: str | None) -> Job:
    from ci_eval.errors import UsageError
    from ci_eval.scaffold.workflow import NO_RELEASE, Job

    name = branch or _default_branch(git)
    if not _BRANCH.fullmatch(name):
        raise UsageError(f"{name} is a branch that a workflow cannot name as it stands; name another with --branch")
    if action is not None and not _ACTION.fullmatch(action):
        raise UsageError("--action is not a release: write OWNER/ci-eval@ and its commit in 40 hexadecimal digits")
    return Job(branch=name, action=action or NO_RELEASE)


def _default_branch(git: Git) -> str:
    """What the remote's HEAD is, else `main` or `master` where there is one, else where the work tree stands."""
    remote = _said(git, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    local = next((name for name in ("main", "master") if git.find(f"refs/heads/{name}")), "")
    return remote or local or _said(git, "symbolic-ref", "--quiet", "--short", "HEAD") or "main"


def _said(git: Git, *arguments: str) -> str:
    """One line of git's, empty where it has none."""
    from ci_eval.git import GitError

    try:
        return os.fsdecode(git.run(*arguments)).strip()
    except GitError:
        return ""


# --- asking -----------------------------------------------------------------------------------------------------------


def _asked(found: Found, wishes: Wishes) -> Wishes:
    """What a person says; return takes what is proposed."""
    from ci_eval.scaffold.choices import says_no_model
    from ci_eval.scaffold.providers import KNOWN, provider_of

    if len(found.prompts) > 1 and not wishes.prompts:
        wishes = replace(wishes, prompts=_asked_prompts(found))
    if says_no_model(found, wishes):
        provider = click.prompt(
            "Which provider is asked?", type=click.Choice([*KNOWN]), default=provider_of(found.keys)
        )
        wishes = replace(wishes, provider=provider)
        if not wishes.model:
            wishes = replace(wishes, model=click.prompt("Which model?", default=KNOWN[provider].model or None))
    return wishes


def _asked_prompts(found: Found) -> tuple[str, ...]:
    for number, prompt in enumerate(found.prompts, start=1):
        click.echo(f"{number:3}  {log(prompt.path)}")
    answer = click.prompt("Which of these prompts are judged? (numbers, as in 1,3)", default="all")
    chosen = [int(word) for word in re.findall(r"\d+", answer)]
    if any(not 1 <= number <= len(found.prompts) for number in chosen):
        raise click.UsageError(f"there are prompts 1 to {len(found.prompts)}")
    return tuple(found.prompts[number - 1].path for number in chosen)


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(git: Git, files: Mapping[str, str]) -> None:
    """The config last, so that what was interrupted starts anew; raises before the first where one cannot be."""
    from ci_eval.errors import InputError
    from ci_eval.reader import write_file

    assert git.work_tree is not None, "discover finds work trees"  # noqa: S101
    for path in files:
        _refuse_taken(git.work_tree, path)
    ignored = _said(git, "check-ignore", "--", *files).split("\n")[0]
    if ignored:
        raise InputError("would be ignored by git", remedy="take it out of .gitignore", file=ignored)
    for path in sorted(files, key=lambda path: path == "ci-eval.yaml"):
        write_file(git.work_tree / path, files[path].encode())


def _refuse_taken(root: Path, path: str) -> None:
    """What git does not see (it is ignored, or in a repository of its own) is there as well; a link may lead out."""
    from ci_eval.errors import InputError

    place = root / path
    if os.path.lexists(place):
        raise InputError("is there, but not for git", remedy="add it to git, or remove it", file=path)
    for folder in place.parents:
        if folder == root:
            return
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            name = folder.relative_to(root).as_posix()
            raise InputError("is a link or a file, where a folder is needed", remedy="rename it", file=name)


# --- telling ----------------------------------------------------------------------------------------------------------


def _in_words(done: _Done, *, dry_run: bool) -> str:
    return "\n".join([*_found(done), *_files(done, dry_run=dry_run), *_left(done)])


def _found(done: _Done) -> list[str]:
    suites = done.start.suites if done.start else ()
    lines = [
        f"Suite {suite.name}: {log(suite.prompt)} with {log(suite.model or 'its own model')}, asked of {suite.provider}"
        for suite in suites
    ]
    lines += [f"Passed over {log(one.path)}: {log(one.why)}" for one in done.found.passed]
    beyond = len(done.found.prompts) - len(suites) if suites and not suites[0].starter else 0
    more = f"{beyond} more prompts were found; init --prompt PATH takes those that you name"
    return [*lines, *([more] if beyond else [])]


def _files(done: _Done, *, dry_run: bool) -> list[str]:
    files, checked = done.new.files, done.checked
    lines = [f"There already: {log(path)}" for path in done.new.kept]
    if dry_run:
        lines += [
            line for path, text in files.items() for line in ("", f"--- {log(path)}", *map(log, text.splitlines()))
        ]
        lines.append("")
    lines += [f"{'Would write' if dry_run else 'Wrote'} {log(path)}" for path in files] or ["Nothing to write."]
    assert checked is not None, "nothing is told before it is checked"  # noqa: S101
    return [*lines, f"ci-eval.yaml loads: suites {checked.suites}, golden cases {checked.cases}."]


def _left(done: _Done) -> list[str]:
    lines = ["", "What is left to do:"] if done.new.files else ["", "What has to be done once:"]
    for number, step in enumerate(done.steps, start=1):
        lines += [f"{number:3}. {step.what}", *([f"     {step.where}"] if step.where else [])]
    return lines


def _as_json(done: _Done, *, dry_run: bool) -> dict[str, Any]:
    start, checked = done.start, done.checked
    return {
        "suites": [vars(suite) for suite in start.suites] if start else None,
        "files": dict(done.new.files),
        "written": not dry_run,
        "there_already": done.new.kept,
        "passed_over": [vars(one) for one in done.found.passed],
        "checked": vars(checked) if checked else None,
        "to_do": [vars(step) for step in done.steps],
    }
