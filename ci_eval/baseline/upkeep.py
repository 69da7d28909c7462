"""The store kept true: what is wrong with its files, and which of them have had their time. Both as plain data."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ci_eval.baseline.store import WRITERS, Damaged, StoredRun, written_at
from ci_eval.errors import InputError
from ci_eval.records import Header, Run

_NAME = re.compile(r"runs/(?P<suite>[^/]+)/(?P<folder>[^/]+)/(?P<commit>[0-9a-f]{40,64})-[^/]+\.jsonl")
_AHEAD = timedelta(minutes=10)
TAKE_OUT = "take it out with: ci-eval baseline prune --damaged"

CasesOf = Callable[[Header], Collection[str] | None]
"""The cases of the golden set that a run was made on; None where they cannot be seen any more."""


class Problem(NamedTuple):
    """Something wrong with a file. Path and words may be whatever the branch holds: encode them to show them."""

    path: str
    what: str
    remedy: str = TAKE_OUT


@dataclass(frozen=True)
class Checked:
    """A file of the store and what is wrong with it; the header where there is one to read."""

    path: str
    header: Header | None
    problems: tuple[Problem, ...]


def check(files: Iterable[StoredRun | Damaged], cases_of: CasesOf, now: datetime) -> Iterator[Checked]:
    """Every file, one after the other."""
    seen: dict[str, str] = {}
    for file in files:
        if isinstance(file, Damaged):
            yield Checked(file.path, None, (Problem(file.path, _unreadable(file.error)),))
            continue
        first = seen.setdefault(file.oid, file.path)
        copy = [f"is a copy of {first}"] if first != file.path else []
        found = [*_misfiled(file), *_doubtful(file.run.header, now), *_incomplete(file.run, cases_of), *copy]
        yield Checked(file.path, file.run.header, tuple(Problem(file.path, what) for what in found))


def _unreadable(error: InputError) -> str:
    line = f"line {error.line}: " if error.line else ""
    return f"cannot be read ({line}{error.problem})"


def _misfiled(file: StoredRun) -> Iterator[str]:
    header, name = file.run.header, _NAME.fullmatch(file.path)
    if not name:
        yield "is not named as a stored run is (runs/suite/fingerprint/commit-run.jsonl)"
        return
    if name["suite"] != header.suite:
        yield "lies in the folder of another suite"
    if name["folder"] != header.fingerprint.folder:
        yield "lies in the folder of another fingerprint"
    if name["commit"] != header.commit:
        yield "is named by another commit than it holds"


def _doubtful(header: Header, now: datetime) -> Iterator[str]:
    if header.event not in WRITERS | {"local"}:
        yield "was written by an event that may not write baselines"
    if written_at(header) > now + _AHEAD:
        yield "was written in the future"


def _incomplete(run: Run, cases_of: CasesOf) -> Iterator[str]:
    """Every repeat must answer every case, under the same scorers."""
    cases = cases_of(run.header)
    own = {record.case for record in run.records}
    if not run.holds(own if cases is None else cases) or not own:
        yield "lacks answers to some cases"
    if cases is not None and not own <= set(cases):
        yield "has answers to cases that its golden set does not hold"
    if any(record.repeat >= run.header.repeats for record in run.records):
        yield "has more repeats than its header says"
    scored = {(record.case, tuple(cell.scorer for cell in record.cells)) for record in run.records if not record.lost}
    if len(scored) > len({case for case, _ in scored}):
        yield "has a case that was not scored alike in every repeat"


def surplus(
    files: Iterable[Checked], *, keep: int | None, older_than: timedelta | None, now: datetime
) -> tuple[str, ...]:
    """The files that may go: all but the newest `keep` of a fingerprint and, of those, only what is old enough.

    The newest of a fingerprint never goes, and a file with a problem neither goes nor counts as the newest.
    """
    kinds: defaultdict[object, list[tuple[datetime, str]]] = defaultdict(list)
    for file in files:
        if file.header and not file.problems:
            kind = file.header.suite, tuple(vars(file.header.fingerprint).items())
            kinds[kind].append((written_at(file.header), file.path))
    return tuple(
        path
        for of_kind in kinds.values()
        for written, path in sorted(of_kind, reverse=True)[max(keep or 1, 1) :]
        if older_than is None or now - written > older_than
    )
