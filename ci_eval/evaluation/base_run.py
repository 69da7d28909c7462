"""Base's run: the stored run of main that may stand for base, or the reason why none does."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ci_eval.baseline.store import Store, StoredRun, StoreError, Trust
from ci_eval.confirm.evidence import Key, Stored
from ci_eval.evaluation.suite import Side, Suite
from ci_eval.records import Header, Record, Run


@dataclass(frozen=True)
class Recalled:
    """Main's stored run, where it may stand for base."""

    header: Header
    records: Mapping[str, Record]
    """The repeat that is compared, by case."""
    repeats: Sequence[Record]
    """All of main's stored repeats."""

    @cached_property
    def stored(self) -> Mapping[Key, Stored]:
        """How often each cell passed in all of them."""
        return _counts(self.repeats)


_HISTORY = 20
"""Runs that are looked back on."""


@dataclass(frozen=True)
class Baselines:
    """Main's memory, and what a stored run must show before it may stand for base."""

    store: Store
    trust: Trust

    def recall(self, suite: Suite, base: Side, pull: int) -> tuple[Recalled | None, str | None]:
        """The newest whole run of these inputs, of an ancestor, written by someone who may; else why there is none.

        Not finding one is no error: base is evaluated in this job instead.
        """
        commit = base.snapshot.commit
        if commit is None:
            return None, None
        try:
            found = self.store.find(suite.name, suite.fingerprint(base.target))
        except StoreError as error:
            return None, f"main's stored runs cannot be read ({error}); {_INSTEAD}"
        damage = [f"a stored run of main cannot be read ({file.error})" for file in found.damaged]
        objections = []
        for stored in found.runs:
            objection = self.objection(stored.run, suite, base)
            if objection is None:
                return _picked(stored, commit, pull), _counted(damage)
            objections.append(f"main's stored run of {str(stored.run.header.commit)[:12]} does not serve: {objection}")
        told = [*objections[:1], *damage]
        return None, f"{_counted(told)}; {_INSTEAD}" if told else None

    def history(self, suite: Suite, base: Side) -> list[Run]:
        """Main's newest run of each of its last states, the newest first: what changed between them, and when.

        It serves to rank cases, never to judge: so a store that cannot be read is no history, and no error.
        """
        try:
            found = self.store.newest(suite.name, _HISTORY)
        except StoreError:
            return []
        trusted = (stored.run for stored in found if self.trust.objection(stored.run, any_age=True) is None)
        return [run for run in trusted if _is_before(run, base)]

    def objection(self, run: Run, suite: Suite, base: Side) -> str | None:
        """Why a stored run of the same inputs does not stand for base; None when it does."""
        if not _is_before(run, base):
            return "this checkout does not show that base descends from it (fetch-depth: 0)"
        if run.unanswered or not run.holds(suite.golden.cases):
            return "some of its cases were lost"
        return self.trust.objection(run)


_INSTEAD = "main was evaluated in this job instead"


def _counted(told: Sequence[str]) -> str | None:
    """The first of some complaints, and how many more there are."""
    more = f", and {len(told) - 1} more" if len(told) > 1 else ""
    return f"{told[0]}{more}" if told else None


def _is_before(run: Run, base: Side) -> bool:
    """Whether a run is of base's own commit or of one before it."""
    ours, commit = base.snapshot.commit, run.header.commit
    return ours is not None and commit is not None and base.snapshot.git.is_ancestor(commit, ours)


def _picked(stored: StoredRun, commit: str, pull: int) -> Recalled:
    """One of main's repeats, chosen by base commit and pull request, so that nobody can draw again."""
    seed = hashlib.sha256(f"{commit}:{pull}".encode()).digest()
    number = int.from_bytes(seed[:8], "big") % stored.run.header.repeats
    header = stored.run.header.model_copy(update={"repeats": 1})
    chosen = stored.run.repeat(number)
    records = {case: record.model_copy(update={"repeat": 0}) for case, record in chosen.items()}
    return Recalled(header, records, stored.run.records)


def _counts(records: Iterable[Record]) -> dict[Key, Stored]:
    passes, runs = Counter[Key](), Counter[Key]()
    for record in records:
        for cell in record.as_base:
            runs[record.case, cell.scorer] += 1
            passes[record.case, cell.scorer] += cell.passed
    return {key: Stored(passes[key], runs[key]) for key in runs}
