"""What the tests of the domain are made of; a test states only what is different about its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from ci_eval.comparison import Comparison, pair_up
from ci_eval.config import GatePolicy
from ci_eval.confirm.evidence import Answers, Cell, Key, Limit, Stored
from ci_eval.confirm.machine import Confirmation, Question, Side, start
from ci_eval.deadline import Deadline
from ci_eval.git import Git
from ci_eval.golden.cases import Case, GoldenSet
from ci_eval.providers.base import Labelled, ProviderError, Reply, Request, Usage
from ci_eval.reader import Document, validate
from ci_eval.records import CellResult, Fingerprint, Header, Record, Run
from ci_eval.runner import pool
from ci_eval.runner.evaluator import Evaluator
from ci_eval.scorers import registry
from ci_eval.scorers.base import Embed, Resources
from ci_eval.scorers.registry import ScorerSet
from ci_eval.snapshot import Entry, Snapshot
from ci_eval.targets.chat import ChatTarget
from ci_eval.targets.model_config import ModelConfig
from ci_eval.targets.prompt import Prompt, Turn
from ci_eval.text import JSON, Untrusted
from ci_eval.verdict import DimensionResult, decide

PATIENT = 3600.0


def snapshot(folder: Path, files: Mapping[str, str | bytes]) -> Snapshot:
    """Files in a real object store, without a commit."""
    git = Git.create(folder, bare=True)
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return Snapshot(git, {path: Entry("100644", git.write_blob(content)) for path, content in contents.items()}, None)


def held(files: Mapping[str, str]) -> Snapshot:
    """Files that are in memory already, for tests that make hundreds of them."""
    oids = {path: f"{number:040x}" for number, path in enumerate(files)}
    entries = {path: Entry("100644", oid) for path, oid in oids.items()}
    return Snapshot(Git(Path("/nowhere")), entries, None, {oids[path]: text.encode() for path, text in files.items()})


def jsonl(*rows: JSON) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


# --- cases and scorers ------------------------------------------------------------------------------------------------


def case(name: str = "one", **different: Any) -> Case:
    row = {"id": name, "input": f"What about {name}?", "expected": "yes", **different}
    return validate(Case, Document("golden.jsonl", row))


def answers(
    asking: Evaluator,
    cases: Iterable[Case],
    seconds: float = PATIENT,
    *,
    repeats: int = 1,
    on_record: Callable[[Record], object] = bool,
) -> list[Record]:
    """A record for every job, in the order of the jobs."""
    found: dict[tuple[str, int], Record] = {}

    def seen(one: Record) -> None:
        assert one.key not in found, "told twice"
        found[one.key] = one
        on_record(one)

    jobs = asking.jobs(cases, repeats)
    pool.run(asking, jobs, Deadline.after(seconds), seen)
    return [found[job.key] for job in jobs]


def golden(*cases: Case) -> GoldenSet:
    rows = {one.id: Document("golden.jsonl", None, number) for number, one in enumerate(cases, start=1)}
    return GoldenSet({one.id: one for one in cases}, rows)


EXACT: dict[str, Any] = {"type": "exact"}


def scorer_set(cases: GoldenSet, *scorers: dict[str, Any]) -> ScorerSet:
    return registry.build(
        Document("ci-eval.yaml", {"suites": {"s": {"scorers": list(scorers or [EXACT])}}}), "s", cases
    )


def no_embedding(texts: Sequence[str]) -> Sequence[Sequence[float]]:
    raise AssertionError(f"nothing here should be embedded, and {len(texts)} texts are")


def nobody(*asked: object) -> Any:
    raise AssertionError(f"nobody here should be asked, and {asked[0]} is")


def resources(at: Snapshot, embed: Embed = no_embedding) -> Resources:
    return Resources(at, embed, nobody, nobody)


# --- targets, providers, runs -----------------------------------------------------------------------------------------


def target(prompt: str = "Answer yes or no.", *, user: str | None = None, **different: Any) -> ChatTarget:
    examples: tuple[Labelled, ...] = different.pop("examples", ())
    model = ModelConfig.model_validate({"provider": "p", "model": "m", **different})
    text = Prompt("prompt.md", (Turn("system", prompt),))
    return ChatTarget(text, user, model, examples, ())


def reply(text: str = "yes", finish: Any = "stop") -> Reply:
    return Reply(Untrusted(text), finish, Usage(7, 3))


Says = Callable[[Request, int], Reply]


def saying_yes(_: Request, __: int) -> Reply:
    return reply()


@dataclass
class Scripted:
    """A provider that answers as `says` tells it to, and remembers what it was asked."""

    says: Says = saying_yes
    deterministic: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:  # noqa: ARG002
        with self.lock:
            self.asked.append((request.messages[-1].content, repeat))
        return self.says(request, repeat)

    def is_deterministic(self, request: Request) -> bool:  # noqa: ARG002
        return self.deterministic


def refusing(cause: str = "HTTP 503", *, about_request: bool = False) -> Says:
    def says(request: Request, repeat: int) -> Reply:
        raise ProviderError(cause, about_request=about_request)

    return says


def evaluator(
    at: Snapshot, cases: GoldenSet, provider: Scripted, *scorers: dict[str, Any], threads: int = 4
) -> Evaluator:
    chosen = scorer_set(cases, *scorers)
    return Evaluator(target(), provider, chosen, chosen.bind(resources(at)), threads)


def fingerprint(target: str = "a", golden: str = "b", scorers: str = "c") -> Fingerprint:
    return Fingerprint(target=target * 64, golden=golden * 64, scorers=scorers * 64)


def header(**different: Any) -> Header:
    fields: dict[str, Any] = {
        "suite": "s",
        "commit": "1" * 40,
        "version": "0.1.0",
        "time": "2026-05-04T08:30:00Z",
        "event": "push",
        "repository": "octo/shop",
        "branch": "main",
        "fingerprint": fingerprint(),
    }
    return Header(**{**fields, **different})


def cell(passed: bool = True, **different: Any) -> CellResult:
    fields = {"scorer": "exact", "dimension": "task_accuracy", "reason": Untrusted("said so")}
    return CellResult(**{**fields, "score": int(passed), "passed": passed, **different})


def record(name: str = "one", *cells: CellResult, **different: Any) -> Record:
    fields: dict[str, Any] = {"request": "9" * 64, "output": Untrusted("yes"), "finish": "stop"}
    return Record(**{"case": name, "cells": list(cells) or [cell()], **fields, **different})


def run(*records: Record, **different: Any) -> Run:
    return Run(header(**different), records or (record(),))


# --- comparisons ------------------------------------------------------------------------------------------------------

PASSED, FAILED, LOST = True, False, None
Sides = tuple[bool | None, bool | None]


@lru_cache(maxsize=10_000)
def _numbered(number: int) -> Case:
    return case(f"case-{number}")


@lru_cache(maxsize=10_000)
def _answered(name: str, passed: bool | None, scorers: tuple[tuple[str, str], ...]) -> Record:
    if passed is None:
        return Record(case=name, request="9" * 64, error=Untrusted("gone"), error_kind="infrastructure")
    return record(name, *(cell(passed, scorer=scorer, dimension=dimension) for scorer, dimension in scorers))


def compared(sides: Sequence[Sides], *scorers: dict[str, Any]) -> Comparison:
    """Cases by what their cells did on base and candidate (None: lost), under the same scorers."""
    cases = golden(*(_numbered(number) for number in range(len(sides))))
    chosen = scorer_set(cases, *scorers)
    named = tuple((scorer.name, scorer.dimension) for scorer in chosen.shared)
    base, candidate = (
        {name: _answered(name, one[which], named) for name, one in zip(cases.cases, sides, strict=True)}
        for which in (0, 1)
    )
    return pair_up(cases.cases, chosen, base, candidate)


def result(sides: Sequence[Sides], gate: GatePolicy | None = None) -> DimensionResult:
    """The verdict on one dimension."""
    (found,) = judged(compared(sides), gate or GatePolicy())
    return found


def judged(comparison: Comparison, gate: GatePolicy) -> tuple[DimensionResult, ...]:
    return decide(comparison, repeatable(comparison, gate))


def question_of(
    comparison: Comparison,
    limits: Mapping[str, Limit],
    deterministic: Collection[tuple[str, Side]],
    stored: Mapping[Key, Stored],
) -> Question:
    """What a first look would ask of the confirmation."""
    return Question(
        cells=[Cell(pair.case, pair.scorer, pair.dimension, pair.weight) for pair in comparison.pairs],
        limits=limits,
        same={case for case, record in comparison.candidate.items() if record.reused},
        deterministic=deterministic,
        stored=stored,
    )


def first_answers(comparison: Comparison) -> tuple[Answers, Answers]:
    """What base's cells and the candidate's did in the first look."""
    pairs = comparison.pairs
    return (
        {(pair.case, pair.scorer): pair.base.passed for pair in pairs if pair.base},
        {(pair.case, pair.scorer): pair.candidate.passed for pair in pairs if pair.candidate},
    )


def repeatable(comparison: Comparison, gate: GatePolicy) -> Confirmation:
    """The confirmation where no answer would ever change, and what was lost stays lost."""
    names = dict.fromkeys(pair.dimension for pair in comparison.pairs) or ["task_accuracy"]
    sure = {(case, side) for case in comparison.cases for side in get_args(Side)}
    question = question_of(comparison, {name: gate.limit(name) for name in names}, sure, {})
    state = start(question, *first_answers(comparison))
    while todo := state.todo():
        state = state.observe((rerun.case, rerun.side, {}) for rerun in todo for _ in range(rerun.runs))
    return state


def sides(*, broke: int = 0, repaired: int = 0, same: int = 0, lost: int = 0) -> list[Sides]:
    return (
        [(PASSED, FAILED)] * broke + [(FAILED, PASSED)] * repaired + [(PASSED, PASSED)] * same + [(PASSED, LOST)] * lost
    )


def limit(drop: float | Fraction) -> GatePolicy:
    return GatePolicy(max_drop=float(drop))
