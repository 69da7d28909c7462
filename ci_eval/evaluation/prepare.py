"""One affected suite made ready: main's policy, the subjects of both sides, and main's stored runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

from ci_eval.changes import SuiteChanges
from ci_eval.config import Config, GatePolicy
from ci_eval.confirm.evidence import Key, Stored
from ci_eval.confirm.machine import Question
from ci_eval.confirm.machine import Side as SideName
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation.anchored import anchor_side
from ci_eval.evaluation.base_run import Baselines, Recalled
from ci_eval.evaluation.screened import refuse_to_send_personal
from ci_eval.evaluation.suite import Side, Suite, need_cases
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import GoldenSet
from ci_eval.records import Record, Run
from ci_eval.runner.cache import ResponseCache
from ci_eval.runner.evaluator import Evaluator
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.targets import trust


@contextmanager
def about_main() -> Iterator[None]:
    """What is wrong on main is not this pull request's fault, and nothing can be compared with it."""
    try:
        yield
    except InputError as error:
        raise Inconclusive(f"main itself cannot be evaluated: {error} (on main)") from error


@dataclass(frozen=True)
class Prepared:
    """A suite and the two sides that are compared under it."""

    suite: Suite
    change: SuiteChanges
    base: Side
    candidate: Side
    their_golden: GoldenSet
    """The golden set as the candidate has it: told, and without effect on this verdict."""
    recalled: Recalled | None
    """Main's stored run of base, where there is one that serves."""
    objection: str | None
    """Why the newest stored run does not serve."""
    anchor_ref: str | None = None
    """Set where base is not main but the anchor, under main's policy."""

    @property
    def repeats(self) -> Sequence[Record]:
        """All of main's stored repeats."""
        return self.recalled.repeats if self.recalled else ()

    @property
    def stored(self) -> Mapping[Key, Stored]:
        return self.recalled.stored if self.recalled else {}

    @cached_property
    def same(self) -> Collection[str]:
        """Cases that both sides ask the same: equal by definition."""
        return frozenset(
            case.id
            for case in self.suite.golden.cases.values()
            if self.base.target.request(case).digest == self.candidate.target.request(case).digest
        )

    def question(self, gate: GatePolicy) -> Question:
        """What is to be decided, and what is known of it beforehand."""
        return Question(
            cells=self.suite.cells(),
            limits={name: gate.limit(name) for name in self.suite.scorers.dimensions()},
            same=self.same,
            stored=self.stored,
        )

    def evaluators(self, keys: Mapping[str, Secret], cache: ResponseCache | None) -> dict[SideName, Evaluator]:
        """Raises Inconclusive when a provider's key is not there. Reruns pass the cache by, by their numbers."""
        return {
            "base": self.suite.evaluator(self.base.target, keys, cache),
            "candidate": self.suite.evaluator(self.candidate.target, keys, cache),
        }


@dataclass(frozen=True)
class Preparation:
    """What the suites of one pull request are prepared from."""

    base: Snapshot
    candidate: Snapshot
    main: Config
    head: Config
    baselines: Baselines | None
    pull: int
    event: str = "local"
    """The GitHub event, or `local`: where a pull request's code may be run depends on it, and on `fork`."""
    fork: bool = False

    def of(self, change: SuiteChanges) -> Prepared:
        """Raises Inconclusive where main's side is at fault, InputError where the candidate's is."""
        with about_main():
            suite = Suite.load(self.main, self.base, change.suite)
            refuse_to_send_personal(self.main, self.base, change.suite)
            base = suite.side(self.base)
        need_cases(suite)
        refused = trust.objection(suite.target, change, self.base, self.candidate, self.event, fork=self.fork)
        refused = refused or trust.scorers_objection(suite.scorers, self.event, fork=self.fork)
        if refused:
            raise Inconclusive(refused)
        named_by = self.head if change.suite in self.head.policy.suites else self.main
        if named_by is self.main:
            self._refuse_to_judge_nothing(change.suite)
        candidate = suite.side(self.candidate, named_by)
        theirs = golden_cases.load(self.candidate, named_by.policy.suites[change.suite].golden_patterns)
        with about_main():
            recalled, objection = self._recall(suite, base)
        return Prepared(suite, change, base, candidate, theirs, recalled, objection)

    def _refuse_to_judge_nothing(self, suite: str) -> None:
        """A suite that head removes is still judged, by main's policy; without its files that cannot be done."""
        subject = self.main.subject(suite)
        for path in (subject.prompt, subject.model):
            if path and not self.candidate.has(path):
                problem = f"suite {suite} is removed together with {path}, so nothing shows what became of it"
                raise InputError(
                    problem,
                    remedy="remove the suite first, and its files in the next pull request",
                    file=self.main.path,
                )

    def _recall(self, suite: Suite, base: Side) -> tuple[Recalled | None, str | None]:
        """A service may have been deployed anew since main's runs were stored: it is asked for main too."""
        if self.baselines is None or suite.target.kind == "http":
            return None, None
        return self.baselines.recall(suite, base, self.pull)

    def history(self, prepared: Prepared) -> Callable[[], Sequence[Run]]:
        """Main's past runs of a suite; read when they are asked for."""
        if self.baselines is None:
            return lambda: ()
        return partial(self.baselines.history, prepared.suite, prepared.base)

    def anchored(self, prepared: Prepared) -> Prepared | None:
        """The same candidate beside the suite's anchor; None where it has none."""
        anchor = prepared.suite.policy.anchor
        if anchor is None:
            return None
        with about_main():
            side = anchor_side(prepared.suite, self.base.git)
            recalled, objection = (None, None)
            if self.baselines:
                recalled, objection = self.baselines.recall(prepared.suite, side, self.pull)
        return replace(prepared, base=side, recalled=recalled, objection=objection, anchor_ref=anchor.ref)
