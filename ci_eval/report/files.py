"""Which form of report a file name asks for, and the text of that form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from ci_eval.compare_runs import RunComparison
from ci_eval.errors import UsageError
from ci_eval.outcome.model import GateOutcome
from ci_eval.report import (
    compare_runs,
    compare_runs_json,
    compare_runs_junit,
    compare_runs_sarif,
    json_report,
    junit,
    markdown,
    model,
    sarif,
)
from ci_eval.report.html import compare_runs as html_of_runs
from ci_eval.report.html import gate as html

Form = Literal["md", "html", "json", "junit", "sarif"]
ENDS: Mapping[str, Form] = {".html": "html", ".md": "md", ".json": "json", ".xml": "junit", ".sarif": "sarif"}


def form_of(path: Path) -> Form:
    """Raises UsageError for an end that says nothing."""
    form = ENDS.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"{path.name} does not say which report it is; end it with {', '.join(ENDS)}")
    return form


def of_gate(outcome: GateOutcome, form: Form) -> str:
    """A gate's report."""
    return _GATE[form](outcome)


def of_runs(found: Sequence[RunComparison], limit: Fraction | None, form: Form) -> str:
    """The report of run files side by side."""
    return _RUNS[form](found, limit)


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


_GATE: Mapping[Form, Callable[[GateOutcome], str]] = {
    "md": lambda outcome: markdown.summary(model.build(outcome)),
    "html": html.to_html,
    "json": lambda outcome: _dumped(json_report.to_json(outcome)),
    "junit": junit.to_junit,
    "sarif": sarif.to_sarif,
}
_RUNS: Mapping[Form, Callable[[Sequence[RunComparison], Fraction | None], str]] = {
    "md": lambda found, limit: markdown.page(compare_runs.build(found, limit)),
    "html": html_of_runs.to_html,
    "json": lambda found, limit: _dumped(compare_runs_json.to_json(found, limit)),
    "junit": compare_runs_junit.to_junit,
    "sarif": compare_runs_sarif.to_sarif,
}
