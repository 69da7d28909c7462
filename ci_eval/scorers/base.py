"""What every scorer is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Protocol, Self, TypeVar

from pydantic import Field, model_validator

from ci_eval.config import FieldPath, Name
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import Message, Reply, ToolCall
from ci_eval.reader import Document, Strict, parse_json, validate, wrong
from ci_eval.scorers.errand import Errand
from ci_eval.snapshot import Snapshot
from ci_eval.text import JSON, Untrusted, canonical

Weight = Annotated[int | float, Field(gt=0, le=1000)]
PassAt = Annotated[int | float, Field(gt=0, le=1)]

MISSING = object()


class Judged(Protocol):
    """One score of an answer, as a cell or a record of one has it."""

    @property
    def dimension(self) -> str: ...

    @property
    def passed(self) -> bool: ...


@dataclass(frozen=True)
class Answer:
    """What the target said."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    """The tools that it asked for; an answer may be nothing else."""
    steps: tuple[Untrusted, ...] = ()
    """How a pipeline or agent came to it, where the target tells: JSON objects, in their order."""
    system: str = ""
    """The system prompt that it was asked with: its own side's."""
    judged: tuple[Judged, ...] = ()
    """What the other scorers said of it, for a scorer that looks at those."""
    refused: bool = False
    """Whether the provider says that it declined, or stopped it by a filter, whatever the text is."""

    @cached_property
    def json(self) -> Any:
        """The whole answer as strict JSON, or MISSING where it is none."""
        try:
            return parse_json(self.text)
        except InputError:
            return MISSING

    @property
    def said(self) -> list[JSON]:
        """All that is the target's own, as bare JSON: the text, the tools that it asked for, the steps."""
        calls = [[call.name.reveal(), call.arguments.reveal()] for call in self.tool_calls]
        return [self.text, calls, [step.reveal() for step in self.steps]]

    def field(self, path: str | None) -> Any:
        """The whole text, or a part of a JSON answer by a dotted path (`order.items.0`); MISSING where it is not."""
        if path is None:
            return self.text
        return lookup(self.json, path)

    @cached_property
    def _steps(self) -> Sequence[Answer]:
        found = (step.reveal() for step in self.steps)
        return [replace(self, text=canonical(step)) for step in found if isinstance(step, dict)]

    def steps_with(self, keys: Mapping[str, JSON]) -> Sequence[Answer]:
        """The steps that hold these values at these dotted paths, in their order, each as if it were the answer."""
        return [step for step in self._steps if all(equal(step.field(path), value) for path, value in keys.items())]


def lookup(value: Any, path: str) -> Any:
    """A part of a JSON value by a dotted path; MISSING where it is not."""
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


@dataclass(frozen=True)
class Score:
    """A score in [0, 1], whether the cell passed, and why (a reason may quote the answer)."""

    value: float
    passed: bool
    reason: Untrusted
    parts: Mapping[str, float] = field(default_factory=dict)
    """What it is made of, where there is more than one thing: named criteria, each in [0, 1], as in a precision and a
    recall. They are told, on both sides; the value is what counts."""


def binary(passed: bool, reason: str) -> Score:
    return Score(1.0 if passed else 0.0, passed, Untrusted(reason))


Vectors = Sequence[Sequence[float]]
Embed = Callable[[Sequence[str]], Vectors]
Parameters = Mapping[str, Any]


class Embedder(Protocol):
    """An embedding model of a provider."""

    def embed(self, texts: Sequence[str], errand: Errand) -> Vectors:
        """A vector of length 1 for each text, in their order; raises ProviderError."""

    def takes(self, texts: Sequence[str]) -> Cost:
        """What embedding them will take."""


class Asker(Protocol):
    """A chat model of a provider, with its parameters."""

    @property
    def identity(self) -> str:
        """SHA-256 over all that decides who answers: where it is, model, parameters."""

    def ask(self, messages: Sequence[Message], draw: int, errand: Errand, *, again: bool = False) -> Reply:
        """One reply; raises ProviderError, which is never about the answer that is scored.

        `draw` tells the calls of one errand apart. `again`: what the response cache has of it was no use.
        """

    def takes(self, messages: Sequence[Message], tokens_out: int) -> Cost:
        """What one call will take."""


@dataclass(frozen=True)
class Program:
    """A function of the user's in a process of its own."""

    function: str
    """As in `module:function`."""
    files: tuple[str, ...]
    """The code that it consists of: patterns."""
    timeout_seconds: float


Ask = Callable[[Mapping[str, JSON]], Mapping[str, JSON]]
"""One question and its answer; raises ProviderError where none comes."""


@dataclass(frozen=True)
class Resources:
    """What a scorer may use: files of the base commit, the embedding of texts, and models of the policy's providers."""

    snapshot: Snapshot
    embed: Embed
    """By the local model."""
    embedder: Callable[[str, str], Embedder]
    """By a model (second) of a provider of the policy (first); raises InputError where it has none."""
    asker: Callable[[str, str, Callable[[str], Parameters]], Asker]
    """A model (second) of a provider of the policy (first), with the parameters (third) that suit its api; raises
    InputError where it has no such provider, or the api cannot carry them."""
    program: Callable[[Program], Ask] | None = None
    """Starts code of the base commit when it is first asked; raises InputError where it has no files."""


Scoring = Callable[[Answer, Case], Score]


@dataclass(frozen=True)
class Asking:
    """A scorer that asks a provider, ready."""

    score: Callable[[Answer, Case, Errand], Score]
    """Raises ProviderError: then the case has no score at all."""
    takes: Callable[[Case, int], Cost]
    """What scoring an answer to a case, of so many characters, will take."""
    draws: bool = False
    """Whether the same answer may score otherwise when it is scored again."""
    identity: str = ""
    """SHA-256 over who scores and how, where people's labels are compared with it."""


class ScorerPolicy(Strict):
    """The keys that every scorer takes."""

    default_dimension: ClassVar[str]
    judges_scores: ClassVar[bool] = False
    """Whether it comes after the others, and sees their scores; what is no whole answer does not fail it."""

    takes_long: ClassVar[bool] = False
    """Whether a score takes a good part of a millisecond of a processor, and more of a long answer."""

    runs_code: ClassVar[bool] = False
    """Whether it runs code of the repository."""

    type: str
    name: Name | None = None
    """How the scorer is called in reports; by default its type and field."""
    dimension: Name | None = None
    """What the score speaks of; each dimension is gated alone."""
    weight: Weight = 1
    """How much its cells count within the dimension."""
    field: FieldPath | None = None
    """The part of a JSON answer that is looked at, as a dotted path; without it, the whole answer."""
    step: Annotated[dict[FieldPath, str | int | bool], Field(min_length=1, max_length=10)] | None = None
    """What a step of the pipeline holds, as in `{tool: search}`: the last such step is looked at, not the answer."""

    @property
    def threshold(self) -> float:
        """The score at which a cell passes: a graded scorer's `pass_at`."""
        return float(getattr(self, "pass_at", 0.5))

    def beside(self, others: Sequence[ScorerPolicy]) -> ScorerPolicy:  # noqa: ARG002 - few ask
        """Itself, knowing the suite's other scorers."""
        return self

    def files(self) -> tuple[str, ...]:
        """Files of the base commit that this scorer reads."""
        return ()

    def read_from(self, snapshot: Snapshot) -> list[JSON]:
        """What stands for the contents of all that it reads."""
        return [snapshot.oid(path) for path in self.files()]

    def applies(self, case: Case) -> bool:
        """Whether this scorer has anything to say about a case."""
        return self.expected(case) is not MISSING

    def check(self, case: Case) -> None:
        """Raises InputError where what a case expects is nothing that this scorer can judge by."""

    def asks(self) -> str | None:
        """The provider of the policy that this scorer asks, if it asks one."""
        return None

    def ready(self) -> Scoring:
        """The scorer, where it needs nothing but an answer and its case; raises InputError for a pattern that cannot
        be used, or a library that is not installed.
        """
        raise NotImplementedError

    @classmethod
    def stands_alone(cls) -> bool:
        """Whether it needs nothing but an answer and its case."""
        knows_others = cls.beside is not ScorerPolicy.beside or cls.judges_scores
        return cls.ready is not ScorerPolicy.ready and not knows_others

    def bind(self, resources: Resources) -> Scoring:  # noqa: ARG002 - of those that stand alone, none
        """The scorer, ready; raises InputError for a file or pattern that cannot be used."""
        return self.ready()

    def bind_asking(self, resources: Resources) -> Asking:
        """The same for a scorer that asks a provider."""
        raise NotImplementedError

    def expected(self, case: Case) -> Any:
        """What a right answer is: the case's `expected`, or the part of it that `field` names; MISSING without one."""
        return _expectation(case, self.field)

    def looked_at(self, answer: Answer) -> Answer | None:
        """What is scored: the answer, or in its place the last step that `step` describes; None where there is none."""
        if self.step is None:
            return answer
        return next(iter(reversed(self.steps(answer))), None)

    def steps(self, answer: Answer) -> Sequence[Answer]:
        """All steps that `step` describes."""
        return answer.steps_with(self.step or {})

    def nothing(self) -> Score:
        """The score of an answer that does not have what is looked at."""
        return binary(False, f"no {self.field} in the answer" if self.field else "the answer is not JSON")


class Comparing(ScorerPolicy):
    """A scorer that compares with what the case expects."""

    against: FieldPath | None = None
    """The part of the case's `expected` that is compared, where it is called otherwise than `field`."""

    def expected(self, case: Case) -> Any:
        return _expectation(case, self.against or self.field)


def _expectation(case: Case, path: str | None) -> Any:
    if case.expected is None:
        return MISSING
    expected = case.expected.reveal()
    return expected if path is None else lookup(expected, path)


class WholeScorer(ScorerPolicy):
    """A scorer that looks at an answer as a whole, and has no use for `field` and `step`."""

    @model_validator(mode="after")
    def _looks_at_no_part(self) -> Self:
        for key in ("field", "step"):
            if getattr(self, key) is not None:
                raise wrong(f'"{key}" is no key of {self.type}', "remove it")
        return self


Expected = TypeVar("Expected", bound=Strict)


def expectation(model: type[Expected], case: Case) -> Expected:
    """The keys of a case's expectation that a model has; raises InputError where they are not of its shape."""
    found = {key: part for key in model.model_fields if (part := case.expectation(key)) is not None}
    try:
        return validate(model, Document("", found))
    except InputError as error:
        problem = f'in what the case "{case.id}" expects, {error.problem}'
        raise InputError(problem, remedy=error.remedy) from None


def comparable(value: JSON) -> str:
    """Equal for equal JSON values: 1 is 1.0, since JSON has one kind of number, and neither true nor "1"."""
    return canonical(_whole(value))


def _whole(value: JSON) -> JSON:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are one, either of which may be MISSING."""
    return MISSING not in (one, other) and comparable(one) == comparable(other)


def as_text(value: JSON) -> str:
    return value if isinstance(value, str) else canonical(value)
