"""What is told beside the verdict, in words: what changed, warnings, leaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from ci_eval.changes import (
    Changes,
    FileChange,
    SuiteChanges,
    added_lines,
    first_changed_line,
    line_diff,
    setting_changes,
    settings,
)
from ci_eval.config import Config
from ci_eval.confirm.evidence import Key
from ci_eval.datasets.changes import compare
from ci_eval.datasets.contamination import Leak, leaks_in_rows, leaks_in_text
from ci_eval.evaluation.suite import Side, Suite
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import Case
from ci_eval.outcome.data import is_read, read
from ci_eval.outcome.model import ChangeNote
from ci_eval.snapshot import Snapshot
from ci_eval.stats import points
from ci_eval.text import Untrusted


def notes(changes: SuiteChanges, base: Side, candidate: Side) -> tuple[ChangeNote, ...]:
    return tuple(_note(change, base, candidate) for change in changes.subject)


def _note(change: FileChange, base: Side, candidate: Side) -> ChangeNote:
    path = Untrusted(change.path)
    old, new = base.path_of(change), candidate.path_of(change)
    words = [Untrusted(f"{old} → {new}")] if old != new else []
    if change.role == "prompt":
        words += setting_changes(_brought(base), _brought(candidate))
        before, after = _prompt_text(base), _prompt_text(candidate)
        if not words and before == after:
            words.append(Untrusted("nothing of what is sent"))
        return ChangeNote("prompt", path, tuple(words), line_diff(before, after), _line(change, base, candidate))
    if change.role == "model":
        words += setting_changes(_model_settings(base, old), _model_settings(candidate, new))
        return ChangeNote("model", path, tuple(words), line=_line(change, base, candidate))
    if is_read(change):
        words += _row_words(change.path, base, candidate)
    else:
        words.append(Untrusted(change.kind))
    return ChangeNote(change.role, path, tuple(words))


def _line(change: FileChange, base: Side, candidate: Side) -> int | None:
    return first_changed_line(base.content(change.path), candidate.content(change.path))


def _model_settings(side: Side, path: str) -> dict[str, Any]:
    """What a model config says, or the prompt file that stands in for one."""
    prompt = side.target.prompt
    return _brought(side) if prompt and path == prompt.path else settings(side.content(path), path)


def _brought(side: Side) -> dict[str, Any]:
    return side.target.prompt.settings() if side.target.prompt else {}


def _prompt_text(side: Side) -> bytes:
    """All of a prompt that reaches the model."""
    return side.target.prompt.as_text().encode() if side.target.prompt else b""


def _row_words(path: str, base: Side, candidate: Side) -> list[Untrusted]:
    change = compare(read(base, path), read(candidate, path))
    if not change.added and not change.removed and not change.relabelled:
        return [Untrusted(f"{change.kept} rows, the same as before in another order")]
    relabelled = [f"{change.relabelled} with the same input and another output"] if change.relabelled else []
    words = [f"{_counted(change.added, 'row')} added", f"{change.removed} removed", *relabelled, f"{change.kept} kept"]
    return [Untrusted(", ".join(words))]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# --- contamination ----------------------------------------------------------------------------------------------------


def leaks(cases: Sequence[Case], base: Side, candidate: Side) -> tuple[tuple[Leak, ...], int]:
    """Golden cases that this change puts where the model learns from, and how many were there before it."""
    now = _row_leaks(cases, candidate)
    before = {(leak.case, leak.part, leak.file) for leak in (_row_leaks(cases, base) if now else ())}
    new = [leak for leak in now if (leak.case, leak.part, leak.file) not in before]
    if candidate.target.prompt:
        added = added_lines(_prompt_text(base), _prompt_text(candidate))
        new += leaks_in_text(cases, added, candidate.target.prompt.path)
    return tuple(new), len(now) - sum(1 for leak in new if leak.line is not None)


def _row_leaks(cases: Sequence[Case], side: Side) -> list[Leak]:
    return leaks_in_rows(cases, [row for path in _learnt_from(side) for row in read(side, path)])


def _learnt_from(side: Side) -> list[str]:
    """Every file of rows: fine-tune datasets, few-shot examples, the local model's training rows."""
    globbed = {path for pattern in side.subject.datasets for path in side.snapshot.glob(pattern)}
    examples = {side.subject.examples.from_} if side.subject.examples else set()
    return sorted(globbed | examples | {*side.target.rows})


# --- warnings ---------------------------------------------------------------------------------------------------------


def warnings(
    suite: Suite, changes: SuiteChanges, candidate: Side, *, same_requests: bool, leaked_before: int
) -> tuple[Untrusted, ...]:
    return tuple(
        Untrusted(text)
        for text in (
            *_not_exercised(changes, candidate, same_requests=same_requests),
            *_too_few_cases(suite),
            *_heavy_cells(suite),
            *_leaked_before(leaked_before),
        )
    )


def _not_exercised(changes: SuiteChanges, candidate: Side, *, same_requests: bool) -> Iterable[str]:
    touched = [change for change in changes.subject if change.role in {"dataset", "watched file"}]
    if same_requests and touched:
        model = candidate.target.model_name or "what it did"
        yield (
            f"not exercised: {touched[0].path} changed, but every request is the same as on main; the model config "
            f"still points at {model}. A new fine-tune is judged when the model config names it."
        )


def _too_few_cases(suite: Suite) -> Iterable[str]:
    smallest = min((len(_cases_of(suite, name)) for name in suite.scorers.dimensions()), default=0)
    limit = Fraction(str(suite.gate.max_drop))
    if smallest and limit * smallest < 100:
        yield (
            f"{smallest} cases are few: one case is {float(Fraction(100, smallest)):.1f} points, more than the limit "
            f"of {float(limit):g}, so a single case that breaks fails the check"
        )


def _heavy_cells(suite: Suite) -> Iterable[str]:
    """Where one cell outweighs the limit although the cases are many: its noise is the dimension's."""
    for name in suite.scorers.dimensions():
        limit = suite.gate.limit(name)
        weights = [
            scorer.weight
            for case in suite.golden.cases.values()
            for scorer in suite.scorers.for_case(case)
            if scorer.dimension == name
        ]
        if limit == "any" or not weights or limit * len(weights) < 100:
            continue
        heaviest = points(max(weights) / sum(weights, Fraction(0)))
        if heaviest >= limit:
            yield (
                f"one score weighs {float(heaviest):.1f} of the 100 points of {name}, as much as the limit of "
                f"{float(limit):g}: it alone can fail the check; lower its weight or add cases"
            )


def _cases_of(suite: Suite, dimension: str) -> list[Case]:
    return [
        case
        for case in suite.golden.cases.values()
        if any(scorer.dimension == dimension for scorer in suite.scorers.for_case(case))
    ]


def _leaked_before(count: int) -> Iterable[str]:
    if count:
        yield f"{count} golden inputs or answers stand in the training or few-shot rows already; take them out"


def about_base(objection: str | None, drifted: Sequence[Key]) -> tuple[Untrusted, ...]:
    """What is odd about main's side."""
    told = [objection] if objection else []
    if drifted:
        cases = ", ".join(dict.fromkeys(case for case, _ in drifted))
        told.append(f"main itself does not answer as its stored runs did in {cases}: the provider may have changed")
    return tuple(Untrusted(text) for text in told)


# --- policy -----------------------------------------------------------------------------------------------------------


def policy_notes(
    changes: Changes, base: tuple[Snapshot, Config], candidate: tuple[Snapshot, Config]
) -> tuple[Untrusted, ...]:
    """What the pull request's changes to the policy will do once they are merged; none of it counts now."""
    notes = [f"suite {name} is added: it is judged from the next pull request on" for name in changes.added_suites]
    notes += [f"suite {name} is removed: this change is still judged by it" for name in changes.removed_suites]
    if changes.shared_policy:
        notes.append("providers, budget or baseline settings change: main's are used here")
    for suite in changes.suites:
        if suite.settings:
            notes.append(f"scorers, gate or other settings of suite {suite.suite} change: main's are used here")
        notes += [f"{path} changes: suite {suite.suite} is judged by main's version here" for path in suite.policy]
        if suite.policy and suite.suite in candidate[1].policy.suites:
            notes += _golden_words(suite.suite, base, candidate)
    return tuple(Untrusted(note) for note in notes)


def _golden_words(suite: str, *sides: tuple[Snapshot, Config]) -> Iterable[str]:
    old, new = (golden_cases.load(snapshot, config.policy.suites[suite].golden_patterns) for snapshot, config in sides)
    edits = golden_cases.edits(old, new)
    if edits:
        added = _counted(len(edits.added), "case")
        counts = f"{added} added, {len(edits.removed)} removed, {len(edits.rewritten)} rewritten"
        yield f"the golden set of suite {suite}: {counts}"
