"""Has the user's own code imported before anything is paid for, and says what is wrong where that fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated

from pydantic import Field

from ci_eval.errors import Inconclusive, InputError
from ci_eval.providers.base import ProviderError
from ci_eval.reader import Document, Strict, validate
from ci_eval.text import JSON, Untrusted, log

PATIENCE = 60.0
"""Seconds that an import may take, where a single case may not take longer: libraries of models are large."""


class _Told(Strict):
    """What `python_runner.py` says of its function; its words are those of the user's code."""

    ready: bool = False
    missing: Untrusted | None = None
    """A module that is not there."""
    raises: Untrusted | None = None
    """What the import raised."""
    file: Untrusted | None = None
    line: Annotated[int, Field(ge=1)] | None = None


def refuse_unready(named: str, code: Collection[str], ask: Callable[[], Mapping[str, JSON]]) -> None:
    """Raises InputError where `module:function` cannot be imported out of some files, and Inconclusive where nobody
    knows, as after a timeout.
    """
    try:
        told = validate(_Told, Document("", dict(ask())))
    except ProviderError as error:
        raise Inconclusive(f"{named} cannot be asked: {error} while it was imported; nothing was asked yet") from None
    except InputError:
        told = _Told()
    if told.ready:
        return
    file = told.file.text() if told.file and told.file.text() in code else ""
    problem, remedy = _trouble(named, told)
    raise InputError(problem, remedy=remedy, file=file, line=told.line if file else None)


def _trouble(named: str, told: _Told) -> tuple[str, str]:
    module, _, name = named.partition(":")
    if told.missing is not None:
        missing = log(told.missing, limit=100)
        own = module == missing or module.startswith(f"{missing}.")
        remedy = "correct `function` or `files`" if own else "add it to `files`, or install it beside ci-eval"
        return f"{named} cannot be imported: there is no module {missing}", remedy
    if told.raises is not None:
        return f"{named} cannot be imported: it raises {log(told.raises, limit=100)}", "correct it, or what it imports"
    return f"{named} cannot be called: the module {module} has no function {name}", "correct its name"
