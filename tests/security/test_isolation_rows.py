"""Rows 51, 52, 63, 65, 109, 110, 113 and 133 of the threat model: what runs beside the keys, and what holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from repo import Repo

PATIENT = 60.0
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) and /proc are Linux's")
KEY = "canary-of-the-job-4711"

# --- 51: a target's program looks for keys ----------------------------------------------------------------------------

SNOOP = """\
import ctypes, glob, json, os, sys

def attempt(read):
    try:
        return read()
    except OSError as error:
        return error.strerror

def holds(path):
    return b"canary-of-the-job" in open(path, "rb").read()

def memory():
    parent = f"/proc/{os.getppid()}"
    spans = [line.split()[0].split("-") for line in open(f"{parent}/maps") if "[heap]" in line or "[stack]" in line]
    with open(f"{parent}/mem", "rb", 0) as mem:
        for start, end in spans:
            mem.seek(int(start, 16))
            if b"canary-of-the-job" in mem.read(int(end, 16) - int(start, 16)):
                return True
    return False

def attach():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, os.getppid(), None, None) == 0:
        libc.ptrace(17, os.getppid(), None, None)
        return True
    return os.strerror(ctypes.get_errno())

def anywhere():
    return any(attempt(lambda: holds(path)) is True for path in glob.glob("/proc/[0-9]*/task/*/environ"))

found = {
    "environment": attempt(lambda: holds(f"/proc/{os.getppid()}/environ")),
    "memory": attempt(memory),
    "descriptors": attempt(lambda: bool(os.readlink(f"/proc/{os.getppid()}/fd/0"))),
    "debugger": attach(),
    "any process": anywhere(),
    "own environment": "canary-of-the-job" in repr(os.environ),
}
with open(sys.argv[1] + ".part", "w") as file:
    json.dump(found, file)
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


def without_debugging(command: list[str]) -> list[str]:
    """As a user's process, or as root's in a container: root itself may debug whatever it likes."""
    return ["setpriv", "--bounding-set=-sys_ptrace", *command] if os.geteuid() == 0 else command


def desk(folder: Path, program: str, *arguments: str) -> Repo:
    """A suite of one case whose target is a program."""
    repo = Repo(folder)
    command = json.dumps([sys.executable, "app.py", *arguments])
    repo.write(
        "ci-eval.yaml",
        f"version: 1\nsuites:\n  desk:\n    target: {{command: {command}, files: [app.py], timeout_seconds: 20}}\n"
        "    golden: golden.jsonl\n    scorers: [{type: exact}]\n",
    )
    repo.write("golden.jsonl", '{"id": "one", "input": "x", "expected": "y"}\n')
    repo.write("app.py", program)
    repo.commit()
    return repo


def run_desk(repo: Repo) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ci_eval.cli.main", "run", "-q", "--no-cache", "--repo", str(repo.folder)]
    environ = {"PATH": os.environ["PATH"], "HOME": str(repo.folder), "OTHER_KEY": KEY, "GITHUB_TOKEN": KEY}
    return subprocess.run(
        without_debugging(command), env=environ, capture_output=True, text=True, check=False, timeout=PATIENT
    )


def told(file: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return found


@LINUX
def test_51_a_program_finds_no_key_in_the_process_that_started_it(tmp_path: Path) -> None:
    """Nor in any other process of its user that is ours: by environment, memory, open files or as a debugger."""
    repo = desk(tmp_path / "desk", SNOOP, str(tmp_path / "found"))

    run_desk(repo)

    found = told(tmp_path / "found")
    assert {where for where, answer in found.items() if answer is True} == set()
    assert (found["memory"], found["debugger"]) == ("Permission denied", "Operation not permitted")


@LINUX
def test_51_the_same_program_finds_them_in_a_process_that_does_not_hide(tmp_path: Path) -> None:
    """So that the test above would see it."""
    (tmp_path / "app.py").write_text(SNOOP)
    parent = (
        "import os, subprocess, sys\n"
        "kept = os.environ.pop('OTHER_KEY')\n"
        "subprocess.run([sys.executable, 'app.py', 'found'], env={})\n"
    )
    command = without_debugging([sys.executable, "-c", parent])
    subprocess.run(command, cwd=tmp_path, env={"OTHER_KEY": KEY, "PATH": os.environ["PATH"]}, check=True)

    found = told(tmp_path / "found")
    assert (found["environment"], found["descriptors"], found["any process"]) == (True, True, True)


HIDDEN = """\
import os, subprocess, time
from ci_eval import kernel
kernel.hide()
kernel.hide()
print(os.environ["OTHER_KEY"], subprocess.run(["printenv", "OTHER_KEY"], capture_output=True, text=True).stdout.strip())
print(time.tzname[0])
print(open(f"/proc/{os.getpid()}/environ", "rb").read().strip(b"\\0"))
"""


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may still look")
def test_51_even_root_sees_no_key_in_the_first_environment(tmp_path: Path) -> None:
    """And the process itself, and what it hands its variables on to, still have them."""
    environ = {"PATH": os.environ["PATH"], "OTHER_KEY": KEY, "TZ": "Canary-2", "EMPTY": ""}
    command = [sys.executable, "-c", HIDDEN]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [f"{KEY} {KEY}", "Canary", "b''"]


DAEMON = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(3, 99)
        with open(sys.argv[1], "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
    time.sleep(0.01)
"""


@LINUX
def test_51_what_a_program_left_behind_in_a_session_of_its_own_ends_with_the_run(tmp_path: Path) -> None:
    """Forked twice: it is no child of the program any more, and not in its session."""
    repo = desk(tmp_path / "desk", DAEMON, str(tmp_path / "pid"))

    run_desk(repo)

    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + PATIENT
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        os.sched_yield()
    assert not Path(f"/proc/{pid}").exists()


BREEDER = """\
import os, sys, time
def breed():
    os.closerange(3, 99)
    while True:
        if os.fork() == 0:
            os.setsid()
        else:
            time.sleep(0.02)
            os._exit(0)
if os.fork() == 0:
    os.setsid()
    breed()
"""


@LINUX
def test_51_a_program_that_keeps_moving_on_is_caught(tmp_path: Path) -> None:
    """Each of its processes starts the next one, in a new session, and ends."""
    marker = f"breeder-{os.getpid()}"
    repo = desk(tmp_path / "desk", BREEDER, marker)

    run_desk(repo)

    lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    assert [line for line in lines if marker.encode() in line] == []
