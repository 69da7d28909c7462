"""Everything that may end a run other than with a verdict, each with its exit code.

Nothing but a regression exits 1, so no error here does; `cli.main` is the one place that catches them.
"""

from __future__ import annotations

from ci_eval.text import log, shorten

EXIT_PASS = 0
EXIT_REGRESSION = 1
EXIT_REFUSED = 2
EXIT_INCONCLUSIVE = 3
EXIT_CANCELLED = 130


class CiEvalError(Exception):
    """An end that a user can act on: told in one line, without a traceback."""

    exit_code = EXIT_REFUSED


class InputError(CiEvalError):
    """Input that is refused.

    The message is one line, `file:line: what is wrong; what to write instead`. It may quote names out of the input
    (never its values), so whoever prints it in markdown encodes it for that.
    """

    def __init__(self, problem: str, *, remedy: str, file: str = "", line: int | None = None) -> None:
        self.problem = problem
        self.remedy = remedy
        self.file = file
        self.line = line
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(log(f"{where}{shorten(problem, 400)}; {remedy}", limit=2000))


class UsageError(CiEvalError):
    """A command that cannot be carried out as it was asked for."""


class Inconclusive(CiEvalError):
    """No verdict can be reached: red, but not a regression."""

    exit_code = EXIT_INCONCLUSIVE


class MissingKey(Inconclusive):
    """A key that is needed is not in the environment. `name` is the variable's."""

    def __init__(self, name: str, without: str) -> None:
        self.name = name
        super().__init__(f"{name} is not set, so {without}; set it in the shell or the step that runs ci-eval")
