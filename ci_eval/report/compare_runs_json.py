"""Compared runs as JSON. Strings went through `log`, as in `json_report`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ci_eval.compare_runs import CaseChange, CellChange, DimensionChange, Extra, RunComparison
from ci_eval.comparison import Effect
from ci_eval.figures.counted_run import CountedRun, PassCount, ScoreKey
from ci_eval.records import Record
from ci_eval.report.judges import judges_json
from ci_eval.report.numbers import between, decimal, digits_for
from ci_eval.text import Hostile, log
from ci_eval.verdict import worst

FORMAT = "ci-eval comparison 1"
_LONGEST = 20_000


def to_json(found: Sequence[RunComparison], limit: Fraction | None = None) -> dict[str, Any]:
    """Plain JSON values. Scores and changes are decimal strings, exact to four digits and right about the limit."""
    return {
        "format": FORMAT,
        "suite": _text(found[0].base.header.suite),
        "verdict": None if limit is None else worst(one.verdict(limit) for one in found).value,
        "limit": None if limit is None else _score(limit),
        "base": _run(found[0].base),
        "candidates": [_candidate(one, limit) for one in found],
    }


def _text(value: Hostile) -> str:
    return log(value, limit=_LONGEST)


def _run(run: CountedRun) -> dict[str, Any]:
    header = run.header
    return {
        "file": _text(run.file),
        "commit": header.commit,
        "time": header.time,
        "version": _text(header.version),
        "repeats": header.repeats,
        "deterministic": header.deterministic,
        "fingerprint": header.fingerprint.model_dump(mode="json"),
        "cases": len(run.cases),
        "lost_answers": run.lost,
        "judges": None if header.judges is None else judges_json(header.judges),
    }


def _candidate(found: RunComparison, limit: Fraction | None) -> dict[str, Any]:
    base, candidate = found.strangers
    return {
        **_run(found.candidate),
        "verdict": None if limit is None else found.verdict(limit).value,
        "shared_cases": len(found.shared),
        "dimensions": [_dimension(one, limit) for one in found.dimensions],
        "only_base": _extra(found.only_base),
        "only_candidate": _extra(found.only_candidate),
        "scorers_only_base": [_scorer(score) for score in base],
        "scorers_only_candidate": [_scorer(score) for score in candidate],
        "rewritten": [_text(case) for case in found.rewritten],
        "worse": [_case(case) for case in found.worse],
        "better": [_case(case) for case in found.better],
    }


def _dimension(one: DimensionChange, limit: Fraction | None) -> dict[str, Any]:
    marks = (Fraction(0), *([-limit] if limit is not None else []))
    return {
        "name": _text(one.name),
        "verdict": None if limit is None else one.verdict(limit).value,
        "cases": one.cases,
        "cells": one.cells,
        "missing": one.missing,
        "base": _score(one.base),
        "candidate": _score(one.candidate),
        "change": decimal(one.change, digits_for(one.change, marks, least=4), *marks),
        "interval": list(between(one.interval, 4)) if one.interval else None,
        "p": one.p,
        "worse": one.worse,
        "better": one.better,
    }


def _score(value: Fraction | None) -> str | None:
    return None if value is None else decimal(value, 4)


def _extra(extra: Extra) -> dict[str, Any]:
    return {"cases": [_text(case) for case in extra.cases], "effects": [_effect(one) for one in extra.effects]}


def _effect(one: Effect) -> dict[str, Any]:
    return {"dimension": _text(one.dimension), "without": _score(one.without), "whole": _score(one.whole)}


def _scorer(score: ScoreKey) -> dict[str, str]:
    scorer, dimension = score
    return {"scorer": _text(scorer), "dimension": _text(dimension)}


def _case(found: CaseChange) -> dict[str, Any]:
    return {
        "case": _text(found.case),
        "cells": [_cell(cell) for cell in found.cells],
        "base_output": _output(found.base),
        "candidate_output": _output(found.candidate),
    }


def _cell(cell: CellChange) -> dict[str, Any]:
    return {
        **_scorer((cell.scorer, cell.dimension)),
        "base": _tally(cell.base),
        "candidate": _tally(cell.candidate),
    }


def _tally(tally: PassCount) -> dict[str, int]:
    return {"passed": tally.passes, "answers": tally.runs}


def _output(record: Record) -> str | None:
    return None if record.output is None else _text(record.output)
