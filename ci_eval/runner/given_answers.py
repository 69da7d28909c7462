"""Answers that exist already, scored as if a target had just given them.

They are a judge's canaries, answers that people labelled, and the stored answers of two runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Reply, Request, Usage
from ci_eval.records import Record
from ci_eval.runner.evaluator import Evaluator, Job
from ci_eval.scorers.base import MISSING, Answer, ScorerPolicy, as_text
from ci_eval.scorers.registry import BoundScorer, ScorerSet
from ci_eval.targets.prompt import Prompt
from ci_eval.text import JSON, Untrusted


@dataclass(frozen=True)
class GivenAnswers:
    """Target and provider in one: it answers each case with the answer that it was made with, at no cost."""

    answers: Mapping[str, str]
    """By case id."""
    lane: str = "given answers"
    prompt: Prompt | None = None
    digest: str = ""
    model_name: str = ""
    rows: tuple[str, ...] = field(default=())

    def request(self, case: Case) -> Request:
        return Request("", "", (), body={"case": case.id})

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002 - it is there
        assert request.body is not None, "made by request()"  # noqa: S101
        return Reply(Untrusted(self.answers[request.body["case"]]), "stop", Usage(0, 0), seconds=0.0)

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - whatever it is
        return True


@dataclass(frozen=True)
class GivenAnswer:
    """One answer to one case, cut down to the part (field or step) that the scorer looks at."""

    case: Case
    answer: str


def evaluator_for(bound: BoundScorer, given: Iterable[GivenAnswer], concurrency: int) -> Evaluator:
    """An evaluator that scores these answers, each of another case, by one scorer."""
    policy = bound.scorer.policy
    known = GivenAnswers({one.case.id: as_text(holding(policy.field, one.answer)) for one in given})
    scorer = replace(bound.scorer, policy=policy.model_copy(update={"step": None}))
    by_name = {scorer.name: replace(bound, scorer=scorer)}
    return Evaluator(known, known, ScorerSet((scorer,), {}), by_name, concurrency, lambda _: Decimal(0))


def part_of(field: str | None, written: str) -> str:
    """The part of a written answer that a scorer looks at: its field where the answer has it, else the whole."""
    found = Answer(written).field(field)
    return written if found is MISSING else as_text(found)


def part_recorded(policy: ScorerPolicy, record: Record) -> str | None:
    """The part of a stored answer that a scorer looks at; None where the answer does not have it."""
    if record.output is None:
        return None
    seen = policy.looked_at(Answer(record.output.text(), steps=tuple(record.steps)))
    if seen is None or (found := seen.field(policy.field)) is MISSING:
        return None
    return as_text(found)


def holding(field: str | None, part: str) -> JSON:
    """The inverse of reading a field: nested objects with `part` at the dotted path `field`, or `part` itself."""
    whole: JSON = part
    for name in reversed(field.split(".") if field else ()):
        whole = {name: whole}
    return whole


def with_reference(case: Case, path: str | None, reference: str) -> Case:
    """The case with this reference answer at the dotted path `path` of its `expected`."""
    expected = Untrusted(holding(path, part_of(path, reference)))
    return case.model_copy(update={"expected": expected})


def jobs(given: Iterable[GivenAnswer], repeat: int) -> list[Job]:
    return [Job(one.case, repeat) for one in given]
