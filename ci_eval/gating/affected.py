"""One affected suite, judged: first pass, comparison, confirmation, decision, and the outcome that tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ci_eval.baseline.noise import noise
from ci_eval.comparison import Comparison, pair_up
from ci_eval.confirm.machine import Confirmation
from ci_eval.deadline import Deadline
from ci_eval.evaluation.session import Session
from ci_eval.gating.anchor import judge_anchor
from ci_eval.gating.asking import SIDES, Asking
from ci_eval.gating.budgets import Work
from ci_eval.gating.first_pass import FirstPass, first_pass
from ci_eval.gating.new_cases import answers_to_new_cases
from ci_eval.gating.rerun import Reruns
from ci_eval.golden import cases as golden_cases
from ci_eval.naive.margin import margins
from ci_eval.outcome import explain
from ci_eval.outcome.data import data
from ci_eval.outcome.judges import about_order, judge_warnings
from ci_eval.outcome.model import AnchorOutcome, NaiveOutcome, SuiteOutcome
from ci_eval.plan.subset import LEAST_CASES, Plan
from ci_eval.records import Record, scoring_calls
from ci_eval.runner.pool import always
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult, decide

_TIMED = 60
"""Cases that are asked about for their time alone, where latency is gated."""


def judge_all(work: Sequence[Work], plans: Sequence[Plan], session: Session, *, whole: bool) -> Iterator[SuiteOutcome]:
    """The outcome of every suite, one after the other, each within its share of the time that is left.

    `whole`: no case is left out, even if the time runs out before all are asked.
    """
    sizes = _sizes(plans)
    for number, (one, plan) in enumerate(zip(work, plans, strict=True)):
        share = sizes[number] / sum(sizes[number:])
        own = replace(session, deadline=Deadline.after(session.deadline.remaining() * share))
        yield Judgement(one, plan, own, whole).reach()


def _sizes(plans: Sequence[Plan]) -> list[float]:
    """What each needs of the time: in seconds, or by calls where one of them was never timed."""
    timed = all(plan.most_seconds for plan in plans)
    return [plan.most_seconds if timed else plan.most.calls + 1 for plan in plans]


@dataclass(frozen=True)
class Judgement:
    """A suite and what is to be run of it, within the session's time and money."""

    work: Work
    plan: Plan
    session: Session
    whole: bool

    def reach(self) -> SuiteOutcome:
        """Raises InputError for a candidate that cannot be rendered."""
        prepared = self.work.prepared
        asking = Asking(prepared.suite, self.work.evaluators, self.session)
        naive = self._naive()
        self._expect_prices()
        first = first_pass(prepared, self.plan.cases, asking, may_start=self._may_start())
        reruns = Reruns(asking, first)
        confirmation = reruns.confirm(self.work.question, self._sample(first))
        comparison = self._compare(reruns, confirmation)
        dimensions = decide(comparison, confirmation)
        anchor = self._anchor(reruns, comparison, dimensions)
        self._time(reruns)
        told = self._told(first, reruns, confirmation, comparison, dimensions, anchor)
        return replace(told, naive=self._beside(naive, comparison))

    def _naive(self) -> Mapping[str, Record]:
        """The naive target's answers to the cases of the plan: before any money is spent, since it may be refused."""
        suite = self.work.prepared.suite
        if suite.policy.naive is None:
            return {}
        evaluator = suite.naive_evaluator(suite.policy.naive)
        jobs = evaluator.jobs([suite.golden.cases[name] for name in self.plan.cases], 1)
        return {job.case.id: evaluator.ask(job, self.session.deadline) for job in jobs}

    def _beside(self, naive: Mapping[str, Record], comparison: Comparison) -> NaiveOutcome | None:
        suite = self.work.prepared.suite
        if suite.policy.naive is None:
            return None
        pairs = pair_up(comparison.cases, suite.scorers, naive, comparison.candidate)
        least = Fraction(str(suite.policy.naive.least_margin))
        return NaiveOutcome(suite.policy.naive.type, margins(pairs, suite.scorers.dimensions(), least))

    def _expect_prices(self) -> None:
        """So that the first calls under way do not overspend before one of them is paid."""
        planned = self.plan.first
        if planned.calls:
            one = planned.times(1 / planned.calls)
            self.session.purse.expect(one.usd or 0.0, one.requests, one.tokens)

    def _may_start(self) -> Callable[[], bool]:
        """Whether the first pass may begin another case: it leaves room for the confirmation."""
        if self.whole:
            return always
        last = Deadline.after(self.session.deadline.remaining() * self.plan.first_share)
        return lambda: last.remaining() > 0

    def _sample(self, first: FirstPass) -> frozenset[str]:
        """The cases that the verdict stands on.

        Where time ended the first pass, these are the ones that it reached, if they are still most of the plan. Where
        money did, or few were reached, or all were wanted, the others are not left out: they are unknown.
        """
        planned = frozenset(self.plan.cases)
        differing = planned - frozenset(self.work.prepared.same)
        reached = len(differing - first.unasked)
        fair = not (self.whole or self.session.purse.refused) and reached >= max(LEAST_CASES, len(differing) / 2)
        return planned - first.unasked if fair else planned

    def _anchor(
        self, reruns: Reruns, comparison: Comparison, dimensions: Sequence[DimensionResult]
    ) -> AnchorOutcome | None:
        if self.work.anchor is None:
            return None
        cases = [case for case in self.work.prepared.suite.golden.cases if case in comparison.cases]
        return judge_anchor(self.work.anchor, cases, reruns.records("candidate"), dimensions, self.session)

    def _time(self, reruns: Reruns) -> None:
        """Where latency is gated and main was not asked in this job, it is asked about some of the cases now."""
        prepared = self.work.prepared
        if not (prepared.recalled and prepared.suite.gate.latency) or self.session.deadline.remaining() <= 0:
            return
        left_out = {*reruns.first.unasked, *prepared.same}
        cases = [case for case in self.plan.cases if case not in left_out][:_TIMED]
        if self.session.purse.enough_for(2 * len(cases)):
            reruns.time(cases)

    def _told(
        self,
        first: FirstPass,
        reruns: Reruns,
        confirmation: Confirmation,
        comparison: Comparison,
        dimensions: tuple[DimensionResult, ...],
        anchor: AnchorOutcome | None,
    ) -> SuiteOutcome:
        prepared = self.work.prepared
        suite, base, candidate = prepared.suite, prepared.base, prepared.candidate
        edits = golden_cases.edits(suite.golden, prepared.their_golden)
        added = [prepared.their_golden.cases[name] for name in edits.added]
        leaks, leaked_before = explain.leaks([*suite.golden.cases.values(), *added], base, candidate)
        same = len(prepared.same) == len(suite.golden.cases)
        warnings = explain.warnings(suite, prepared.change, candidate, same_requests=same, leaked_before=leaked_before)
        judged = (*comparison.base.values(), *comparison.candidate.values())
        about_judges = map(Untrusted, (*judge_warnings(suite, candidate), *about_order(suite, judged)))
        new_cases = answers_to_new_cases(prepared, self.work.evaluators["candidate"], added, self.session)
        return SuiteOutcome(
            suite=suite.name,
            dimensions=dimensions,
            comparison=comparison,
            golden_cases=len(suite.golden.cases),
            flips=confirmation.flips,
            quarantined=tuple(sorted(confirmation.question.quarantined)),
            notes=explain.notes(prepared.change, base, candidate),
            data=data(prepared.change, base, candidate),
            edits=edits,
            new_cases=new_cases,
            leaks=leaks,
            judges=tuple(suite.judge_agreements),
            warnings=(*warnings, *about_judges, *explain.about_base(prepared.objection, confirmation.drifted)),
            base_header=first.headers["base"],
            repeatable=all(header.deterministic for header in first.headers.values()),
            base_stored=bool(prepared.recalled),
            calls=first.calls + reruns.calls + sum(record.asked for record in new_cases.values()),
            scoring_calls=first.scoring_calls + reruns.scoring_calls + scoring_calls(new_cases.values()),
            policy=suite.gate,
            fresh={side: reruns.of_this_job(side) for side in SIDES},
            noise=noise(confirmation.question.cells, prepared.stored),
            anchor=anchor,
            weights={name: Fraction(str(weight)) for name, weight in suite.policy.weights.items()},
            confidence=suite.policy.confidence,
        )

    def _compare(self, reruns: Reruns, confirmation: Confirmation) -> Comparison:
        """The first look at the cases that were run, or that need not be."""
        suite = self.work.prepared.suite
        base, candidate = reruns.records("base"), reruns.records("candidate")
        run = {*confirmation.scope, *candidate}
        cases = {name: case for name, case in suite.golden.cases.items() if name in run}
        return pair_up(cases, suite.scorers, base, candidate)
