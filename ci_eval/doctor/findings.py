"""What was looked at and what was seen: data, which `told` puts into words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REFUSED
from ci_eval.report.document import Piece, Text, listed
from ci_eval.text import Untrusted

State = Literal["ok", "warning", "problem", "unknown"]
"""`unknown`: it could not be seen. That is never taken for `ok`, nor for a protection that is off."""
Group = Literal["set-up", "workflows", "protections"]
_MOST = 3


@dataclass(frozen=True)
class Finding:
    """One fact. Names in it may be whatever a file or an answer holds."""

    check: Check
    state: State
    about: Text
    """What was looked at."""
    fact: Text
    remedy: Text = ()
    """What to change; empty where nothing is."""
    refused: bool = False
    """Whether ci-eval will not work with it at all."""


@dataclass(frozen=True)
class Check:
    """Something that doctor looks at, and what can happen where it is wrong."""

    id: str
    group: Group
    threat: str

    def ok(self, about: Text, *fact: Piece) -> Finding:
        return Finding(self, "ok", about, fact)

    def warning(self, about: Text, *fact: Piece, remedy: Text | str) -> Finding:
        return Finding(self, "warning", about, fact, _text(remedy))

    def problem(self, about: Text, *fact: Piece, remedy: Text | str, refused: bool = False) -> Finding:
        return Finding(self, "problem", about, fact, _text(remedy), refused)

    def unknown(self, about: Text, *fact: Piece, remedy: Text | str) -> Finding:
        return Finding(self, "unknown", about, fact, _text(remedy))


def _text(words: Text | str) -> Text:
    return (words,) if isinstance(words, str) else words


def names(found: Iterable[str]) -> Text:
    """Some names that somebody else chose, each once: the first few, and how many more there are."""
    unique = list(dict.fromkeys(found))
    more = (f" and {len(unique) - _MOST} more",) if len(unique) > _MOST else ()
    return (*listed(Untrusted(name) for name in unique[:_MOST]), *more)


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """2 for what ci-eval refuses, 3 for another problem (strict: for whatever is not ok), else 0."""
    found = list(findings)
    if any(finding.refused for finding in found):
        return EXIT_REFUSED
    bad = {"problem", "warning", "unknown"} if strict else {"problem"}
    return EXIT_INCONCLUSIVE if any(finding.state in bad for finding in found) else EXIT_PASS
