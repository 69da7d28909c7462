"""A run that is cancelled while the user's own program is at work."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from parcel_desk import Repository

PATIENT = 60.0
POLICY = f"""\
version: 1
suites:
  desk:
    target: {{command: [{json.dumps(sys.executable)}, app.py], files: [app.py], env: [DESK_KEY], max_concurrency: 2}}
    golden: golden.jsonl
    scorers: [{{type: exact}}]
"""
ROWS = "".join(f'{{"id": "case-{number}", "input": "x", "expected": "y"}}\n' for number in range(6))


def program(fifo: Path) -> str:
    """It tells its folder and its key, answers nothing, and holds the pipe open for as long as it lives."""
    return (
        "import os, time\n"
        f"told = open({str(fifo)!r}, 'w')\n"
        "print(os.getcwd(), os.environ['DESK_KEY'], file=told, flush=True)\n"
        "time.sleep(600)\n"
    )


def nobody_writes(pipe: BinaryIO) -> bool:
    ready, _, _ = select.select([pipe], [], [], PATIENT)
    return bool(ready) and pipe.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_ends_with_a_run_that_is_cancelled(tmp_path: Path, number: signal.Signals) -> None:
    """It holds a key, so it does not outlive the job's step; nor does the copy of the code."""
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    repo = Repository.create(tmp_path / "desk", {"ci-eval.yaml": POLICY, "golden.jsonl": ROWS, "app.py": program(fifo)})
    command = [sys.executable, "-W", "error", "-m", "ci_eval.cli.main", "run", "-q", "--repo", str(repo.folder)]
    environ = {**os.environ, "DESK_KEY": "canary-4711"}
    run = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with run, fifo.open("rb") as told:
        folder, key = told.readline().decode().split()
        assert (key, Path(folder).exists()) == ("canary-4711", True)

        run.send_signal(number)

        _, err = run.communicate(timeout=PATIENT)
        assert (run.returncode, err.strip()) == (130, b"ci-eval: cancelled")
        assert nobody_writes(told), "the program goes on"
    assert not Path(folder).exists()
