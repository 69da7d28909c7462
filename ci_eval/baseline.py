"""The baseline store: how main is remembered.

One immutable file per commit and run on an orphan branch, under a folder named by suite and fingerprint. So the index
from fingerprint to files is the tree itself: two writers never edit the same file, and nothing can go out of step.

Everything happens in a throw-away bare repository: the user's checkout is neither read nor written, and the token
reaches git through the environment of one child, never through arguments, URLs or files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ci_eval.errors import CiEvalError, InputError
from ci_eval.git import Git, GitError, Remote
from ci_eval.reader import MIB
from ci_eval.records import Fingerprint, Run, parse, parse_header, to_bytes
from ci_eval.snapshot import Snapshot, at_commit

_ATTEMPTS = 40
_RUN_LIMIT = 64 * MIB
_REF = "refs/ci-eval/baselines"
_IDENTITY = {
    "GIT_AUTHOR_NAME": "ci-eval",
    "GIT_AUTHOR_EMAIL": "ci-eval@users.noreply.github.com",
    "GIT_COMMITTER_NAME": "ci-eval",
    "GIT_COMMITTER_EMAIL": "ci-eval@users.noreply.github.com",
}
# What git says when another writer was faster. A branch rule or a missing right is told in other words, and lasts.
_OVERTAKEN = ("stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref")
WRITERS = frozenset({"push", "schedule", "workflow_dispatch"})


class StoreError(CiEvalError):
    """The store cannot be read or written: never taken for an empty one."""

    exit_code = 3


@dataclass(frozen=True)
class StoredRun:
    """A file of the store."""

    path: str
    run: Run


@dataclass(frozen=True)
class Trust:
    """What a stored run must show before it may stand for base."""

    events: frozenset[str]
    repository: str
    max_age: timedelta
    now: datetime

    def objection(self, run: Run, *, any_age: bool = False) -> str | None:
        """Why a run does not serve, in our own words; None when it does."""
        header = run.header
        written = datetime.strptime(header.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if header.event not in self.events:
            return f"it was written by an event that may not write baselines ({header.event})"
        if header.repository != self.repository:
            return "it was written by another repository"
        if not any_age and not timedelta(minutes=-10) <= self.now - written <= self.max_age:
            return f"it is older than {self.max_age.days} days, or of the future"
        return None


@dataclass(frozen=True)
class Store:
    """The baselines of one repository."""

    remote: Remote
    branch: str

    def add(self, run: Run, run_id: str) -> str:
        """Store one run and push it; two writers at once both succeed. Returns its path in the store."""
        commit = run.header.commit
        if commit is None:
            raise StoreError("only a commit can have a baseline; commit the changes first")
        path = f"{_folder(run.header.suite, run.header.fingerprint)}/{commit}-{run_id}.jsonl"
        content = to_bytes(run)
        if len(content) > _RUN_LIMIT:
            raise StoreError(f"the run is larger than {_RUN_LIMIT // MIB} MiB; lower max_tokens or baseline.repeats")
        with self._repository() as git:
            blob = git.write_blob(content)
            for _ in range(_ATTEMPTS):
                tip = self._fetch(git)
                stored = at_commit(git, tip).oid(path) if tip else None
                if stored == blob:  # the push before went through, and its answer was lost
                    return path
                if stored:
                    raise StoreError("this run is stored already, and stored runs never change")
                if self._push(git, _commit_with(git, tip, path, blob), tip):
                    return path
        raise StoreError("the baseline branch moved at every attempt to write to it; run the job again")

    def find(self, suite: str, fingerprint: Fingerprint) -> list[StoredRun]:
        """Every stored run of these inputs, newest first; raises StoreError when the store cannot be read."""
        with self._repository() as git:
            tip = self._fetch(git)
            if tip is None:
                return []
            snapshot = at_commit(git, tip)
            found = [
                StoredRun(path, _read(snapshot, path)) for path in snapshot.glob(f"{_folder(suite, fingerprint)}/*")
            ]
        matching = [stored for stored in found if stored.run.header.fingerprint == fingerprint]
        return sorted(matching, key=lambda stored: stored.run.header.time, reverse=True)

    def newest(self, suite: str, count: int) -> list[StoredRun]:
        """The newest run of each fingerprint, the newest first; those that cannot be read are left out."""
        with self._repository() as git:
            tip = self._fetch(git)
            if tip is None:
                return []
            snapshot = at_commit(git, tip)
            newest: dict[str, tuple[str, str]] = {}
            for path in snapshot.glob(f"runs/{suite}/*/*"):
                with suppress(InputError):
                    header = parse_header(snapshot.read(path, limit=_RUN_LIMIT), path)
                    folder = header.fingerprint.folder
                    newest[folder] = max(newest.get(folder, ("", "")), (header.time, path))
            chosen = sorted(newest.values(), reverse=True)[:count]
            return [StoredRun(path, _read(snapshot, path)) for _, path in chosen]

    def paths(self) -> list[str]:
        """Every file of the store."""
        with self._repository() as git:
            tip = self._fetch(git)
            return sorted(at_commit(git, tip).entries) if tip else []

    @contextmanager
    def _repository(self) -> Iterator[Git]:
        with tempfile.TemporaryDirectory(prefix="ci-eval-store-") as folder:
            created = Git.create(Path(folder), bare=True)
            environment = {**_IDENTITY, **self.remote.environment}
            yield Git(created.git_dir, None, self.remote.protocols, environment)

    def _fetch(self, git: Git) -> str | None:
        """The tip of the branch; None when the remote is there and the branch is not."""
        try:
            listing = git.run(*self.remote.options, "ls-remote", "--", self.remote.url, f"refs/heads/{self.branch}")
            if not listing:
                return None
            source = f"+refs/heads/{self.branch}:{_REF}"
            git.run(*self.remote.options, "fetch", "--quiet", "--depth=1", "--no-tags", "--", self.remote.url, source)
        except GitError as error:
            raise StoreError(f"the baseline branch {self.branch} cannot be read; {error}") from error
        return git.commit(_REF)

    def _push(self, git: Git, commit: str, tip: str | None) -> bool:
        target = f"refs/heads/{self.branch}"
        lease = f"--force-with-lease={target}:{tip or ''}"
        try:
            git.run(*self.remote.options, "push", "--quiet", lease, "--", self.remote.url, f"{commit}:{target}")
        except GitError as error:
            if any(word in error.stderr for word in _OVERTAKEN):
                return False
            raise StoreError(f"the baseline branch {self.branch} cannot be written; {error}") from error
        return True


def _folder(suite: str, fingerprint: Fingerprint) -> str:
    return f"runs/{suite}/{fingerprint.folder}"


def _read(snapshot: Snapshot, path: str) -> Run:
    try:
        return parse(snapshot.read(path, limit=_RUN_LIMIT), path)
    except InputError as error:
        raise StoreError(f"a stored baseline is damaged: {error}") from error


def _commit_with(git: Git, tip: str | None, path: str, blob: str) -> str:
    """A commit on top of the tip that has one more file."""
    index = {"GIT_INDEX_FILE": str(git.git_dir / "store-index")}
    git.run("read-tree", tip if tip else "--empty", extra=index)
    git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", extra=index)
    tree = git.run("write-tree", extra=index).decode("ascii").strip()
    parents = ["-p", tip] if tip else []
    message = f"Baseline {path.rpartition('/')[2]}".encode()
    return git.run("commit-tree", *parents, tree, stdin=message).decode("ascii").strip()
