"""A real git repository that a test writes into and commits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ci_eval import snapshot
from ci_eval.git import Git
from ci_eval.snapshot import Snapshot

_WHO = {
    "GIT_AUTHOR_NAME": "A Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "A Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
    "GIT_AUTHOR_DATE": "2026-05-04T10:20:30Z",
    "GIT_COMMITTER_DATE": "2026-05-04T10:20:30Z",
}


class Repo:
    """`main` is its first branch. Paths are relative to its root, and may be bytes that are no UTF-8."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git = replace(Git.create(folder), environment=_WHO)

    def write(self, path: str | bytes, content: str | bytes = "") -> None:
        place = self.folder / os.fsdecode(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def symlink(self, path: str, target: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def delete(self, path: str) -> None:
        (self.folder / path).unlink()

    def stage(self, mode: str, oid: str, path: str) -> None:
        """An entry that a checkout could not make: a submodule, or a mode of its own."""
        self.git.run("update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}")

    def commit(self, message: str = "change", *, add: bool = True) -> str:
        """Commit everything (or, with `add=False`, what is staged); returns the SHA."""
        if add:
            self.git.run("add", "--all")
        self.git.run("commit", "--quiet", "--allow-empty", "--no-verify", f"--message={message}")
        return self.git.commit("HEAD")

    def branch(self, name: str, start: str = "HEAD") -> None:
        """A new branch, checked out."""
        self.git.run("checkout", "--quiet", "-b", name, start)

    def checkout(self, ref: str) -> None:
        self.git.run("checkout", "--quiet", ref)

    def at(self, message: str = "change") -> Snapshot:
        """Commit everything; returns the snapshot of that commit."""
        return snapshot.at_commit(self.git, self.commit(message))
