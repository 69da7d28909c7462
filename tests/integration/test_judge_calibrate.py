"""`ci-eval judge calibrate`: a judge beside people's labels, kept beside the rubric, and told in every report."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from command import Ran, ci_eval
from judged import (
    CANARIES,
    PAIRWISE,
    RUBRIC,
    Desk,
    behaving,
    by_greeting,
    pairing,
    ruling,
    said,
    the_answers,
    the_greeting,
)
from model_server import KEY, Answer, ModelServer
from repo import Repo

from ci_eval.errors import Inconclusive, InputError
from ci_eval.outcome.judges import relation
from ci_eval.report.files import Form, of_gate
from ci_eval.report.json_report import to_json
from ci_eval.report.markdown import comment
from ci_eval.report.model import build

FILE = "golden/tone.calibration.json"


@pytest.fixture
def desk(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with ModelServer(behaving(by_greeting)) as server:
        yield Desk(repo, server, tmp_path / "out")


def label(number: int, *, judge: bool, people: object, **different: Any) -> Mapping[str, Any]:
    """An answer that the judge, who looks for the greeting alone, passes or fails, and what people say of it."""
    output = f"{'Good day! ' if judge else ''}Answer {number}."
    return {"input": f"Question {number}?", "output": output, "label": people, **different}


def words(passes: bool) -> str:
    return "pass" if passes else "fail"


def table(fail_fail: int, fail_pass: int, pass_fail: int, pass_pass: int) -> list[Mapping[str, Any]]:
    """Labels with so many of each kind: people's word, then the judge's."""
    kinds = [(False, False)] * fail_fail + [(False, True)] * fail_pass
    kinds += [(True, False)] * pass_fail + [(True, True)] * pass_pass
    return [label(n, judge=judge, people=words(people)) for n, (people, judge) in enumerate(kinds)]


def calibrate(desk: Desk, labels: Sequence[Mapping[str, Any]] | None, *options: str, cached: bool = False) -> Ran:
    arguments = [*options, "--repo", str(desk.repo.folder), "--quiet", *([] if cached else ["--no-cache"])]
    if labels is not None:
        file = desk.out.parent / "labels.jsonl"
        file.write_text("".join(f"{json.dumps(one)}\n" for one in labels))
        arguments.insert(0, str(file))
    return ci_eval("judge", "calibrate", *arguments)


@pytest.mark.parametrize("keys", [", field: reply", ", step: {tool: write}"])
def test_a_judge_of_a_part_is_asked_about_the_part_that_people_labelled(desk: Desk, keys: str) -> None:
    desk.write(keys=keys)
    labels = [label(1, judge=True, people={"tone": "pass"}), label(2, judge=False, people={"tone": "fail"})]
    (found,) = json.loads(calibrate(desk, labels, "--json").out)["compared"].values()
    assert found["table"] == [[1, 0], [0, 1]]
    assert len(desk.judged()) == len(labels)


def test_labels_over_which_people_are_of_two_minds_are_no_calibration(desk: Desk) -> None:
    desk.write()
    labels = [label(1, judge=True, people=words(one), rater=f"r{one}") for one in (True, False)]
    done = calibrate(desk, labels)
    assert (done.code, done.out) == (2, "")
    assert "people are of two minds" in done.err


def test_labels_with_a_known_kappa_and_ac1(desk: Desk) -> None:
    desk.write()
    done = calibrate(desk, table(20, 5, 10, 15), "--json")
    assert done.code == 0, done.err
    found = done.json["compared"]["overall"]
    assert (found["table"], found["labels"]) == ([[20, 5], [10, 15]], 50)
    assert found["agreement"][0] == 0.7
    assert found["kappa"][0] == 0.4
    assert found["gwet"][0] == round((0.7 - 0.495) / 0.505, 4)
    assert (found["sensitivity"][0], found["specificity"][0]) == (0.8, 0.6)
    assert len(found["differing"]) == 15
    assert found["labels_needed"] > 50
    assert len(desk.server.asked) == 50


def test_what_a_person_reads(desk: Desk) -> None:
    desk.write()
    hostile = label(99, judge=True, people="fail", output="Good day! \x1b[2J::error::x")
    done = calibrate(desk, [*table(20, 0, 0, 40), hostile])
    assert done.code == 0, done.err
    assert "fails what people fail   95 % (77 to 99; 20 of 21)" in done.out
    assert "- people fail, judge pass: Good day! \\u{1b}[2J:\\u{3a}error" in done.out
    assert "The judge failed 20 of these answers and passed 41: label 50 of each or more" in done.out
    assert f"kept in {FILE}; commit it" in done.err


def test_a_dry_run_asks_nobody_and_says_what_it_would_cost(desk: Desk) -> None:
    desk.write(keys=", votes: 3")
    done = calibrate(desk, table(5, 0, 0, 5), "--dry-run")
    assert done.code == 0, done.err
    assert "10 labelled answers: at most 30 calls" in done.out
    assert "Nothing was asked." in done.out
    assert desk.server.asked == []
    assert not (desk.repo.folder / FILE).exists()


def test_one_answer_that_several_people_label_is_judged_once_and_they_are_compared(desk: Desk) -> None:
    desk.write()
    split = [label(0, judge=True, people=words(one), rater=rater) for rater, one in (("a", True), ("b", False))]
    agreed = [label(1, judge=True, people="pass", rater=rater) for rater in "ab"]
    found = calibrate(desk, [*split, *agreed], "--json").json["compared"]["overall"]
    assert len(desk.server.asked) == 2
    assert (found["labels"], found["left_out"]) == (1, 1)
    assert found["people_agreement"][0] == 0.5


def test_labels_by_criterion_and_of_golden_cases(desk: Desk) -> None:
    desk.write()
    rows = [
        {"case": "c1", "output": "Good day!", "label": {"tone": "pass"}},
        {"case": "c2", "output": "No.", "label": {"tone": "fail"}},
    ]
    compared = calibrate(desk, rows, "--json").json["compared"]
    assert {name: one["table"] for name, one in compared.items()} == {"tone": [[1, 0], [0, 1]]}
    assert '"1 where is it?"' in desk.server.asked[0].body["messages"][1]["content"] + str(desk.server.asked[1].body)


def test_people_s_ratings_of_golden_cases_with_the_answers_of_a_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the scale 1-5: a near miss counts in part, and pass_at says what passes."""
    anchored = "criteria: [{name: tone, question: How kind?, anchors: {1: rude, 5: warm}}]"
    desk.write(rubric=anchored, keys=", scale: 1-5, pass_at: 4")
    rows = [{"id": f"c{n}", "input": f"{n} where is it?", "human": {"tone": 1 + n % 5}} for n in range(10)]
    desk.write_cases(rows)
    desk.repo.commit()
    desk.server.behaviour = behaving(lambda answer: ruling(tone=min(5, 2 + int(answer.split()[-5]) % 5)))
    assert ci_eval("run", "--repo", str(desk.repo.folder), "--no-cache", "--quiet").code == 0
    monkeypatch.setenv("HOUSE_KEY", KEY)  # a run takes it out of its environment
    done = calibrate(desk, None, "--run", str(desk.repo.folder / ".ci-eval/desk/run.jsonl"), "--json")
    assert done.code == 0, done.err
    found = done.json["compared"]["tone"]
    assert found["table"] == [[0, 2, 0, 0, 0], [0, 0, 2, 0, 0], [0, 0, 0, 2, 0], [0, 0, 0, 0, 2], [0, 0, 0, 0, 2]]
    assert found["kappa"][0] > found["agreement"][0] == 0.2


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"output": "x", "label": "pass"}, '"input" is missing'),
        ({"input": "a", "output": "x", "label": "good"}, "label"),
        ({"input": "a", "output": "x", "label": 3}, "3 is no mark of its judge's scale, binary; write pass or fail"),
        ({"input": "a", "output": "x", "label": True}, "label"),
        ({"input": "a", "output": "x", "label": {"style": "pass"}}, 'no criterion "style"; write one of tone'),
        ({"case": "c99", "output": "x", "label": "pass"}, 'no golden case "c99"'),
        ({"input": "a", "output": "x", "label": "pass", "score": 1}, 'unknown key "score"'),
    ],
)
def test_a_label_that_is_none_is_told_with_its_line(desk: Desk, row: Mapping[str, Any], told: str) -> None:
    desk.write()
    done = calibrate(desk, [label(1, judge=True, people="pass"), row])
    assert done.code == 2
    assert "labels.jsonl:2: " in done.err
    assert told in done.err
    assert desk.server.asked == []


def test_a_second_label_by_the_same_person_is_refused(desk: Desk) -> None:
    desk.write()
    done = calibrate(desk, [label(1, judge=True, people="pass"), label(1, judge=True, people="fail")])
    assert (done.code, "a second label for this answer" in done.err) == (2, True)


# --- a judge that compares --------------------------------------------------------------------------------------------


def paired(number: int, *, judge: str, people: str, **different: Any) -> Mapping[str, Any]:
    """An answer beside its reference, which the judge, who looks for the greeting alone, prefers or not."""
    output, reference = (f"{'Good day! ' if judge == greets else ''}Answer {number}." for greets in ("better", "worse"))
    return {
        "input": f"Question {number}?",
        "output": output,
        "reference": f"{reference}.",
        "label": people,
        **different,
    }


@pytest.mark.parametrize("keys", ["", ", field: reply", ", against: reply", ", field: order.0.reply, against: reply"])
def test_people_s_preferences_beside_a_pairwise_judge_s(desk: Desk, keys: str) -> None:
    desk.server.behaviour = pairing(the_greeting)
    desk.write(keys=PAIRWISE + keys, **{"golden/more.jsonl": MORE})
    kinds = [("worse", "worse")] * 6 + [("tie", "tie")] * 3 + [("better", "tie")] * 2 + [("better", "better")] * 9
    rows = [paired(n, people=people, judge=judge) for n, (people, judge) in enumerate([*kinds, ("worse", "better")])]
    found = calibrate(desk, rows, "--json")
    assert found.code == 0, found.err
    overall = found.json["compared"]["overall"]
    assert overall["table"] == [[6, 0, 1], [0, 3, 0], [0, 2, 9]]
    assert overall["sensitivity"][0] == round(6 / 7, 4), "what people call worse, the judge does"
    assert overall["specificity"][0] == 1
    assert (overall["differing"][0]["people"], overall["differing"][0]["judge"]) == ("worse", "better")
    assert len(desk.server.asked) == 2 * len(rows), "in both orders"


MORE = json.dumps({"id": "x", "input": "x", "expected": {"reply": "a", "order": [{"reply": "a"}]}}) + "\n"


def test_what_a_person_reads_of_preferences(desk: Desk) -> None:
    desk.server.behaviour = pairing(the_greeting)
    desk.write(keys=PAIRWISE)
    rows = [paired(1, judge="better", people="better"), paired(2, judge="worse", people="tie")]
    done = calibrate(desk, rows)
    assert "judge: better" in done.out
    assert "- people tie, judge worse: Answer 2." in done.out
    desk.repo.commit("calibrated")
    desk.server.behaviour = pairing(the_greeting)
    assert "which agrees with people in 50 % of 2 labels" in report(desk)[0]


def test_people_of_two_minds_about_a_pair_are_left_out(desk: Desk) -> None:
    desk.server.behaviour = pairing(the_greeting)
    desk.write(keys=PAIRWISE)
    split = [paired(1, judge="better", people=one, rater=one) for one in ("better", "tie")]
    most = [paired(2, judge="better", people=one, rater=f"r{n}") for n, one in enumerate(("worse", "better", "better"))]
    found = calibrate(desk, [*split, *most], "--json").json["compared"]["overall"]
    assert (found["labels"], found["left_out"], found["table"][2][2]) == (1, 1, 1)


def test_a_label_of_a_golden_case_is_beside_its_reference(desk: Desk) -> None:
    desk.server.behaviour = pairing(the_greeting)
    desk.write(keys=PAIRWISE)
    assert calibrate(desk, [{"case": "c1", "output": "Good day!", "label": {"tone": "better"}}]).code == 0
    assert {the_answers(asked) for asked in desk.server.asked} == {("Good day!", "a parcel"), ("a parcel", "Good day!")}


def test_people_s_ratings_of_golden_cases_without_a_reference_are_passed_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.server.behaviour = pairing(the_greeting)
    desk.write(keys=PAIRWISE)
    rows = [{"id": "c1", "input": "1?", "human": {"tone": 1}}]
    rows += [{"id": f"r{n}", "input": f"r{n}?", "expected": "a parcel", "human": {"tone": n / 2}} for n in range(3)]
    desk.write_cases(rows)
    desk.repo.commit()
    assert ci_eval("run", "--repo", str(desk.repo.folder), "--no-cache", "--quiet").code == 0
    monkeypatch.setenv("HOUSE_KEY", KEY)  # a run takes it out of its environment
    found = calibrate(desk, None, "--run", str(desk.repo.folder / ".ci-eval/desk/run.jsonl"), "--json")
    assert found.json["compared"]["tone"]["table"] == [[0, 0, 1], [0, 0, 1], [0, 0, 1]], "it greets"


ANSWER = {"input": "a", "output": "x"}
PAIR = {**ANSWER, "reference": "y"}


@pytest.mark.parametrize(
    ("keys", "row", "told"),
    [
        (PAIRWISE, {**ANSWER, "label": "tie"}, 'no reference answer to compare with; add "reference"'),
        (
            PAIRWISE,
            {**PAIR, "label": "pass"},
            "pass is no mark of its judge's scale, pairwise; write better, worse or tie",
        ),
        (PAIRWISE, {**PAIR, "label": 3}, "3 is no mark"),
        ("", {**ANSWER, "label": "better"}, "better is no mark of its judge's scale, binary"),
        ("", {**PAIR, "label": "pass"}, "a reference, for a judge of single answers"),
    ],
)
def test_a_label_of_another_kind_of_judge_is_told_with_its_line(
    desk: Desk, keys: str, row: Mapping[str, Any], told: str
) -> None:
    desk.write(keys=keys)
    done = calibrate(desk, [row])
    assert done.code == 2
    assert "labels.jsonl:1: " in done.err
    assert told in done.err
    assert desk.server.asked == []


def test_no_label_at_all_is_refused(desk: Desk) -> None:
    desk.write()
    done = calibrate(desk, [])
    assert (done.code, "there is no label" in done.err) == (2, True)


def test_a_judge_that_gives_no_verdict_is_not_calibrated(desk: Desk) -> None:
    desk.server.behaviour = behaving(lambda _: said("well…"))
    desk.write()
    done = calibrate(desk, table(2, 0, 0, 2))
    assert (done.code, "gave no verdict on 4 of 4 answers" in done.err) == (3, True)
    assert not (desk.repo.folder / FILE).exists()


# --- within the budget ------------------------------------------------------------------------------------------------


def dear(answer: str) -> Answer:
    """A judge that takes far more tokens than anybody would guess: a dollar's worth each time."""
    body = {**cast("dict[str, Any]", by_greeting(answer).body)}
    return Answer(200, {**body, "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}})


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (", usd: 0.001", "10 labelled answers would take up to 10 calls, "),
        (", calls: 9", "more than the budget of ci-eval.yaml; raise it"),
        (", tokens: 100", "more than the budget of ci-eval.yaml; raise it"),
    ],
)
@pytest.mark.parametrize("option", ["", "--dry-run"])
def test_a_budget_that_does_not_reach_is_told_before_the_first_call(
    desk: Desk, budget: str, told: str, option: str
) -> None:
    desk.write(budget=budget)
    done = calibrate(desk, table(5, 0, 0, 5), *filter(None, [option]))
    assert (done.code, told in done.err) == (3, True), done.err
    assert len(done.err.splitlines()) == 1
    assert ("Nothing was asked" in done.out) is bool(option)
    assert desk.server.asked == []


def test_a_price_that_nobody_knows_is_more_than_any_budget(desk: Desk) -> None:
    desk.write(budget=", usd: 100")
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", policy.replace(', prices: {"*": {input: 1, output: 2}}', ""))
    done = calibrate(desk, table(5, 0, 0, 5))
    assert (done.code, "no price is known for its model, and budget.usd is set" in done.err) == (3, True)
    assert desk.server.asked == []


def test_a_limit_of_calls_a_minute_that_takes_too_long_is_told_before_the_first_call(desk: Desk) -> None:
    desk.write()
    with_key(desk, "requests_per_minute: 1")
    done = calibrate(desk, table(6, 0, 0, 5))
    assert (done.code, "would take up to 660 s, 11 calls" in done.err) == (3, True), done.err
    assert desk.server.asked == []


def test_an_empty_purse_ends_it_and_what_was_judged_is_told_and_remembered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(desk.out.parent / "cache"))
    desk.server.behaviour = behaving(dear)
    desk.write(budget=", usd: 3")
    with_key(desk, "max_concurrency: 2")
    labels = table(4, 1, 1, 4)
    done = calibrate(desk, labels, cached=True)
    first = len(desk.server.asked)
    assert 1 <= first < 10
    assert done.code == 3
    assert f"no verdict on {10 - first} of 10 answers (the budget is spent), so nothing is kept; run again" in done.err
    assert done.out.startswith(f"{first} labelled answers, judged by judge-1")
    assert not (desk.repo.folder / FILE).exists()
    desk.server.behaviour = behaving(by_greeting)
    monkeypatch.setenv("HOUSE_KEY", KEY)
    assert calibrate(desk, labels, cached=True).code == 0
    assert len(desk.server.asked) == 10, "each answer was judged once"


def with_key(desk: Desk, key: str) -> None:
    """Another key of the judge's provider."""
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", policy.replace("key_env", f"{key}, key_env"))


def test_time_ends_it_too(desk: Desk) -> None:
    over = threading.Event()

    def when_it_is_over(answer: str) -> Answer:
        over.wait(60)
        return by_greeting(answer)

    desk.server.behaviour = behaving(when_it_is_over)
    desk.write()
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", policy.replace("seconds: 600", "seconds: 0.5"))
    try:
        done = calibrate(desk, table(1, 0, 0, 1))
    finally:
        over.set()
    assert (done.code, "no verdict on 2 of 2 answers (the budget of time ran out)" in done.err) == (3, True), done.err


# --- in reports -------------------------------------------------------------------------------------------------------


def test_every_form_of_a_gate_s_report_says_it(desk: Desk) -> None:
    desk.write()
    assert calibrate(desk, table(9, 1, 1, 9)).code == 0
    desk.repo.commit("calibrated")
    outcome = desk.gate({"prompt.md": "Be kind, and quick."})
    for form in get_args(Form):
        assert "90 % of 20 labels" in of_gate(outcome, form) or form == "json"


def report(desk: Desk) -> tuple[str, dict[str, Any]]:
    """The comment on a pull request that changes the prompt, and its JSON."""
    outcome = desk.gate({"prompt.md": "Be kind, and quick."})
    return comment(build(outcome)), to_json(outcome)["suites"][0]


def test_every_report_says_how_far_the_judge_agrees_with_people(desk: Desk) -> None:
    desk.write(rubric=RUBRIC + CANARIES)
    text, _ = report(desk)
    assert "`output_quality` is judged by `judge-1`; it was never compared with people" in text
    assert "never compared with people; label some answers" in text, "which is a warning, too"
    assert calibrate(desk, table(17, 3, 5, 95)).code == 0
    desk.repo.commit("calibrated")
    text, told = report(desk)
    assert "which agrees with people in 93 % of 120 labels (κ 0.77, AC1 0.91)" in text
    assert "It fails 85 % of what people fail and passes 95 % of what they pass" in text
    assert "a true drop of one point shows as about 0.80" in text
    assert "Stale" not in text
    assert "never compared" not in text
    assert told["judges"][0]["compared"]["overall"]["labels"] == 120


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("golden/tone.yaml", "curt", "rude", "Stale: the rubric changed since."),
        ("ci-eval.yaml", "scorers:", "scorers: ", ""),
        ("ci-eval.yaml", "rubric: golden", "votes: 3, rubric: golden", "Stale: the judge's model or settings changed"),
        (
            "ci-eval.yaml",
            "rubric: golden",
            "step: {tool: write}, rubric: golden",
            "Stale: the judge's model or settings",
        ),
        ("ci-eval.yaml", "rubric: golden", "name: tone, weight: 2, rubric: golden", ""),
        ("ci-eval.yaml", "model: judge-1", "model: judge-2", "Stale: the judge's model or settings changed since."),
    ],
)
def test_a_calibration_of_another_judge_is_stale(desk: Desk, path: str, old: str, new: str, told: str) -> None:
    desk.write()
    assert calibrate(desk, table(10, 0, 0, 10)).code == 0
    text = (desk.repo.folder / path).read_text()
    desk.repo.write(path, text.replace(old, new))
    desk.repo.commit()
    desk.server.behaviour = lambda asked: (
        said("Good day! A parcel.") if asked.body["model"] == "desk-1" else ruling(tone=True)
    )
    shown, _ = report(desk)
    assert (told or "100 % of 20 labels") in shown
    assert ("Stale" in shown) is bool(told)


def test_28_a_calibration_that_the_pull_request_writes_is_told_and_not_believed(desk: Desk) -> None:
    desk.write()
    assert calibrate(desk, table(5, 5, 5, 5)).code == 0
    desk.repo.commit("calibrated")
    flattering = json.loads((desk.repo.folder / FILE).read_text())
    flattering["judges"][0]["compared"]["overall"]["table"] = [[500, 0], [0, 500]]
    outcome = desk.gate({"prompt.md": "Be kind, and quick.", FILE: json.dumps(flattering)})
    text = comment(build(outcome))
    assert "50 % of 20 labels" in text
    assert f"{FILE} changes: suite desk is judged by main's version here" in text


@pytest.mark.parametrize(
    "damage",
    ["{}", '{"format": "ci-eval calibration 2"}', "not JSON", '{"compared": {"overall": {"table": [[-1]]}}}'],
)
def test_a_damaged_calibration_on_main_is_told_before_anything_is_asked(desk: Desk, damage: str) -> None:
    desk.write(**{FILE: damage})
    with pytest.raises(Inconclusive, match=f"main itself cannot be evaluated: {FILE}"):
        report(desk)
    with pytest.raises(InputError, match=FILE):
        desk.run()
    assert desk.server.asked == []


@pytest.mark.parametrize("damage", ["{}", '{"format": "ci-eval calibration 3"}', "<<<<<<< HEAD\n"])
def test_a_damaged_calibration_is_told_before_the_judge_is_paid_to_make_it_anew(desk: Desk, damage: str) -> None:
    """It holds the other judges' figures, too, so it is not thrown away."""
    desk.write(**{FILE: damage})
    ran = calibrate(desk, table(2, 0, 0, 2))
    assert (ran.code, desk.server.asked) == (2, [])
    assert FILE in ran.err
    assert "remove it" in ran.err
    assert (desk.repo.folder / FILE).read_text() == damage


def test_a_table_that_does_not_add_up_is_refused(desk: Desk) -> None:
    desk.write()
    assert calibrate(desk, table(2, 0, 0, 2)).code == 0
    kept = json.loads((desk.repo.folder / FILE).read_text())
    for table_ in ([[0, 0], [0, 0]], [[1, 2], [3]], [[1]]):
        kept["judges"][0]["compared"]["overall"]["table"] = table_
        desk.repo.write(FILE, json.dumps(kept))
        desk.repo.commit()
        with pytest.raises(Inconclusive, match="main itself cannot be evaluated"):
            report(desk)


TWO = """\
      - {type: judge, provider: house, model: judge-1, rubric: golden/tone.yaml, name: one}
      - {type: judge, provider: house, model: judge-1, rubric: golden/tone.yaml, name: other, votes: 3, dimension: mood}
"""


def with_two_judges(desk: Desk) -> None:
    desk.write()
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    line = next(line for line in policy.splitlines(keepends=True) if "type: judge" in line)
    desk.repo.write("ci-eval.yaml", policy.replace(line, TWO))
    desk.repo.commit("two judges")


def test_two_judges_of_one_rubric_have_each_their_own_figures(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with_two_judges(desk)
    assert calibrate(desk, table(9, 1, 1, 9), "--scorer", "one").code == 0
    desk.repo.commit("one")
    text, _ = report(desk)
    assert "`output_quality` is judged by `judge-1`, which agrees with people in 90 % of 20 labels" in text
    assert "`mood` is judged by `judge-1`; it was never compared with people" in text
    monkeypatch.setenv("HOUSE_KEY", KEY)
    assert calibrate(desk, table(10, 0, 0, 10), "--scorer", "other").code == 0
    desk.repo.commit("both")
    text, told = report(desk)
    assert "`output_quality` is judged by `judge-1`, which agrees with people in 90 % of 20 labels" in text
    assert "`mood` is judged by `judge-1`, which agrees with people in 100 % of 20 labels" in text
    assert [one["stale"] for one in told["judges"]] == [None, None]
    monkeypatch.setenv("HOUSE_KEY", KEY)
    assert calibrate(desk, table(1, 0, 0, 1), "--scorer", "other").code == 0
    kept = json.loads((desk.repo.folder / FILE).read_text())
    assert [(one["scorer"], one["answers"]) for one in kept["judges"]] == [("one", 20), ("other", 2)]


def test_a_file_of_the_first_format_is_still_read_and_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with_two_judges(desk)
    assert calibrate(desk, table(9, 1, 1, 9), "--scorer", "one").code == 0
    (entry,) = json.loads((desk.repo.folder / FILE).read_text())["judges"]
    first = {key: value for key, value in entry.items() if key not in {"suite", "scorer"}}
    desk.repo.write(FILE, json.dumps({"format": "ci-eval calibration 1", **first}))
    desk.repo.commit("as it was")
    text, told = report(desk)
    assert "`output_quality` is judged by `judge-1`, which agrees with people in 90 % of 20 labels" in text
    assert [one["stale"] for one in told["judges"]] == [None, "the judge's model or settings changed since"]
    monkeypatch.setenv("HOUSE_KEY", KEY)
    assert calibrate(desk, table(10, 0, 0, 10), "--scorer", "other").code == 0
    desk.repo.commit("both")
    _, told = report(desk)
    assert [one["stale"] for one in told["judges"]] == [None, None]


# --- warnings ---------------------------------------------------------------------------------------------------------


def test_97_a_suite_that_judges_alone_decide_is_warned_of(desk: Desk) -> None:
    desk.write()
    assert "judges alone decide here" not in report(desk)[0]
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write(
        "ci-eval.yaml", policy.replace("      - {type: contains, any: [parcel], dimension: task_accuracy}\n", "")
    )
    desk.repo.commit()
    assert "judges alone decide here" in report(desk)[0]


def test_a_rubric_without_criteria_or_canaries_and_a_judge_of_itself_are_warned_of(desk: Desk) -> None:
    desk.write(**{"golden/tone.md": "Replies are kind."})
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write(
        "ci-eval.yaml", policy.replace("judge-1, rubric: golden/tone.yaml", "desk-1, rubric: golden/tone.md")
    )
    desk.repo.commit()
    desk.server.behaviour = lambda asked: (
        ruling(rubric=True) if "Rubric" in str(asked.body["messages"][0]) else said("A parcel.")
    )
    text, _ = report(desk)
    assert "names no concrete criterion" in text
    assert "has no canaries" in text
    assert "is the model that it judges" in text


@pytest.mark.parametrize(
    ("judge", "evaluated", "smaller"),
    [
        ("gpt-4o-mini", "gpt-4o", True),
        ("openai/gpt-4.1-nano", "openai/gpt-4.1-mini", True),
        ("claude-haiku-4-5", "claude-sonnet-4-5", True),
        ("claude-opus-4-5", "claude-sonnet-4-5", False),
        ("gemini-2.5-flash", "gemini-2.5-pro", True),
        ("meta-llama/llama-3.1-8b", "meta-llama/llama-3.1-70b-instruct", True),
        ("llama-3.1-70b", "llama-3.1-8b", False),
        ("claude-haiku-4-5", "gpt-4o", False),
        ("o3-mini", "o3", True),
        ("house-judge", "house-desk", False),
        ("", "gpt-4o", False),
    ],
)
def test_a_smaller_model_of_the_family_is_told_by_its_name(judge: str, evaluated: str, smaller: bool) -> None:
    found = relation(judge, evaluated)
    assert ("smaller" in found if found else False) is smaller


# --- main's stored verdicts -------------------------------------------------------------------------------------------


def test_what_main_s_stored_run_was_scored_is_not_judged_again_about_the_same_words(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write()
    where = ("--repo", str(desk.repo.folder), "--no-cache", "--quiet")
    assert ci_eval("baseline", "update", *where).code == 0
    shown = ci_eval("baseline", "show", *where[:2])
    assert "for HEAD      serves" in shown.out
    assert "counts alike" not in shown.out, "its weights are known, though a model scores"
    monkeypatch.setenv("HOUSE_KEY", KEY)
    desk.server.asked.clear()
    desk.repo.write("prompt.md", "Be kind, and quick.")
    done = ci_eval("gate", *where, "--json")
    assert done.code == 0, done.err
    assert done.json["suites"][0]["base"]["stored"] is True
    assert (desk.judged(), len(desk.server.asked)) == ([], 6)


# --- in what other commands tell --------------------------------------------------------------------------------------


AGREES = "is judged by judge-1, which agrees with people in 90 % of 20 labels"
FORMS = ("text", "md", "html", "junit", "sarif")


@pytest.fixture
def runs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Of a judge that was never compared with people; and of the same once it was."""
    desk.write()
    where = ("--repo", str(desk.repo.folder), "--no-cache", "-q", "-o")
    files = (desk.out.parent / "before.jsonl", desk.out.parent / "after.jsonl")
    assert ci_eval("run", *where, str(files[0])).code == 0
    monkeypatch.setenv("HOUSE_KEY", KEY)  # a command takes the keys out of its environment
    assert calibrate(desk, table(9, 1, 1, 9)).code == 0
    desk.repo.commit("calibrated")
    monkeypatch.setenv("HOUSE_KEY", KEY)
    assert ci_eval("run", *where, str(files[1])).code == 0
    monkeypatch.setenv("HOUSE_KEY", KEY)
    return files


def without_marks(text: str) -> str:
    """Whatever a form adds to a sentence: tags, quotes, backslashes and line ends."""
    return " ".join(re.sub(r"</?[a-z]+>|[`\\]", "", text).split())


@pytest.mark.parametrize("form", FORMS)
def test_a_comparison_of_runs_says_in_every_form_how_far_the_judge_agrees(
    runs: tuple[Path, Path], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    before, after = map(str, runs)
    done = ci_eval("compare", after, after, "--format", form)
    assert done.code == 0, done.err
    both = without_marks(done.out)
    assert AGREES in both
    assert "never compared" not in both
    mixed = without_marks(ci_eval("compare", before, after, "--format", form).out)
    assert AGREES in mixed
    assert "it was never compared with people" in mixed


def test_scores_as_json_stay_scores_and_the_judge_is_told_beside_them(desk: Desk) -> None:
    desk.write()
    done = ci_eval("run", "--repo", str(desk.repo.folder), "--no-cache", "-q", "--json")
    assert done.json == {"desk": {"task_accuracy": "100.0000", "output_quality": "100.0000"}}
    assert "output_quality is judged by judge-1; it was never compared with people" in done.err


def test_a_comparison_says_whose_judge_is_whose(runs: tuple[Path, Path]) -> None:
    mixed = without_marks(ci_eval("compare", *map(str, runs), "--format", "md").out)
    assert "base: output_quality is judged by judge-1; it was never" in mixed
    assert f"candidate: output_quality {AGREES}" in mixed


def test_a_program_reads_of_each_run_how_its_judge_stands(runs: tuple[Path, Path]) -> None:
    told = ci_eval("compare", *map(str, runs), "--json").json
    (before,), (after,) = told["base"]["judges"], told["candidates"][0]["judges"]
    assert (before["answers"], before["compared"]) == (None, {})
    assert (after["answers"], after["compared"]["overall"]["agreement"][0]) == (20, 0.9)


def test_a_run_file_that_says_nothing_of_its_judges_is_told(runs: tuple[Path, Path]) -> None:
    for path in runs:
        header, _, rest = path.read_text().partition("\n")
        older = {key: value for key, value in json.loads(header).items() if key != "judges"}
        path.write_text(f"{json.dumps(older)}\n{rest}")
    assert "models scored it, and its file does not say which" in ci_eval("compare", *map(str, runs)).out
    assert ci_eval("compare", *map(str, runs), "--json").json["base"]["judges"] is None


@pytest.mark.parametrize("tables", [[[1, 2], [3]], [[0, 0], [0, 0]], [[-1, 0], [0, 1]], [["x"]]])
def test_a_run_file_with_a_table_that_is_none_is_refused(runs: tuple[Path, Path], tables: object) -> None:
    header, _, rest = runs[1].read_text().partition("\n")
    changed = json.loads(header)
    changed["judges"][0]["compared"]["overall"]["table"] = tables
    runs[1].write_text(f"{json.dumps(changed)}\n{rest}")
    done = ci_eval("compare", *map(str, runs))
    assert (done.code, "after.jsonl:1: " in done.err) == (2, True)


@pytest.mark.usefixtures("runs")
def test_one_case_and_a_stored_run_are_shown_with_their_judge(desk: Desk) -> None:
    where = ("--repo", str(desk.repo.folder))
    assert ci_eval("baseline", "update", *where, "--no-cache", "-q").code == 0
    assert AGREES in ci_eval("show", "c1", *where).out
    assert AGREES in ci_eval("baseline", "show", *where).out
