"""Compared runs as SARIF: what fell, at the candidate's run file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from ci_eval.compare_runs import RunComparison
from ci_eval.report.compare_runs import build, fell
from ci_eval.report.judges import looks_at
from ci_eval.report.sarif_log import LEVELS, Finding, Level, Place
from ci_eval.report.sarif_log import to_sarif as log_of
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict


def to_sarif(found: Sequence[RunComparison], limit: Fraction | None = None) -> str:
    report = build(found, limit)
    judges = [judge for run in found for judge in run.judges]
    rules = {one.name: looks_at(one.name, judges) for run in found for one in run.dimensions}
    findings = [finding for run in found for finding in _of_candidate(run, limit)]
    return log_of(findings, rules, report.verdict, report.headline)


def _of_candidate(found: RunComparison, limit: Fraction | None) -> Iterator[Finding]:
    """Every drop; without a limit to judge it by it may be chance, so it is a note."""
    place, other = Place(found.candidate.file), Place(found.base.file)
    for one in found.dimensions:
        verdict = Verdict.PASS if limit is None else one.verdict(limit)
        level: Level = LEVELS[verdict]
        if one.change < 0:
            message = (*fell(one, limit), f": {one.worse} cases got worse and {one.better} better, beside ")
            about = f"{found.base.header.suite}\0{found.candidate.file}"
            yield Finding(one.name, level, (*message, Untrusted(found.base.file), "."), (place, other), about)
