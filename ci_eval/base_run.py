"""Base's side of a comparison: what main remembers of itself, if it may stand for base."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ci_eval.baseline import Store, StoredRun, StoreError, Trust
from ci_eval.evaluation import Side, Suite
from ci_eval.evidence import Key, Stored
from ci_eval.git import Git
from ci_eval.reader import write_file
from ci_eval.records import Header, Record, Run, to_bytes


@dataclass(frozen=True)
class SideRun:
    """One side of the comparison: evaluated in this job, or stored by main."""

    header: Header
    records: Mapping[str, Record]
    """The run that is compared, by case."""
    stored: Mapping[Key, Stored] = field(default_factory=dict)
    """How often each cell passed in all of main's stored repeats; empty for a run of this job."""

    @property
    def calls(self) -> int:
        return 0 if self.stored else sum(not record.reused for record in self.records.values())


@dataclass(frozen=True)
class Baselines:
    """Main's memory, and what a stored run must show before it may stand for base."""

    store: Store
    trust: Trust

    def recall(self, suite: Suite, base: Side, pull: int, out: Path) -> tuple[SideRun | None, str | None]:
        """The newest whole run of these inputs, of an ancestor, written by someone who may; else why there is none.

        Not finding one is no error: base is evaluated in this job instead. The run is written to `out`.
        """
        commit = base.snapshot.commit
        if commit is None:
            return None, None
        try:
            found = self.store.find(suite.name, suite.fingerprint(base.target))
        except StoreError as error:
            return None, f"main's stored runs cannot be read ({error})"
        objections = []
        for stored in found:
            objection = self._objection(stored.run, suite, base.snapshot.git, commit)
            if objection is None:
                return _picked(stored, suite, commit, pull, out), None
            objections.append(f"main's stored run of {str(stored.run.header.commit)[:12]} does not serve: {objection}")
        return None, objections[0] if objections else None

    def _objection(self, run: Run, suite: Suite, git: Git, commit: str) -> str | None:
        if run.header.commit is None or not git.is_ancestor(run.header.commit, commit):
            return "this checkout does not show that base descends from it (fetch-depth: 0)"
        if not run.holds(suite.golden.cases):
            return "some of its cases were lost"
        return self.trust.objection(run)


def _picked(stored: StoredRun, suite: Suite, commit: str, pull: int, out: Path) -> SideRun:
    """One of main's repeats, chosen by base commit and pull request, so that nobody can draw again."""
    seed = hashlib.sha256(f"{commit}:{pull}".encode()).digest()
    number = int.from_bytes(seed[:8], "big") % stored.run.header.repeats
    header = stored.run.header.model_copy(update={"repeats": 1})
    chosen = stored.run.repeat(number).values()
    run = Run(header, tuple(record.model_copy(update={"repeat": 0}) for record in chosen))
    write_file(out / suite.name / "base.jsonl", to_bytes(run))
    return SideRun(header, run.repeat(0), _counts(stored.run))


def _counts(run: Run) -> dict[Key, Stored]:
    passes, runs = Counter[Key](), Counter[Key]()
    for record in run.records:
        for cell in record.cells:
            runs[record.case, cell.scorer] += 1
            passes[record.case, cell.scorer] += cell.passed
    return {key: Stored(passes[key], runs[key]) for key in runs}
