"""`task_completion`: an agent reached its goal, by the way that it had to take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from ci_eval.config import FieldPath
from ci_eval.golden.cases import Case
from ci_eval.reader import Strict, wrong
from ci_eval.scorers.base import (
    MISSING,
    Answer,
    PassAt,
    Score,
    Scoring,
    WholeScorer,
    as_text,
    equal,
    expectation,
    lookup,
)
from ci_eval.scorers.trajectory import arguments_of, asked_for, holds, steps
from ci_eval.text import Untrusted

Step = Annotated[str, Field(min_length=1, max_length=200)] | Annotated[dict[str, Any], Field(min_length=1)]
Steps = Annotated[list[Step], Field(max_length=100)]


class Task(Strict):
    """The goal of a case, and what is said of the way there. Each entry is a check."""

    state: dict[FieldPath, Any] = Field(default_factory=dict)
    """Values by dotted path, in the last step's `state`; where no step has one, in the answer itself."""
    steps: Steps = Field(default_factory=list)
    """Steps that are taken: a tool's name, or an object of which a step has every key with its value."""
    in_order: bool = False
    """Whether the steps are taken in this order; others may come between them."""
    forbidden: Steps = Field(default_factory=list)
    """Steps that are not taken."""
    max_steps: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _checks_something(self) -> Task:
        if not (self.state or self.steps or self.forbidden or self.max_steps):
            raise wrong("a task without a check", "write state, steps, forbidden or max_steps")
        if self.in_order and len(self.steps) < 2:
            raise wrong("an order of fewer than two steps", "list the steps, or leave out in_order")
        return self


class _Expected(Strict):
    task: Task | None = None


class TaskCompletion(WholeScorer):
    """The checks of the case's `expected.task` over an agent's trajectory; the score is the share that holds.

    Parts tell the kinds of checks apart, the reason names each that does not hold.
    """

    default_dimension: ClassVar[str] = "task_accuracy"
    type: Literal["task_completion"]
    pass_at: PassAt = 1
    """The least share of checks that passes."""

    def applies(self, case: Case) -> bool:
        return case.expectation("task") is not None

    def check(self, case: Case) -> None:
        expectation(_Expected, case)

    def ready(self) -> Scoring:
        return self._score

    def _score(self, answer: Answer, case: Case) -> Score:
        task = expectation(_Expected, case).task
        checks = list(_checks(task, answer)) if task else []
        failed = [problem for _, problem in checks if problem]
        value = (len(checks) - len(failed)) / len(checks) if checks else 1.0
        kinds = {kind: [problem for name, problem in checks if name == kind] for kind, _ in checks}
        parts = {kind: problems.count("") / len(problems) for kind, problems in kinds.items()}
        return Score(value, value >= self.pass_at, Untrusted("; ".join(failed) or "every check holds"), parts)


def _checks(task: Task, answer: Answer) -> Iterator[tuple[str, str]]:
    """The kind of every check, with what is wrong; nothing where it holds."""
    taken, state = list(_taken(answer)), _final_state(answer)
    for path, value in task.state.items():
        yield "state", _state(path, value, lookup(state, path))
    for step in task.steps:
        yield "steps", "" if _takes(step, taken) else f"never takes the step {as_text(step)}"
    if task.in_order:
        yield "order", "" if _takes_in_order(task.steps, taken) else "does not take the steps in their order"
    for step in task.forbidden:
        found = _takes(step, taken) or _may_take(step, taken)
        yield "forbidden", f"takes the forbidden step {as_text(step)}" if found else ""
    if task.max_steps is not None:
        more = f"takes {len(taken)} steps where {task.max_steps} are allowed"
        yield "max_steps", more if len(taken) > task.max_steps else ""


def _state(path: str, wanted: Any, got: Any) -> str:
    if equal(wanted, got):
        return ""
    return f"{path} is not there in the end" if got is MISSING else f"{path} is {as_text(got)} in the end"


class _Taken(NamedTuple):
    """A step as it was told, and with its arguments read: many tell them as a model writes them, as JSON text."""

    told: Mapping[str, Any]
    read: Mapping[str, Any]
    """Its arguments are MISSING where they are no JSON object."""


def _taken(answer: Answer) -> Iterator[_Taken]:
    """What an agent tells of its way, and what a model asks for, as a step."""
    for step in steps(answer):
        told = isinstance(step.get("arguments"), str)
        yield _Taken(step, {**step, "arguments": arguments_of(step["arguments"])} if told else step)
    for call in asked_for(answer):
        step = {"tool": call.name, "arguments": call.arguments}
        yield _Taken(step, step)


def _final_state(answer: Answer) -> Any:
    return next((step["state"] for step in reversed(list(steps(answer))) if "state" in step), answer.json)


def _takes(step: str | dict[str, Any], taken: Iterable[_Taken]) -> bool:
    """Whether one of some steps is this; of an iterator, it and all before it are used up."""
    pattern = {"tool": step} if isinstance(step, str) else step
    return any(holds(pattern, one.told) or holds(pattern, one.read) for one in taken)


def _may_take(step: str | dict[str, Any], taken: Iterable[_Taken]) -> bool:
    """Whether one of some steps is this but for arguments that nobody can read: whatever obeys it might."""
    if isinstance(step, str) or "arguments" not in step:
        return False
    rest = {key: value for key, value in step.items() if key != "arguments"}
    return any(one.read.get("arguments") is MISSING and holds(rest, one.read) for one in taken)


def _takes_in_order(wanted: Sequence[str | dict[str, Any]], taken: Sequence[_Taken]) -> bool:
    rest = iter(taken)
    return all(_takes(step, rest) for step in wanted)
