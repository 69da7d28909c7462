"""The command line as a test uses it: in this process, which is quick, or in one of its own, as a user starts it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci_eval.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def ci_eval(*arguments: str) -> Ran:
    """One command in this process, through the outermost handler. It reads and changes the real `os.environ`."""
    out, err = io.StringIO(), io.StringIO()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(arguments)
    finally:
        signal.signal(signal.SIGTERM, handler)
    code = ended.value.code
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


def ci_eval_process(*arguments: str, cwd: Path, environ: Mapping[str, str] | None = None) -> Ran:
    """One command as a user starts it."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "ci_eval.cli.main", *arguments],
        cwd=cwd,
        env={**inherited, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)
