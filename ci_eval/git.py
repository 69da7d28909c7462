"""The one door to git. It starts processes, and nothing else but git is ever started here.

Every call names its git directory, reads no system or user configuration, runs no hook, filter driver, pager or
file-system monitor, follows no replacement object, and asks nobody for a password. What comes back is bytes.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_eval.errors import CiEvalError, UsageError

SHA = re.compile(r"[0-9a-f]{40}")

_HARDENING = (
    "-c", "safe.directory=*",
    "-c", "safe.bareRepository=explicit",
    "-c", "core.fsmonitor=",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.pager=cat",
    "-c", "core.quotePath=true",
    "-c", "credential.helper=",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip


_OVER_THE_NETWORK = frozenset({"fetch", "ls-remote", "push"})


# An empty filter is none. A merge that needs its driver is a conflict: an empty driver would take one side for both.
_TAMED = {"required": "false", "driver": "false"}


class GitError(CiEvalError):
    """git said no. `stderr` may quote names from the repository: print it through `text.log`."""

    def __init__(self, action: str, stderr: bytes, status: int) -> None:
        self.status = status
        self.stderr = stderr.decode("utf-8", "replace").strip()
        last = self.stderr.splitlines()[-1] if self.stderr else "no message"
        remedy = "the checkout is complete (fetch-depth: 0)"
        if action in _OVER_THE_NETWORK:
            remedy = "the token may do this (contents: read, and contents: write to push)"
        super().__init__(f"git {action} failed ({last}); check that {remedy}")


class MergeConflict(CiEvalError):
    """Base and head cannot be merged, so there is no candidate."""

    exit_code = 3


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        **extra,
    }


@dataclass(frozen=True)
class Remote:
    """Where the branch lives: a URL or a path, and what to authenticate with."""

    url: str
    protocols: str = "https"
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @classmethod
    def with_token(cls, url: str, token: str, protocols: str = "https") -> Remote:
        """Basic authentication as GitHub takes it, by `--config-env` so that no argument holds the token."""
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
        environment = {"CI_EVAL_GIT_HEADER": f"Authorization: Basic {basic}"}
        return cls(url, protocols, environment, (f"--config-env=http.{url}.extraHeader=CI_EVAL_GIT_HEADER",))


@dataclass(frozen=True)
class Git:
    """One repository. `protocols` is what a fetch or push may speak."""

    git_dir: Path
    work_tree: Path | None = None
    protocols: str = "https"
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def discover(cls, start: Path) -> Git:
        """The repository that holds `start`; raises UsageError outside one."""
        command = ["git", *_HARDENING, "rev-parse", "--absolute-git-dir", "--show-toplevel"]
        done = subprocess.run(command, cwd=start, env=_environment({}), capture_output=True, check=False)  # noqa: S603
        lines = os.fsdecode(done.stdout).split("\n")[:-1]
        if done.returncode != 0 or len(lines) != 2:
            raise UsageError("this is not a git work tree; run ci-eval inside a repository, or name one with --repo")
        return cls(Path(lines[0]), Path(lines[1]))

    @classmethod
    def create(cls, folder: Path, *, bare: bool = False) -> Git:
        """A new, empty repository with `main` as its first branch."""
        options = ["--bare"] if bare else []
        command = ["git", *_HARDENING, "init", "-q", "-b", "main", "--template=", *options, "--", str(folder)]
        done = subprocess.run(command, env=_environment({}), capture_output=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise UsageError(f"no repository can be made in {folder}; name a folder that you may write to")
        return cls(folder) if bare else cls(folder / ".git", folder)

    def run(self, *arguments: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> bytes:
        """The standard output of one git command; raises GitError."""
        place = ["--git-dir", str(self.git_dir)]
        if self.work_tree:
            place += ["--work-tree", str(self.work_tree)]
        environment = _environment({"GIT_ALLOW_PROTOCOL": self.protocols, **self.environment, **(extra or {})})
        done = subprocess.run(  # noqa: S603 - arguments are ours, SHAs, or behind --end-of-options
            ["git", *place, *_HARDENING, *arguments],  # noqa: S607 - the PATH is the user's or the image's
            input=stdin,
            cwd=self.work_tree or self.git_dir,
            env=environment,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            action = next((word for word in arguments if not word.startswith("-")), "")
            raise GitError(action, done.stderr, done.returncode)
        return done.stdout

    def tamed(self) -> Git:
        """The same repository without the programs that its own config names for contents and merges.

        git compares a file with its index through `filter.*`, and merges through `merge.*.driver`; `.gitattributes`,
        which a pull request may bring, says of which files.
        """
        try:
            found = self.run("config", "--null", "--name-only", "--get-regexp", r"^(filter|merge)\..+\.")
        except GitError:  # none
            return self
        settings = {name: _TAMED.get(name.rpartition(".")[2], "") for name in os.fsdecode(found).split("\0")[:-1]}
        environment = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (name, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        return replace(self, environment={**self.environment, **environment})

    def commit(self, ref: str) -> str:
        """The full SHA of the commit that a ref, given by the user, names; raises GitError."""
        answer = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return _sha(answer)

    def find(self, ref: str) -> str | None:
        """Like `commit`, but None for what is not there."""
        try:
            return self.commit(ref)
        except GitError:
            return None

    def parents(self, commit: str) -> tuple[str, ...]:
        line = self.run("rev-list", "--parents", "--max-count=1", _checked(commit), "--")
        return tuple(line.decode("ascii").split()[1:])

    def merge_base(self, one: str, other: str) -> str:
        return _sha(self.run("merge-base", _checked(one), _checked(other)))

    def is_ancestor(self, older: str, newer: str) -> bool:
        """False too when a shallow checkout cannot show it."""
        if older == newer:
            return True
        try:
            self.run("merge-base", "--is-ancestor", _checked(older), _checked(newer))
        except GitError:
            return False
        return True

    def merged_tree(self, base: str, head: str) -> str:
        """The tree of a clean merge, made without a checkout; raises MergeConflict."""
        for side in (base, head):
            self.commit(_checked(side))  # merge-tree says "conflict" of a commit that is not there, too
        try:
            answer = self.tamed().run("merge-tree", "--write-tree", "--no-messages", _checked(base), _checked(head))
        except GitError as error:
            if error.status != 1:
                raise
            raise MergeConflict("base and head conflict, so there is nothing to evaluate; merge main first") from error
        return _sha(answer.splitlines()[0])

    def tree(self, treeish: str) -> Iterable[tuple[str, str, bytes]]:
        """Mode, object id and raw path of every file of a commit or tree."""
        listing = self.run("ls-tree", "-r", "-z", "--full-tree", _checked(treeish))
        for row in listing.split(b"\0")[:-1]:
            meta, _, path = row.partition(b"\t")
            mode, _, oid = meta.decode("ascii").split(" ")
            yield mode, oid, path

    def sizes(self, oids: Sequence[str]) -> dict[str, int]:
        """The size in bytes of each object; an object that is not there is left out."""
        answer = self.run("cat-file", "--batch-check", stdin=_lines(oids))
        rows = (line.decode("ascii").split(" ") for line in answer.splitlines())
        return {row[0]: int(row[2]) for row in rows if len(row) == 3}

    def blobs(self, oids: Sequence[str]) -> dict[str, bytes]:
        """The contents of objects that are known to be there and known to be small enough."""
        answer = self.run("cat-file", "--batch", stdin=_lines(oids))
        contents: dict[str, bytes] = {}
        at = 0
        while at < len(answer):
            end = answer.index(b"\n", at)
            oid, _, size = answer[at:end].decode("ascii").split(" ")
            contents[oid] = answer[end + 1 : end + 1 + int(size)]
            at = end + int(size) + 2
        return contents

    def fetch(self, remote: Remote, sources: Sequence[str]) -> None:
        """Bring commits (by SHA, or by a checked branch name) into the object store; no ref and no file is touched."""
        speaking = Git(self.git_dir, None, remote.protocols, {**self.environment, **remote.environment})
        quietly = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        speaking.run(*remote.options, *quietly, "--", remote.url, *sources)

    def write_blob(self, content: bytes) -> str:
        return _sha(self.run("hash-object", "-w", "--stdin", stdin=content))


def _lines(oids: Sequence[str]) -> bytes:
    return "".join(f"{_checked(oid)}\n" for oid in oids).encode("ascii")


def _checked(sha: str) -> str:
    if not SHA.fullmatch(sha):
        raise UsageError("not a full commit SHA; write 40 hexadecimal digits")
    return sha


def _sha(answer: bytes) -> str:
    return _checked(answer.decode("ascii", "replace").strip())
