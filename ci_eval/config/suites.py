"""`suites` in `ci-eval.yaml`: what is judged, by which scorers, and when a drop fails."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ci_eval.config.targets import TargetPolicy
from ci_eval.config.values import FieldPath, Name, PointLimit, RepoPath
from ci_eval.reader import Strict, wrong


class IncreasePolicy(Strict):
    """How much more the candidate may take."""

    max_increase: Annotated[int | float, Field(gt=0, le=1000)]
    """In percent of main's: as much or more fails."""


class GatePolicy(Strict):
    """When a drop fails: points on the 0-100 scale."""

    max_drop: PointLimit = 1
    """A drop of this much or more fails, in any dimension."""
    per_dimension: dict[Name, PointLimit | Literal["any"]] = Field(default_factory=dict)
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
    max_drop: PointLimit
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
