"""`ci-eval judge calibrate`: a judge beside people's labels, kept beside the rubric, and told in every report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from model_server import KEY, ModelServer
from repo import Repo

from ci_eval.errors import Inconclusive, InputError
from ci_eval.outcome.judges import relation
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


def calibrate(desk: Desk, labels: Sequence[Mapping[str, Any]] | None, *options: str) -> Ran:
    arguments = [*options, "--repo", str(desk.repo.folder), "--no-cache", "--quiet"]
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
    desk.repo.write("golden/cases.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
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
    desk.repo.write("golden/cases.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
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


# --- in reports -------------------------------------------------------------------------------------------------------


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
    flattering["compared"]["overall"]["table"] = [[500, 0], [0, 500]]
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


def test_a_table_that_does_not_add_up_is_refused(desk: Desk) -> None:
    desk.write()
    assert calibrate(desk, table(2, 0, 0, 2)).code == 0
    kept = json.loads((desk.repo.folder / FILE).read_text())
    for table_ in ([[0, 0], [0, 0]], [[1, 2], [3]], [[1]]):
        kept["compared"]["overall"]["table"] = table_
        desk.repo.write(FILE, json.dumps(kept))
        desk.repo.commit()
        with pytest.raises(Inconclusive, match="main itself cannot be evaluated"):
            report(desk)


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
