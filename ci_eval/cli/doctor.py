"""`ci-eval doctor`: is the gate set up, and can it be walked around?"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ci_eval.doctor.told import Redact
    from ci_eval.git import Git
    from ci_eval.github.client import GitHub
    from ci_eval.github.environment import Token


@click.command()
@click.option("--ref", default="HEAD", show_default=True, metavar="REF", help="Look at the files of this commit.")
@click.option("--config", "config_path", default="ci-eval.yaml", show_default=True, metavar="PATH")
@click.option("--repo", type=click.Path(file_okay=False, exists=True, path_type=Path), default=Path(), metavar="DIR")
@click.option("--repository", metavar="OWNER/NAME", help="On GitHub; by default the event's, or origin's.")
@click.option("--offline", is_flag=True, help="Do not ask GitHub.")
@click.option("--strict", is_flag=True, help="Exit 3 for warnings and for what could not be seen, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Only what is not in order.")
def doctor(
    ref: str,
    config_path: str,
    repo: Path,
    repository: str | None,
    offline: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Check the set-up and the repository's protections.

    Facts with a remedy each: config and keys (whether they are there, never more), the workflows as they are
    committed, and the settings on GitHub, for which GITHUB_TOKEN is read. Nothing is changed and no model is asked.

    Exits 0 when there is no problem, 2 when the config does not load or a workflow checks out strangers' files beside
    secrets, 3 when there is another problem.
    """
    from ci_eval.doctor import told
    from ci_eval.doctor.examination import Examination
    from ci_eval.doctor.findings import exit_code
    from ci_eval.git import Git
    from ci_eval.sides import commit_named

    git = Git.discover(repo)
    commit = commit_named(git, ref)
    github = _OFFLINE if offline else _github(git, os.environ, repository)
    examination = Examination(git, commit, config_path, os.environ, github)
    findings = list(dict.fromkeys(examination.findings()))  # a job that is called from two places is told once
    code = exit_code(findings, strict=strict)
    redact = _redact(os.environ, examination.key_names)
    if as_json:
        about = {"commit": commit, "repository": None if isinstance(github, str) else github.repository}
        click.echo(json.dumps({**about, "exit_code": code, "findings": told.as_json(findings, redact)}, indent=2))
    else:
        click.echo("\n".join(told.lines(findings, redact, quiet=quiet)))
    return code


_OF_A_SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_OFFLINE = "GitHub was not asked (--offline); run it without"
_TOKEN = "there is no token to ask GitHub with; set GITHUB_TOKEN (on a laptop: GITHUB_TOKEN=$(gh auth token))"  # noqa: S105
_WHICH = "origin is not known to be a repository of that GitHub; name it with --repository OWNER/NAME"


def _github(git: Git, environ: Mapping[str, str], repository: str | None) -> GitHub | str:
    """GitHub, or why it cannot be asked; raises InputError for variables that are not what they should be."""
    from ci_eval.github.environment import REPOSITORY, api_url_in, token_in

    api_url, token = api_url_in(environ), token_in(environ)
    name = repository or environ.get("GITHUB_REPOSITORY") or _origin(git, api_url)
    if name is None:
        return _WHICH
    if not REPOSITORY.fullmatch(name):
        raise click.UsageError("the repository on GitHub is written OWNER/NAME")
    return connect(api_url, name, token) if token else _TOKEN


def connect(api_url: str, repository: str, token: Token) -> GitHub:
    from ci_eval.github.client import GitHub

    return GitHub(api_url, repository, token)


def _origin(git: Git, api_url: str) -> str | None:
    """The repository that origin names, if it is on the server whose API is asked: no other is told the token."""
    from ci_eval.doctor.setup import origin_url, repository_of
    from ci_eval.origin import origin_of

    found = repository_of(origin_url(git) or "")
    if found is None:
        return None
    host, name = found
    api_host = origin_of(api_url)[1]
    return name if host.partition(":")[0] == api_host.removeprefix("api.") else None


def _redact(environ: Mapping[str, str], names: Collection[str]) -> Redact:
    """No key is read for a finding; this takes them out where a file that was read repeats one."""
    from ci_eval.doctor.told import redacting
    from ci_eval.secrets import Secret

    held = [value.strip() for name, value in environ.items() if name in names or _OF_A_SECRET.search(name)]
    return redacting([Secret(value) for value in held if value])
