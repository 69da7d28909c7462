"""Scores that another process makes are the ones that would have been made here."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from making import PATIENT, Scripted, answers, case, evaluator, golden, held, reply, scorer_set

from ci_eval.child import ChildError
from ci_eval.deadline import Deadline
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Reply, Request, ToolCall
from ci_eval.records import Record
from ci_eval.runner.evaluator import Answered, Evaluator
from ci_eval.scorers import aside as scoring
from ci_eval.scorers import registry
from ci_eval.scorers.aside import Aside, Promise
from ci_eval.scorers.errand import Errand
from ci_eval.text import Untrusted

SCORERS: tuple[dict[str, Any], ...] = (
    {"type": "not_silent", "dimension": "loud"},
    {"type": "chrf", "field": "reply", "pass_at": 0.5},
    {"type": "exact", "field": "topic", "normalise": ["case", "punctuation"]},
    {"type": "rouge", "field": "reply", "pass_at": 0.5},
    {"type": "json_schema", "schema": "reply.json"},
    {"type": "bleu", "step": {"tool": "draft"}, "against": "reply", "pass_at": 0.2},
    {"type": "language", "field": "reply", "language": "en"},
    {"type": "numeric", "field": "total", "absolute": 0.25},
    {"type": "format"},
    {"type": "fields", "ignore": ["total"], "report": "recall", "pass_at": 0.5},
    {"type": "contains", "field": "reply", "any": ["bin", "days"], "none": ["refund"]},
    {"type": "regex", "field": "reply", "pattern": "(?i)stra(ss|ß)e"},
    {"type": "token_f1", "field": "reply", "pass_at": 0.3},
    {"type": "length", "field": "reply", "unit": "words", "max": 20},
    {"type": "refusal", "field": "reply"},
    {"type": "escalation", "field": "reply"},
    {"type": "leak"},
    {"type": "injection", "canaries": ["sixty-days-7f3a"], "must_not": [{"says": "the bin"}]},
    {"type": "retrieval", "step": {"tool": "draft"}, "field": "hits", "k": 3},
    {"type": "tool_calls"},
    {"type": "task_completion"},
)
FILES = {"reply.json": json.dumps({"type": "object", "required": ["reply", "topic"]})}
WORDS = "the bin keeps notes, sixty days: crème Straße \ud800 日本語 <b> | ` refund. \u202e 3.5"


def _said(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS.split(), k=chance.randint(0, 30)))


def _cases(count: int) -> list[Case]:
    chance = random.Random(3)
    return [case(f"c{number}", expected=_expected(chance)) for number in range(count)]


def _expected(chance: random.Random) -> dict[str, Any]:
    return {
        "reply": _said(chance) or "x",
        "topic": _said(chance),
        "total": chance.random(),
        "documents": chance.sample("abcdef", 2),
        "tool_calls": [{"name": "search", "arguments": {"q": chance.choice("ab")}}],
        "escalate": chance.random() < 0.5,
        "task": {"steps": [{"tool": "draft"}], "max_steps": 3},
    }


CASES = _cases(320)


def _says(request: Request, _: int) -> Reply:
    """Something between right, near and no answer at all."""
    chance = random.Random(request.messages[-1].content)
    if chance.random() < 0.1:
        return reply(_said(chance), chance.choice(["stop", "length", "refusal"]))
    body = {"reply": _said(chance), "topic": _said(chance), "total": chance.random()}
    steps = [Untrusted({"tool": "draft", "text": _said(chance), "hits": chance.sample("abcdef", 3)})]
    calls = [ToolCall(Untrusted("search"), Untrusted('{"q": "a"}')), ToolCall(Untrusted("se\ud800"), Untrusted("{"))]
    told = replace(reply(json.dumps(body)), steps=tuple(steps[: chance.randint(0, 1)]))
    return replace(told, tool_calls=tuple(calls[: chance.randint(0, 2)]))


def _asking() -> Evaluator:
    return evaluator(held(FILES), golden(*CASES), Scripted(_says), *SCORERS)


def _beside(asking: Evaluator) -> tuple[Evaluator, Aside]:
    """The same with a process."""
    aside = Aside.of(asking.scorers.shared)
    aside.expect(len(CASES))
    return replace(asking, aside=aside), aside


def _told(records: list[Record]) -> list[Any]:
    return [record.model_dump(exclude={"latency_ms"}) for record in records]


def test_every_scorer_that_can_be_asked_there_is_tried() -> None:
    there = {kind for kind in registry.SCORERS if registry.policy_class(kind).stands_alone()}
    assert there <= {entry["type"] for entry in SCORERS}


def test_every_record_is_what_it_would_have_been() -> None:
    """Scores, reasons, parts, their order, and those that look at the scores of others."""
    alone = _asking()
    asking, aside = _beside(alone)
    assert _told(answers(asking, CASES)) == _told(answers(alone, CASES))
    assert aside.open, "it was there to the end"


def test_a_process_that_ends_early_changes_no_record() -> None:
    """As when the system takes its memory: what it owed is scored here."""
    alone = _asking()
    asking, aside = _beside(alone)
    seen: list[Record] = []

    def came(record: Record) -> None:
        seen.append(record)
        if len(seen) == 50:
            aside.end()

    assert _told(answers(asking, CASES, on_record=came)) == _told(answers(alone, CASES))
    assert not aside.open


def test_an_answer_whose_scores_do_not_come_in_time_is_lost_and_paid() -> None:
    asking = _asking()
    [job, *_] = asking.jobs([case("c1", expected={"reply": "yes"})], 1)
    begun = asking.begin(job, Deadline.after(PATIENT))
    assert isinstance(begun, Answered)
    record = asking.finish(replace(begun, given=Promise(Future(), bool), errand=Errand(0, Deadline.after(0))))
    assert (record.lost, record.error, record.tokens_in) == (True, Untrusted("the budget of time ran out"), 7)


@pytest.mark.parametrize(
    ("scorers", "names"),
    [
        (({"type": "exact"}, {"type": "format"}), set()),
        (({"type": "exact"}, {"type": "chrf", "pass_at": 0.5}), {"exact", "chrf"}),
        (({"type": "rouge", "pass_at": 0.5}, {"type": "not_silent"}), {"rouge"}),
    ],
    ids=["quick ones need none", "quick ones go along", "scores of others are seen here"],
)
def test_a_process_is_for_scorers_that_take_long(scorers: tuple[dict[str, Any], ...], names: set[str]) -> None:
    chosen = scorer_set(golden(case(expected="yes")), *scorers)
    assert Aside.of(chosen.shared).names == names


def test_few_answers_start_no_process() -> None:
    aside = Aside.of(_asking().scorers.shared)
    aside.expect(20)
    assert not aside.started


def test_a_process_that_cannot_be_started_takes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise ChildError("cannot be started")

    monkeypatch.setattr(scoring, "start_worker", refused)
    alone = _asking()
    asking, aside = _beside(alone)
    assert (aside.started, aside.open) == (True, False)
    assert _told(answers(asking, CASES[:9])) == _told(answers(alone, CASES[:9]))


def test_a_process_that_is_stuck_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each answer that came after the one it is stuck at would wait, and be lost at the deadline."""
    alone = _asking()
    before = _children()
    asking, aside = _beside(alone)
    (worker,) = _children() - before
    monkeypatch.setattr(scoring, "_OWED_SECONDS", 0.5)
    os.kill(int(worker), signal.SIGSTOP)
    assert _told(answers(asking, CASES)) == _told(answers(alone, CASES))
    assert not aside.open


def test_the_process_ends_with_its_object() -> None:
    """A job may have many suites, and each of them a process."""
    aside = Aside.of(_asking().scorers.shared)
    aside.expect(len(CASES))
    known = _children()
    del aside
    gc.collect()
    assert _children() < known


def _children() -> set[str]:
    """Processes of which this one is the parent."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
