"""Findings in words: for a terminal or a log, and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, get_args

import click

from ci_eval.doctor.findings import Finding, Group, State
from ci_eval.report.document import Text
from ci_eval.secrets import Secret, redactor
from ci_eval.text import Untrusted, log

_COLOURS: dict[State, str] = {"ok": "green", "warning": "yellow", "problem": "red", "unknown": "cyan"}
_COUNTED: dict[State, tuple[str, str]] = {
    "problem": ("problem", "problems"),
    "warning": ("warning", "warnings"),
    "unknown": ("thing not seen", "things not seen"),
    "ok": ("thing in order", "things in order"),
}
_WIDTH = 110
_INDENT = " " * 12
_CUT = "…"
_CHANCE = 2
"""So many characters at the end of a text may be those of a key by chance."""

Redact = Callable[[str], str]


def redacting(secrets: Sequence[Secret]) -> Redact:
    """Takes keys out of a text, and the beginning of one where a message was cut short in the middle of it."""
    whole = redactor(secrets) or str
    forms = [form for secret in secrets for form in secret.forms()]

    def redact(text: str) -> str:
        kept, *rest = whole(text).split(_CUT)
        return (
            _CUT.join([*(_without_beginning(part, forms) for part in [kept, *rest[:-1]]), rest[-1]]) if rest else kept
        )

    return redact


def _without_beginning(text: str, forms: Sequence[str]) -> str:
    """A text without what at its end is the beginning of a key."""
    found = max((_shared(text, form) for form in forms), default=0)
    return text[:-found] if found > _CHANCE else text


def _shared(text: str, form: str) -> int:
    return next((length for length in range(min(len(text), len(form)), 0, -1) if text.endswith(form[:length])), 0)


def plain(text: Text, redact: Redact) -> str:
    """One line; what is not ours is encoded for a log, and no key is in it."""
    return redact("".join(log(redact(p.text())) if isinstance(p, Untrusted) else p for p in text))


def lines(findings: Sequence[Finding], redact: Redact, *, quiet: bool) -> Iterator[str]:
    """By group and by what was looked at; `quiet`: without what is in order."""
    shown = [finding for finding in findings if not (quiet and finding.state == "ok")]
    for group in get_args(Group):
        ours = [finding for finding in shown if finding.check.group == group]
        if ours:
            yield click.style(group.capitalize(), bold=True)
        for about, found in groupby(_together(ours, redact), lambda finding: plain(finding.about, redact)):
            yield f"  {about}"
            for finding in found:
                yield from _finding(finding, redact)
    yield ", ".join(_counts(findings)) + "."


def _together(findings: Sequence[Finding], redact: Redact) -> list[Finding]:
    """In the order in which things were looked at first."""
    order = list(dict.fromkeys(plain(finding.about, redact) for finding in findings))
    return sorted(findings, key=lambda finding: order.index(plain(finding.about, redact)))


def _finding(finding: Finding, redact: Redact) -> Iterator[str]:
    state = click.style(f"{finding.state:>9}", fg=_COLOURS[finding.state])
    first, *more = _wrapped(plain(finding.fact, redact))
    yield f" {state}  {first}"
    yield from (f"{_INDENT}{line}" for line in more)
    if finding.state != "ok":
        yield from (f"{_INDENT}{line}" for line in _wrapped(f"→ {plain(finding.remedy, redact)}"))
        yield from (click.style(f"{_INDENT}{line}", dim=True) for line in _wrapped(f"else: {finding.check.threat}"))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - len(_INDENT), break_on_hyphens=False) or [""]


def _counts(findings: Sequence[Finding]) -> Iterator[str]:
    found = Counter(finding.state for finding in findings)
    for state, (one, many) in _COUNTED.items():
        if found[state]:
            yield f"{found[state]} {one if found[state] == 1 else many}"


def as_json(findings: Sequence[Finding], redact: Redact) -> list[dict[str, Any]]:
    return [
        {
            "id": finding.check.id,
            "group": finding.check.group,
            "state": finding.state,
            "about": plain(finding.about, redact),
            "fact": plain(finding.fact, redact),
            "remedy": plain(finding.remedy, redact) or None,
            "threat": finding.check.threat,
            "refused": finding.refused,
        }
        for finding in findings
    ]
