"""The baseline store: how main is remembered.

One immutable file per commit and run on an orphan branch, under a folder named by suite and fingerprint. So the index
from fingerprint to files is the tree itself: two writers never edit the same file, and nothing can go out of step.

Everything happens in a throw-away bare repository: the user's checkout is neither read nor written, and the token
reaches git through the environment of one child, never through arguments, URLs or files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ci_eval.errors import CiEvalError, InputError
from ci_eval.git import Git, GitError, Remote
from ci_eval.reader import MIB
from ci_eval.records import Fingerprint, Header, Run, parse, parse_header, to_bytes
from ci_eval.snapshot import Snapshot, at_commit

_ATTEMPTS = 40
_RUN_LIMIT = 64 * MIB
_REF = "refs/ci-eval/baselines"
_REGULAR = "100644"
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
    """A file of the store that can be read."""

    path: str
    oid: str
    """git's name for its contents: equal for copies of one run."""
    run: Run


@dataclass(frozen=True)
class Damaged:
    """A file of the store that cannot, and why. Anybody may have written it: what it quotes is encoded for a log."""

    path: str
    error: InputError


@dataclass(frozen=True)
class Found:
    """What the store holds of some inputs."""

    runs: tuple[StoredRun, ...] = ()
    """The newest first; a copy of a run counts once."""
    damaged: tuple[Damaged, ...] = ()
    """What lies beside them and cannot be read. It hides nothing, but it must be said."""


@dataclass(frozen=True)
class Trust:
    """What a stored run must show before it may stand for base."""

    events: frozenset[str]
    repository: str | None
    """None: any, as in one's own clone."""
    max_age: timedelta
    now: datetime

    def objection(self, run: Run, *, any_age: bool = False) -> str | None:
        """Why a run does not serve, in our own words; None when it does."""
        header = run.header
        written = written_at(header)
        if header.event not in self.events:
            return f"it was written by an event that may not write baselines ({header.event})"
        if self.repository is not None and header.repository != self.repository:
            return "it was written by another repository"
        if not any_age and not timedelta(minutes=-10) <= self.now - written <= self.max_age:
            return f"it is older than {self.max_age.days} days, or of the future"
        return None


def written_at(header: Header) -> datetime:
    return datetime.strptime(header.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


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
        raise _moved()

    def find(self, suite: str, fingerprint: Fingerprint) -> Found:
        """Every stored run of these inputs; raises StoreError when the store itself cannot be read."""
        files = list(self._files(f"{_folder(suite, fingerprint)}/"))
        runs = {file.oid: file for file in files if isinstance(file, StoredRun) and _is_of(file, suite, fingerprint)}
        newest_first = sorted(runs.values(), key=lambda file: (file.run.header.time, file.path), reverse=True)
        return Found(tuple(newest_first), tuple(file for file in files if isinstance(file, Damaged)))

    def files(self) -> Iterator[StoredRun | Damaged]:
        """Every file of the store, by path, one after the other: together they may be more than fits in memory."""
        return self._files("")

    def _files(self, prefix: str) -> Iterator[StoredRun | Damaged]:
        with self._repository() as git:
            tip = self._fetch(git)
            entries = at_commit(git, tip).entries if tip else {}
            for path in sorted(path for path in entries if path.startswith(prefix)):
                yield _file(Snapshot(git, entries, tip), path)

    def remove(self, paths: Collection[str]) -> tuple[str, ...]:
        """Take files out with one more commit; what others write meanwhile stays. Returns what was there to take.

        The history keeps them, so nothing is lost for good, and no writer's push is refused.
        """
        with self._repository() as git:
            for _ in range(_ATTEMPTS):
                tip = self._fetch(git)
                there = sorted(set(paths) & at_commit(git, tip).entries.keys()) if tip else []
                if not tip or not there or self._push(git, _commit_without(git, tip, there), tip):
                    return tuple(there)
        raise _moved()

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
            files = [_file(snapshot, path) for _, path in chosen]
            return [file for file in files if isinstance(file, StoredRun)]

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


def _is_of(file: StoredRun, suite: str, fingerprint: Fingerprint) -> bool:
    return file.run.header.suite == suite and file.run.header.fingerprint == fingerprint


def _file(snapshot: Snapshot, path: str) -> StoredRun | Damaged:
    entry = snapshot.entries[path]
    if entry.mode != _REGULAR:
        return Damaged(path, InputError("is not a plain file", remedy="remove it: the store holds no other", file=path))
    try:
        return StoredRun(path, entry.oid, parse(snapshot.read(path, limit=_RUN_LIMIT), path))
    except InputError as error:
        return Damaged(path, error)


def _moved() -> StoreError:
    return StoreError("the baseline branch moved at every attempt to write to it; run the job again")


def _commit_with(git: Git, tip: str | None, path: str, blob: str) -> str:
    """A commit on top of the tip that has one more file."""
    message = f"Baseline {path.rpartition('/')[2]}"
    return _commit(git, tip, ("--add", "--cacheinfo", f"{_REGULAR},{blob},{path}"), message)


def _commit_without(git: Git, tip: str, paths: Collection[str]) -> str:
    """A commit on top of the tip that lacks some files."""
    gone = "".join(f"0 {'0' * 40}\t{path}\0" for path in paths)
    return _commit(git, tip, ("-z", "--index-info"), f"Prune {len(paths)} of the baselines", os.fsencode(gone))


def _commit(git: Git, tip: str | None, change: Sequence[str], message: str, stdin: bytes = b"") -> str:
    """A commit on top of the tip with what `git update-index` makes of its files."""
    index = {"GIT_INDEX_FILE": str(git.git_dir / "store-index")}
    git.run("read-tree", tip if tip else "--empty", extra=index)
    git.run("update-index", *change, stdin=stdin, extra=index)
    tree = git.run("write-tree", extra=index).decode("ascii").strip()
    parents = ["-p", tip] if tip else []
    return git.run("commit-tree", *parents, tree, stdin=message.encode()).decode("ascii").strip()
