"""The pairwise judge: what it compares, in which orders, how votes and criteria add up, what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from judged import (
    CASES,
    PAIR_CANARIES,
    PAIRWISE,
    RUBRIC,
    Desk,
    cell,
    choosing,
    pairing,
    the_answers,
    the_greeting,
)
from making import case, golden, held, resources, scorer_set
from model_server import ModelServer
from repo import Repo

from ci_eval import config as configs
from ci_eval.deadline import Deadline
from ci_eval.errors import Inconclusive, InputError
from ci_eval.evaluation.suite import Suite
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import Message, ProviderError, Reply, Usage
from ci_eval.report.markdown import comment
from ci_eval.report.model import build
from ci_eval.runner.cache import ResponseCache
from ci_eval.scorers.base import Answer, Asker, Resources, Score
from ci_eval.scorers.errand import Errand
from ci_eval.text import JSON, Untrusted
from ci_eval.verdict import Verdict

TWO = RUBRIC + "  - {name: help, question: Does it help?}\n"


@pytest.fixture
def desk(repo: Repo, tmp_path: Path) -> Iterator[Desk]:
    with ModelServer(pairing(the_greeting)) as server:
        yield Desk(repo, server, tmp_path / "out")


class Scripted(Asker):
    """A model that says what it is told to, and remembers what it was asked."""

    identity = "0" * 64

    def __init__(self, *replies: Mapping[str, str]) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[Message, ...]] = []
        self.schema: Mapping[str, Any] = {}

    def ask(self, messages: Any, draw: int, errand: Errand, *, again: bool = False) -> Reply:  # noqa: ARG002
        self.asked.append(tuple(messages))
        errand.bill.add(Usage(1, 1), None, 0)
        reply = {
            name: {"reason": f"{name} {len(self.asked)}", "better": one} for name, one in self.replies.pop(0).items()
        }
        return Reply(Untrusted(json.dumps(reply)), "stop")

    def takes(self, messages: Any, tokens_out: int) -> Cost:
        return Cost(tokens_in=sum(len(one.content) for one in messages), tokens_out=tokens_out, scoring=1)


def judged(asker: Scripted, answer: str = "an answer", text: str = RUBRIC, **keys: Any) -> Score:
    """The score of an answer; the case's reference is `the reference`."""
    asked = case(**{"expected": "the reference", **keys.pop("case", {})})
    entry = {
        "type": "judge",
        "provider": "p",
        "model": "m",
        "rubric": "r.yaml",
        "mode": "pairwise",
        "name": "j",
        **keys,
    }
    scorers = scorer_set(golden(asked), entry)

    def give(_: str, __: str, parameters: Any) -> Asker:
        asker.schema = parameters("openai").get("response_format", {})
        return asker

    at = held({"r.yaml": text})
    plain = resources(at)
    bound = scorers.bind(Resources(at, plain.embed, plain.embedder, give))
    return bound["j"].score(Answer(answer), asked, Errand(0, Deadline.after(60)))


def tone(better: str) -> Mapping[str, str]:
    return {"tone": better}


# --- what is compared -------------------------------------------------------------------------------------------------


def test_the_two_answers_are_shown_in_both_orders_and_nothing_else_differs() -> None:
    asker = Scripted(tone("A"), tone("B"))
    judged(asker, case={"input": "Où?", "context": ["a map"]})
    (system, one), (again, other) = asker.asked
    assert system == again
    assert "Is the reply friendly?\n- passes: it greets the customer\n- fails: it is curt" in system.content
    assert one.content.index('"an answer"') < one.content.index('"the reference"')
    assert other.content.index('"the reference"') < other.content.index('"an answer"')
    for message in (one, other):
        assert '"O\\u00f9?"' in message.content
        assert '["a map"]' in message.content
    schema = asker.schema["json_schema"]["schema"]
    assert schema["properties"]["tone"]["properties"]["better"] == {"type": "string", "enum": ["A", "B", "tie"]}


@pytest.mark.parametrize(
    ("keys", "answer", "compared"),
    [
        ({"field": "reply", "case": {"expected": {"reply": "hi"}}}, '{"reply": "hello", "x": 1}', ("hello", "hi")),
        ({"against": "reply", "case": {"expected": {"reply": "hi", "refuse": False}}}, "hello", ("hello", "hi")),
        ({"case": {"expected": ["hi", "good day"]}}, "hello", ("hello", "hi")),
        ({"case": {"expected": {"b": 1, "a": 2}}}, '{"a": 3,\n "b": 1}', ('{"a":3,"b":1}', '{"a":2,"b":1}')),
        ({"case": {"expected": {"b": 1}}}, "b is 1", ("b is 1", '{"b":1}')),
    ],
)
def test_what_is_compared_with_what(keys: dict[str, Any], answer: str, compared: tuple[str, str]) -> None:
    """A part with the same part, or the part that `against` names; of JSON, neither side's layout is seen."""
    asker = Scripted(tone("tie"), tone("tie"))
    judged(asker, answer, **keys)
    for asked, both in zip(asker.asked, (compared, compared[::-1]), strict=True):
        lines = asked[1].content.split("\n")
        assert [json.loads(line) for line in lines if line.startswith('"')] == list(both)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("same", "same"),
        ("second", ["first", "second"]),
        ('{"b": 2, "a": 1}', {"a": 1, "b": 2}),
        (" same\r\n", "same"),
        ("\n", ""),
    ],
)
def test_an_answer_that_is_the_reference_is_a_tie_without_a_call(answer: str, expected: Any) -> None:
    asker = Scripted()
    score = judged(asker, answer, case={"expected": expected})
    assert (score.value, score.passed, score.parts, asker.asked) == (0.5, True, {"tone": 0.5}, [])


def test_an_answer_without_the_part_that_is_compared_fails_without_a_call() -> None:
    score = judged(Scripted(), "no JSON", field="reply", case={"expected": {"reply": "hi"}})
    assert (score.value, score.passed, score.reason) == (0, False, Untrusted("no reply in the answer"))


@pytest.mark.parametrize("side", ["answer", "reference"])
def test_what_is_too_long_is_not_judged(side: str) -> None:
    texts = {"answer": "a", "reference": "b", side: "x" * 100_001}
    with pytest.raises(ProviderError, match="100,000 characters"):
        judged(Scripted(), texts["answer"], case={"expected": texts["reference"]})


def test_a_suite_without_a_reference_is_refused_and_a_case_without_one_is_passed_over(desk: Desk) -> None:
    desk.write(keys=f"{PAIRWISE}, against: reply")
    with pytest.raises(InputError, match=r'ci-eval.yaml:10: the scorer "judge" has nothing to look at in any golden'):
        Suite.load(configs.load(desk.main), desk.main, "desk")
    rows: list[JSON] = [
        {"id": "c1", "input": "1 where is it?", "expected": {"reply": "a parcel"}},
        {"id": "c2", "input": "2 where?"},
    ]
    desk.write_cases(rows)
    desk.repo.commit()
    scorers = {record.case: [one.scorer for one in record.cells] for record in desk.run().records}
    assert scorers == {"c1": ["contains", "judge"], "c2": ["contains"]}


# --- what two orders, criteria and votes add up to --------------------------------------------------------------------


def test_each_criterion_is_folded_by_itself_and_the_mean_is_the_score() -> None:
    score = judged(Scripted({"tone": "A", "help": "A"}, {"tone": "B", "help": "A"}), text=TWO)
    assert (score.value, score.passed) == (0.75, True)
    assert score.parts == {
        "tone": 1, "help": 0.5, "tone:consistency": 1, "help:consistency": 0, "tone:first": 0.5, "help:first": 1,
    }  # fmt: skip
    assert score.reason == Untrusted(
        "help: the orders disagree, counts as a tie (ours as A: help 1); "
        "tone: better in both orders (ours as A: tone 1)"
    )


@pytest.mark.parametrize(
    ("said", "pass_at", "value", "passed"),
    [
        (("B", "A"), None, 0, False),
        (("tie", "tie"), None, 0.5, True),
        (("A", "A"), None, 0.5, True),
        (("A", "A"), 0.6, 0.5, False),
        (("A", "B"), 1, 1, True),
    ],
)
def test_by_default_whatever_is_not_worse_than_the_reference_passes(
    said: tuple[str, str], pass_at: float | None, value: float, passed: bool
) -> None:
    keys: dict[str, Any] = {} if pass_at is None else {"pass_at": pass_at}
    score = judged(Scripted(*map(tone, said)), **keys)
    assert (score.value, score.passed) == (value, passed)


def test_three_criteria_that_cancel_out_are_exactly_a_tie() -> None:
    three = TWO + "  - {name: length, question: Is it short?}\n"
    said = ({"tone": "A", "help": "B", "length": "tie"}, {"tone": "B", "help": "A", "length": "tie"})
    assert judged(Scripted(*said), text=three).passed


def test_each_vote_asks_in_both_orders_and_the_median_counts() -> None:
    asker = Scripted(tone("A"), tone("B"), tone("B"), tone("A"), tone("A"), tone("A"))
    score = judged(asker, votes=3)
    assert (score.value, len(asker.asked)) == (0.5, 6), "won, lost, and a tie"
    assert score.parts["tone:agreement"] == pytest.approx(1 / 3)
    assert score.parts["tone:consistency"] == pytest.approx(2 / 3)
    assert score.parts["tone:first"] == pytest.approx(2 / 3)


def test_votes_end_when_the_others_could_change_nothing() -> None:
    asker = Scripted(tone("A"), tone("B"), tone("A"), tone("B"))
    assert judged(asker, votes=3).value == 1
    assert len(asker.asked) == 4


# --- in a run and in a gate -------------------------------------------------------------------------------------------


def test_a_change_for_the_worse_is_a_regression_and_one_for_the_better_is_none(desk: Desk) -> None:
    """The fixed opponent greets: whoever stops greeting is worse than it, on either side."""
    desk.write(keys=PAIRWISE)
    rows = ({"id": f"c{n}", "input": f"{n} where is it?", "expected": "Good day! A parcel."} for n in range(CASES))
    desk.write_cases(rows)
    desk.repo.commit()
    outcome = desk.gate({"prompt.md": "Be quick."})
    assert outcome.verdict is Verdict.REGRESSION
    assert "tone: worse in both orders" in comment(build(outcome))
    desk.repo.write("prompt.md", "Be quick.")
    desk.repo.commit()
    assert desk.gate({"prompt.md": "Be kind."}).verdict is Verdict.PASS


def test_a_judge_that_always_says_a_finds_ties_alone_and_the_report_says_so(desk: Desk) -> None:
    desk.server.behaviour = pairing(lambda _, __: choosing(tone="A"))
    desk.write(keys=PAIRWISE)
    assert {cell(record).score for record in desk.run().records} == {0.5}
    outcome = desk.gate({"prompt.md": "Be quick."})
    assert outcome.verdict is Verdict.PASS
    text = comment(build(outcome))
    assert 'the judge "judge" said another thing in the other order in 12 of 12 comparisons' in text
    assert "mostly for the answer shown first" in text


def test_a_judge_that_says_the_same_in_both_orders_is_not_warned_of(desk: Desk) -> None:
    desk.write(keys=PAIRWISE)
    assert "in the other order" not in comment(build(desk.gate({"prompt.md": "Be quick."})))


def test_both_orders_of_each_vote_are_money_and_planned(desk: Desk) -> None:
    desk.write(keys=f"{PAIRWISE}, votes: 3")
    (plan,) = desk.plan({"prompt.md": "Be quick."}).plans
    assert (plan.first.calls, plan.first.scoring) == (2 * CASES, 2 * CASES * 3 * 2)
    session = desk.session()
    run = desk.run(session=session)
    assert [record.scoring.calls for record in run.records if record.scoring] == [4] * CASES
    assert session.purse.spent == pytest.approx(5 * CASES * 20e-6)


def test_on_a_laptop_both_orders_are_remembered(desk: Desk, tmp_path: Path) -> None:
    desk.write(keys=PAIRWISE)
    cache = ResponseCache(tmp_path / "cache" / "c.sqlite", print)
    scores = [[cell(record).score for record in desk.run(session=desk.session(cache)).records] for _ in range(2)]
    assert scores == [[1] * CASES] * 2
    assert len(desk.server.asked) == 3 * CASES
    cache.close()


@pytest.mark.parametrize("field", ["", ", field: reply", ", against: reply", ", field: order.0.reply, against: reply"])
def test_known_pairs_are_judged_first_in_both_orders(desk: Desk, field: str) -> None:
    desk.write(rubric=RUBRIC + PAIR_CANARIES, keys=PAIRWISE + field)
    whole = {"reply": "a parcel", "order": [{"reply": "a parcel"}]}
    row = {"id": "c1", "input": "1 where is it?", "expected": whole if field else "a parcel"}
    desk.write_cases([row])
    desk.repo.commit()
    desk.run()
    asked = [the_answers(asked) for asked in desk.judged()]
    first = [("Good day! It is near.", "It is near."), ("No idea.", "Good day! No idea.")]
    assert sorted(asked[:4]) == sorted(first + [pair[::-1] for pair in first])


@pytest.mark.parametrize(
    ("said", "told"),
    [("A", "better that is known to be, in both orders, canary 1"), ("tie", "better that is known to be")],
)
def test_a_judge_that_does_not_know_its_pairs_ends_the_job(desk: Desk, said: str, told: str) -> None:
    desk.server.behaviour = pairing(lambda _, __: choosing(tone=said))
    desk.write(rubric=RUBRIC + PAIR_CANARIES, keys=PAIRWISE)
    with pytest.raises(Inconclusive, match=told):
        desk.run()
    assert len(desk.judged()) == len(desk.server.asked) == 4


def test_a_judge_that_prefers_the_worse_of_a_known_pair_ends_the_job(desk: Desk) -> None:
    def longer(a: str, b: str) -> Any:
        return choosing(tone="A" if a == "No idea." else "B") if "No idea." in (a, b) else the_greeting(a, b)

    desk.server.behaviour = pairing(longer)
    desk.write(rubric=RUBRIC + PAIR_CANARIES, keys=PAIRWISE)
    with pytest.raises(
        Inconclusive, match="does not find an answer worse that is known to be, in both orders, canary 2"
    ):
        desk.run()


def test_a_canary_of_single_answers_is_refused_with_its_line(desk: Desk) -> None:
    desk.write(rubric=RUBRIC + "canaries:\n  - {input: a, output: b, expect: pass}\n", keys=PAIRWISE)
    told = (
        r"golden/tone.yaml:7: canary 1 is not written for its judge's mode, pairwise; write {input, output, reference,"
    )
    with pytest.raises(InputError, match=told):
        desk.run()
    assert desk.server.asked == []


@pytest.mark.parametrize("keys", ["", f"{PAIRWISE}, against: reply", f"{PAIRWISE}, pass_at: 1"])
def test_another_mode_is_another_judge(desk: Desk, keys: str) -> None:
    """For stored runs and for calibrations."""
    whole = {"reply": "a"}
    desk.write(keys=PAIRWISE, **{"golden/more.jsonl": json.dumps({"id": "x", "input": "x", "expected": whole}) + "\n"})

    def identities() -> tuple[str, str]:
        suite = Suite.load(configs.load(desk.main), desk.main, "desk")
        (judge,) = suite.judges()
        return judge.identity, suite.fingerprint(suite.side(desk.main).target).scorers

    before = identities()
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", policy.replace(PAIRWISE, keys))
    desk.repo.commit()
    assert all(one != other for one, other in zip(before, identities(), strict=True))
