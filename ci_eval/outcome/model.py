"""The outcome of a gate as data: the one model that every renderer reads.

Plain data. Strings that came from elsewhere are `Untrusted`; the bare ones are ours, or names that a pattern checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple

from ci_eval.baseline.noise import Noise
from ci_eval.changes import Changes
from ci_eval.comparison import Comparison, Pair, base_passed, candidate_passed, passed_cases
from ci_eval.config import ConfidencePolicy, GatePolicy
from ci_eval.confirm.evidence import Flip, Key
from ci_eval.datasets.contamination import Leak
from ci_eval.errors import EXIT_REFUSED
from ci_eval.figures.confidence import Calibration, calibration
from ci_eval.figures.costs import CostComparison, SideCost, compare_cost, side_cost
from ci_eval.figures.failures import Failures, failures
from ci_eval.figures.timing import LatencyComparison, compare_latency, timed
from ci_eval.golden.cases import Edits, clusters_of
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.naive.margin import Margin
from ci_eval.outcome.acceptance import Acceptance
from ci_eval.outcome.data import DataOutcome
from ci_eval.outcome.increases import Increase, increases
from ci_eval.plan.subset import Budget
from ci_eval.records import Header, Record
from ci_eval.text import Untrusted
from ci_eval.verdict import DimensionResult, Fate, Verdict, fate, worst

Reason = Literal[
    "judged", "nothing relevant changed", "only policy changed", "bootstrap", "stopped", "superseded", "cancelled"
]
Called = Literal["this PR", "this group"]


@dataclass(frozen=True)
class ChangeNote:
    """One file that changed, in words."""

    role: str
    path: Untrusted
    words: tuple[Untrusted, ...]
    """As in `temperature 0 → 0.7` or `12 rows added, 3 removed`."""
    diff: Untrusted | None = None
    """Lines of a prompt, as in a diff."""
    line: int | None = None
    """Where the prompt or model config begins to differ, in its file as it is now."""


class Costs(NamedTuple):
    """What both sides cost, and how they compare."""

    base: SideCost
    candidate: SideCost
    compared: CostComparison


@dataclass(frozen=True)
class AnchorOutcome:
    """The candidate beside a fixed state of the product that main may not creep below."""

    ref: str
    commit: str | None
    dimensions: tuple[DimensionResult, ...]
    """Judged by the anchor's own limit."""
    blamed: tuple[str, ...]
    """Dimensions that fail this change: where main was below the anchor already, a change that does not fall further
    is not to blame."""
    calls: int

    @property
    def gated(self) -> list[DimensionResult]:
        return [one for one in self.dimensions if one.name in self.blamed]

    @property
    def verdict(self) -> Verdict:
        return worst([Verdict.PASS, *(one.verdict for one in self.gated)])


@dataclass(frozen=True)
class NaiveOutcome:
    """The candidate beside a target that costs next to nothing."""

    kind: str
    margins: tuple[Margin, ...]


class Overall(NamedTuple):
    """The weighted mean of a suite's dimensions, on the 0-100 scale: told, and not gated."""

    base: Fraction
    candidate: Fraction
    drop: Fraction


@dataclass(frozen=True)
class SuiteOutcome:
    """One suite that was judged."""

    suite: str
    dimensions: tuple[DimensionResult, ...]
    comparison: Comparison
    """Of the cases that were run."""
    golden_cases: int
    """All that main's golden set has."""
    flips: Mapping[Key, Flip]
    """The gated cells in which the first look differed, and what their reruns said."""
    quarantined: tuple[Key, ...]
    """Cells that are coin flips on main: shown, not gated."""
    notes: tuple[ChangeNote, ...]
    edits: Edits
    """What the pull request does to the golden set."""
    new_cases: Mapping[str, Record]
    """Cases that the pull request adds: run on the candidate, shown, not gated."""
    leaks: tuple[Leak, ...]
    """Golden cases that the pull request puts where the model learns from, by it or already before it."""
    warnings: tuple[Untrusted, ...]
    base_header: Header
    base_stored: bool
    """Whether base is main's stored baseline; else it was evaluated in this job."""
    calls: int
    """Requests that were sent for this verdict, both sides together."""
    scoring_calls: int = 0
    """Further ones, by scorers that ask a provider."""
    repeatable: bool = False
    """Whether asking either side again could only give the same answers."""
    policy: GatePolicy = field(default_factory=GatePolicy)
    fresh: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    """By side, the answers of the confirmation, and those that were asked for their time alone."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """By dimension, how far main differs from itself; empty where main has no two runs."""
    anchor: AnchorOutcome | None = None
    naive: NaiveOutcome | None = None
    data: tuple[DataOutcome, ...] = ()
    """Files of rows that the pull request changes."""
    weights: Mapping[str, Fraction] = field(default_factory=dict)
    """How much a dimension counts in the overall score; 1 where it is not named."""
    judges: tuple[JudgeAgreement, ...] = ()
    confidence: ConfidencePolicy | None = None

    @property
    def verdicts(self) -> list[Verdict]:
        """Of everything that is gated: the worst is the suite's."""
        scored = [*self.dimensions, *(self.anchor.gated if self.anchor else ())]
        found = [one.verdict for one in scored] + [one.verdict for one in self.increases]
        return [*found, Verdict.INCONCLUSIVE] if self.too_many_errors else found

    @property
    def verdict(self) -> Verdict:
        return worst(self.verdicts)

    @property
    def too_many_errors(self) -> bool:
        return self.policy.max_errors is not None and len(self.comparison.lost()) > self.policy.max_errors

    @property
    def part(self) -> bool:
        """Whether only some of the golden cases were run."""
        return len(self.comparison.cases) < self.golden_cases

    @cached_property
    def overall(self) -> Overall | None:
        """None of one dimension, which is all there is, and where a dimension has no score."""
        weights = [self.weights.get(one.name, Fraction(1)) for one in self.dimensions]
        scores = [(one.base, one.candidate, one.drop) for one in self.dimensions]
        if len(scores) < 2 or any(None in one for one in scores):
            return None

        def mean(values: Iterable[Fraction | None]) -> Fraction:
            parts = (weight * (value or 0) for weight, value in zip(weights, values, strict=True))
            return sum(parts, Fraction(0)) / sum(weights, Fraction(0))

        return Overall(*map(mean, zip(*scores, strict=True)))

    @cached_property
    def gated(self) -> tuple[Pair, ...]:
        """The first look's cells without those that are coin flips on main."""
        left_out = frozenset(self.quarantined)
        return tuple(pair for pair in self.comparison.pairs if (pair.case, pair.scorer) not in left_out)

    @cached_property
    def latency(self) -> LatencyComparison:
        """On calls of this job alone: those of another day were timed under another load."""
        sides = {"base": self.comparison.base, "candidate": self.comparison.candidate}
        first = {side: () if self.base_stored else tuple(records.values()) for side, records in sides.items()}
        base, candidate = (timed((*first[side], *self.fresh.get(side, ()))) for side in sides)
        return compare_latency(base, candidate)

    @cached_property
    def costs(self) -> Costs:
        """What one answer to every case cost on both sides."""
        base, candidate = self.comparison.base, self.comparison.candidate
        passed = passed_cases(self.gated, base_passed), passed_cases(self.gated, candidate_passed)
        clusters = clusters_of(self.comparison.cases.values())
        compared = compare_cost(base, candidate, passed, clusters)
        return Costs(side_cost(base, passed[0]), side_cost(candidate, passed[1]), compared)

    @cached_property
    def failures(self) -> Failures:
        """How the wrong answers of the first look's gated cells look."""
        gated: dict[str, set[str]] = {}
        for pair in self.gated:
            gated.setdefault(pair.case, set()).add(pair.scorer)
        scorers = {case: frozenset(found) for case, found in gated.items()}
        return failures(self.comparison.base, self.comparison.candidate, scorers)

    @cached_property
    def calibrations(self) -> tuple[Calibration, Calibration] | None:
        """How sure base's answers and the candidate's say they are; None where policy names no field for it."""
        if self.confidence is None:
            return None
        compared = self.comparison
        return (
            calibration(self.confidence, compared.base, passed_cases(self.gated, base_passed)),
            calibration(self.confidence, compared.candidate, passed_cases(self.gated, candidate_passed)),
        )

    @cached_property
    def increases(self) -> tuple[Increase, ...]:
        """Latency and cost, where policy limits them. Requests that are all the same take the same."""
        if all(record.reused for record in self.comparison.candidate.values()):
            return ()
        return tuple(increases(self.policy, self.latency, self.costs.compared))

    @cached_property
    def fates(self) -> Mapping[Key, Fate]:
        """Which flips stayed, and which were chance."""
        limits = {dimension.name: dimension.limit for dimension in self.dimensions}
        return {key: fate(flip, limits[flip.cell.dimension]) for key, flip in self.flips.items()}

    @cached_property
    def broken(self) -> Mapping[str, Sequence[Flip]]:
        """Cases with a cell that stayed broken, the largest loss first, and all of their cells that broke."""
        broke = self._by_case(1)
        stayed = {case: sum((_loss(flip) for flip in self._staying(broke[case])), Fraction(0)) for case in broke}
        names = [case for case in broke if self._staying(broke[case])]
        return {case: broke[case] for case in sorted(names, key=lambda case: -stayed[case])}

    def unbroken(self, why: Fate) -> Mapping[str, Sequence[Flip]]:
        """Cases that broke in the first look and of which no cell stayed broken, by what became of their cells."""
        rest = ((case, flips) for case, flips in self._by_case(1).items() if case not in self.broken)
        told = ((case, [flip for flip in flips if self.fates[flip.cell.key] == why]) for case, flips in rest)
        return {case: flips for case, flips in told if flips}

    @cached_property
    def repaired(self) -> Mapping[str, bool]:
        """Cases that were repaired in the first look: whether they stayed so."""
        return {case: bool(self._staying(flips)) for case, flips in self._by_case(-1).items()}

    def _by_case(self, sign: int) -> dict[str, list[Flip]]:
        """Flips of one direction, in the order of the golden set."""
        found: dict[str, list[Flip]] = {}
        for pair in self.comparison.pairs:
            flip = self.flips.get((pair.case, pair.scorer))
            if flip and flip.sign == sign:
                found.setdefault(pair.case, []).append(flip)
        return found

    def _staying(self, flips: Sequence[Flip]) -> list[Flip]:
        return [flip for flip in flips if self.fates[flip.cell.key] == "stayed"]


def _loss(flip: Flip) -> Fraction:
    return flip.cell.weight * (flip.base.rate - flip.candidate.rate)


@dataclass(frozen=True)
class GateOutcome:
    """The whole answer to one pull request."""

    verdict: Verdict
    reason: Reason
    base_commit: str | None
    candidate_commit: str | None
    suites: tuple[SuiteOutcome, ...] = ()
    changes: Changes | None = None
    policy_notes: tuple[Untrusted, ...] = ()
    """What the pull request's changes to the policy would do once merged; they have no effect on this verdict."""
    problem: Untrusted | None = None
    """Why a gate that stopped has no verdict, with the remedy."""
    seconds: float = 0.0
    budget: Budget | None = None
    usd: float | None = 0.0
    """What was spent on models; None where the price of an answer is not known."""
    hide_outputs: bool = False
    refused: bool = False
    """Whether it stopped at input that is refused, which has an exit code of its own."""
    acceptance: Acceptance | None = None
    attempt: int = 1
    """How often this job was started: a verdict of a later attempt is a second draw."""
    called: Called = "this PR"
    """What the candidate is: a pull request, or what a merge queue made of some of them."""

    @property
    def exit_code(self) -> int:
        return EXIT_REFUSED if self.refused else self.verdict.exit_code

    @property
    def unclear(self) -> bool:
        """Whether anything is inconclusive, also where a regression outweighs it."""
        return any(Verdict.INCONCLUSIVE in suite.verdicts for suite in self.suites)

    def worst_dimension(self) -> DimensionResult | None:
        """The one with the largest drop, over all suites: from main, or from the anchor where that alone fails."""
        every = [dimension for suite in self.suites for dimension in suite.dimensions]
        if all(dimension.verdict is not Verdict.REGRESSION for dimension in every):
            below = (one for suite in self.suites if suite.anchor for one in suite.anchor.gated)
            every = [one for one in below if one.verdict is Verdict.REGRESSION] or every
        return max(every, key=lambda dimension: dimension.drop, default=None)
