"""The container's first process: root for what GitHub demands, while ci-eval itself runs as nobody in particular.

GitHub starts a container action as root, because the files of a step belong to the runner's user. Here they are opened,
and handed on as open files; then ci-eval starts as a user that owns nothing, without capabilities and without a way to
get any. This process reads nothing, asks nobody, waits for the end, and gives the report to the workspace's owner.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from ci_eval.errors import EXIT_REFUSED
from ci_eval.handover import FOLDER, handed_over

NOBODY = 65532
"""User and group of ci-eval in its image; no file belongs to it."""

_WRITTEN = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
_READ = ("GITHUB_EVENT_PATH",)
_OPEN_TO_ALL = stat.S_IROTH | stat.S_IXOTH


def main(arguments: Sequence[str]) -> int:
    """ci-eval's exit code."""
    if os.geteuid() != 0:
        _become(_without_rights([]), arguments, os.environ)
    environ = dict(os.environ)
    workspace = Path(environ.get("GITHUB_WORKSPACE") or "/github/workspace")
    on_github = environ.get("GITHUB_ACTIONS") == "true" and workspace.is_dir()
    user, group = _user(workspace) if on_github else (NOBODY, NOBODY)
    if user == 0:
        print(
            f"ci-eval: {workspace} is root's and closed to everybody else; let the runner's files be readable (umask 022)",
            file=sys.stderr,
        )
        return EXIT_REFUSED
    if not on_github:
        return _run(user, group, arguments, environ)
    _hand_over_files(environ)
    folder = _made_folder(workspace, user, group)
    environ[FOLDER] = str(folder)
    try:
        return _run(user, group, arguments, environ)
    finally:
        _give_back(folder, workspace)


def _user(workspace: Path) -> tuple[int, int]:
    """Nobody, who may read the checkout like everybody; its owner where it is closed to others."""
    owner = workspace.stat()
    inner = workspace / ".git" / "objects"
    opened = all(
        path.stat().st_mode & _OPEN_TO_ALL == _OPEN_TO_ALL for path in (workspace, inner.parent, inner) if path.exists()
    )
    return (NOBODY, NOBODY) if opened else (owner.st_uid, owner.st_gid)


def _hand_over_files(environ: MutableMapping[str, str]) -> None:
    """The runner's files, open: their folder need not be open to others, and nobody can put another in their place."""
    for names, flags in ((_WRITTEN, os.O_WRONLY | os.O_APPEND), (_READ, os.O_RDONLY)):
        for name in names:
            if environ.get(name):
                with suppress(OSError):  # then ci-eval says what is missing
                    opened = os.open(environ[name], flags | os.O_NOFOLLOW)
                    os.set_inheritable(opened, True)
                    environ[name] = handed_over(opened)


def _made_folder(workspace: Path, user: int, group: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=".ci-eval-", dir=workspace))
    folder.chmod(0o755)  # later steps run as another user
    os.chown(folder, user, group)
    return folder


def _give_back(folder: Path, workspace: Path) -> None:
    """To the workspace's owner, who has to be able to clear it away; an empty one is of no use to anybody."""
    owner = workspace.stat()
    for _, folders, files, inside in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=inside, follow_symlinks=False)
    os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)
    with suppress(OSError):
        folder.rmdir()


# --- ci-eval itself ---------------------------------------------------------------------------------------------------


def _run(user: int, group: int, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start it, hand on how it is asked to end, and end with everything that it may have left behind."""
    child = os.fork()
    if child == 0:
        _become(_without_rights([f"--reuid={user}", f"--regid={group}", "--clear-groups"]), arguments, environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _hand_on(child))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) % 256


def _hand_on(child: int) -> Callable[[int, FrameType | None], None]:
    def signalled(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    return signalled


def _without_rights(who: Sequence[str]) -> list[str]:
    """util-linux's own program for it. To drop the bounding set takes a right that only root has."""
    limits = ["--bounding-set=-all"] if who else []
    return ["setpriv", *who, *limits, "--inh-caps=-all", "--no-new-privs", "--"]


def _become(prefix: Sequence[str], arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    command = [*prefix, sys.executable, "-I", "-B", "-m", "ci_eval.cli.main", *arguments]
    os.execvpe(command[0], command, dict(environ))  # noqa: S606 - a list, and no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
