"""What was seen in a golden set, and how bad it is: data, which `told` puts into words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ci_eval.datasets.contamination import strings
from ci_eval.errors import EXIT_INCONCLUSIVE, EXIT_PASS, EXIT_REFUSED
from ci_eval.golden.cases import Case
from ci_eval.report.document import Text

State = Literal["refused", "problem", "warning"]
"""`refused`: neither a gate nor a run works with it."""
Check = Literal[
    "golden-file",
    "row",
    "id",
    "personal-data",
    "scorer",
    "unscored",
    "contradiction",
    "same-input",
    "near-input",
    "expected-key",
    "empty",
    "placeholder",
    "huge",
    "hidden-characters",
    "strata",
    "learnt",
]
CHECKS: tuple[Check, ...] = get_args(Check)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where."""

    check: Check
    state: State
    file: str
    line: int | None
    fact: Text
    """Names in it may be whatever a file holds; personal data among them is not shown."""
    remedy: str
    case: str | None = None


@dataclass(frozen=True)
class Placed:
    """A golden case, and where it stands."""

    case: Case
    file: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def texts(self) -> list[str]:
        """What is said in the input, without the roles of a conversation."""
        asked = self.case.input.reveal()
        return list(strings([turn["content"] for turn in asked] if isinstance(asked, list) else asked))

    def finding(self, check: Check, state: State, fact: Text, remedy: str) -> Finding:
        return Finding(check, state, self.file, self.line, fact, remedy, self.case.id)


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """2 for what ci-eval refuses, 3 for another problem (strict: for a warning, too), else 0."""
    codes: Mapping[State, int] = {
        "refused": EXIT_REFUSED,
        "problem": EXIT_INCONCLUSIVE,
        "warning": EXIT_INCONCLUSIVE if strict else EXIT_PASS,
    }
    found = {codes[finding.state] for finding in findings}
    return EXIT_REFUSED if EXIT_REFUSED in found else max(found, default=EXIT_PASS)
