"""The container's first process: root for what GitHub demands, while ci-eval itself runs as a user that owns nothing.

GitHub starts a container action as root, because a step's files belong to the runner's user. Here they are opened and
handed on; then ci-eval starts without capabilities, and without a way to get any. This process parses nothing and asks
nobody. It waits for the end, and gives the report to the workspace's owner, who has to be able to clear it away.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

NOBODY = 65532
"""User and group of ci-eval in its image."""

_OPEN_TO_ALL = stat.S_IROTH | stat.S_IXOTH
_ASKED_TO_END = (signal.SIGINT, signal.SIGTERM)
_OPENED = {
    "GITHUB_EVENT_PATH": os.O_RDONLY,
    "GITHUB_OUTPUT": os.O_WRONLY | os.O_APPEND,
    "GITHUB_STEP_SUMMARY": os.O_WRONLY | os.O_APPEND,
}


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """ci-eval's exit code. Where this is not root, ci-eval takes its place."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED_TO_END)  # until there is somebody who knows what to do then
    workspace = Path(environ.get("GITHUB_WORKSPACE", ""))
    if os.geteuid() != 0:
        _become([], arguments, environ)
    if environ.get("GITHUB_ACTIONS") != "true" or not workspace.is_dir():
        return _run(NOBODY, NOBODY, arguments, environ)
    step = _Step.of(workspace)
    if step.user == 0:
        problem = f"{workspace} is root's, and closed to everybody else"
        print(f"ci-eval: {problem}; let others read it (chmod -R o+rX), or run the runner as a user", file=sys.stderr)
        return 2
    given = step.prepared(environ)
    try:
        return _run(step.user, step.group, arguments, given)
    finally:
        step.give_back()


@dataclass(frozen=True)
class _Step:
    """A step of a job, and as whom ci-eval runs in it."""

    workspace: Path
    user: int
    group: int
    report: Path
    lent: list[Path]

    @classmethod
    def of(cls, workspace: Path) -> _Step:
        """As nobody, who may read the checkout as everybody may; as its owner where it is closed to others."""
        folders = [workspace, workspace / ".git", workspace / ".git/objects"]
        closed = any(folder.stat().st_mode & _OPEN_TO_ALL != _OPEN_TO_ALL for folder in folders if folder.exists())
        owner = workspace.stat()
        user, group = (owner.st_uid, owner.st_gid) if closed else (NOBODY, NOBODY)
        return cls(workspace, user, group, workspace / f".ci-eval-{os.urandom(6).hex()}", [])

    def prepared(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of ci-eval: with open files for the runner's, and a folder for the report."""
        given = dict(environ)
        _open_files(given)
        self.report.mkdir()  # did not exist: the checkout may hold a link of any name that we could think of
        self._lend(self.report)
        given["CI_EVAL_FOLDER"] = str(self.report)
        cache = Path(environ.get("XDG_CACHE_HOME", ""))
        if environ.get("GITHUB_EVENT_NAME") in {"push", "workflow_dispatch"} and cache.parent == self.workspace:
            cache.mkdir(exist_ok=True)
            self._lend(cache)
        return given

    def _lend(self, folder: Path) -> None:
        owner = folder.lstat().st_uid
        _change_owner(folder, {0, owner, self.workspace.stat().st_uid}, self.user, self.group)
        self.lent.append(folder)

    def give_back(self) -> None:
        """What is left of ci-eval's processes ends first, so nobody moves what is looked at."""
        if os.getpid() == 1:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        owner = self.workspace.stat()
        for folder in self.lent:
            _change_owner(folder, {self.user}, owner.st_uid, owner.st_gid)
        with suppress(OSError):  # an empty one is of no use
            self.report.rmdir()


def _open_files(environ: MutableMapping[str, str]) -> None:
    """As `/dev/fd/N`: neither is their folder's mode in the way, nor can anybody put other files in their place."""
    for name, flags in _OPENED.items():
        with suppress(OSError, KeyError):  # then ci-eval says what is missing
            opened = os.open(environ[name], flags | os.O_NOFOLLOW)
            os.set_inheritable(opened, True)
            environ[name] = f"/dev/fd/{opened}"


def _change_owner(folder: Path, owners: set[int], user: int, group: int) -> None:
    """Of what belongs to some owners; no link is followed."""
    for _, folders, files, inside in os.fwalk(folder, follow_symlinks=False):
        os.fchown(inside, user, group)
        for name in (*folders, *files):
            if os.stat(name, dir_fd=inside, follow_symlinks=False).st_uid in owners:
                os.chown(name, user, group, dir_fd=inside, follow_symlinks=False)


# --- ci-eval itself ---------------------------------------------------------------------------------------------------


def _run(user: int, group: int, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start it, hand on how it is asked to end, and wait for it."""
    child = os.fork()
    if child == 0:
        # setpriv is Debian's own (util-linux). The bounding set first: only root may empty it.
        rights = ["--bounding-set=-all", "--inh-caps=-all", "--clear-groups", f"--reuid={user}", f"--regid={group}"]
        try:
            _become(rights, arguments, environ)
        finally:
            os._exit(2)  # it could not be started, and what follows is its parent's

    def hand_on(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _ASKED_TO_END:
        signal.signal(number, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED_TO_END)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(rights: Sequence[str], arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    command = ["setpriv", *rights, "--no-new-privs", "--", *_ours(arguments)]
    os.execve("/usr/bin/setpriv", command, dict(environ))  # noqa: S606 - no shell


def _ours(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-I", "-B", "-m", "ci_eval.cli.main", *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
