"""The whole of `ci-eval.yaml`, and how it is loaded from a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field

from ci_eval.config.providers import ProviderPolicy
from ci_eval.config.suites import SuitePolicy
from ci_eval.config.targets import Examples
from ci_eval.config.values import Name
from ci_eval.errors import InputError
from ci_eval.reader import Document, Strict, read_yaml, validate
from ci_eval.snapshot import Snapshot, matches
from ci_eval.text import canonical

DEFAULT_PATH = "ci-eval.yaml"
_NAMING = frozenset({"prompt", "model", "examples"})
"""What in a target names files of the subject; the rest is policy."""


class BudgetPolicy(Strict):
    """What one gate may take."""

    seconds: Annotated[int | float, Field(gt=0, le=86_400)] = 270
    """After this the verdict is `inconclusive` for whatever is still open."""
    usd: Annotated[int | float, Field(gt=0, le=100_000)] | None = None
    """The most that one gate may spend on models; an unknown price counts as more."""
    calls: Annotated[int, Field(gt=0, le=1_000_000)] | None = None
    """The most calls that one gate may make, of targets and of scorers that ask a model."""
    tokens: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None
    """The most tokens, in and out together, that those calls may take; an unknown number counts as more."""
    runs_per_day: Annotated[int, Field(gt=0, le=500)] | None = None
    """How often the gate of one pull request may run in 24 hours, by GitHub's list of the workflow's runs."""


class BaselinePolicy(Strict):
    """How main is remembered."""

    branch: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "ci-eval-baselines"
    """The orphan branch that holds the stored runs."""
    repeats: Annotated[int, Field(ge=1, le=20)] = 5
    """Runs of main per case; a deterministic model is asked once."""
    max_age_days: Annotated[int, Field(ge=1, le=365)] = 14
    """A stored run older than this does not serve."""
    outputs: Literal["store", "hide"] = "store"
    """`hide` keeps what models answered out of the baseline, the comment and the report."""


class Policy(Strict):
    """The whole of `ci-eval.yaml`."""

    version: Literal[1]
    """Of this file's format."""
    providers: Annotated[dict[Name, ProviderPolicy], Field(min_length=1)] = Field(default_factory=dict)
    """Ways to reach models; left out where every target is a service or program of one's own."""
    suites: Annotated[dict[Name, SuitePolicy], Field(min_length=1)]
    """What is judged, by name: a target, its golden set, its scorers and its gate."""
    budget: BudgetPolicy = BudgetPolicy()
    baseline: BaselinePolicy = BaselinePolicy()
    pii: Literal["refuse"] | None = None
    """`refuse`: golden sets, few-shot examples and datasets that hold personal data or keys are refused."""


@dataclass(frozen=True)
class Subject:
    """The files that a suite's pull request is judged for."""

    prompt: str | None
    model: str | None
    """Where the model and its parameters stand: a model config, or the prompt file that brings them."""
    examples: Examples | None
    datasets: tuple[str, ...]
    code: tuple[str, ...] = ()
    """The files that a target of one's own consists of: patterns."""

    def patterns(self) -> tuple[str, ...]:
        named = (self.prompt, self.model, self.examples and self.examples.from_)
        return (*(path for path in named if path), *self.datasets, *self.code)


@dataclass(frozen=True)
class Config:
    """A policy that loaded, and where it stands."""

    path: str
    policy: Policy
    document: Document

    def subject(self, suite: str) -> Subject:
        settings = self.policy.suites[suite]
        target = settings.target
        model = target.model or (target.prompt if target.kind == "chat" else None)
        return Subject(target.prompt, model, target.examples, tuple(settings.datasets), tuple(target.files))

    def provider(self, suite: str) -> str | None:
        """Through which provider a model is asked that a prompt file names; None where the policy leaves it open."""
        only = next(iter(self.policy.providers)) if len(self.policy.providers) == 1 else None
        return self.policy.suites[suite].target.provider or only

    def policy_text(self, suite: str | None = None) -> str:
        """Everything but the subject's file names, as text to compare: of one suite, or of what all suites share."""
        whole = self.policy.model_dump(by_alias=True)
        if suite is None:
            return canonical({key: value for key, value in whole.items() if key != "suites"})
        settings = whole["suites"].get(suite)
        if settings is None:
            return ""
        target = {key: value for key, value in settings["target"].items() if key not in _NAMING}
        return canonical({**settings, "datasets": None, "target": target})


def load(snapshot: Snapshot, path: str = DEFAULT_PATH) -> Config:
    """The config of a snapshot; raises InputError with file, line and remedy."""
    if path == DEFAULT_PATH and path not in snapshot.entries and not snapshot.glob(f"{path}/**"):
        remedy = "write one with ci-eval init, or name another with --config"
        raise InputError("is not in the repository", remedy=remedy, file=path)
    document = read_yaml(snapshot.read(path), path)
    config = Config(path, validate(Policy, document), document)
    for name, suite in config.policy.suites.items():
        provider = suite.target.provider
        if provider is not None and provider not in config.policy.providers:
            where = ("suites", name, "target", "provider")
            raise document.error(where, f'no provider "{provider}"', "name one of `providers` in this file")
    return config


def calibration_path(rubric: str) -> str:
    """Where it is kept how a judge agrees with people about a rubric: beside the rubric.

    >>> calibration_path("golden/tone.md")
    'golden/tone.calibration.json'
    """
    path = PurePosixPath(rubric)
    return str(path.with_name(f"{path.name.removesuffix(path.suffix)}.calibration.json"))


def watched(config: Config, suite: str, path: str) -> bool:
    """Whether a path belongs to what may change a suite's target."""
    patterns = (*config.subject(suite).patterns(), *config.policy.suites[suite].watch)
    return any(matches(pattern, path) for pattern in patterns)
