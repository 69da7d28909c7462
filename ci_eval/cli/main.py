"""The `ci-eval` command and its outermost error handler: nothing but a regression exits 1."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

import click

from ci_eval import __version__, kernel
from ci_eval.cli.lazy import LazyGroup
from ci_eval.errors import EXIT_CANCELLED, EXIT_REFUSED, CiEvalError
from ci_eval.text import log

COMMANDS: Mapping[str, str] = {
    "baseline": "ci_eval.cli.baseline:baseline",
    "cache": "ci_eval.cli.cache:cache",
    "compare": "ci_eval.cli.compare:compare",
    "demo": "ci_eval.cli.demo:demo",
    "doctor": "ci_eval.cli.doctor:doctor",
    "gate": "ci_eval.cli.gate:gate",
    "golden": "ci_eval.cli.golden:golden",
    "init": "ci_eval.cli.init:init",
    "judge": "ci_eval.cli.judge:judge",
    "merge": "ci_eval.cli.merge:merge",
    "plan": "ci_eval.cli.plan:plan",
    "run": "ci_eval.cli.run:run",
    "schema": "ci_eval.cli.schema:schema",
    "show": "ci_eval.cli.show:show",
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ci-eval")
def cli() -> None:
    """Stop pull requests that make a language-model product worse.

    Exit codes: 0 pass or accepted, 1 regression, 2 usage, refused input or a fault of ci-eval, 3 inconclusive,
    130 cancelled.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    for number in _ASKED_TO_END:  # also where whoever started us ignores the first, as `&` does
        signal.signal(number, _cancel)
    sys.exit(_exit_code(arguments))


_ASKED_TO_END = (signal.SIGINT, signal.SIGTERM)


def _cancel(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED_TO_END)  # `container` held them back while Python started
        code: Any = cli.main(args=arguments, prog_name="ci-eval", standalone_mode=False)
    except CiEvalError as error:
        return _told(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_REFUSED
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "ci-eval"
        return _told(f"{error.format_message()} (see {command} --help)", EXIT_REFUSED)
    except (KeyboardInterrupt, click.Abort):
        return _told("cancelled", EXIT_CANCELLED)
    except SystemExit:
        # click ends so, with 1, when whoever read our output has left; without this Python complains once more.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_REFUSED
    except Exception as error:
        return _told(_fault(error), EXIT_REFUSED)
    return code if isinstance(code, int) else 0


def _fault(error: Exception) -> str:
    """Where it broke, without what it broke on: an exception's text may hold a model's output or a key."""
    if os.environ.get("CI_EVAL_DEBUG") and not os.environ.get("GITHUB_ACTIONS"):
        traceback.print_exc()
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a fault of ci-eval: {type(error).__name__} at {place.filename.rpartition('/')[2]}:{place.lineno}; "
        "please report it (CI_EVAL_DEBUG=1 shows more)"
    )


def _told(message: str, code: int) -> int:
    with suppress(OSError):  # nobody reads standard error; the exit code still counts
        click.echo(f"ci-eval: {log(message, limit=2000)}", err=True)
    return code


def program() -> None:
    """`ci-eval` as a process: one that is cancelled does not wait for answers that are still on their way."""
    kernel.hide()
    try:
        main()
    except SystemExit as end:
        if end.code == EXIT_CANCELLED:
            _leave()
        raise


def _leave() -> None:
    """Nothing that Python does at its end happens, so the user's programs, which hold keys, are ended here."""
    for number in _ASKED_TO_END:  # whoever cancels asks twice
        signal.signal(number, signal.SIG_IGN)
    if child := sys.modules.get("ci_eval.child"):
        child.end_all()
    with suppress(OSError):  # whoever read our output has left
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(EXIT_CANCELLED)


if __name__ == "__main__":
    program()
