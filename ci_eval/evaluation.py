"""One suite on one snapshot, ready to be asked: target, provider, golden set and scorers put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from ci_eval import __version__
from ci_eval.config import Config, GatePolicy, Subject
from ci_eval.errors import Inconclusive
from ci_eval.golden import cases as golden_cases
from ci_eval.golden.cases import GoldenSet
from ci_eval.providers.base import Provider
from ci_eval.providers.registry import Endpoint, connect, local_model
from ci_eval.records import Fingerprint, Header, safe_word
from ci_eval.runner import Evaluator, Job
from ci_eval.scorers import registry
from ci_eval.scorers.base import Resources
from ci_eval.scorers.registry import BoundScorer, ScorerSet
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.targets import chat
from ci_eval.targets.chat import ChatTarget
from ci_eval.text import canonical


@dataclass(frozen=True)
class Origin:
    """Where a run takes place, for its header; empty words on a laptop."""

    event: str = "local"
    repository: str = ""
    branch: str = ""
    run_url: str = ""


LAPTOP = Origin()


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
    def gate(self) -> GatePolicy:
        return self.config.policy.suites[self.name].gate

    @cached_property
    def bound(self) -> Mapping[str, BoundScorer]:
        """The scorers, with their files read and checked."""
        return self.scorers.bind(Resources(self.snapshot, lambda texts: local_model().embed(texts)))

    def refuse_unknown_dimensions(self) -> None:
        known = self.scorers.dimensions()
        for name in self.gate.per_dimension:
            if name not in known:
                path = ("suites", self.name, "gate", "per_dimension", name)
                raise self.config.document.error(
                    path, f'no scorer speaks of the dimension "{name}"', f"write one of {', '.join(known)}"
                )

    def target(self, snapshot: Snapshot, subject: Subject) -> ChatTarget:
        """A side's target: that side's subject under this policy."""
        user = self.config.policy.suites[self.name].target.user
        return chat.load(snapshot, subject, user, self.config.policy.providers.__contains__)

    def evaluator(self, target: ChatTarget, keys: Mapping[str, Secret]) -> Evaluator:
        """Raises Inconclusive when the provider's key is not there."""
        policy = self.config.policy.providers[target.model.provider]
        return Evaluator(target, self._provider(target, keys), self.scorers, self.bound, policy.max_concurrency)

    def _provider(self, target: ChatTarget, keys: Mapping[str, Secret]) -> Provider:
        policy = self.config.policy.providers[target.model.provider]
        endpoint = Endpoint(
            policy.api, policy.base_url, policy.key_env, policy.max_concurrency, float(policy.timeout_seconds)
        )
        return connect(endpoint, keys)

    def fingerprint(self, target: ChatTarget) -> Fingerprint:
        """Equal for runs that may stand for each other: only what reaches a request or a score is in it."""
        provider = self.config.policy.providers[target.model.provider].model_dump(include={"api", "base_url"})
        return Fingerprint(
            target=_digest([__version__, provider, target.digest]),
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
            deterministic=all(evaluator.provider.is_deterministic(job.request) for job in jobs),
            fingerprint=self.fingerprint(evaluator.target),
        )


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def check_policy(config: Config, snapshot: Snapshot) -> None:
    """Load everything that the policy names, so that it cannot break main once merged; raises InputError."""
    for name in config.policy.suites:
        suite = Suite.load(config, snapshot, name)
        suite.target(snapshot, config.subject(name))
        assert suite.bound is not None  # noqa: S101 - reading it is what checks the scorers' files


def required_keys(config: Config) -> set[str]:
    """The environment variables that the policy's providers may read."""
    return {provider.key_env for provider in config.policy.providers.values() if provider.key_env}


def need_cases(suite: Suite) -> None:
    if not suite.golden.cases:
        raise Inconclusive(f'suite "{suite.name}" has no golden cases on main; add some before requiring the check')
