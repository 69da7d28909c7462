"""Findings in words: a line each for a terminal or a log, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from ci_eval.golden.screening import screened
from ci_eval.lint.findings import Finding, State
from ci_eval.report.document import CASE, Noun, in_words
from ci_eval.text import Untrusted, log

_COLOURS: Mapping[State, str] = {"refused": "red", "problem": "red", "warning": "yellow"}
_COUNTED: Mapping[State, Noun] = {
    "refused": Noun("thing refused", "things refused"),
    "problem": Noun("problem", "problems"),
    "warning": Noun("warning", "warnings"),
}
_NOT_SHOWN = "(not shown: it holds personal data)"
_MOST = 30
"""Of one check; a set that was made in one way is wrong in one way."""


def lines(findings: Sequence[Finding], cases: int) -> Iterator[str]:
    shown: Counter[str] = Counter()
    for finding in findings:
        shown[finding.check] += 1
        if shown[finding.check] <= _MOST:
            yield _line(finding)
    for check, count in shown.items():
        if count > _MOST:
            yield f"… and {count - _MOST:,} more of {check} (--json has them all)"
    counts = Counter(finding.state for finding in findings)
    found = ", ".join(noun.count(counts[state]) for state, noun in _COUNTED.items() if counts[state])
    yield f"{CASE.count(cases)}: {found or 'nothing is wrong'}."


def _line(finding: Finding) -> str:
    state = click.style(finding.state, fg=_COLOURS[finding.state])
    name = f"{_shown(Untrusted(finding.case))}: " if finding.case else ""
    return f"{_place(finding)}: {state} [{finding.check}] {name}{in_words(finding.fact, _shown)}; {log(finding.remedy)}"


def _place(finding: Finding) -> str:
    return log(finding.file) if finding.line is None else f"{log(finding.file)}:{finding.line}"


def _shown(name: Untrusted) -> str:
    """An id, a key or a file that is named in a finding: personal data is not repeated there either."""
    return _NOT_SHOWN if screened(name.text()) else log(name)


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "check": finding.check,
            "state": finding.state,
            "file": log(finding.file),
            "line": finding.line,
            "case": _shown(Untrusted(finding.case)) if finding.case else None,
            "fact": in_words(finding.fact, _shown),
            "remedy": log(finding.remedy),
        }
        for finding in findings
    ]
