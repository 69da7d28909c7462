"""The repository's files at one commit, read from git objects and never from a checkout.

The working tree of a laptop is a snapshot too: its changed files are written to the object store first. So head is
data wherever it comes from, and one piece of code reads both.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import re2

from ci_eval.errors import InputError
from ci_eval.git import Git, GitError
from ci_eval.reader import FILE_LIMIT, MIB

LINK = "120000"
SUBMODULE = "160000"
_REGULAR = frozenset({"100644", "100755"})
_MAX_HOPS = 8
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Entry:
    """What stands at a path: git's mode and object id."""

    mode: str
    oid: str


@dataclass
class Snapshot:
    """Files by path. Paths are decoded with surrogateescape, so any name that git takes can be held and matched."""

    git: Git
    entries: Mapping[str, Entry]
    commit: str | None
    _contents: dict[str, bytes] = field(default_factory=dict, repr=False)

    def glob(self, pattern: str) -> list[str]:
        """The paths that a pattern names, sorted: `*` within a folder, `**` across folders."""
        return [path for path in sorted(self.entries) if matches(pattern, path)]

    def has(self, path: str) -> bool:
        return self._follow(path)[1] is not None

    def closure(self, path: str) -> tuple[str, ...]:
        """The links on the way to a file, and the file: a change to any of them changes what is read.

        Of a folder behind a link, every file: which of them are read is not known here.
        """
        found: dict[str, None] = {}
        waiting = [path]
        while waiting:
            steps, entry = self._follow(waiting.pop())
            found.update(dict.fromkeys(steps))
            if entry is None:
                folder = f"{steps[-1]}/" if steps[-1] else ""
                waiting += [inside for inside in self.entries if inside.startswith(folder) and inside not in found]
        return tuple(found)

    def links_on(self, pattern: str) -> list[str]:
        """Links to folders that a pattern leads through (`**` does not): git lists no files behind them."""
        parts = pattern.partition("**")[0].split("/")
        folders = ["/".join(parts[:length]) for length in range(1, len(parts))]
        links = [path for path, entry in self.entries.items() if entry.mode == LINK]
        return [link for link in links if any(matches(folder, link) for folder in folders)]

    def oid(self, path: str) -> str | None:
        """The id of a file's contents, links followed; None where there is no file."""
        entry = self._follow(path)[1]
        return entry.oid if entry else None

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        """The contents of a file; raises InputError for what is missing, not a regular file, or too large."""
        entry = self._follow(path)[1]
        if entry is None and any(name.startswith(f"{path}/") for name in self.entries):
            raise InputError("is a folder", remedy="name a file", file=path)
        if entry is None:
            raise InputError("is not in the repository", remedy="correct the path or add the file", file=path)
        if entry.mode not in _REGULAR:
            raise InputError("is a submodule or a special file", remedy="name a regular file", file=path)
        if entry.oid not in self._contents:
            self._contents[entry.oid] = self._fetch(path, entry.oid, limit)
        content = self._contents[entry.oid]
        if content.startswith(_LFS_POINTER):
            raise InputError("is a Git LFS pointer", remedy="store the file itself in git", file=path)
        return content

    def _fetch(self, path: str, oid: str, limit: int) -> bytes:
        size = self.git.sizes([oid]).get(oid)
        if size is None:
            raise InputError("is not in the object store", remedy="check out with fetch-depth: 0", file=path)
        if size > limit:
            raise InputError(f"is larger than {limit // MIB} MiB", remedy="make it smaller", file=path)
        return self.git.blobs([oid])[oid]

    def _follow(self, path: str) -> tuple[tuple[str, ...], Entry | None]:
        """The paths passed on the way, and what stands at the end (None: nothing)."""
        todo = path.split("/")[::-1]
        if {"", ".", ".."} & {*todo}:
            return (path,), None
        passed: list[str] = []
        here: list[str] = []
        while todo:
            name = todo.pop()
            at = "/".join([*here, name])
            entry = self.entries.get(at)
            if entry and entry.mode == LINK:
                passed.append(at)
                todo += self._steps(at, passed)
            elif name == "..":
                if not here:
                    raise _refused_link("leaves the repository", passed[-1])
                here.pop()
            elif name not in {"", "."}:
                here.append(name)
        end = "/".join(here)
        return (*passed, end), self.entries.get(end)

    def _steps(self, link: str, passed: Sequence[str]) -> list[str]:
        """The names in a link's target, last first."""
        if len(passed) > _MAX_HOPS:
            raise _refused_link("leads in a circle", link)
        target = os.fsdecode(self._link_text(link))
        if target.startswith("/"):
            raise _refused_link("leaves the repository", link)
        return target.split("/")[::-1]

    def _link_text(self, link: str) -> bytes:
        oid = self.entries[link].oid
        if oid not in self._contents:
            self._contents[oid] = self._fetch(link, oid, MIB)
        return self._contents[oid]


def _refused_link(what: str, link: str) -> InputError:
    return InputError(f"is a link that {what}", remedy="replace it by the file", file=link)


def at_commit(git: Git, commit: str) -> Snapshot:
    """The files of a commit; raises InputError when the checkout does not hold it."""
    try:
        return Snapshot(git, _entries(git, commit), commit)
    except GitError:
        raise InputError(
            f"the checkout does not hold commit {commit[:12]}", remedy="check out with fetch-depth: 0"
        ) from None


def at_tree(git: Git, tree: str) -> Snapshot:
    """The files of a tree that is no commit, as `git merge-tree` makes."""
    return Snapshot(git, _entries(git, tree), None)


def _entries(git: Git, treeish: str) -> dict[str, Entry]:
    return {os.fsdecode(path): Entry(mode, oid) for mode, oid, path in git.tree(treeish)}


def of_work_tree(git: Git) -> Snapshot:
    """The working tree as it is: tracked files as changed, and untracked ones that are not ignored."""
    entries = {}
    for row in git.run("ls-files", "--stage", "-z").split(b"\0")[:-1]:
        meta, _, path = row.partition(b"\t")
        mode, oid, _ = meta.decode("ascii").split(" ")
        entries[os.fsdecode(path)] = Entry(mode, oid)
    # A submodule is a repository with a configuration of its own: git must not look for changes inside it.
    quietly = ("--name-only", "--no-ext-diff", "--no-renames", "--ignore-submodules=dirty")
    changed = git.tamed().run("diff-files", "-z", *quietly)
    untracked = git.run("ls-files", "--others", "--exclude-standard", "-z")
    for raw in sorted({*changed.split(b"\0"), *untracked.split(b"\0")} - {b""}):
        name = os.fsdecode(raw)
        entry = _entry_on_disk(git, name)
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry
    return Snapshot(git, entries, None)


def _entry_on_disk(git: Git, path: str) -> Entry | None:
    assert git.work_tree is not None, "a bare repository has no working tree"  # noqa: S101 - a caller's mistake
    place = git.work_tree / path
    try:
        mode = place.lstat().st_mode
    except OSError:
        return None
    if any(git.work_tree in folder.parents and folder.is_symlink() for folder in place.parents):
        return None  # what stands behind a link is not this file
    if stat.S_ISLNK(mode):
        return Entry(LINK, git.write_blob(os.fsencode(place.readlink())))
    if not stat.S_ISREG(mode):
        return None
    oid = git.run("hash-object", "-w", "--no-filters", "--", path).decode("ascii").strip()
    return Entry("100755" if mode & stat.S_IXUSR else "100644", oid)


# --- patterns ---------------------------------------------------------------------------------------------------------


def same_name(path: str) -> str:
    """The form in which two spellings of one name meet: NFC and case-folded, as some file systems see them."""
    return unicodedata.normalize("NFC", path).casefold()


def matches(pattern: str, path: str) -> bool:
    """Whether a path falls under a pattern, by its raw or its folded name.

    `**/` is any folders or none, `**` anything, `*` and `?` stay within one name; everything else is itself.
    """
    folded = _regex(same_name(pattern)).fullmatch(os.fsencode(same_name(path)))
    return bool(folded) or matches_exactly(pattern, path)


def matches_exactly(pattern: str, path: str) -> bool:
    """Whether a path falls under a pattern as both are spelled."""
    return bool(_regex(pattern).fullmatch(os.fsencode(path)))


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> re2._Regexp[bytes]:
    """RE2, because head may add patterns and name files, and the two together may not stall the gate."""
    words = (_GLOB.get(part) or re2.escape(os.fsencode(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern))
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(b"(?s)" + b"".join(words), options)


_GLOB = {"**/": b"(?:[^/]+/)*", "**": b".*", "*": b"[^/]*", "?": b"(?:[\\x00-.0-\\x7f]|[\\xc2-\\xf4][\\x80-\\xbf]+)"}


def changed_paths(base: Snapshot, head: Snapshot) -> list[str]:
    """Every path whose mode or object differs. Names are never followed across a rename: both ends are listed."""
    return sorted(_differing(base.entries, head.entries))


def _differing(base: Mapping[str, Entry], head: Mapping[str, Entry]) -> Iterable[str]:
    return (path for path in base.keys() | head.keys() if base.get(path) != head.get(path))
