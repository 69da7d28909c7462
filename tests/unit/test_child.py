"""A program of the user's: the pipe that it is asked on, and that it ends when we do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_eval.child import Child, ChildError
from ci_eval.deadline import Deadline

PATIENT = 60.0


def start(folder: Path, code: str = "import time\ntime.sleep(600)") -> Child:
    return Child([sys.executable, "-I", "-c", code], folder, {}, lambda _: None, lambda: None)


def test_a_request_to_a_program_that_was_ended_is_written_into_nothing_else(tmp_path: Path) -> None:
    """One thread ends it, this process opens files, and another thread, which holds it still, sends."""
    child = start(tmp_path)
    child.kill()
    files = [(tmp_path / f"{number}.jsonl").open("wb") for number in range(8)]
    try:
        with pytest.raises(ChildError, match="ended"):
            child.send(b'{"input": "a case"}\n', Deadline.after(PATIENT))
    finally:
        for file in files:
            file.close()
    assert {file.stat().st_size for file in tmp_path.iterdir()} == {0}


def fails(error: type[Exception]) -> Callable[..., None]:
    def popen(*_: object, **__: object) -> None:
        raise error("why")

    return popen


def opened() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.mark.parametrize("error", [OSError, subprocess.SubprocessError])
def test_what_cannot_be_started_is_told_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Popen raises both."""
    monkeypatch.setattr(subprocess, "Popen", fails(error))
    before = opened()
    with pytest.raises(ChildError, match="cannot be started"):
        start(tmp_path)
    assert opened() == before


def test_a_program_that_is_dropped_leaves_nothing_open(tmp_path: Path) -> None:
    """What its answers came on is closed by the thread that reads them, which tells."""
    before = opened()
    read_to_the_end: list[int] = []
    for _ in range(3):
        child = Child(["true"], tmp_path, {}, lambda _: None, lambda: read_to_the_end.append(1))
        child.kill()
        del child
    deadline = Deadline.after(PATIENT)
    while len(read_to_the_end) < 3 and deadline.remaining() > 0:
        os.sched_yield()
    assert opened() == before


AT_THE_END = """\
import threading
from pathlib import Path
from ci_eval import child

ended = threading.Event()

def start():
    return child.Child(["sleep", "600"], Path("."), {}, lambda _: None, ended.set)

child.at_end(lambda: print("last"))
running = start()
child.at_end(lambda: print("first"))
child.end_all()
print(ended.wait(60))
running.kill()
for starts in (start, lambda: child.at_end(print)):
    try:
        starts()
    except child.ChildError as error:
        print(error)
"""


def test_when_we_end_all_programs_end_newest_first_and_none_starts_any_more(tmp_path: Path) -> None:
    """A thread that waited for one that was ended would start another, which nobody would end."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AT_THE_END], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["first", "last", "True", "the run is over", "the run is over"]
