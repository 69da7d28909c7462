"""One file of golden cases: what is wrong with each row for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ci_eval.datasets.contamination import strings
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.golden.screening import REMEDIES, named, screened
from ci_eval.lint.findings import Check, Finding, Placed, State
from ci_eval.lint.hidden import hidden
from ci_eval.reader import Document, each_row, validate
from ci_eval.scaffold.texts import PLACEHOLDER
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted, visible

_HUGE = 50_000
"""Characters of a case, some twelve thousand tokens: more than most models are given at once."""


@dataclass
class GoldenFile:
    """What could be read of a file, and what is wrong with it."""

    cases: list[Placed] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read(snapshot: Snapshot, path: str, personal: State) -> GoldenFile:
    """Every case of a file. `personal`: how bad personal data is."""
    found = GoldenFile()

    def unread(error: InputError) -> None:
        found.findings.append(refused("row", error, path))

    try:
        for row in each_row(snapshot.read(path), path, unread):
            found.findings += in_row(row, personal)
            _read_case(row, found)
    except InputError as error:
        unread(error)
    return found


def personal_data(snapshot: Snapshot, path: str, personal: State) -> list[Finding]:
    """The same of rows that are no golden cases."""
    try:
        return [one for row in each_row(snapshot.read(path), path) for one in in_row(row, personal)]
    except InputError as error:
        return [refused("row", error, path)]


def in_row(row: Document, personal: State) -> Iterator[Finding]:
    """Personal data, in whatever a row holds."""
    for found in screened(row.value):
        fact = (Untrusted(named(found)),)
        yield Finding("personal-data", personal, row.file, row.first_line, fact, REMEDIES[found.kind])


def refused(check: Check, error: InputError, path: str, line: int | None = None) -> Finding:
    """What ci-eval itself says of a row."""
    return Finding(check, "refused", error.file or path, error.line or line, (Untrusted(error.problem),), error.remedy)


def _read_case(row: Document, found: GoldenFile) -> None:
    try:
        placed = Placed(validate(Case, row), row.file, row.first_line)
    except InputError as error:
        found.findings.append(refused("row", error, row.file))
        return
    found.cases.append(placed)
    found.findings += _of_case(placed)


def _of_case(placed: Placed) -> Iterator[Finding]:
    case = placed.case
    if not any(visible(text).strip() for text in placed.texts) and _holds_only_texts(case.input.reveal()):
        yield placed.finding("empty", "problem", ("nothing is asked",), "write what the user sends, or take it out")
    if any(PLACEHOLDER.match(text) for text in placed.texts):
        fact = ("is one of those that ci-eval init wrote to be replaced",)
        yield placed.finding("placeholder", "problem", fact, "write what your users ask, or take it out")
    size = sum(len(part.text()) for part in (case.input, case.expected, *case.context) if part)
    if size > _HUGE:
        fact = (f"{size:,} characters, which every run sends to a model again",)
        yield placed.finding("huge", "warning", fact, "shorten it to what the answer depends on")
    yield from _hidden(placed)


def _holds_only_texts(value: object) -> bool:
    if isinstance(value, dict | list):
        return all(map(_holds_only_texts, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, str)


def _hidden(placed: Placed) -> Iterator[Finding]:
    """In an attack they may be what is tested; in an answer, nothing that a model writes will be equal to it."""
    case = placed.case
    asked = [] if case.stratum == "adversarial" else hidden("\n".join(placed.texts))
    wanted = hidden("\n".join(strings(case.expected.reveal()))) if case.expected else []
    if asked:
        fact = (f"the input holds characters that are not seen: {', '.join(asked)}",)
        yield placed.finding("hidden-characters", "warning", fact, "take them out, or call it adversarial")
    if wanted:
        fact = (f"what is expected holds characters that are not seen: {', '.join(wanted)}",)
        yield placed.finding("hidden-characters", "problem", fact, "take them out")
