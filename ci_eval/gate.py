"""The main job, in the order in which it happens:

snapshots → changes → base run → candidate run → comparison ⇄ confirmation → verdict → outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ci_eval import config as configs
from ci_eval import confirm, explain
from ci_eval.base_run import Baselines, SideRun
from ci_eval.changes import Changes, SuiteChanges, detect
from ci_eval.comparison import Comparison, pair_up
from ci_eval.config import Config, GatePolicy
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation import LAPTOP, Origin, Progress, Session, Side, Suite, check_policy, need_cases, required_keys
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import Case
from ci_eval.outcome import GateOutcome, Reason, SuiteOutcome
from ci_eval.records import Record
from ci_eval.rerun import Reruns
from ci_eval.runner import Evaluator
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.targets import trust
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
        self._refuse_what_may_not_run()
        cases = list(suite.golden.cases.values())
        candidate = suite.side(self.gate.candidate, self._named_by())
        with _about_main():
            recalled, objection = self._recall(suite, base)
            one = recalled or self._evaluate(suite, base, "base", cases)
        other = self._evaluate(suite, candidate, "candidate", cases, one.records)
        gate = self.gate.tighter.gate(suite.gate)
        reruns = Reruns(suite, self._evaluators(suite, base, candidate), self.session)
        confirmation = reruns.confirm(self._compare(suite, one, other, reruns), gate, one.stored)
        comparison = self._compare(suite, one, other, reruns)
        theirs = golden_cases.load(candidate.snapshot, self._named_by().policy.suites[suite.name].golden_patterns)
        edits = golden_cases.edits(suite.golden, theirs)
        added = [theirs.cases[name] for name in edits.added]
        leaks, leaked_before = explain.leaks([*cases, *added], base, candidate)
        same = all(record.reused for record in other.records.values())
        warnings = explain.warnings(suite, self.change, candidate, same_requests=same, leaked_before=leaked_before)
        return SuiteOutcome(
            suite=suite.name,
            dimensions=decide(comparison, confirmation),
            comparison=comparison,
            flips=confirmation.flips,
            quarantined=tuple(sorted(confirmation.question.quarantined)),
            notes=explain.notes(self.change, base, candidate),
            edits=edits,
            new_cases=self._evaluate(suite, candidate, "new-cases", added).records if added else {},
            leaks=leaks,
            warnings=(*warnings, *explain.about_base(objection, confirmation.drifted)),
            base_header=one.header,
            base_stored=bool(recalled),
            calls=one.calls + other.calls + reruns.calls,
        )

    def _refuse_what_may_not_run(self) -> None:
        gate, policy = self.gate, self.main.policy.suites[self.change.suite].target
        found = trust.objection(policy, self.change, gate.base, gate.candidate, gate.origin.event)
        if found:
            raise Inconclusive(found)

    def _named_by(self) -> Config:
        """Head's config where it still has this suite; a suite that head drops is judged as base has it."""
        return self.head if self.change.suite in self.head.policy.suites else self.main

    def _recall(self, suite: Suite, base: Side) -> tuple[SideRun | None, str | None]:
        if self.baselines is None or suite.asks_a_service:
            return None, None
        return self.baselines.recall(suite, base, self.gate.pull, self.session.out)

    def _evaluate(
        self, suite: Suite, side: Side, name: str, cases: Sequence[Case], known: Mapping[str, Record] | None = None
    ) -> SideRun:
        run = suite.evaluate(side, cases, self.session, name=name, known=known)
        return SideRun(run.header, run.repeat(0))

    def _evaluators(self, suite: Suite, base: Side, candidate: Side) -> dict[confirm.Side, Evaluator]:
        keys = self.session.keys
        return {"base": suite.evaluator(base.target, keys), "candidate": suite.evaluator(candidate.target, keys)}

    def _compare(self, suite: Suite, one: SideRun, other: SideRun, reruns: Reruns) -> Comparison:
        """The first look, with what a second try found of the cases that it had lost."""
        tries = reruns.second_tries
        base, candidate = {**one.records, **tries["base"]}, {**other.records, **tries["candidate"]}
        return pair_up(suite.golden.cases, suite.scorers, base, candidate)
