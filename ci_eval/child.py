"""The one door that starts another program: the user's, which main's policy names as a `command` or `python` target,
and workers of ours.

It gets a folder of its own, the variables that the policy lists, and two pipes: requests come in on its standard
input, answers go out on the file descriptor that `CI_EVAL_REPLY_FD` names. What it prints counts for nothing, so no
line of a library or of a model can be taken for an answer.
"""

from __future__ import annotations

import atexit
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from ci_eval import kernel
from ci_eval.deadline import Deadline

LINE_LIMIT = 8 * 1024 * 1024
_CHUNK = 64 * 1024
_LARGEST_FILE = 1024 * 1024 * 1024


class ChildError(Exception):
    """The program cannot be started or does not take a request; the words are ours, and say what it does."""


class Child:
    """One running program, which ends with this object."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """`on_line` and `on_end` are called in a thread of this object's own. Raises ChildError."""
        reading, replies = os.pipe()
        requests, self._requests = os.pipe()
        # Not closed by `kill`: the number stays ours for as long as a thread that holds this object may write to it.
        weakref.finalize(self, os.close, self._requests).atexit = False
        os.set_blocking(self._requests, False)
        self._sending = threading.Lock()
        running = object()
        try:
            with _starting:
                _refuse_at_the_end()
                _begin(running)
                process = _start(command, folder, environment, requests, replies)
                self.kill = weakref.finalize(self, _end, process, running)
                """Ends the program with all that it started; so does dropping this object, and the end of ours."""
                _endings.append(partial(_end, process, running))
        except ChildError:
            _forget(running)
            os.close(reading)
            raise
        finally:
            os.close(requests)
            os.close(replies)
        _limit(process.pid)
        threading.Thread(target=_read, args=(reading, on_line, on_end), daemon=True).start()

    def send(self, line: bytes, deadline: Deadline) -> None:
        """Hand over one request; raises ChildError when it is not taken in time."""
        if not self._sending.acquire(timeout=max(0.0, deadline.remaining())):
            raise ChildError("takes no more requests")
        try:
            self._write(memoryview(line), deadline)
        finally:
            self._sending.release()

    def _write(self, rest: memoryview, deadline: Deadline) -> None:
        poll = select.poll()
        poll.register(self._requests, select.POLLOUT)
        while rest:
            if not poll.poll(max(0.0, deadline.remaining() * 1000)):
                raise ChildError("takes no more requests")
            try:
                rest = rest[os.write(self._requests, rest[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise ChildError("ended") from None


def start_worker(script: Path, on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> Child:
    """A script of ours, isolated: it finds no module but those installed, and gets no variables; raises ChildError."""
    return Child([sys.executable, "-I", str(script)], Path(tempfile.gettempdir()), {}, on_line, on_end)


_starting = threading.Lock()
_ending = threading.RLock()
_over = threading.Event()
_running: set[object] = set()
"""A token for each program, from before it starts until it has ended."""
_endings: list[Callable[[], object]] = []


def at_end(ending: Callable[[], object]) -> None:
    """Have this done when our process ends, cancelled or not; raises ChildError when that is now.

    It may be done twice at once: a finalizer that has begun in another thread does not keep the process waiting.
    """
    with _starting:
        _refuse_at_the_end()
        _endings.append(ending)


@atexit.register
def end_all() -> None:
    """End every program, newest first, and start none any more: a thread whose program ends would start another."""
    with _starting:
        _over.set()
    while _endings:
        _endings.pop()()


def _refuse_at_the_end() -> None:
    if _over.is_set():
        raise ChildError("the run is over")


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], requests: int, replies: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - a list that main's policy holds, and no shell
            list(command),
            cwd=folder,
            env={**_environment(folder), **environment, "CI_EVAL_REPLY_FD": str(replies)},
            stdin=requests,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(replies,),
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError):
        raise ChildError("cannot be started: is it installed in this job?") from None


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of this job's, keys and tokens least of all, but where programs are."""
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONUTF8": "1"}


def _limit(pid: int) -> None:
    """No core dump, which would hold its keys, and no file that fills the disk."""
    if hasattr(resource, "prlimit"):  # Linux
        with suppress(OSError):  # it has ended already
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))


def _read(reading: int, on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
    """Lines as they come; a line that is too long ends it all."""
    rest = bytearray()
    try:
        while chunk := os.read(reading, _CHUNK):
            rest += chunk
            if b"\n" in chunk:
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    on_line(bytes(line))
            if len(rest) > LINE_LIMIT:
                break
    finally:
        os.close(reading)
        on_end()


def _begin(running: object) -> None:
    with _ending:
        kernel.adopt()
        _running.add(running)


def _end(process: subprocess.Popen[bytes], running: object) -> None:
    with _ending:
        if process.returncode is None:  # else the number may be another's by now
            with suppress(OSError):  # nobody is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _forget(running)


def _forget(running: object) -> None:
    """What a program left behind in a session of its own ends with the last program: whose it is, nobody can say."""
    with _ending:
        if running in _running:
            _running.remove(running)
            if not _running:
                kernel.end_strays()
