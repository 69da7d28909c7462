"""Answers that are there already, scored as if a target had just given them: canaries, and what people labelled."""

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
class Recital:
    """Both target and provider: it says what it was given, for nothing."""

    answers: Mapping[str, str]
    """By case."""
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
class Given:
    """One answer to one case: of what the scorer looks at, as much as it looks at."""

    case: Case
    answer: str


def reciting(bound: BoundScorer, given: Iterable[Given], concurrency: int) -> Evaluator:
    """Known answers, each of a case of its own, under one scorer."""
    policy = bound.scorer.policy
    recital = Recital({one.case.id: as_text(holding(policy.field, one.answer)) for one in given})
    scorer = replace(bound.scorer, policy=policy.model_copy(update={"step": None}))
    by_name = {scorer.name: replace(bound, scorer=scorer)}
    return Evaluator(recital, recital, ScorerSet((scorer,), {}), by_name, concurrency, lambda _: Decimal(0))


def part_of(field: str | None, written: str) -> str:
    """What is looked at of an answer that somebody wrote down: its field, where it is there, or else all of it."""
    found = Answer(written).field(field)
    return written if found is MISSING else as_text(found)


def part_recorded(policy: ScorerPolicy, record: Record) -> str | None:
    """The same of a stored answer; None where it has nothing that could be looked at."""
    if record.output is None:
        return None
    seen = policy.looked_at(Answer(record.output.text(), steps=tuple(record.steps)))
    if seen is None or (found := seen.field(policy.field)) is MISSING:
        return None
    return as_text(found)


def holding(field: str | None, part: str) -> JSON:
    """A value whose field this is; without a field, itself."""
    whole: JSON = part
    for name in reversed(field.split(".") if field else ()):
        whole = {name: whole}
    return whole


def with_reference(case: Case, path: str | None, reference: str) -> Case:
    """A case whose reference answer, which stands at this path of what it expects, somebody wrote down."""
    expected = Untrusted(holding(path, part_of(path, reference)))
    return case.model_copy(update={"expected": expected})


def jobs(given: Iterable[Given], repeat: int) -> list[Job]:
    return [Job(one.case, repeat) for one in given]
