"""`ci-eval.yaml`: the policy. Read from the base commit for everything but the names of the subject's files.

Two kinds of thing stand in this file. The *subject* is what a pull request may change and is judged for: the prompt,
model config, few-shot and dataset files. The *policy* is the rest: providers, golden set, scorers, thresholds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from ci_eval.errors import InputError
from ci_eval.origin import origin_of
from ci_eval.reader import Document, Strict, read_yaml, validate, wrong
from ci_eval.snapshot import Snapshot, matches
from ci_eval.text import canonical

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
DEFAULT_PATH = "ci-eval.yaml"
_NAMING = frozenset({"prompt", "model", "examples"})
"""What in a target names files of the subject; the rest is policy."""
_WITH_MODEL = (".prompt.yml", ".prompt.yaml", ".prompty")
"""Prompt files that may bring their model and its parameters."""
_WORKFLOW_TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable
_OURS = frozenset({"model", "messages", "n", "stream", "stream_options"})


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise wrong("not a name", "write lower-case letters, digits, _ and -, starting with a letter")
    return value


def _repo_path(value: str) -> str:
    odd = len(value) > 300 or not value.isprintable() or "\\" in value
    if odd or {"", ".", ".."} & {*value.split("/")}:
        raise wrong("not a path in the repository", "write it relative to the root, as in prompts/support.md")
    return value


def _key_env(value: str, info: ValidationInfo) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", value):
        raise wrong("not the name of an environment variable", "write capitals, digits and _")
    if value == _WORKFLOW_TOKEN and info.data.get("api") == "github":
        return value
    if value.startswith(("GITHUB_", "ACTIONS_", "RUNNER_", "INPUT_")):
        raise wrong("a variable of the runner cannot be a model's key", "name the variable that holds the model's key")
    return value


def _function(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,199}:[A-Za-z_][A-Za-z0-9_]{0,99}", value):
        raise wrong("not a function", "write module:function, as in app.pipeline:answer")
    return value


def _base_url(value: str) -> str:
    try:
        origin_of(value)
    except InputError as error:
        raise wrong(error.problem, error.remedy) from None
    return value


def _extra(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", value) or value in _OURS:
        raise wrong("not a parameter that a model config may set", "name one of the server's own, as in min_p")
    return value


Name = Annotated[str, AfterValidator(_name)]
RepoPath = Annotated[str, AfterValidator(_repo_path)]
Number = Annotated[int | float, Field(gt=0, le=100)]
Dollars = Annotated[int | float, Field(ge=0, le=100_000)]
Api = Literal["local", "openai", "azure", "github", "anthropic", "google"]


class Price(Strict):
    """What a model costs, in USD per million tokens."""

    input: Dollars
    """Of what is sent."""
    output: Dollars
    """Of what is answered, thoughts included."""
    cached: Dollars | None = None
    """Of an input token that was read from the provider's cache; by default it costs as much as any other."""


class ProviderPolicy(Strict):
    """A way to reach a model: the only hosts that are ever called, and keys only from these variables."""

    api: Api
    """The wire format: `openai` is every server that speaks chat completions; `local` is the embedded model."""
    base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    """Where the API lives, with its version, as in `http://localhost:8000/v1`; left out for the API's own address."""
    api_version: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$")] | None = None
    """`azure` only: the dated API, whose models are deployments; left out for `…/openai/v1`."""
    key_env: Annotated[str, AfterValidator(_key_env)] | None = None
    """The environment variable that holds the key; left out for a server that wants none."""
    stream: bool = False
    """Ask for the answer piece by piece, for servers that close a connection on which nothing comes for long."""
    extra_parameters: list[Annotated[str, AfterValidator(_extra)]] = Field(default_factory=list)
    """`openai` and `azure` only: names of the server's own parameters that a model config may set under `extra`."""
    prices: dict[Annotated[str, Field(min_length=1, max_length=200)], Price] = Field(default_factory=dict)
    """Prices by model or pattern (`gpt-4o*`), the first that matches; without one, those that genai-prices lists."""
    max_concurrency: Annotated[int, Field(ge=1, le=512)] = 16
    """Requests under way at once, at most: it starts with fewer and goes back when the server asks for it."""
    requests_per_minute: Annotated[int | float, Field(gt=0, le=1_000_000)] | None = None
    """Never more than this; without it, the server's own answers say how fast."""
    tokens_per_minute: Annotated[int | float, Field(gt=0, le=1_000_000_000)] | None = None
    """In and out together, as the server counts them after each answer; the next is taken to cost as much."""
    timeout_seconds: Annotated[int | float, Field(gt=0, le=3600)] = 60
    """The longest that one request may take, retries included; waiting for the server's limits is not counted."""

    @model_validator(mode="after")
    def _fits_its_api(self) -> ProviderPolicy:
        if self.api == "local" and (self.base_url or self.key_env):
            raise wrong("the local model has no base_url and no key", "remove them")
        if self.api == "local" and self.stream:
            raise wrong("the local model does not stream", "remove stream")
        if self.api == "github" and self.base_url:
            raise wrong("the api github has one address, and its token goes nowhere else", "remove base_url")
        if self.api in {"anthropic", "google"} and not (self.base_url or self.key_env):
            raise wrong(f"the api {self.api} needs a key", "name the variable that holds it in key_env")
        if self.extra_parameters and self.api not in {"openai", "azure"}:
            raise wrong(f"the api {self.api} takes no extra_parameters", "remove them")
        self._refuse_half_of_azure()
        return self

    def _refuse_half_of_azure(self) -> None:
        if self.api != "azure":
            if self.api_version:
                raise wrong("api_version belongs to azure", "remove it, or write api: azure")
            return
        if not (self.base_url and self.key_env):
            raise wrong("azure needs base_url and key_env", "add https://NAME.openai.azure.com/openai/v1 and its key")
        if self.base_url.rstrip("/").endswith("/v1") == bool(self.api_version):
            remedy = "end base_url in /openai/v1, or write the bare https://NAME.openai.azure.com and an api_version"
            raise wrong("base_url and api_version do not fit each other", remedy)

    @property
    def key_variable(self) -> str | None:
        """The environment variable that is read for the key."""
        return self.key_env or (_WORKFLOW_TOKEN if self.api == "github" else None)


class Examples(Strict):
    """Few-shot examples: the first `k` rows of a file."""

    from_: RepoPath = Field(alias="from")
    """A JSONL file of rows with `input` and `output`."""
    k: Annotated[int, Field(ge=1, le=100)]
    """How many of its rows, from the first."""


FieldPath = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
"""A part of a JSON value, as in `order.items.0`."""
Function = Annotated[str, AfterValidator(_function)]
Kind = Literal["chat", "http", "command", "python"]
_OWN_KEYS: dict[Kind, frozenset[str]] = {
    "chat": frozenset({"provider", "examples", "user"}),
    "http": frozenset({"key_env", "max_concurrency", "timeout_seconds"}),
    "command": frozenset({"files", "env", "code", "max_concurrency", "timeout_seconds"}),
    "python": frozenset({"files", "env", "code", "max_concurrency", "timeout_seconds"}),
}


class TargetPolicy(Strict):
    """The system under test: a prompt and a model through a provider, or the user's own service or code."""

    prompt: RepoPath | None = None
    """The system prompt, text with `{{name}}` variables; or a `.prompt.yml` or `.prompty` with its own messages."""
    model: RepoPath | None = None
    """The model config: provider, model and parameters, YAML or JSON. A prompt file may bring them instead.

    A service or program of one's own is handed it whole, and may have any keys in it.
    """
    provider: Name | None = None
    """Through which provider a model is asked that a prompt file names; by default the only one there is."""
    examples: Examples | None = None
    user: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """How an object input becomes the user message; without it, it is sent as JSON."""
    http: Annotated[str, AfterValidator(_base_url)] | None = None
    """A service of one's own, which is handed each case with the prompt and the model config."""
    command: Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(min_length=1)] | None = None
    """A program of one's own, which reads cases as JSON lines: its name and arguments, run in a folder of `files`."""
    python: Function | None = None
    """A function of one's own, as `module:function`, that takes a case and returns the answer."""
    files: list[RepoPath] = Field(default_factory=list)
    """The code that a command or function consists of: patterns. It runs in a folder that holds nothing else."""
    env: list[Annotated[str, AfterValidator(_key_env)]] = Field(default_factory=list)
    """Environment variables that the program is given; its own environment has no others of this job."""
    code: Literal["trusted"] | None = None
    """`trusted`: a pull request's own version of `files` is run, with all that this job can do."""
    key_env: Annotated[str, AfterValidator(_key_env)] | None = None
    """The environment variable that holds the service's key, sent as a bearer token."""
    max_concurrency: Annotated[int, Field(ge=1, le=512)] | None = None
    """Cases under way at once; by default 16 at a service, and 1 in a program."""
    timeout_seconds: Annotated[int | float, Field(gt=0, le=3600)] = 60
    """The longest that one case may take."""

    @property
    def kind(self) -> Kind:
        if self.http is not None:
            return "http"
        if self.command is not None:
            return "command"
        return "chat" if self.python is None else "python"

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> TargetPolicy:
        kinds = [key for key in ("http", "command", "python") if getattr(self, key) is not None]
        if len(kinds) > 1:
            raise wrong(f"{' and '.join(kinds)} are two targets", "make them two suites")
        known = frozenset({"prompt", "model", self.kind}) | _OWN_KEYS[self.kind]
        for key in sorted(self.model_fields_set - known):
            remedy = f"remove it; {', '.join(sorted(known - {self.kind}))} are"
            raise wrong(f'"{key}" is no key of a {self.kind} target', remedy)
        if self.kind in {"command", "python"} and not self.files:
            raise wrong('"files" is missing', 'add "files": the code that it consists of, as in [src/**]')
        return self

    @model_validator(mode="after")
    def _a_chat_has_prompt_and_model(self) -> TargetPolicy:
        if self.kind == "chat" and self.prompt is None:
            raise wrong('"prompt" is missing', 'add "prompt"')
        if self.kind == "chat" and self.model is None and not str(self.prompt).endswith(_WITH_MODEL):
            raise wrong('"model" is missing', 'add "model": only .prompt.yml and .prompty files bring their own')
        return self


class IncreasePolicy(Strict):
    """How much more the candidate may take."""

    max_increase: Annotated[int | float, Field(gt=0, le=1000)]
    """In percent of main's: as much or more fails."""


class GatePolicy(Strict):
    """When a drop fails: points on the 0-100 scale."""

    max_drop: Number = 1
    """A drop of this much or more fails, in any dimension."""
    per_dimension: dict[Name, Number | Literal["any"]] = Field(default_factory=dict)
    """Other limits for some dimensions; `any`: one case that broke is enough."""
    latency: IncreasePolicy | None = None
    """Of a typical call, on calls of the same job; without it, what is surely 20 % slower is a warning."""
    cost: IncreasePolicy | None = None
    """Of what an answer costs, on average."""
    max_errors: Annotated[int, Field(ge=0)] | None = None
    """More cases lost to infrastructure than this are inconclusive, even where the others would pass."""

    def limit(self, dimension: str) -> Fraction | Literal["any"]:
        """The limit of a dimension, exactly as it was written."""
        limit = self.per_dimension.get(dimension, self.max_drop)
        return limit if isinstance(limit, str) else Fraction(str(limit))


class AnchorPolicy(Strict):
    """A fixed state of the product that main may not creep below, one small drop after the other."""

    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]
    """A tag, or a commit in full."""
    max_drop: Number
    """A drop of this much or more below it fails, in any dimension."""


class NaiveRule(Strict):
    """What is answered where the input matches."""

    pattern: Annotated[str, Field(min_length=1, max_length=1000)]
    """A regular expression (RE2), found anywhere in the input, in small letters or large."""
    answer: Annotated[str, Field(max_length=20_000)]
    """The whole answer, as the target would give it."""


class NaivePolicy(Strict):
    """What a model has to beat before it is worth its money: an answer that costs next to nothing."""

    type: Literal["nearest", "logistic", "regex", "template"]
    """`nearest`: the answer to the input that is most alike, by the local embeddings; `logistic`: each field by a
    logistic regression over them; `regex`: the answer of the first rule that matches; `template`: always the same."""
    from_: RepoPath | None = Field(default=None, alias="from")
    """`nearest` and `logistic`: the rows that they learn from; without it, the golden set's other cases."""
    fields: list[Name] = Field(default_factory=list)
    """The keys of an answer that is an object; by default those that the scorers look at."""
    rules: list[NaiveRule] = Field(default_factory=list)
    """`regex` only: the first that matches answers."""
    answer: Annotated[str, Field(max_length=20_000)] = ""
    """`template`: the answer, with `{{name}}` for a field of the input, or `{{input}}`; `regex`: where no rule does."""
    least_margin: Annotated[int | float, Field(ge=0, le=100)] = 5
    """In points: a model that is not surely this much better is told to be too little to pay for."""

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> NaivePolicy:
        learns = self.type in {"nearest", "logistic"}
        if not learns and (self.from_ or self.fields):
            raise wrong(f"the type {self.type} learns from nothing", "remove from and fields")
        if learns and (self.rules or self.answer):
            raise wrong(f"the type {self.type} has no rules and no answer", "remove them")
        if self.type == "regex" and not self.rules:
            raise wrong('"rules" is missing', "add the patterns and their answers")
        if self.type == "template" and (self.rules or not self.answer):
            raise wrong("a template has an answer and no rules", "write its answer, and remove rules")
        return self


class ConfidencePolicy(Strict):
    """How sure an answer says it is, which is told beside how often it is right."""

    field: FieldPath
    """Where it stands in a JSON answer."""
    scale: Literal[1, 100] = 1
    """What stands for certainty."""
    wanted_precision: Annotated[int | float, Field(gt=0, lt=1)] = 0.95
    """How many of the answers that nobody looks at again have to be right."""


class SuitePolicy(Strict):
    """One unit of judgement: a target, a golden set, scorers and a gate."""

    target: TargetPolicy
    datasets: list[RepoPath] = Field(default_factory=list)
    """Fine-tune datasets: files or patterns."""
    watch: list[RepoPath] = Field(default_factory=list)
    """More files that change how this target behaves: patterns."""
    golden: RepoPath | Annotated[list[RepoPath], Field(min_length=1)]
    """The golden set: files or patterns."""
    scorers: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """How answers are scored; each kind of scorer has its own keys."""
    gate: GatePolicy = GatePolicy()
    anchor: AnchorPolicy | None = None
    weights: dict[Name, Annotated[int | float, Field(gt=0, le=1000)]] = Field(default_factory=dict)
    """How much a dimension counts in the overall score, which is told and not gated; 1 where it is not named."""
    naive: NaivePolicy | None = None
    confidence: ConfidencePolicy | None = None

    @property
    def golden_patterns(self) -> list[str]:
        return [self.golden] if isinstance(self.golden, str) else self.golden


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
