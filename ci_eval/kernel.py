"""What only Linux itself can do for us: keep our memory to ourselves, and find every process that comes of ours.

Python has no call for it, so this is the one module that uses ctypes. On other systems nothing here does anything.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import count, takewhile

_SET_DUMPABLE = 4
_SET_CHILD_SUBREAPER = 36
"""prctl(2)'s numbers, from linux/prctl.h."""

_PATIENCE_SECONDS = 2.0


@cache
def hide() -> None:
    """Keep keys from other programs of our user: no memory to read, and no environment that we were started with.

    /proc/PID/environ shows a process's first environment for as long as it lives, whatever it does to its variables.
    So they are copied elsewhere, where `os.environ` and the C library find them, and what was there is overwritten.
    Then nobody but root may look into this process. To be called before there are threads.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - not in every Python elsewhere

    variables = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    first = list(takewhile(bool, map(variables.__getitem__, count()))) if variables else []
    for name, value in os.environb.items():
        os.putenv(name, value)
    for address in first:
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
    _prctl(_SET_DUMPABLE, 0)


@cache
def adopt() -> None:
    """From now on a process that comes of ours, and whose parent has ended, becomes our child, not init's."""
    if sys.platform == "linux":
        _prctl(_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    import ctypes  # noqa: PLC0415 - as above

    ctypes.CDLL(None).prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0)))


def end_strays() -> None:
    """Kill everything that comes of ours and left our session, as what a program starts does.

    Again until nothing is left, because what is killed may have started more; given up after two seconds.
    """
    if sys.platform != "linux":
        return
    until = time.monotonic() + _PATIENCE_SECONDS
    while (strays := list(_strays())) and time.monotonic() < until:
        for pid in strays:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):  # not our child yet: its parent is among them
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.001)


def _strays() -> Iterator[int]:
    family, session = {os.getpid()}, os.getsid(0)
    processes = list(_processes())
    while found := {pid for pid, parent, _ in processes if parent in family and pid not in family}:
        family |= found
    yield from (pid for pid, _, own in processes if pid in family and own != session)


def _processes() -> Iterator[tuple[int, int, int]]:
    """Number, parent and session of every process that there is; see proc_pid_stat(5)."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # it may have ended
                _state, parent, _group, session, *_ = file.read().rpartition(b")")[2].split()
                yield int(name), int(parent), int(session)
