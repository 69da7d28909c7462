"""One suite on one snapshot, ready to be asked: target, provider, golden set and scorers put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ci_eval import __version__
from ci_eval.changes import FileChange
from ci_eval.config import Config, GatePolicy, NaivePolicy, ProviderPolicy, Subject, SuitePolicy, TargetPolicy
from ci_eval.confirm.evidence import Cell
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import GoldenSet
from ci_eval.naive import target as naive
from ci_eval.providers.base import Provider
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.redacted import RedactedProvider
from ci_eval.providers.registry import EMBEDDING, connect_embedder, local_model
from ci_eval.purse import Purse
from ci_eval.records import Fingerprint, Header, Record, Run, safe_word
from ci_eval.runner.answering import Answerer, connect_target
from ci_eval.runner.cache import CachedProvider, ResponseCache
from ci_eval.runner.evaluator import Evaluator, Job
from ci_eval.runner.shards import Shard
from ci_eval.scorers import registry
from ci_eval.scorers.base import Embed, Resources
from ci_eval.scorers.registry import BoundScorer, ScorerSet
from ci_eval.secrets import Secret, redactor
from ci_eval.snapshot import Snapshot
from ci_eval.targets import loading
from ci_eval.targets.base import Target
from ci_eval.text import canonical


@dataclass(frozen=True)
class Origin:
    """Where a run takes place, for its header; empty words on a laptop."""

    event: str = "local"
    repository: str = ""
    branch: str = ""
    run_url: str = ""


LAPTOP = Origin()


class Progress(Protocol):
    """Told what happens, as it happens."""

    def start(self, label: str, total: int) -> None: ...

    def advance(self, record: Record) -> None: ...

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Session:
    """What every evaluation of one job shares."""

    keys: Mapping[str, Secret]
    progress: Progress
    out: Path
    """The folder that run files are written to."""
    origin: Origin
    deadline: Deadline
    purse: Purse = field(default_factory=Purse)
    cache: ResponseCache | None = None
    """Answers first looks; confirmations never see it."""
    shard: Shard | None = None
    """Only this part of each golden set."""
    resume: bool = False
    """Keep what the run file holds of the same inputs."""
    file: Path | None = None
    """The run file, where one suite is evaluated and it has a name of its own."""

    def run_file(self, suite: str, name: str) -> Path:
        return self.file or self.out / suite / f"{name}.jsonl"

    def pay(self, record: Record) -> None:
        """Settle one call: what was known already, and what never came, costs nothing."""
        free = not record.asked or (record.error is not None and record.cost_usd is None)
        self.purse.pay(
            0.0 if free else record.cost_usd,
            calls=int(record.asked),
            tokens=0 if free else record.tokens,
        )


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

    def _bind(self, keys: Mapping[str, Secret] | None) -> Mapping[str, BoundScorer]:
        """The scorers, with keys ready to score; raises Inconclusive when one is not there."""

        def embedder(provider: str, model: str) -> Embed:
            policy = self.config.policy.providers.get(provider)
            if policy is None or policy.api not in EMBEDDING:
                known = [name for name, one in self.config.policy.providers.items() if one.api in EMBEDDING]
                raise self.config.document.error(
                    ("suites", self.name, "scorers"),
                    f'no provider "{provider}" with embedding models',
                    f"name one of {', '.join(known) or 'the api openai, azure, github or google'}",
                )
            return connect_embedder(Endpoint.of(policy), model, keys).embed if keys is not None else _not_yet

        return self.scorers.bind(Resources(self.snapshot, lambda texts: local_model().embed(texts), embedder))

    @property
    def target(self) -> TargetPolicy:
        return self.config.policy.suites[self.name].target

    def cells(self) -> list[Cell]:
        """Every cell of the golden set."""
        cases, scorers = self.golden.cases.values(), self.scorers
        return [Cell(case.id, one.name, one.dimension, one.weight) for case in cases for one in scorers.for_case(case)]

    def refuse_unknown_dimensions(self) -> None:
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
        found = self._answerers.get(target.digest) or connect_target(self.config, self.name, target, keys)
        self._answerers[target.digest] = found
        redact = redactor(keys.values())
        answering = RedactedProvider(found.provider, redact) if redact else found.provider
        provider = self._remembering(answering, target, keys, cache)
        return Evaluator(target, provider, self.scorers, self._bind(keys), found.concurrency, found.cost)

    def naive_evaluator(self, policy: NaivePolicy) -> Evaluator:
        """The naive target under the scorers that cost nothing; raises InputError where it cannot be made."""
        embed = local_model().embed
        target = naive.load(policy, self.snapshot, self.scorers, self.golden.cases.values(), embed)
        return Evaluator(target, target, self.scorers.free(), self.bound, 1)

    @cached_property
    def _answerers(self) -> dict[str, Answerer]:
        """Who answers, by target: a program is started once for everything that a side is asked."""
        return {}

    def _remembering(
        self, provider: Provider, target: Target, keys: Mapping[str, Secret], cache: ResponseCache | None
    ) -> Provider:
        """With the cache before it, where answers may be remembered: not of the user's own service or code."""
        policy = self.config.policy.providers.get(target.lane)
        if cache is None or policy is None or policy.api == "local":
            return provider
        secret = keys.get(policy.key_variable or "")
        if not (secret or cache.private):
            return provider
        max_age = timedelta(days=self.config.policy.baseline.max_age_days)
        return CachedProvider.sealed(provider, cache, canonical(_reached_by(policy)), secret, max_age)

    def fingerprint(self, target: Target) -> Fingerprint:
        """Equal for runs that may stand for each other: only what reaches a request or a score is in it."""
        provider = self.config.policy.providers.get(target.lane)
        answers = _reached_by(provider) if provider else target.lane
        return Fingerprint(
            target=_digest([__version__, answers, target.digest]),
            golden=self.golden.digest,
            scorers=self.scorers.digest(self.snapshot),
        )

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
        )


def _not_yet(_: Sequence[str]) -> Sequence[Sequence[float]]:
    raise AssertionError("scorers that were bound to be checked were used to score")


def _reached_by(provider: ProviderPolicy) -> Mapping[str, object]:
    """What of a provider's policy decides who answers, and by which of its ways."""
    return provider.model_dump(include={"api", "base_url", "api_version", "stream"})


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def to_store(config: Config, run: Run) -> Run:
    """A run as its policy lets main remember it. What the cache answered is as old as it was then."""
    dated = run.as_old_as_its_answers()
    return dated.without_texts() if config.policy.baseline.outputs == "hide" else dated


def check_policy(config: Config, snapshot: Snapshot) -> None:
    """Load everything that the policy names, so that it cannot break main once merged; raises InputError."""
    for name in config.policy.suites:
        suite = Suite.load(config, snapshot, name)
        suite.side(snapshot)
        assert suite.bound is not None  # noqa: S101 - reading it is what checks the scorers' files


def required_keys(config: Config) -> set[str]:
    """The environment variables that the policy's providers may read."""
    keys = {provider.key_variable for provider in config.policy.providers.values() if provider.key_variable}
    targets = [suite.target for suite in config.policy.suites.values()]
    return keys | {target.key_env for target in targets if target.key_env} | {n for t in targets for n in t.env}


def need_cases(suite: Suite) -> None:
    if not suite.golden.cases:
        raise Inconclusive(f'suite "{suite.name}" has no golden cases on main; add some before requiring the check')
