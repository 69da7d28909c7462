"""The naive target of a suite: it answers a golden set as a model would, through the same runner and scorers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci_eval.config import NaivePolicy
from ci_eval.datasets.rows import read as read_rows
from ci_eval.deadline import Deadline
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case, clusters_of
from ci_eval.naive import guesses
from ci_eval.naive.guesses import Embed, Example, text_of
from ci_eval.providers.base import Reply, Request
from ci_eval.scorers.base import Answer
from ci_eval.scorers.registry import ScorerSet
from ci_eval.snapshot import Snapshot
from ci_eval.targets.prompt import Prompt, Turn, fill
from ci_eval.text import JSON, Untrusted

_FEWEST = 2


@dataclass(frozen=True)
class NaiveTarget:
    """Target and provider in one: what it is asked for is a case, and it has the answer already."""

    answers: Mapping[str, str]
    """By case."""
    kind: str
    prompt: Prompt | None = None
    lane: str = "naive"
    rows: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return self.kind

    @property
    def model_name(self) -> str:
        return self.kind

    def request(self, case: Case) -> Request:
        return Request(self.lane, self.kind, (), body={"case": case.id})

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002 - it is known
        return Reply(Untrusted(self.answers[(request.body or {})["case"]]), "stop")

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002 - whatever it is
        return True


def load(
    policy: NaivePolicy, snapshot: Snapshot, scorers: ScorerSet, golden: Iterable[Case], embed: Embed
) -> NaiveTarget:
    """The answers to a whole golden set; raises InputError for rows that cannot be read."""
    cases = list(golden)
    if policy.type == "regex":
        return NaiveTarget(guesses.by_rules(policy, cases), policy.type)
    if policy.type == "template":
        return NaiveTarget({case.id: _filled(policy.answer, case) for case in cases}, policy.type)
    examples = _rows(policy, snapshot) if policy.from_ else _of_golden(cases, policy.fields or _looked_at(scorers))
    if len(examples) < _FEWEST:
        problem = f"a naive answer has {len(examples)} examples to learn from"
        raise InputError(problem, remedy="name rows in `naive.from`, or remove `naive`")
    guess = guesses.nearest if policy.type == "nearest" else guesses.by_regression
    return NaiveTarget(guess(cases, examples, embed), policy.type)


def _filled(answer: str, case: Case) -> str:
    given = case.input.reveal()
    fields = given if isinstance(given, dict) else {"input": text_of(case)}
    return fill(Turn("assistant", answer), fields, "naive.answer", case)


def _rows(policy: NaivePolicy, snapshot: Snapshot) -> list[Example]:
    assert policy.from_ is not None  # noqa: S101 - the caller has looked
    rows = [row for path in snapshot.glob(policy.from_) for row in read_rows(snapshot, path)]
    return [Example(row.input, _answer(row.output), ("row", number)) for number, row in enumerate(rows)]


def _answer(output: str) -> JSON:
    """An object where it is the text of one: its fields are learnt apart."""
    found = Answer(output).json
    return found if isinstance(found, dict) else output


def _of_golden(cases: Sequence[Case], fields: Sequence[str]) -> list[Example]:
    groups = clusters_of(cases)
    known = ((case, case.expected.reveal()) for case in cases if case.expected)
    return [Example(text_of(case), _part(expected, fields), groups[case.id]) for case, expected in known]


def _part(expected: JSON, fields: Sequence[str]) -> JSON:
    """Of an expectation what belongs into an answer: `refuse` and its like are about it."""
    if not isinstance(expected, dict) or not fields:
        return expected
    return {name: expected[name] for name in fields if name in expected}


def _looked_at(scorers: ScorerSet) -> list[str]:
    named = (scorer.policy.field.partition(".")[0] for scorer in scorers.shared if scorer.policy.field)
    return list(dict.fromkeys(named))
