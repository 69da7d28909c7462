"""A plan for each affected suite, within one budget of time, money, calls and tokens."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain
from statistics import fmean
from typing import Literal

from ci_eval.changes import added_lines
from ci_eval.confirm.evidence import Key
from ci_eval.confirm.machine import Question
from ci_eval.errors import Inconclusive
from ci_eval.evaluation.canaries import canaries_take
from ci_eval.evaluation.prepare import Prepared
from ci_eval.gating import estimate
from ci_eval.plan import ranking
from ci_eval.plan.ranking import Rates
from ci_eval.plan.subset import NOTHING, Budget, Cost, Option, Plan, Terms, plan, smallest_drop
from ci_eval.providers.base import Usage
from ci_eval.records import CellResult, Record, Run

History = Callable[[], Sequence[Run]]
"""Main's past runs of a suite, the newest first; asked for only when there is no time for all cases."""


@dataclass(frozen=True)
class Work:
    """One suite, ready to be planned."""

    prepared: Prepared
    evaluators: estimate.Evaluators
    question: Question
    history: History
    anchor: Work | None = None
    """The same candidate beside the suite's anchor, by the anchor's limit."""

    def options(self, ranks: Mapping[str, float] | None = None) -> list[Option]:
        """The parts of the golden set that could be run, each with its cost, the anchor included."""
        own = estimate.options(self.prepared, self.evaluators, self.question, ranks)
        if self.anchor is None:
            return own
        beside = self.anchor
        more = estimate.options(beside.prepared, beside.evaluators, beside.question, candidate_known=True)
        return [one.with_more(other) for one, other in zip(own, more, strict=True)]

    @cached_property
    def canaries(self) -> Cost:
        """What its judges are asked before anything else."""
        suite = self.prepared.suite
        return sum((canaries_take(suite, judge) for judge in suite.judges()), NOTHING)

    @property
    def canary_seconds(self) -> float:
        """By the limit of who judges, where there is one; how long a call takes is not guessed."""
        pace = self.terms().scoring_per_second
        return self.canaries.scoring / pace if pace else 0.0

    def terms(self) -> Terms:
        return estimate.terms(self.prepared, self.evaluators, self.question)

    def sees(self, plan: Plan) -> dict[str, Fraction | Literal["any"]]:
        """By dimension, the smallest drop in points that a plan shows, at 95 %; `any`: each case that it runs."""
        planned = set(plan.cases)
        found: dict[str, Fraction | Literal["any"]] = {}
        for name, limit in self.question.limits.items():
            cells = self.question.gated[name]
            asked = sum(cell.case in planned for cell in cells)
            found[name] = limit if limit == "any" or not cells else smallest_drop(limit, len(cells), asked)
        return found

    @property
    def seed(self) -> int:
        """By base and its golden set alone: nobody can draw again by pushing again."""
        text = f"{self.prepared.base.snapshot.commit}:{self.prepared.suite.golden.digest}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def plan_all(work: Sequence[Work], budget: Budget, *, whole: bool = False) -> list[Plan]:
    """A plan for each suite, the whole golden set where everything fits; else each suite gets its share.

    A share is as large as the suite's own needs are beside the others'.
    """
    left = _after_canaries(work, budget)
    full = [_plan(one, left, whole=True) for one in work]
    if whole or _together(full, left):
        return full
    return [_plan(one, share, ranks=_ranks(one)) for one, share in zip(work, _split(full, left), strict=True)]


def _after_canaries(work: Sequence[Work], budget: Budget) -> Budget:
    """Judges are tried first, those of all suites."""
    return budget.after(sum((one.canaries for one in work), NOTHING), sum(one.canary_seconds for one in work))


def refuse_too_small(work: Sequence[Work], plans: Sequence[Plan], budget: Budget) -> None:
    """Raises Inconclusive, before the first call, where the money does not reach, or the time for a small part."""
    left = _after_canaries(work, budget)
    for one, each in zip(work, plans, strict=True):
        suite = one.prepared.suite.name
        if budget.usd is not None and each.most.usd is None:
            if one.prepared.suite.target.kind != "chat":
                raise Inconclusive(f"suite {suite}: what its target costs is not known; remove budget.usd")
            raise Inconclusive(
                f"suite {suite}: no price is known for the model {_unpriced(one)}, and budget.usd is set; "
                "name its prices under the provider in ci-eval.yaml"
            )
        if budget.tokens is not None and one.prepared.suite.target.kind != "chat":
            raise Inconclusive(f"suite {suite}: how many tokens its target takes is not known; remove budget.tokens")
        if not each.fits and not (each.whole and left.affords(each.first)):
            most, seconds = each.most + one.canaries, each.most_seconds + one.canary_seconds
            raise Inconclusive(
                f"suite {suite}: {len(each.cases)} of its {each.of} cases would take {seconds:.0f} s, "
                f"{most.requests:,.0f} calls, {most.tokens:,.0f} tokens and {_dollars(most.usd)} with "
                f"their confirmation{_and_canaries([one])}, more than the budget; raise the budget"
            )
    _refuse_together(work, plans, budget)


def _refuse_together(work: Sequence[Work], plans: Sequence[Plan], budget: Budget) -> None:
    """Each may fit alone, and nothing may have to be asked but the canaries."""
    take = sum((each.first for each in plans), sum((one.canaries for one in work), NOTHING))
    if not budget.affords(take):
        names = ", ".join(one.prepared.suite.name for one in work)
        raise Inconclusive(
            f"the first look at {names} would take {take.requests:,.0f} calls, {take.tokens:,.0f} tokens and "
            f"{_dollars(take.usd)}{_and_canaries(work)}, more than the budget; raise the budget"
        )


def _and_canaries(work: Iterable[Work]) -> str:
    return " and the judges' canaries" if any(one.canaries.requests for one in work) else ""


def _unpriced(work: Work) -> str:
    """The model that has no price: main's, the candidate's, or one that a scorer asks."""
    evaluators, cases = work.evaluators.values(), work.prepared.suite.golden.cases.values()
    models = (by.target.model_name for by in evaluators if by.cost(Usage(1, 1)) is None)
    bound = (one for by in evaluators for one in by.bound.values())
    scorers = (
        f'of the scorer "{one.scorer.name}"' for one in bound for case in cases if one.takes(case, 1).usd is None
    )
    return next(chain(models, scorers), "of its anchor")


def _dollars(usd: float | None) -> str:
    return "an unknown price" if usd is None else f"${usd:.2f}"


def _plan(work: Work, budget: Budget, *, whole: bool = False, ranks: Mapping[str, float] | None = None) -> Plan:
    return plan(work.options(ranks), work.terms(), budget, work.seed, whole=whole)


def _together(plans: Sequence[Plan], budget: Budget) -> bool:
    """Whether all of them fit: suites run one after the other."""
    affordable = budget.affords(sum((each.most for each in plans), NOTHING))
    return affordable and sum(each.most_seconds for each in plans) <= budget.seconds


def _split(full: Sequence[Plan], budget: Budget) -> list[Budget]:
    most = [each.most for each in full]
    shares = zip(
        _shares([each.most_seconds for each in full], budget.seconds),
        _limits([each.usd or 0.0 for each in most], budget.usd),
        _limits([each.requests for each in most], budget.calls),
        _limits([each.tokens for each in most], budget.tokens),
        strict=True,
    )
    return [Budget(*share) for share in shares]


def _limits(needs: Sequence[float], total: float | None) -> Sequence[float | None]:
    return [None] * len(needs) if total is None else _shares(needs, total)


def _shares(needs: Sequence[float], total: float) -> list[float]:
    every = sum(needs)
    return [total * need / every if every else total / len(needs) for need in needs]


def _ranks(work: Work) -> dict[str, float]:
    """What main's past, the thresholds and the change say of each case."""
    prepared = work.prepared
    cases = prepared.suite.golden.cases
    history = [rates(run.records) for run in work.history()]
    thresholds = {scorer.name: scorer.policy.threshold for scorer in prepared.suite.scorers.all()}
    scores = _by_cell(prepared.repeats, lambda cell: float(cell.score))
    known = {key: score for key, score in scores.items() if key[1] in thresholds}
    texts = {name: case.input.text() for name, case in cases.items()}
    ranks = ranking.rank(cases, history, ranking.close(known, thresholds), ranking.like(texts, _changed_text(prepared)))
    for cells in work.question.gated.values():
        # Of a dimension that few cases speak of, one is always there: else nothing would be known of it.
        best = max((cell.case for cell in cells), key=lambda case: ranks[case], default=None)
        if best is not None:
            ranks[best] = math.inf
    return ranks


def rates(records: Iterable[Record]) -> Rates:
    """The share of a run's repeats in which each cell passed."""
    return _by_cell(records, lambda cell: float(cell.passed))


def _by_cell(records: Iterable[Record], value: Callable[[CellResult], float]) -> dict[Key, float]:
    found = defaultdict[Key, list[float]](list)
    for record in records:
        for cell in record.cells:
            found[record.case, cell.scorer].append(value(cell))
    return {key: fmean(values) for key, values in found.items()}


def _changed_text(prepared: Prepared) -> str:
    """The lines of the subject that are on one side only."""
    texts = []
    for change in prepared.change.subject:
        old = prepared.base.content(prepared.base.path_of(change))
        new = prepared.candidate.content(prepared.candidate.path_of(change))
        texts += [added_lines(old, new), added_lines(new, old)]
    return "\n".join(texts)
