"""Where a job runs on GitHub: the checkout, the remote, the token, the log; what both kinds of job ask of it."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import click

from ci_eval.baseline.store import WRITERS, Store, Trust
from ci_eval.config import Config
from ci_eval.errors import CiEvalError, InputError
from ci_eval.evaluation.base_run import Baselines
from ci_eval.evaluation.session import Origin, Progress
from ci_eval.git import Git, Remote
from ci_eval.github.client import GitHub
from ci_eval.github.commands import Annotation, annotate
from ci_eval.github.environment import Environment, Token
from ci_eval.reader import read_file, write_file
from ci_eval.secrets import Secret, take
from ci_eval.text import log

Connect = Callable[[str, str, Token], GitHub]


@dataclass(frozen=True)
class Workplace:
    """A job's surroundings."""

    environment: Environment
    environ: MutableMapping[str, str]
    progress: Progress
    connect: Connect
    _taken: dict[str, Secret] = field(default_factory=dict, repr=False)

    # --- the log ------------------------------------------------------------------------------------------------------

    def annotate(self, wanted: Sequence[Annotation]) -> None:
        for line in annotate(wanted):
            click.echo(line)

    def tell_error(self, error: CiEvalError) -> None:
        """In the log, and as an annotation: at the line that is wrong, where there is one."""
        click.echo(f"ci-eval: {log(str(error), limit=2000)}", err=True)
        file, line = (error.file, error.line) if isinstance(error, InputError) and error.file else (None, None)
        self.annotate([Annotation("error", str(error), file, line)])

    def tell(self, warning: str | None) -> None:
        if warning:
            self.annotate([Annotation("warning", warning)])

    # --- what the environment brings ----------------------------------------------------------------------------------

    def keys(self, names: Collection[str]) -> Mapping[str, Secret]:
        """These keys, which leave the environment; a second gate of this job asks for them again."""
        self._taken.update(take(self.environ, names))
        return {name: self._taken[name] for name in names if name in self._taken}

    def git(self) -> Git:
        return self._git

    @cached_property
    def _git(self) -> Git:
        """A repository of our own on the checkout's objects, with its HEAD, its tags, and where its history ends.

        So nothing is written into the checkout, which may belong to another user, and its config has no say.
        """
        folder = Path(tempfile.mkdtemp(prefix="ci-eval-repository-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        checkout = self.checkout()
        git = Git.create(folder, bare=True)
        write_file(folder / "objects/info/alternates", os.fsencode(checkout.git_dir / "objects") + b"\n")
        if checkout.git_dir.is_dir():
            tags = checkout.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags")
            write_file(folder / "packed-refs", tags)
            if head := checkout.find("HEAD"):
                write_file(folder / "HEAD", f"{head}\n".encode())
        if (shallow := checkout.git_dir / "shallow").exists():
            write_file(folder / "shallow", read_file(shallow))
        return git

    def checkout(self) -> Git:
        """The repository that the workflow checked out, for reading alone: what its HEAD is."""
        return Git(self.environment.workspace / ".git")

    def github(self) -> GitHub:
        if self.environment.token is None:
            raise InputError("github-token is empty", remedy="pass ${{ github.token }}")
        return self.connect(self.environment.api_url, self.environment.repository, self.environment.token)

    def remote(self) -> Remote:
        url = f"{self.environment.server_url}/{self.environment.repository}"
        protocols = url.partition(":")[0]  # http only for private hosts: the environment was checked for that
        token = self.environment.token
        return Remote.with_token(url, token.reveal(), protocols) if token else Remote(url, protocols)

    def origin(self, branch: str) -> Origin:
        environment = self.environment
        return Origin(environment.event_name, environment.repository, branch, environment.run_url)

    def fresh_folder(self) -> Path:
        """A folder that did not exist: the checkout may hold a link of any name that we could think of."""
        if self.environment.folder:
            return self.environment.folder
        folder = Path(tempfile.mkdtemp(prefix=".ci-eval-", dir=self.environment.workspace))
        folder.chmod(0o755)  # later steps run as another user
        return folder

    # --- main's memory ------------------------------------------------------------------------------------------------

    def store(self, config: Config) -> Store:
        return Store(self.remote(), config.policy.baseline.branch)

    def baselines(self, main: Config) -> Baselines | None:
        if self.environment.token is None:
            return None
        return Baselines(self.store(main), self.trust(main))

    def trust(self, main: Config) -> Trust:
        age = timedelta(days=main.policy.baseline.max_age_days)
        return Trust(WRITERS, self.environment.repository, age, datetime.now(UTC))
