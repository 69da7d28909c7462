"""The door to files: no other module opens one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ci_eval.errors import InputError, UsageError
from ci_eval.reader.documents import (
    FILE_LIMIT,
    MIB,
)

_OPEN_FILES = Path("/dev/fd")


def _place(path: Path) -> Path | int:
    """The open file that `/dev/fd/N` names. Linux would open it anew, for which one may not have the rights."""
    is_open = path.parent == _OPEN_FILES and path.name.isascii() and path.name.isdigit()
    return int(path.name) if is_open else path


def read_file(path: Path, *, limit: int = FILE_LIMIT) -> bytes:
    """A regular file that the user or the runner named; never a path out of a pull request."""
    try:
        place = _place(path)
        with open(place, "rb", closefd=place is path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", remedy="check the path", file=str(path)) from None
    if len(data) > limit:
        raise InputError(f"larger than {limit // MIB} MiB", remedy="make it smaller", file=str(path))
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file or none of it: a reader never sees half, and a link is replaced, not followed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); name a folder that you may write to") from None


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Add lines to a file that somebody else made (the runner's output and summary files)."""
    with appending(path) as append:
        append("".join(f"{line}\n" for line in lines))


@contextmanager
def appending(path: Path) -> Iterator[Callable[[str], None]]:
    """Adds text to a file that stays open. It is out of our hands when the call returns: if we are killed, it stays."""
    place = _place(path)
    with open(place, "ab", buffering=0, closefd=place is path) as file:
        yield lambda text: _write_whole(file, text.encode())


def _write_whole(file: FileIO, data: bytes) -> None:
    """The system may take a part of what it is given."""
    while data:
        data = data[file.write(data) :]
