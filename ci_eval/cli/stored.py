"""What the commands on stored runs share: this clone, its policy, and the suites of its commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ci_eval import config as configs
from ci_eval import sides, snapshot
from ci_eval.baseline.store import Store
from ci_eval.cli.laptop import local_store
from ci_eval.comparison import pair_up
from ci_eval.config import Config
from ci_eval.confirm.evidence import Cell
from ci_eval.errors import CiEvalError
from ci_eval.evaluation.suite import Suite
from ci_eval.git import Git
from ci_eval.records import Header
from ci_eval.snapshot import Snapshot


@dataclass(frozen=True)
class Clone:
    """A repository at its HEAD, and the baseline branch that it holds."""

    git: Git
    config_path: str
    commit: str
    snapshot: Snapshot
    config: Config
    _suites: dict[tuple[str, str], Suite | None] = field(default_factory=dict)

    @classmethod
    def at_head(cls, repo: Path, config_path: str) -> Clone:
        """Raises UsageError outside a repository and InputError where HEAD has no policy that loads."""
        git = Git.discover(repo)
        commit = sides.commit_named(git, "HEAD")
        at = snapshot.at_commit(git, commit)
        return cls(git, config_path, commit, at, configs.load(at, config_path))

    @property
    def store(self) -> Store:
        return local_store(self.git, self.config)

    def nothing(self, what: str) -> str:
        """What to do where nothing is stored."""
        branch = self.config.policy.baseline.branch
        return (
            f"no stored runs of {what}; make one with: ci-eval baseline update, or bring GitHub's with: "
            f"git fetch origin {branch}:{branch}"
        )

    def suite(self, name: str) -> Suite:
        """A suite as HEAD has it."""
        return Suite.load(self.config, self.snapshot, name)

    def suite_of(self, header: Header) -> Suite | None:
        """The suite that a run was made on, read from the run's commit; None where this clone cannot show it."""
        key = (str(header.commit), header.suite)
        if key not in self._suites:
            self._suites[key] = self._load(header)
        suite = self._suites[key]
        return suite if suite and suite.golden.digest == header.fingerprint.golden else None

    def _load(self, header: Header) -> Suite | None:
        """A commit that is not here, or whose policy a later version refuses, is no fault of the stored run."""
        if header.commit is None:
            return None
        try:
            at = snapshot.at_commit(self.git, header.commit)
            policy = configs.load(at, self.config_path)
            return Suite.load(policy, at, header.suite) if header.suite in policy.policy.suites else None
        except CiEvalError:
            return None

    def cases_of(self, header: Header) -> frozenset[str] | None:
        """The cases of the golden set that a run was made on; None where this clone cannot show them."""
        suite = self.suite_of(header)
        return frozenset(suite.golden.cases) if suite else None


def cells_of(suite: Suite) -> list[Cell]:
    """Everything that is scored, with its weight."""
    pairs = pair_up(suite.golden.cases, suite.scorers, {}, {}).pairs
    return [Cell(pair.case, pair.scorer, pair.dimension, pair.weight) for pair in pairs]


def since(written: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits.

    >>> since(datetime(2026, 5, 1), datetime(2026, 5, 4, 12))
    '3 days ago'
    """
    seconds = (now - written).total_seconds()
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now" if seconds >= 0 else "in the future"
