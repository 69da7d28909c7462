"""The report for programs. Its strings went through `log`: a workflow that echoes one cannot be made to run a command.

The texts as they were written are in the run files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from ci_eval.changes import SuiteChanges
from ci_eval.comparison import Comparison, Effect, Pair, effects
from ci_eval.confirm.evidence import Cell, Flip, Tally
from ci_eval.datasets.contamination import Leak
from ci_eval.golden.cases import Edits
from ci_eval.naive.margin import Margin
from ci_eval.outcome.data import DataOutcome
from ci_eval.outcome.falls import Fall, falls
from ci_eval.outcome.increases import Increase
from ci_eval.outcome.model import AnchorOutcome, ChangeNote, GateOutcome, NaiveOutcome, Overall, SuiteOutcome
from ci_eval.records import Record
from ci_eval.report.cases import pairs_of
from ci_eval.report.criteria import means
from ci_eval.report.json_figures import figures, sides
from ci_eval.report.judges import judges_json
from ci_eval.report.numbers import between, decimal, digits_for
from ci_eval.text import Hostile, Untrusted, log
from ci_eval.verdict import DimensionResult, Fate

FORMAT = "ci-eval report 1"
_LONGEST = 20_000


def to_json(outcome: GateOutcome, *, show_outputs: bool = True) -> dict[str, Any]:
    """Plain JSON values. Scores and drops are decimal strings, exact to four digits and right about their limit."""
    show = show_outputs and not outcome.hide_outputs
    return {
        "format": FORMAT,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "problem": _optional(outcome.problem),
        "acceptance": _acceptance(outcome),
        "base_commit": _optional(outcome.base_commit),
        "candidate_commit": _optional(outcome.candidate_commit),
        "attempt": outcome.attempt,
        "seconds": outcome.seconds,
        "usd": outcome.usd,
        "budget": vars(outcome.budget) if outcome.budget else None,
        "policy_notes": _texts(outcome.policy_notes),
        "changes": [_changes(suite) for suite in outcome.changes.suites] if outcome.changes else [],
        "suites": [_suite(suite, show=show) for suite in outcome.suites],
    }


def _text(value: Hostile) -> str:
    return log(value, limit=_LONGEST)


def _optional(value: Hostile | None) -> str | None:
    return None if value is None else _text(value)


def _texts(values: Iterable[Hostile]) -> list[str]:
    return [_text(value) for value in values]


def _acceptance(outcome: GateOutcome) -> dict[str, Any] | None:
    found = outcome.acceptance
    if found is None:
        return None
    return {
        "by": _optional(found.by),
        "own": found.own,
        "counts": found.counts,
        "queued": found.queued,
        "refused": "".join(_texts(found.refused)) or None,
        "falls": [_fall(one) for one in falls(outcome)],
    }


def _fall(one: Fall) -> dict[str, str]:
    size = decimal(one.size, 4, *(() if one.limit == "any" else (one.limit,)))
    return {"suite": _text(one.suite), "name": _text(one.name), "beside": one.beside, "size": size, "unit": one.unit}


def _changes(suite: SuiteChanges) -> dict[str, Any]:
    return {
        "suite": _text(suite.suite),
        "subject": [
            {"role": _text(change.role), "path": _text(change.path), "kind": change.kind} for change in suite.subject
        ],
        "policy": _texts(suite.policy),
        "settings": suite.settings,
    }


def _suite(suite: SuiteOutcome, *, show: bool) -> dict[str, Any]:
    comparison = suite.comparison
    base, candidate = sides(suite)
    return {
        "suite": _text(suite.suite),
        "verdict": suite.verdict.value,
        "golden_cases": suite.golden_cases,
        "cases": len(suite.comparison.cases),
        "dimensions": [_dimension(result) for result in suite.dimensions],
        "overall": _overall(suite.overall),
        "increases": [_increase(one) for one in suite.increases],
        "anchor": _anchor(suite.anchor),
        "criteria": _criteria(suite.comparison),
        "naive": _naive(suite.naive),
        "noise": {_text(name): round(float(found.differing), 6) for name, found in suite.noise.items()},
        "notes": [_note(note) for note in suite.notes],
        "data": [_data(one) for one in suite.data],
        "broken": [_broken(pair, comparison, show=show) for pair in _stayed_broken(suite)],
        "repaired": _texts(case for case, stays in suite.repaired.items() if stays),
        "flips": [_flip(flip, suite.fates[key]) for key, flip in suite.flips.items()],
        "quarantined": [{"case": _text(case), "scorer": _text(scorer)} for case, scorer in suite.quarantined],
        "errors": [_error(name, comparison, show=show) for name in comparison.lost()],
        "edits": _edits(suite.edits),
        "new_cases": [_new_case(record) for record in suite.new_cases.values()],
        "with_new_cases": [_effect(one) for one in effects(suite.gated, suite.new_cases.values())],
        "leaks": [_leak(leak) for leak in suite.leaks],
        "warnings": _texts(suite.warnings),
        "judges": judges_json(suite.judges),
        "base": {
            "commit": suite.base_header.commit,
            "stored": suite.base_stored,
            "deterministic": suite.base_header.deterministic,
            **base,
        },
        "candidate": candidate,
        **figures(suite),
        "calls": suite.calls,
        "scoring_calls": suite.scoring_calls,
    }


def _data(one: DataOutcome) -> dict[str, Any]:
    return {
        "path": _text(one.path),
        "rows": one.rows,
        "changes": vars(one.changes),
        "refused": [{"line": row.line, "why": _text(row.why)} for row in one.refused],
        "duplicates": {name: getattr(one.duplicates, name) for name in ("exact", "contradicting", "near")},
        "shifts": [{"field": _text(shift.field), "moved": round(float(shift.moved), 4)} for shift in one.shifts],
    }


def _overall(found: Overall | None) -> dict[str, str | None] | None:
    return {name: _score(value) for name, value in found._asdict().items()} if found else None


def _criteria(comparison: Comparison) -> list[dict[str, Any]]:
    base, candidate = means(comparison.base.values()), means(comparison.candidate.values())
    return [
        {
            "scorer": _text(scorer),
            "criterion": _text(name),
            "base": base.get((scorer, name)),
            "candidate": candidate.get((scorer, name)),
        }
        for scorer, name in dict.fromkeys((*base, *candidate))
    ]


def _naive(found: NaiveOutcome | None) -> dict[str, Any] | None:
    return {"type": found.kind, "margins": [_margin(one) for one in found.margins]} if found else None


def _margin(one: Margin) -> dict[str, Any]:
    return {
        "dimension": _text(one.dimension),
        "naive": _score(one.naive),
        "candidate": _score(one.model),
        "gain": _score(one.gain),
        "interval": [round(end, 4) for end in one.interval] if one.interval else None,
        "thin": one.thin,
    }


def _increase(one: Increase) -> dict[str, Any]:
    return {
        "name": one.name,
        "verdict": one.verdict.value,
        "ratio": [round(number, 4) for number in one.ratio] if one.ratio else None,
        "limit_percent": _score(one.limit),
        "pairs": one.pairs,
    }


def _anchor(found: AnchorOutcome | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "ref": _text(found.ref),
        "commit": found.commit,
        "verdict": found.verdict.value,
        "blamed": _texts(found.blamed),
        "dimensions": [_dimension(result) for result in found.dimensions],
    }


def _dimension(result: DimensionResult) -> dict[str, Any]:
    return {
        "name": _text(result.name),
        "verdict": result.verdict.value,
        "why": result.why,
        "base": _score(result.base),
        "candidate": _score(result.candidate),
        "drop": _drop(result.drop, result),
        "worst_drop": _drop(result.worst_drop, result),
        "standard_error": round(result.error, 4),
        "interval": list(between(result.interval, 4, *_marks(result))),
        "fresh_runs": result.fresh,
        "limit": result.limit if result.limit == "any" else _score(result.limit),
        "cells": result.cells,
        "gated": result.gated,
        "broke": result.broke,
        "repaired": result.repaired,
        "missing": result.missing,
    }


def _score(value: Fraction | None) -> str | None:
    return None if value is None else decimal(value, 4)


def _drop(value: Fraction, result: DimensionResult) -> str:
    marks = _marks(result)
    return decimal(value, digits_for(value, marks, least=4), *marks)


def _marks(result: DimensionResult) -> tuple[Fraction, ...]:
    return () if result.limit == "any" else (result.limit,)


def _note(note: ChangeNote) -> dict[str, Any]:
    return {"role": _text(note.role), "path": _text(note.path), "words": _texts(note.words)}


def _cell(cell: Cell | Pair) -> dict[str, Any]:
    return {"case": _text(cell.case), "scorer": _text(cell.scorer), "dimension": _text(cell.dimension)}


def _flip(flip: Flip, fate: Fate) -> dict[str, Any]:
    sides = {"base": _reruns(flip.base), "candidate": _reruns(flip.candidate)}
    return {**_cell(flip.cell), "change": "broke" if flip.sign > 0 else "repaired", "fate": fate, **sides}


def _reruns(tally: Tally) -> dict[str, Any]:
    return {"repeatable": tally.sure, "reruns": tally.runs, "passed": tally.passes, "lost": tally.lost}


def _stayed_broken(suite: SuiteOutcome) -> Iterator[Pair]:
    pairs = pairs_of(suite)
    broke = (flip.cell.key for flips in suite.broken.values() for flip in flips)
    return (pairs[key] for key in broke if suite.fates[key] == "stayed")


def _broken(pair: Pair, comparison: Comparison, *, show: bool) -> dict[str, Any]:
    found = _cell(pair)
    if not show:
        return found
    return {
        **found,
        "reason": _optional(pair.candidate.reason if pair.candidate else None),
        "input": _text(comparison.cases[pair.case].input),
        "base_output": _optional(_output(comparison.base.get(pair.case))),
        "candidate_output": _optional(_output(comparison.candidate.get(pair.case))),
    }


def _output(record: Record | None) -> Untrusted | None:
    return record.output if record else None


def _error(name: str, comparison: Comparison, *, show: bool) -> dict[str, Any]:
    sides = {"base": comparison.base.get(name), "candidate": comparison.candidate.get(name)}
    causes = {side: _optional(record.error) for side, record in sides.items() if record and record.error and show}
    return {"case": _text(name), **causes}


def _edits(edits: Edits) -> dict[str, list[str]]:
    return {"added": _texts(edits.added), "removed": _texts(edits.removed), "rewritten": _texts(edits.rewritten)}


def _new_case(record: Record) -> dict[str, Any]:
    failed = [cell.scorer for cell in record.cells if not cell.passed]
    return {"case": _text(record.case), "scores": len(record.cells), "failed": _texts(failed)}


def _effect(one: Effect) -> dict[str, Any]:
    return {"dimension": _text(one.dimension), "without": _score(one.without), "whole": _score(one.whole)}


def _leak(leak: Leak) -> dict[str, Any]:
    return {
        "case": _text(leak.case),
        "part": _text(leak.part),
        "file": _text(leak.file),
        "line": leak.line,
        "match": leak.match,
    }
