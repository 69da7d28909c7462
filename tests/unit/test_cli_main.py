"""The outermost handler: how a run ends, whatever happens in it. Nothing but a regression exits 1."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import FrameType
from typing import cast

import click
import pytest

import ci_eval
from ci_eval import __version__
from ci_eval.cli import main
from ci_eval.errors import CiEvalError, Inconclusive, InputError, UsageError
from ci_eval.git import GitError, MergeConflict
from ci_eval.text import Untrusted

SECRET = "sk-what-a-model-said"  # noqa: S105 - it stands for any text that may not be shown


class Odd(Exception):
    def __str__(self) -> str:
        raise ValueError(SECRET)


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1) + 1


ENDS: dict[str, BaseException | int | bool | None] = {
    "passed": 0,
    "regressed": 1,
    "unclear": 3,
    "nothing": None,
    "input": InputError("wrong", remedy="right it", file="a.yaml", line=3),
    "usage": UsageError("wrong; right it"),
    "inconclusive": Inconclusive("no key; set it"),
    "conflict": MergeConflict("merge main first"),
    "git": GitError("cat-file", b"one\nfatal: two\n", 128),
    "hostile": InputError("::error::\n\x1b[2J##[group]", remedy="\u202eright it"),
    "fault": RuntimeError(SECRET),
    "chained": KeyError(SECRET),
    "odd": Odd(),
    "assertion": AssertionError(SECRET),
    "memory": MemoryError(SECRET),
    "unicode": UnicodeEncodeError("ascii", SECRET, 0, 1, SECRET),
    "file": OSError(5, SECRET, SECRET),
    "exits": SystemExit(1),
    "exits_silently": SystemExit(),
    "exits_with_text": SystemExit(SECRET),
    "interrupted": KeyboardInterrupt(),
    "end_of_input": EOFError(),
    "aborted": click.Abort(),
    "bad_option": click.UsageError("no such option; see --help"),
    "bad_file": click.FileError("x", "unreadable"),
}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
def end(name: str) -> int | bool | None:
    """End in the named way."""
    match ENDS[name]:
        case BaseException() as error:
            raise error
        case code:
            return code


@click.command()
def recursion() -> int:
    """Call itself until Python gives up."""
    return recurse()


@click.command()
def formats() -> int:
    """Print what may not be printed."""
    click.echo(f"the answer is {Untrusted(SECRET)}")
    return 0


@click.command()
def waits() -> None:
    """Wait until a signal comes, which is at once."""
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()


def not_ours(number: int, frame: FrameType | None) -> None:
    raise RuntimeError("nobody has said what SIGTERM does")


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The commands above stand beside the real ones, and SIGTERM is as it was afterwards."""
    for name in ("end", "recursion", "formats", "waits"):
        monkeypatch.setitem(cast(dict[str, str], main.COMMANDS), name, f"{__name__}:{name}")
    monkeypatch.delenv("CI_EVAL_DEBUG", raising=False)
    handler = signal.signal(signal.SIGTERM, not_ours)
    yield
    signal.signal(signal.SIGTERM, handler)


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


CODES = {
    "passed": 0, "regressed": 1, "unclear": 3, "nothing": 0, "inconclusive": 3, "conflict": 3, "interrupted": 130,
    "end_of_input": 130, "aborted": 130,
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_how_a_run_ends(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One line on standard error and a code that says whose doing it was; never a traceback, never what was read."""
    assert ended("end", name) == CODES.get(name, 2)
    out, err = capfd.readouterr()
    lines = [line for line in err.split("\n") if line]  # click ends the line of a ^C
    assert out == ""
    assert len(lines) <= 1
    assert all(line.startswith("ci-eval: ") and line.isprintable() for line in lines)
    assert SECRET not in err
    assert "Traceback" not in err
    assert "::" not in err
    assert "##[" not in err


@pytest.mark.parametrize("command", ["recursion", "formats"])
def test_faults_of_ours(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(command) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("ci-eval: a fault of ci-eval: ")
    assert err.count("\n") == 1
    assert SECRET not in err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("input", "a.yaml:3: wrong; right it"),
        ("usage", "wrong; right it"),
        ("git", "git cat-file failed (fatal: two); check that the checkout is complete (fetch-depth: 0)"),
        ("interrupted", "cancelled"),
        ("hostile", ":\\u{3a}error:\\u{3a}\\u{a}\\u{1b}[2J#\\u{23}[group]; \\u{202e}right it"),
    ],
)
def test_what_is_said(name: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    ended("end", name)
    assert capfd.readouterr().err.strip() == f"ci-eval: {said}"


def test_a_fault_says_where_it_was_and_how_to_see_more(capfd: pytest.CaptureFixture[str]) -> None:
    ended("end", "fault")
    said = capfd.readouterr().err
    assert "RuntimeError at test_cli_main.py:" in said
    assert "please report it (CI_EVAL_DEBUG=1 shows more)" in said


def test_a_traceback_only_when_asked_for_and_never_in_a_job(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI_EVAL_DEBUG", "1")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert ended("end", "fault") == 2
    assert "Traceback" in capfd.readouterr().err
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert ended("end", "fault") == 2
    assert "Traceback" not in capfd.readouterr().err


def test_being_told_to_stop(capfd: pytest.CaptureFixture[str]) -> None:
    """A cancelled job gets SIGTERM, and has a few seconds."""
    assert ended("waits") == 130
    assert capfd.readouterr().err.strip() == "ci-eval: cancelled"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--help"], 0),
        (["-h"], 0),
        (["--version"], 0),
        (["gaet"], 2),
        (["--nope"], 2),
        (["gate", "--nope"], 2),
        (["gate", "--repo", "/does/not/exist"], 2),
        (["gate", "--repo", "/dev/null"], 2),
        (["run", "--repeats", "0"], 2),
        (["run", "--repeats", "x"], 2),
        (["show"], 2),
        (["schema", "nope"], 2),
        (["baseline"], 2),
        (["baseline", "nope"], 2),
        (["gate", "\ud800"], 2),
    ],
)
def test_usage(arguments: list[str], code: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(*arguments) == code
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert not err or (err.count("\n") == 1 and err.strip().isprintable())


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    ended("--version")
    assert capfd.readouterr().out == f"ci-eval, version {__version__}\n"


@pytest.mark.parametrize("command", [name for name in main.COMMANDS if name not in {"end", "recursion"}])
def test_every_command_has_help(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert ended(command, "--help") == 0
    assert f"Usage: ci-eval {command}" in capfd.readouterr().out


def test_no_error_of_ours_exits_1() -> None:
    """Whoever adds an error class finds this out here."""
    for module in walk_packages(ci_eval.__path__, "ci_eval."):
        import_module(module.name)
    waiting: list[type[CiEvalError]] = [CiEvalError]
    while waiting:
        kind = waiting.pop()
        assert kind.exit_code in {2, 3}, kind
        waiting += kind.__subclasses__()


class TestNobodyListens:
    """`ci-eval … | head -1`, and a terminal that was closed."""

    @staticmethod
    def code(arguments: str, *, out: bool, err: bool) -> int:
        """The exit code of a process whose standard output or error nobody reads any more."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "ci_eval.cli.main", *arguments.split()],
                stdout=write_end if out else subprocess.DEVNULL,
                stderr=write_end if err else subprocess.PIPE,
                cwd=Path(ci_eval.__file__).parent.parent,
                check=False,
            )
        finally:
            os.close(write_end)
        assert b"Traceback" not in (done.stderr or b"")
        assert b"Exception" not in (done.stderr or b"")
        return done.returncode

    def test_to_a_result(self) -> None:
        """A pipe that broke would be a regression, if it were for click."""
        assert self.code("schema case", out=True, err=False) == 2
        assert self.code("--help", out=True, err=True) == 2

    def test_to_an_error(self) -> None:
        assert self.code("gaet", out=False, err=True) == 2
        assert self.code("gate --repo /", out=True, err=True) == 2
