"""The main job, in the order in which it happens:

snapshots → changes → plan → first pass → comparison ⇄ confirmation → verdict → outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ci_eval import config as configs
from ci_eval.changes import Changes, detect
from ci_eval.config import Config, GatePolicy
from ci_eval.deadline import Deadline
from ci_eval.evaluation.base_run import Baselines
from ci_eval.evaluation.canaries import check_judges
from ci_eval.evaluation.prepare import Preparation, Prepared, about_main
from ci_eval.evaluation.screened import refuse_personal, refuse_to_show_personal
from ci_eval.evaluation.session import LAPTOP, Origin, Progress, Session
from ci_eval.evaluation.suite import check_policy, required_keys
from ci_eval.gating.affected import judge_all
from ci_eval.gating.budgets import Work, plan_all, refuse_too_small
from ci_eval.outcome import explain
from ci_eval.outcome.model import GateOutcome, Reason, SuiteOutcome
from ci_eval.plan.subset import Budget, Plan
from ci_eval.purse import Purse
from ci_eval.runner.cache import ResponseCache
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.verdict import Verdict, worst


@dataclass(frozen=True)
class Tighter:
    """What a workflow may ask for beyond the policy. It can only make the gate stricter, never laxer."""

    max_drop: Fraction | None = None
    budget_seconds: float | None = None
    budget_usd: float | None = None

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

    def usd(self, policy: float | None) -> float | None:
        limits = [limit for limit in (policy, self.budget_usd) if limit is not None]
        return min(limits, default=None)


AS_POLICY_SAYS = Tighter()


def _no_baselines(main: Config) -> None:
    """Nothing is stored: base is evaluated in this job."""


def _anybody(main: Config) -> None:
    """Whoever starts this may."""


@dataclass(frozen=True)
class Outlook:
    """What a gate would do."""

    reason: Reason
    """`judged`: the suites would be; else why there is nothing to run."""
    changes: Changes | None = None
    work: Sequence[Work] = ()
    plans: Sequence[Plan] = ()
    """One for each suite of `work`."""
    budget: Budget | None = None


@dataclass(frozen=True)
class _Read:
    """Both policies, and what lies between the sides."""

    main: Config
    head: Config
    changes: Changes

    @property
    def without(self) -> Reason:
        """Why there is nothing to judge, where no subject changed."""
        return "only policy changed" if self.changes.policy_changed else "nothing relevant changed"


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
    fork: bool = False
    """Whether the candidate comes from another repository; its code is run only where there are no secrets."""
    admit: Callable[[Config], None] = _anybody
    """Told main's policy once it is known that something would be judged, before a key is read and a model is asked;
    raises where this job may not."""
    whole: bool = False
    """Whether every golden case is run, also where that takes longer than there is time."""
    cache: ResponseCache | None = None
    """For first looks on a laptop; on GitHub there is none."""
    purse: Purse | None = None
    """What several gates of one job take from; else it is this gate's alone."""

    def run(self) -> GateOutcome:
        """Raises InputError (refused input) and Inconclusive (no verdict is possible)."""
        started = time.monotonic()
        outcome = self._decide()
        return replace(outcome, seconds=round(time.monotonic() - started, 1))

    def plan(self) -> Outlook:
        """What `run` would do, without asking anything: so the keys may be anything. Raises as `run` does."""
        if not self.base.has(self.config_path):
            return Outlook("bootstrap")
        read = self._read()
        if not read.changes.affected():
            return Outlook(read.without, read.changes)
        budget, work = self._budget(read.main), self._work(read, self.keys(required_keys(read.main)))
        return Outlook("judged", read.changes, work, plan_all(work, budget, whole=self.whole), budget)

    def _decide(self) -> GateOutcome:
        if not self.base.has(self.config_path):
            return self._bootstrap()
        read = self._read()
        budget = self._budget(read.main)
        purse = self.purse or Purse()
        purse.hold(budget.usd, budget.calls, budget.tokens)
        suites = self._judge(read, budget, purse) if read.changes.affected() else ()
        return GateOutcome(
            verdict=worst(suite.verdict for suite in suites) if suites else Verdict.PASS,
            reason="judged" if suites else read.without,
            base_commit=self.base.commit,
            candidate_commit=self.candidate.commit,
            suites=suites,
            changes=read.changes,
            policy_notes=explain.policy_notes(read.changes, (self.base, read.main), (self.candidate, read.head)),
            budget=budget,
            usd=purse.spent,
            hide_outputs=read.main.policy.baseline.outputs == "hide",
        )

    def _read(self) -> _Read:
        with about_main():
            main = configs.load(self.base, self.config_path)
        head = configs.load(self.candidate, self.config_path)
        changes = detect(self.base, self.candidate, main, head)
        if changes.policy_changed or changes.affected():
            refuse_personal(main.policy, head, self.candidate, head.policy.suites)
            for removed in main.policy.suites.keys() - head.policy.suites.keys():  # judged all the same
                refuse_to_show_personal(main.policy, main, self.candidate, removed)
        if changes.policy_changed:
            check_policy(head, self.candidate)
        return _Read(main, head, changes)

    def _judge(self, read: _Read, budget: Budget, purse: Purse) -> tuple[SuiteOutcome, ...]:
        self.admit(read.main)
        deadline = Deadline.after(budget.seconds)
        keys = self.keys(required_keys(read.main))
        work = self._work(read, keys)
        plans = plan_all(work, budget, whole=self.whole)
        refuse_too_small(work, plans, budget)
        session = Session(keys, self.progress, self.out, self.origin, deadline, purse, self.cache)
        _refuse_unready(work, session)
        with about_main():
            check_judges((one.prepared.suite for one in work), session)
        return tuple(judge_all(work, plans, session, whole=self.whole))

    def _budget(self, main: Config) -> Budget:
        policy = main.policy.budget
        seconds, usd = self.tighter.seconds(float(policy.seconds)), self.tighter.usd(policy.usd)
        return Budget(seconds, usd, policy.calls, policy.tokens)

    def _work(self, read: _Read, keys: Mapping[str, Secret]) -> list[Work]:
        """Every affected suite, loaded and remembered, and nothing asked yet."""
        preparation = Preparation(
            self.base,
            self.candidate,
            read.main,
            read.head,
            self.baselines(read.main),
            self.pull,
            self.origin.event,
            self.fork,
        )
        return [self._work_of(preparation.of(change), preparation, keys) for change in read.changes.affected()]

    def _work_of(self, prepared: Prepared, preparation: Preparation, keys: Mapping[str, Secret]) -> Work:
        suite, history = prepared.suite, preparation.history(prepared)
        anchored, anchor = preparation.anchored(prepared), None
        if anchored and suite.policy.anchor:
            question = anchored.question(GatePolicy(max_drop=suite.policy.anchor.max_drop))
            anchor = Work(anchored, anchored.evaluators(keys, self.cache), question, history)
        question = prepared.question(self.tighter.gate(suite.gate))
        return Work(prepared, prepared.evaluators(keys, self.cache), question, history, anchor)

    def _bootstrap(self) -> GateOutcome:
        """No policy on main: no calls and no keys; but what this pull request brings must load."""
        check_policy(configs.load(self.candidate, self.config_path), self.candidate)
        return GateOutcome(Verdict.INCONCLUSIVE, "bootstrap", self.base.commit, self.candidate.commit)


def _refuse_unready(work: Sequence[Work], session: Session) -> None:
    """The user's own code is imported on both sides before anything is paid for."""
    for one in work:
        suite, bases = one.prepared.suite, [one.prepared.base, *([one.anchor.prepared.base] if one.anchor else [])]
        suite.refuse_unready_scorers(session.deadline)
        with about_main():
            for base in bases:
                suite.refuse_unready_target(base.target, session.keys, session.deadline)
        suite.refuse_unready_target(one.prepared.candidate.target, session.keys, session.deadline)
