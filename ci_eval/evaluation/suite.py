"""One suite on one snapshot, ready to be asked: target, provider, golden set and scorers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from ci_eval import __version__
from ci_eval.changes import FileChange
from ci_eval.config import Config, GatePolicy, NaivePolicy, Subject, SuitePolicy, TargetPolicy
from ci_eval.confirm.evidence import Cell
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation.resources import Supply, reached_by, redacted, remembering
from ci_eval.evaluation.screened import refuse_personal
from ci_eval.evaluation.session import Origin
from ci_eval.figures.calibration import JudgeFact, judge_facts
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import GoldenSet
from ci_eval.judge_agreement import JudgeAgreement
from ci_eval.naive import target as naive
from ci_eval.providers.base import ToolCall
from ci_eval.providers.registry import local_model
from ci_eval.records import Fingerprint, Header, Record, Run, safe_word
from ci_eval.runner.answering import Answerer, OwnScorer, connect_scorer, connect_target
from ci_eval.runner.cache import ResponseCache
from ci_eval.runner.evaluator import Evaluator, Job
from ci_eval.scorers import registry
from ci_eval.scorers.aside import Aside
from ci_eval.scorers.base import Answer, Ask, Program, Score
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.memory import ScoreMemory, key_of
from ci_eval.scorers.registry import BoundScorer, Scorer, ScorerSet
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.targets import loading
from ci_eval.targets.base import Target
from ci_eval.text import canonical, log


@dataclass(frozen=True)
class Side:
    """One side's subject: the files, what they are called, and the target that they make."""

    snapshot: Snapshot
    subject: Subject
    target: Target

    def path_of(self, change: FileChange) -> str:
        """The file that plays a change's role on this side."""
        named = {"prompt": self.subject.prompt, "model": self.subject.model}
        return named.get(change.role) or change.path

    def content(self, path: str) -> bytes | None:
        return self.snapshot.read(path) if self.snapshot.has(path) else None


@dataclass(frozen=True)
class Suite:
    """The policy of one suite, read from one snapshot and checked: what both sides are judged by."""

    name: str
    config: Config
    snapshot: Snapshot
    golden: GoldenSet
    scorers: ScorerSet

    @classmethod
    def load(cls, config: Config, snapshot: Snapshot, name: str) -> Suite:
        """Raises InputError for anything in the suite's policy that is wrong."""
        golden = golden_cases.load(snapshot, config.policy.suites[name].golden_patterns)
        suite = cls(name, config, snapshot, golden, registry.build(config.document, name, golden))
        suite.refuse_unknown_dimensions()
        return suite

    @property
    def policy(self) -> SuitePolicy:
        return self.config.policy.suites[self.name]

    @property
    def gate(self) -> GatePolicy:
        return self.policy.gate

    @cached_property
    def bound(self) -> Mapping[str, BoundScorer]:
        """The scorers, with their files read and checked; those that ask a provider cannot do so yet."""
        return self._bind(None)

    def _bind(self, keys: Mapping[str, Secret] | None, cache: ResponseCache | None = None) -> Mapping[str, BoundScorer]:
        """The scorers, with keys ready to score; raises Inconclusive when one is not there."""
        supply = Supply(self.config, self.name, self.snapshot, keys, cache)
        return self.scorers.bind(replace(supply.resources(), program=self._program), self.memory)

    def judges(self, keys: Mapping[str, Secret] | None = None, cache: ResponseCache | None = None) -> list[BoundScorer]:
        """Its scorers that are judges, one for each dimension and way of judging; with keys, ready to be asked."""
        if not any(isinstance(scorer.policy, Judge) for scorer in self.scorers.all()):
            return []
        bound = self.bound if keys is None else self._bind(keys, cache)
        found = [one for one in bound.values() if isinstance(one.scorer.policy, Judge)]
        alike = {(one.scorer.dimension, one.scorer.policy.files(), one.identity): one for one in reversed(found)}
        return list(alike.values())[::-1]

    def comparing(
        self, judge: BoundScorer, keys: Mapping[str, Secret], cache: ResponseCache | None = None
    ) -> BoundScorer:
        """A judge by whose rubric any two answers are compared: that of the evaluator, and a case's `expected`."""
        policy = judge.scorer.policy
        assert isinstance(policy, Judge), "a suite's judges"  # noqa: S101
        whole = policy.of_whole_answers()
        resources = Supply(self.config, self.name, self.snapshot, keys, cache).resources()
        return BoundScorer(replace(judge.scorer, policy=whole), whole.bind_comparing(resources), ScoreMemory())

    @cached_property
    def judge_facts(self) -> tuple[JudgeFact, ...]:
        """What is known of them; raises InputError for a calibration that is none."""
        return judge_facts(self.judges(), self.name, self.snapshot)

    @cached_property
    def judge_agreements(self) -> list[JudgeAgreement]:
        """The same as runs and reports carry it."""
        return [fact.as_recorded for fact in self.judge_facts]

    def concurrency_of(self, scorer: Scorer) -> int:
        """How many requests the provider of a scorer takes at once."""
        return self.config.policy.providers[scorer.policy.asks() or ""].max_concurrency

    @cached_property
    def memory(self) -> ScoreMemory:
        """What its scorers have asked providers about, on whichever side."""
        return ScoreMemory()

    def know(self, records: Iterable[Record]) -> None:
        """Whatever main's stored answers were scored by asking is not asked again about the same words."""
        asking = {scorer.name: scorer.policy for scorer in self.scorers.all() if scorer.policy.asks()}
        for record in records:
            answer, case = _stored_answer(record), self.golden.cases.get(record.case)
            for cell in record.cells:
                seen = asking[cell.scorer].looked_at(answer) if answer and cell.scorer in asking else None
                if seen and case:
                    key = key_of(cell.scorer, case, seen, record.repeat)
                    self.memory.learn(key, Score(float(cell.score), cell.passed, cell.reason, cell.parts))

    def _program(self, program: Program) -> Ask:
        """Started once for both sides."""
        if program not in self._programs:
            with self._named_by_policy():
                self._programs[program] = connect_scorer(program, self.snapshot)
        return self._programs[program].ask

    @cached_property
    def _programs(self) -> dict[Program, OwnScorer]:
        return {}

    @contextmanager
    def _named_by_policy(self) -> Iterator[None]:
        """What is wrong with code that stands in no file is wrong where the code is named."""
        try:
            yield
        except InputError as error:
            raise InputError(
                error.problem, remedy=error.remedy, file=error.file or self.config.path, line=error.line
            ) from error

    def refuse_unready_scorers(self, deadline: Deadline) -> None:
        """Import the code of its own scorers; raises InputError with the file where that fails."""
        assert self.bound is not None  # noqa: S101 - reading it is what connects them
        with self._named_by_policy():
            for program in self._programs.values():
                program.refuse_unready(deadline)

    def refuse_unready_target(self, target: Target, keys: Mapping[str, Secret], deadline: Deadline) -> None:
        """The same of a target that is code."""
        with self._named_by_policy():
            self._answerer(target, keys).refuse_unready(deadline)

    def _answerer(self, target: Target, keys: Mapping[str, Secret]) -> Answerer:
        if target.digest not in self._answerers:
            self._answerers[target.digest] = connect_target(self.config, self.name, target, keys)
        return self._answerers[target.digest]

    @property
    def target(self) -> TargetPolicy:
        return self.config.policy.suites[self.name].target

    def cells(self) -> list[Cell]:
        """Every cell of the golden set."""
        cases, scorers = self.golden.cases.values(), self.scorers
        return [Cell(case.id, one.name, one.dimension, one.weight) for case in cases for one in scorers.for_case(case)]

    def refuse_unknown_dimensions(self) -> None:
        """Raises InputError where the gate or the weights name a dimension that no scorer speaks of."""
        known = self.scorers.dimensions()
        named: list[tuple[str, ...]] = [("gate", "per_dimension", name) for name in self.gate.per_dimension]
        named += [("weights", name) for name in self.policy.weights]
        for place in named:
            if (name := place[-1]) not in known:
                path = ("suites", self.name, *place)
                raise self.config.document.error(
                    path, f'no scorer speaks of the dimension "{name}"', f"write one of {', '.join(known)}"
                )

    def side(self, snapshot: Snapshot, named_by: Config | None = None) -> Side:
        """A side's subject under this policy; `named_by` is the config that names its files, where that is another."""
        subject = (named_by or self.config).subject(self.name)
        return Side(snapshot, subject, loading.load(snapshot, subject, self.config, self.name))

    def evaluator(self, target: Target, keys: Mapping[str, Secret], cache: ResponseCache | None = None) -> Evaluator:
        """Raises Inconclusive when a key is not there. Without a cache every answer is a fresh one."""
        found = self._answerer(target, keys)
        provider = redacted(found.provider, keys)
        policy = self.config.policy.providers.get(target.lane)  # none of the user's own service or code
        if policy is not None:
            provider = remembering(provider, policy, self.config, keys, cache)
        bound = self._bind(keys, cache)
        return Evaluator(target, provider, self.scorers, bound, found.concurrency, found.cost, self.aside)

    @cached_property
    def aside(self) -> Aside:
        """Where both sides are scored by what can be asked in another process."""
        return Aside.of(self.scorers.shared)

    def naive_evaluator(self, policy: NaivePolicy) -> Evaluator:
        """The naive target under the scorers that cost nothing; raises InputError where it cannot be made."""
        embed = local_model().embed
        target = naive.load(policy, self.snapshot, self.scorers, self.golden.cases.values(), embed)
        return Evaluator(target, target, self.scorers.free(), self.bound, 1)

    @cached_property
    def _answerers(self) -> dict[str, Answerer]:
        """Who answers, by target: a program is started once for everything that a side is asked."""
        return {}

    def fingerprint(self, target: Target) -> Fingerprint:
        """Equal for runs that may stand for each other: only what reaches a request or a score is in it."""
        provider = self.config.policy.providers.get(target.lane)
        answers = reached_by(provider) if provider else target.lane
        return Fingerprint(
            target=_digest([__version__, answers, target.digest]),
            golden=self.golden.digest,
            scorers=self.scorers_digest,
        )

    @property
    def scorers_digest(self) -> str:
        """Over the scorers, and where those are asked that score by a model."""
        own, providers = self.scorers.digest(self.snapshot), self.config.policy.providers
        asked = sorted({name for scorer in self.scorers.all() if (name := scorer.policy.asks()) in providers})
        return _digest([own, [reached_by(providers[name]) for name in asked]]) if asked else own

    def header(self, evaluator: Evaluator, jobs: Sequence[Job], commit: str | None, origin: Origin) -> Header:
        """Where a run of these jobs comes from."""
        return Header(
            suite=self.name,
            commit=commit,
            version=__version__,
            time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            event=safe_word(origin.event),
            repository=safe_word(origin.repository),
            branch=safe_word(origin.branch),
            run_url=safe_word(origin.run_url),
            repeats=max((job.repeat + 1 for job in jobs), default=1),
            deterministic=all(evaluator.is_deterministic(job.case) for job in jobs),
            fingerprint=self.fingerprint(evaluator.target),
            judges=self.judge_agreements,
        )


def _stored_answer(record: Record) -> Answer | None:
    """What was scored; None where nothing is left of it, or it failed unread because it was cut off."""
    if record.output is None or record.finish == "length":
        return None
    calls = tuple(ToolCall(call.name, call.arguments) for call in record.tool_calls)
    return Answer(record.output.text(), calls, tuple(record.steps))


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def to_store(config: Config, run: Run) -> Run:
    """A run as its policy lets main remember it. What the cache answered is as old as it was then."""
    dated = run.as_old_as_its_answers()
    return dated.without_texts() if config.policy.baseline.outputs == "hide" else dated


def check_policy(config: Config, snapshot: Snapshot) -> None:
    """Load everything that the policy names, so that it cannot break main once merged; raises InputError."""
    refuse_personal(config.policy, config, snapshot, config.policy.suites)
    for name in config.policy.suites:
        suite = Suite.load(config, snapshot, name)
        suite.side(snapshot)
        assert suite.bound is not None  # noqa: S101 - reading it is what checks the scorers' files
        assert suite.judge_facts is not None  # noqa: S101 - the same for their calibrations


def required_keys(config: Config) -> set[str]:
    """The environment variables that the policy's providers may read."""
    keys = {provider.key_variable for provider in config.policy.providers.values() if provider.key_variable}
    targets = [suite.target for suite in config.policy.suites.values()]
    return keys | {target.key_env for target in targets if target.key_env} | {n for t in targets for n in t.env}


def need_cases(suite: Suite) -> None:
    if not suite.golden.cases:
        there = [path for pattern in suite.policy.golden_patterns for path in suite.snapshot.glob(pattern)]
        why = "its files are empty" if there else f"no file is called {', '.join(suite.policy.golden_patterns)}"
        raise Inconclusive(f'suite "{suite.name}" has no golden cases: {log(why)}; add some before requiring the check')
