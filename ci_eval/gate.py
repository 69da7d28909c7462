"""The main job, in the order in which it happens:

snapshots → changes → plan → first pass → comparison ⇄ confirmation → verdict → outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ci_eval import config as configs
from ci_eval import explain
from ci_eval.base_run import Baselines
from ci_eval.changes import Changes, detect
from ci_eval.config import Config, GatePolicy
from ci_eval.deadline import Deadline
from ci_eval.evaluation import LAPTOP, Origin, Progress, Session, check_policy, required_keys
from ci_eval.judgement import judge_all
from ci_eval.outcome import GateOutcome, Reason, SuiteOutcome
from ci_eval.plan import Budget
from ci_eval.planning import Work, plan_all, refuse_too_small
from ci_eval.prepare import Preparation, about_main
from ci_eval.purse import Purse
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
    whole: bool = False
    """Whether every golden case is run, also where that takes longer than there is time."""

    def run(self) -> GateOutcome:
        """Raises InputError (refused input) and Inconclusive (no verdict is possible)."""
        started = time.monotonic()
        outcome = self._decide()
        return replace(outcome, seconds=round(time.monotonic() - started, 1))

    def _decide(self) -> GateOutcome:
        if not self.base.has(self.config_path):
            return self._bootstrap()
        with about_main():
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
        keys = self.keys(required_keys(main))
        deadline = Deadline.after(self.tighter.seconds(float(main.policy.budget.seconds)))
        purse = Purse(self.tighter.usd(main.policy.budget.usd))
        session = Session(keys, self.progress, self.out, self.origin, deadline, purse)
        work = self._work(changes, main, head, keys)
        budget = Budget(deadline.remaining(), purse.limit)
        plans = plan_all(work, budget, whole=self.whole)
        refuse_too_small(work, plans, budget)
        return tuple(judge_all(work, plans, session, whole=self.whole))

    def _work(self, changes: Changes, main: Config, head: Config, keys: Mapping[str, Secret]) -> list[Work]:
        """Every affected suite, loaded and remembered, and nothing asked yet."""
        preparation = Preparation(self.base, self.candidate, main, head, self.baselines(main), self.pull)
        prepared = [preparation.of(change) for change in changes.affected()]
        return [
            Work(one, one.evaluators(keys), one.question(self.tighter.gate(one.suite.gate)), preparation.history(one))
            for one in prepared
        ]

    def _bootstrap(self) -> GateOutcome:
        """No policy on main: no calls and no keys; but what this pull request brings must load."""
        check_policy(configs.load(self.candidate, self.config_path), self.candidate)
        return GateOutcome(Verdict.INCONCLUSIVE, "bootstrap", self.base.commit, self.candidate.commit)
