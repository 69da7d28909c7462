"""The main job, in the order in which it happens:

snapshots → changes → base run → candidate run → comparison → verdict → outcome.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ci_eval import config as configs
from ci_eval import explain
from ci_eval.baseline import Store, StoredRun, StoreError, Trust
from ci_eval.changes import Changes, SuiteChanges, detect
from ci_eval.comparison import pair_up
from ci_eval.config import Config, GatePolicy
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation import LAPTOP, Origin, Progress, Session, Side, Suite, check_policy, need_cases, required_keys
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import Case
from ci_eval.outcome import GateOutcome, Reason, SuiteOutcome
from ci_eval.reader import write_file
from ci_eval.records import Header, Record, Run, to_bytes
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.verdict import Verdict, decide, worst


@dataclass(frozen=True)
class Tighter:
    """What a workflow may ask for beyond the policy. It can only make the gate stricter, never laxer."""

    max_drop: Fraction | None = None
    budget_seconds: float | None = None

    def gate(self, policy: GatePolicy) -> GatePolicy:
        if self.max_drop is None:
            return policy
        limits = {name: self._stricter(limit) for name, limit in policy.per_dimension.items()}
        return policy.model_copy(update={"max_drop": self._stricter(policy.max_drop), "per_dimension": limits})

    def _stricter(self, limit: float | str) -> float | str:
        assert self.max_drop is not None  # noqa: S101 - the caller has looked
        return limit if isinstance(limit, str) else float(min(self.max_drop, Fraction(str(limit))))

    def seconds(self, policy: float) -> float:
        return policy if self.budget_seconds is None else min(self.budget_seconds, policy)


AS_POLICY_SAYS = Tighter()


@dataclass(frozen=True)
class Baselines:
    """Main's memory, and what a stored run must show before it may stand for base."""

    store: Store
    trust: Trust


def _no_baselines(main: Config) -> None:
    """Nothing is stored: base is evaluated in this job."""


@dataclass(frozen=True)
class Gate:
    """Everything that one gate needs, and nothing that it has to look up."""

    base: Snapshot
    candidate: Snapshot
    config_path: str
    keys: Callable[[Collection[str]], Mapping[str, Secret]]
    """Reads the named keys, once it is known that any is needed."""
    progress: Progress
    out: Path
    """The folder that run files are written to."""
    origin: Origin = LAPTOP
    baselines: Callable[[Config], Baselines | None] = _no_baselines
    """Main's memory, by main's policy."""
    pull: int = 0
    """The pull request's number; with the base commit it chooses among main's stored repeats."""
    tighter: Tighter = AS_POLICY_SAYS

    def run(self) -> GateOutcome:
        """Raises InputError (refused input) and Inconclusive (no verdict is possible)."""
        started = time.monotonic()
        outcome = self._decide()
        return replace(outcome, seconds=round(time.monotonic() - started, 1))

    def _decide(self) -> GateOutcome:
        if not self.base.has(self.config_path):
            return self._bootstrap()
        with _about_main():
            main = configs.load(self.base, self.config_path)
        head = configs.load(self.candidate, self.config_path)
        changes = detect(self.base, self.candidate, main, head)
        if changes.policy_changed:
            check_policy(head, self.candidate)
        suites = self._judge(changes, main, head)
        without: Reason = "only policy changed" if changes.policy_changed else "nothing relevant changed"
        return GateOutcome(
            verdict=worst(suite.verdict for suite in suites) if suites else Verdict.PASS,
            reason="judged" if suites else without,
            base_commit=self.base.commit,
            candidate_commit=self.candidate.commit,
            suites=suites,
            changes=changes,
            policy_notes=explain.policy_notes(changes, (self.base, main), (self.candidate, head)),
            hide_outputs=main.policy.baseline.outputs == "hide",
        )

    def _judge(self, changes: Changes, main: Config, head: Config) -> tuple[SuiteOutcome, ...]:
        if not changes.affected():
            return ()
        deadline = Deadline.after(self.tighter.seconds(float(main.policy.budget.seconds)))
        session = Session(self.keys(required_keys(main)), self.progress, self.out, self.origin, deadline)
        baselines = self.baselines(main)
        return tuple(_SuiteGate(self, change, main, head, session, baselines).judge() for change in changes.affected())

    def _bootstrap(self) -> GateOutcome:
        """No policy on main: no calls and no keys; but what this pull request brings must load."""
        check_policy(configs.load(self.candidate, self.config_path), self.candidate)
        return GateOutcome(Verdict.INCONCLUSIVE, "bootstrap", self.base.commit, self.candidate.commit)


@contextmanager
def _about_main() -> Iterator[None]:
    """What is wrong on main is not this pull request's fault, and nothing can be compared with it."""
    try:
        yield
    except InputError as error:
        raise Inconclusive(f"main itself cannot be evaluated: {error} (on main)") from error


@dataclass(frozen=True)
class _SideRun:
    """One side of the comparison: evaluated in this job, or stored by main."""

    header: Header
    records: Mapping[str, Record]
    stored: bool = False

    @property
    def calls(self) -> int:
        return 0 if self.stored else sum(not record.reused for record in self.records.values())


@dataclass(frozen=True)
class _SuiteGate:
    """One affected suite: main's policy, both sides' subjects."""

    gate: Gate
    change: SuiteChanges
    main: Config
    head: Config
    session: Session
    baselines: Baselines | None

    def judge(self) -> SuiteOutcome:
        with _about_main():
            suite = Suite.load(self.main, self.gate.base, self.change.suite)
            base = suite.side(self.gate.base)
        need_cases(suite)
        cases = list(suite.golden.cases.values())
        candidate = suite.side(self.gate.candidate, self._named_by())
        with _about_main():
            stored, objection = self._stored(suite, base)
            one = stored or self._evaluate(suite, base, "base", cases)
        other = self._evaluate(suite, candidate, "candidate", cases, one.records)
        comparison = pair_up(suite.golden.cases, suite.scorers, one.records, other.records)
        theirs = golden_cases.load(candidate.snapshot, self._named_by().policy.suites[suite.name].golden_patterns)
        edits = golden_cases.edits(suite.golden, theirs)
        added = [theirs.cases[name] for name in edits.added]
        leaks, leaked_before = explain.leaks([*cases, *added], base, candidate)
        same = all(record.reused for record in other.records.values())
        warnings = explain.warnings(suite, self.change, candidate, same_requests=same, leaked_before=leaked_before)
        return SuiteOutcome(
            suite=suite.name,
            dimensions=decide(comparison, suite.scorers.dimensions(), self.gate.tighter.gate(suite.gate)),
            comparison=comparison,
            notes=explain.notes(self.change, base, candidate),
            edits=edits,
            new_cases=self._evaluate(suite, candidate, "new-cases", added).records if added else {},
            leaks=leaks,
            warnings=(*warnings, *explain.about_base(objection)),
            base_header=one.header,
            base_stored=one.stored,
            calls=one.calls + other.calls,
        )

    def _named_by(self) -> Config:
        """Head's config where it still has this suite; a suite that head drops is judged as base has it."""
        return self.head if self.change.suite in self.head.policy.suites else self.main

    def _stored(self, suite: Suite, base: Side) -> tuple[_SideRun | None, str | None]:
        """The newest whole run of these inputs, of an ancestor, written by someone who may; else why there is none.

        No error: base is evaluated in this job instead.
        """
        if self.baselines is None or base.snapshot.commit is None:
            return None, None
        try:
            found = self.baselines.store.find(suite.name, suite.fingerprint(base.target))
        except StoreError as error:
            return None, f"main's stored runs cannot be read ({error})"
        objections = []
        for stored in found:
            objection = self._objection(stored, suite, base.snapshot.commit)
            if objection is None:
                return self._remembered(suite, stored), None
            objections.append(f"main's stored run of {str(stored.run.header.commit)[:12]} does not serve: {objection}")
        return None, objections[0] if objections else None

    def _objection(self, stored: StoredRun, suite: Suite, commit: str) -> str | None:
        assert self.baselines is not None  # noqa: S101 - the caller has looked
        header = stored.run.header
        if header.commit is None or not self.gate.base.git.is_ancestor(header.commit, commit):
            return "this checkout does not show that base descends from it (fetch-depth: 0)"
        if not stored.run.holds(suite.golden.cases):
            return "some of its cases were lost"
        return self.baselines.trust.objection(stored.run)

    def _remembered(self, suite: Suite, stored: StoredRun) -> _SideRun:
        """One repeat of a stored run, with its run file beside the candidate's."""
        picked = stored.run.repeat(self._pick(stored)).values()
        header = stored.run.header.model_copy(update={"repeats": 1})
        run = Run(header, tuple(record.model_copy(update={"repeat": 0}) for record in picked))
        write_file(self.session.out / suite.name / "base.jsonl", to_bytes(run))
        return _SideRun(header, run.repeat(0), stored=True)

    def _pick(self, stored: StoredRun) -> int:
        """Which of main's repeats is compared: by base commit and pull request, so that nobody can draw again."""
        seed = hashlib.sha256(f"{self.gate.base.commit}:{self.gate.pull}".encode()).digest()
        return int.from_bytes(seed[:8], "big") % stored.run.header.repeats

    def _evaluate(
        self, suite: Suite, side: Side, name: str, cases: Sequence[Case], known: Mapping[str, Record] | None = None
    ) -> _SideRun:
        run = suite.evaluate(side, cases, self.session, name=name, known=known)
        return _SideRun(run.header, run.repeat(0))
