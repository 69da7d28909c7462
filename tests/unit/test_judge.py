"""The judge: rubrics, votes, scales, what is asked of the model, what that costs, and when it is asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from judged import CANARIES, CASES, KEYS, RUBRIC, Desk, behaving, by_greeting, cell, is_judge, ruling, said, the_answer
from making import case, golden, held, resources, scorer_set
from model_server import Answer, Asked, ModelServer
from repo import Repo

from ci_eval import config as configs
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation.suite import Suite
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import Message, Reply, Usage
from ci_eval.reader import Document, validate
from ci_eval.records import Record
from ci_eval.report.markdown import comment
from ci_eval.report.model import build
from ci_eval.runner.cache import ResponseCache
from ci_eval.scorers import rubric
from ci_eval.scorers.base import Answer as Said
from ci_eval.scorers.base import Asker, Resources, Score
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.rubric import Scale
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

ANCHORED = """\
criteria:
  - {name: tone, question: How friendly?, anchors: {1: rude, 3: dry, 5: warm}}
  - {name: help, question: How helpful?, anchors: {1: useless, 5: solves it}}
"""


@pytest.fixture
def desk(repo: Repo, tmp_path: Path) -> Iterator[Desk]:
    with ModelServer(behaving(by_greeting)) as server:
        yield Desk(repo, server, tmp_path / "out")


# --- rubrics ----------------------------------------------------------------------------------------------------------


def read(text: str, name: str = "r.yaml", scale: Scale = "binary") -> rubric.ReadRubric:
    return rubric.load(held({name: text}), name, scale)


def test_markdown_may_bring_its_criteria_above_its_text() -> None:
    found = read(f"---\n{RUBRIC}{CANARIES}---\nBe fair.\n", "r.md")
    assert [one.name for one in found.criteria] == ["tone"]
    assert (found.rubric.guidance, len(found.rubric.canaries), found.concrete) == ("Be fair.", 2, True)


def test_plain_markdown_is_one_criterion_that_is_not_concrete() -> None:
    found = read("Replies are kind.\n", "r.md")
    assert ([one.name for one in found.criteria], found.concrete) == (["rubric"], False)
    assert found.rubric.guidance == "Replies are kind.\n"


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("criteria: []", "r.yaml", "r.yaml:1: criteria: is empty"),
        ("criteria:\n  - {name: Tone, question: x}", "r.yaml", r"r.yaml:2: criteria.0.name: must match"),
        ("criteria:\n  - {name: a, question: x}\n  - {name: a, question: y}", "r.yaml", "two criteria of one name"),
        (
            "criteria: [{name: a, question: x, anchors: {1: bad, 5: good}}]",
            "r.yaml",
            "not written for its judge's scale",
        ),
        ("criteria: [{name: a, question: x, anchors: {1: bad}}]", "r.yaml", "anchors without 1 or 5"),
        ("criteria: [{name: a, question: x, pass: y, anchors: {1: a, 5: b}}]", "r.yaml", "pass or fail, and anchors"),
        (RUBRIC + "canaries: [{input: a, output: b, expect: maybe}]", "r.yaml", "expect"),
        (RUBRIC + "canaries: [{input: a, output: b, expect: pass, criterion: x}]", "r.yaml", "names no criterion"),
        (
            RUBRIC + "canaries: [{input: a, output: b, expect: better}]",
            "r.yaml",
            "better and worse go with a reference",
        ),
        (
            RUBRIC + "canaries: [{input: a, output: b, reference: c, expect: pass}]",
            "r.yaml",
            "pass and fail go without",
        ),
        (
            RUBRIC + "canaries: [{input: a, output: b, reference: c, expected: d, expect: worse}]",
            "r.yaml",
            "a reference, and expected; remove expected",
        ),
        (
            RUBRIC + "canaries:\n  - {input: a, output: b, expect: pass}\n"
            "  - {input: a, output: b, reference: c, expect: worse}\n",
            "r.yaml",
            "r.yaml:8: canary 2 is not written for its judge's mode, rubric; write {input, output, expect: pass}",
        ),
        (RUBRIC + "canaries: [{input: 7, output: b, expect: pass}]", "r.yaml", "neither text, an object"),
        (f"---\n{RUBRIC}", "r.md", "never closed; end them with a line ---"),
        (f"---\nguidance: a\n{RUBRIC}---\nb", "r.md", "r.md:2: guidance, and text below the keys"),
        (" \n", "r.md", "an empty rubric"),
        (f"{RUBRIC}criterion: x", "r.yaml", 'unknown key "criterion"; write "criteria"'),
    ],
)
def test_a_rubric_that_is_wrong_is_told_with_its_place(text: str, name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(text, name)


# --- what is asked ----------------------------------------------------------------------------------------------------


class Scripted(Asker):
    """A model that says what it is told to, and remembers what it was asked."""

    identity = "0" * 64

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[Message, ...]] = []
        self.parameters: Mapping[str, Any] = {}

    def ask(self, messages: Any, draw: int, errand: Errand, *, again: bool = False) -> Reply:  # noqa: ARG002
        self.asked.append(tuple(messages))
        errand.bill.add(Usage(1, 1), None, 0)
        return Reply(Untrusted(self.replies.pop(0)), "stop")

    def takes(self, messages: Any, tokens_out: int) -> Cost:
        return Cost(tokens_in=sum(len(one.content) for one in messages), tokens_out=tokens_out, scoring=1)


def judged(asker: Scripted, text: str, api: str = "openai", answer: str = "an answer", **keys: Any) -> Score:
    asked = case(**keys.pop("case", {}))
    entry = {"type": "judge", "provider": "p", "model": "m", "rubric": "r.yaml", **keys}
    scorers = scorer_set(golden(asked), entry)

    def give(_: str, __: str, parameters: Any) -> Asker:
        asker.parameters = parameters(api)
        return asker

    at = held({"r.yaml": text})
    plain = resources(at)
    bound = scorers.bind(Resources(at, plain.embed, plain.embedder, give))
    return bound["judge"].score(Said(answer), asked, Errand(0, Deadline.after(60)))


def tone(passes: bool, reason: str = "so") -> str:
    return json.dumps({"tone": {"reason": reason, "pass": passes}})


def graded(**scores: int) -> str:
    return json.dumps({name: {"reason": f"{name} so", "score": score} for name, score in scores.items()})


def test_the_judge_is_given_the_rubric_the_input_what_is_expected_and_the_context() -> None:
    asker = Scripted(tone(True))
    judged(asker, RUBRIC, case={"input": "Où?", "expected": {"place": "A"}, "context": ["a map"]}, answer="hé\u200bre")
    ((system, user),) = asker.asked
    assert "Is the reply friendly?\n- passes: it greets the customer\n- fails: it is curt" in system.content
    for part in ('"O\\u00f9?"', '{"place": "A"}', '["a map"]', '"h\\u00e9\\u200bre"'):
        assert part in user.content


@pytest.mark.parametrize("keys", [", field: reply", ", field: order.0.reply, step: {tool: write}"])
def test_a_judge_of_a_part_is_asked_about_its_canaries_as_they_are_written(desk: Desk, keys: str) -> None:
    """As a part, or as the whole answer that has it; before, it was never asked, and failed each of them."""
    whole = '  - {input: Where is it?, output: \'{"reply": "Good day!"}\', expect: pass}\n'
    desk.write(rubric=RUBRIC + CANARIES + whole, keys=keys)
    desk.run()
    asked = [the_answer(asked) for asked in desk.judged()]
    assert {"Good day! Your parcel is near.", "No idea."} <= set(asked)
    assert ("Good day!" in asked) is ("order" not in keys)


def test_a_judge_of_a_part_that_passes_a_known_bad_answer_is_found_out(desk: Desk) -> None:
    desk.server.behaviour = behaving(lambda _: ruling(tone=True))
    desk.write(rubric=RUBRIC + CANARIES, keys=", field: reply")
    with pytest.raises(Inconclusive, match="it passes a known bad answer, canary 2"):
        desk.run()


def test_a_field_alone_is_judged_where_one_is_named() -> None:
    asker = Scripted(tone(True))
    keys: dict[str, Any] = {"field": "reply", "name": "judge", "case": {"expected": {"reply": "hi"}}}
    judged(asker, RUBRIC, answer='{"reply": "hello", "x": "secret"}', **keys)
    assert '"hello"' in asker.asked[0][1].content
    assert "secret" not in asker.asked[0][1].content
    missing = judged(Scripted(), RUBRIC, answer="no JSON", **keys)
    assert (missing.passed, missing.reason) == (False, Untrusted("no reply in the answer"))


@pytest.mark.parametrize(
    ("api", "model", "keys", "expected"),
    [
        ("openai", "gpt-4.1", {}, {"temperature": 0, "max_tokens": 2000}),
        ("openai", "gpt-5-mini", {}, {"max_completion_tokens": 8000}),
        ("github", "openai/o3", {}, {"max_completion_tokens": 8000}),
        ("anthropic", "claude-sonnet-4-5", {}, {"temperature": 0, "max_tokens": 2000}),
        ("anthropic", "claude-sonnet-4-20250514", {}, {"temperature": 0, "max_tokens": 2000}),
        ("anthropic", "claude-3-5-haiku-latest", {}, {"temperature": 0, "max_tokens": 2000}),
        ("anthropic", "claude-opus-4-7", {}, {"max_tokens": 2000}),
        ("anthropic", "claude-sonnet-5", {}, {"max_tokens": 2000}),
        ("google", "gemini-2.5-pro", {"thinking_tokens": 512}, {"thinking_tokens": 512, "max_tokens": 2512}),
        ("openai", "gpt-4.1", {"temperature": 1, "max_tokens": 9}, {"temperature": 1, "max_tokens": 9}),
    ],
)
def test_temperature_is_0_where_the_model_is_known_to_take_one(
    api: str, model: str, keys: dict[str, Any], expected: dict[str, Any]
) -> None:
    asker = Scripted(tone(True))
    judged(asker, RUBRIC, api, model=model, parameters=keys)
    form = asker.parameters["response_format"]
    assert {key: value for key, value in asker.parameters.items() if key != "response_format"} == expected
    schema = form["json_schema"]["schema"]
    assert (schema["required"], schema["properties"]["tone"]["required"]) == (["tone"], ["reason", "pass"])


def test_a_server_without_response_format_is_asked_in_words() -> None:
    asker = Scripted(tone(True))
    judged(asker, RUBRIC, structured=False)
    assert "response_format" not in asker.parameters


# --- scales and votes -------------------------------------------------------------------------------------------------


def test_every_criterion_has_to_pass_on_the_binary_scale() -> None:
    two = RUBRIC + "  - {name: help, question: Does it help?}\n"
    reply = {"tone": {"reason": "kind", "pass": True}, "help": {"reason": "useless", "pass": False}}
    score = judged(Scripted(json.dumps(reply)), two)
    assert (score.value, score.passed, score.parts) == (0.5, False, {"tone": 1.0, "help": 0.0})
    assert score.reason == Untrusted("help fails: useless; tone passes: kind")


@pytest.mark.parametrize(("scores", "passed"), [((4, 4), True), ((5, 3), True), ((4, 3), False), ((5, 5), True)])
def test_the_mean_decides_on_the_scale_1_to_5(scores: tuple[int, int], passed: bool) -> None:
    score = judged(Scripted(graded(tone=scores[0], help=scores[1])), ANCHORED, scale="1-5", pass_at=4)
    assert score.passed is passed
    assert score.value == pytest.approx((sum(scores) / 2 - 1) / 4)
    assert score.parts == {"tone": (scores[0] - 1) / 4, "help": (scores[1] - 1) / 4}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"votes": 2}, "an even number of votes can tie; write 3"),
        ({"scale": "1-5"}, "pass_at belongs to the scale 1-5, which needs one"),
        ({"pass_at": 4}, "pass_at belongs to the scale 1-5"),
        ({"scale": "1-5", "pass_at": 1}, "must be more than 1"),
        ({"mode": "pair"}, "mode"),
        ({"mode": "pairwise", "scale": "1-5"}, "a pairwise judge says which answer is better, on no scale"),
        ({"mode": "pairwise", "pass_at": 4}, "a pairwise judge scores from 0 to 1"),
        ({"mode": "pairwise", "pass_at": 0}, "must be more than 0"),
        ({"parameters": {"tools": []}}, 'unknown key "tools"'),
    ],
)
def test_a_judge_that_is_written_wrong_is_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        judged(Scripted(), RUBRIC, **keys)


def test_votes_end_when_the_others_could_change_nothing() -> None:
    asker = Scripted(tone(True), tone(True))
    score = judged(asker, RUBRIC, votes=3)
    assert (score.passed, score.parts) == (True, {"tone": 1.0, "tone:agreement": 1.0})


def test_the_majority_of_the_votes_counts_and_its_disagreement_is_told() -> None:
    score = judged(Scripted(tone(True), tone(False, "curt"), tone(False, "rude")), RUBRIC, votes=3)
    assert (score.passed, score.parts["tone"]) == (False, 0.0)
    assert score.parts["tone:agreement"] == pytest.approx(2 / 3)
    assert score.reason == Untrusted("tone fails: curt")


def test_the_median_of_the_votes_counts_on_the_scale_1_to_5() -> None:
    votes = (graded(tone=1, help=5), graded(tone=5, help=5), graded(tone=4, help=5))
    score = judged(Scripted(*votes), ANCHORED, scale="1-5", pass_at=4.5, votes=3)
    assert (score.parts["tone"], score.passed) == (0.75, True)


# --- costs, caches, confirmations -------------------------------------------------------------------------------------


def test_the_judge_s_calls_are_money_and_stand_beside_the_answer_s(desk: Desk) -> None:
    desk.write(keys=", votes: 3")
    session = desk.session()
    run = desk.run(session=session)
    calls = [record.scoring.calls for record in run.records if record.scoring]
    assert calls == [2] * CASES, "two that agree decide"
    one_call = (10 * 1 + 5 * 2) / 1e6
    assert session.purse.spent == pytest.approx(3 * CASES * one_call)
    assert [record.spent_usd for record in run.records] == [pytest.approx(3 * one_call)] * CASES
    assert [record.cost_usd for record in run.records] == [pytest.approx(one_call)] * CASES


def test_a_report_counts_the_judge_s_calls_beside_the_target_s(desk: Desk) -> None:
    """Those of the canaries are money only: they are the job's, not the verdict's."""
    desk.write(rubric=RUBRIC + CANARIES)
    outcome = desk.gate({"prompt.md": "Be kind, and quick."})
    (suite,) = outcome.suites
    assert (suite.calls, suite.scoring_calls) == (2 * CASES, CASES), "equal words are judged once"
    assert outcome.usd == pytest.approx(len(desk.server.asked) * 20e-6)
    assert f"{2 * CASES} calls made for this verdict, and {CASES} by scorers." in comment(build(outcome))


def test_a_plan_counts_the_judge_s_calls_and_money(desk: Desk) -> None:
    """Guessed where main has no runs."""
    desk.write(keys=", votes: 3")
    outlook = desk.plan({"prompt.md": "Be quick."})
    (plan,) = outlook.plans
    assert (plan.first.calls, plan.first.scoring) == (2 * CASES, 2 * CASES * 3)
    assert plan.first.usd > 2 * CASES * 20e-6
    assert desk.server.asked == []


def test_a_budget_of_money_ends_the_judge_too(desk: Desk) -> None:
    desk.write(budget=", usd: 0.0000001")
    with pytest.raises(Inconclusive, match="more than the budget"):
        desk.gate({"prompt.md": "Be quick."})
    assert desk.server.asked == []


def test_a_judge_of_unknown_price_is_named_where_money_is_limited(desk: Desk) -> None:
    desk.write(budget=", usd: 1")
    policy = (desk.repo.folder / "ci-eval.yaml").read_text().replace('"*"', '"desk-*"')
    desk.repo.write("ci-eval.yaml", policy)
    desk.repo.commit()
    with pytest.raises(Inconclusive, match='no price is known for the model of the scorer "judge"'):
        desk.gate({"prompt.md": "Be quick."})
    assert desk.server.asked == []


def test_a_judge_that_hangs_ends_with_the_deadline(desk: Desk) -> None:
    """The server would have us come back in an hour."""
    busy = Answer(429, {}, {"Retry-After": "3600"})
    desk.server.behaviour = behaving(lambda _: busy)
    desk.write()
    run = desk.run(session=desk.session(seconds=2))
    assert all(record.lost for record in run.records)
    assert any(record.cost_usd for record in run.records), "the answer was paid for"


def test_a_drop_that_the_judge_s_noise_made_is_not_confirmed(desk: Desk) -> None:
    """The target repeats itself, and the judge tosses a coin over one case: each rerun asks the judge anew."""
    tosses: dict[str, int] = {}

    def fickle(answer: str) -> Answer:
        if "parcel 3" not in answer:
            return by_greeting(answer)
        tosses[answer] = tosses.get(answer, 0) + 1
        return ruling(tone=("quick" in answer) == (tosses[answer] % 2 == 0))

    def target(asked: Asked) -> str:
        number = asked.body["messages"][-1]["content"].partition(" ")[0]
        return f"Good day! Your parcel {number} comes{' quick' if 'quick' in str(asked.body) else ''}."

    desk.server.behaviour = behaving(fickle, target)
    desk.write()
    outcome = desk.gate({"prompt.md": "Be kind and quick."})
    assert min(tosses.values()) > 1, "the same words were judged again"
    assert outcome.verdict is not Verdict.REGRESSION
    (flip,) = outcome.suites[0].flips.values()
    assert 0 < flip.base.passes < flip.base.runs


def test_on_a_laptop_the_same_answer_is_not_judged_in_the_next_run(desk: Desk, tmp_path: Path) -> None:
    """And a reply that is no verdict does not stay: it is asked for again, fresh."""
    desk.write()
    cache = ResponseCache(tmp_path / "cache" / "c.sqlite", print)
    for _ in range(2):
        run = desk.run(session=desk.session(cache))
        assert all(cell(record).passed for record in run.records)
    assert len(desk.server.asked) == 2 * CASES
    assert all(record.scoring and record.scoring.calls == 0 and record.scoring.cached_at for record in run.records)
    assert run.as_old_as_its_answers().header.time <= run.header.time
    cache.close()


def test_a_cached_reply_that_is_no_verdict_is_asked_for_again(desk: Desk, tmp_path: Path) -> None:
    desk.write()
    cache = ResponseCache(tmp_path / "cache" / "c.sqlite", print)
    desk.server.behaviour = behaving(lambda _: said("well…"))
    assert all(record.lost for record in desk.run(session=desk.session(cache)).records)
    desk.server.behaviour = behaving(by_greeting)
    assert not any(record.lost for record in desk.run(session=desk.session(cache)).records)
    cache.close()


def test_repeats_of_main_draw_the_judge_anew(desk: Desk) -> None:
    """So that a cell over which the judge tosses a coin is known as one."""
    desk.server.behaviour = behaving(by_greeting, lambda _: "Good day! The parcel comes.")
    desk.write()
    desk.run(repeats=3)
    assert len(desk.judged()) == 3 * CASES
    assert {the_answer(asked) for asked in desk.server.asked if is_judge(asked)} == {"Good day! The parcel comes."}


# --- what is remembered -----------------------------------------------------------------------------------------------

SCORED = {"case": "c1", "request": "0" * 64, "output": "Good day."}
STEP = {"tool": "write", "reply": "Good day."}


def a_stored_verdict(**different: Any) -> Record:
    cell = {"scorer": "judge", "dimension": "output_quality", "score": 0, "passed": False, "reason": "as stored"}
    return validate(Record, Document("run.jsonl", {**SCORED, "cells": [cell], **different}))


@pytest.mark.parametrize("keys", ["", ", step: {tool: write}"])
def test_what_main_s_stored_answers_were_judged_is_not_asked_again(desk: Desk, keys: str) -> None:
    """Of a pipeline, about the step that is judged."""
    desk.write(keys=keys)
    suite = Suite.load(configs.load(desk.main), desk.main, "desk")
    suite.know([a_stored_verdict(steps=[STEP])])
    (judge,) = suite.judges(KEYS)
    answer = Said("Good day.", steps=(Untrusted(STEP),))
    score = judge.score(answer, suite.golden.cases["c1"], Errand(0, Deadline.after(60)))
    assert (score.reason, desk.judged()) == (Untrusted("as stored"), [])


@pytest.mark.parametrize("stored", [{"finish": "length"}, {"repeat": 1}, {"case": "c2"}, {"output": "Good night."}])
def test_no_other_verdict_stands_for_one(desk: Desk, stored: dict[str, Any]) -> None:
    """An answer that was cut off failed unread: the same words, when they are all, were never judged."""
    desk.write()
    suite = Suite.load(configs.load(desk.main), desk.main, "desk")
    suite.know([a_stored_verdict(**stored)])
    (judge,) = suite.judges(KEYS)
    assert judge.score(Said("Good day."), suite.golden.cases["c1"], Errand(0, Deadline.after(60))).passed
    assert len(desk.judged()) == 1


def test_a_case_that_is_called_as_another_has_its_own_verdict(desk: Desk) -> None:
    """Canaries are numbered, and nothing keeps a golden case from having such a name."""
    desk.write()
    (judge,) = Suite.load(configs.load(desk.main), desk.main, "desk").judges(KEYS)
    for expected in ("a parcel", "a letter", "a parcel"):
        judge.score(Said("Good day."), case("canary-1", expected=expected), Errand(0, Deadline.after(60)))
    assert len(desk.judged()) == 2
