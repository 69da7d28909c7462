"""`ci-eval judge compare`: two runs' stored answers side by side before a judge that does not know which is which."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from command import Ran, ci_eval
from judged import (
    CANARIES,
    PAIR_CANARIES,
    PAIRWISE,
    RUBRIC,
    Desk,
    behaving,
    by_greeting,
    choosing,
    pairing,
    said,
    the_answers,
    the_greeting,
    user,
)
from model_server import KEY, Answer, Asked, ModelServer
from repo import Repo

TWO = RUBRIC + "  - {name: help, question: Does it help?}\n"


@pytest.fixture
def desk(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with ModelServer(pairing(the_greeting)) as server:
        yield Desk(repo, server, tmp_path / "out")


Answers = Mapping[str, Any]
"""By case; a dict is the record's own keys."""


def run_file(desk: Desk, name: str, answers: Answers, **header: Any) -> Path:
    """A run as `ci-eval run` writes it, but for scores."""
    digest = "0" * 64
    fingerprint = {"target": digest, "golden": digest, "scorers": digest}
    head = {
        "format": "ci-eval run 1", "suite": "desk", "commit": None, "version": "1", "event": "local",
        "time": "2026-01-01T00:00:00Z", "fingerprint": fingerprint, **header,
    }  # fmt: skip
    rows = [head]
    for case, answer in answers.items():
        rows.append({"case": case, "request": digest, **(answer if isinstance(answer, dict) else {"output": answer})})
    path = desk.out.parent / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def compare(desk: Desk, base: Answers | Path, candidate: Answers | Path, *options: str) -> Ran:
    files = [
        one if isinstance(one, Path) else run_file(desk, name, one)
        for name, one in (("a.jsonl", base), ("b.jsonl", candidate))
    ]
    os.environ["HOUSE_KEY"] = KEY  # whoever asked before took it out
    return ci_eval("judge", "compare", *map(str, files), *options, "--repo", str(desk.repo.folder), "--no-cache", "-q")


def kind(number: int) -> str:
    return f"Good day! Parcel {number}."


def curt(number: int) -> str:
    return f"Parcel {number}."


BASE = {"c0": curt(0), "c1": curt(1), "c2": kind(2), "c3": "same", "c4": curt(4)}
CANDIDATE = {"c0": kind(0), "c1": kind(1), "c2": curt(2), "c3": "same", "c4": "Parcel four."}


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["", PAIRWISE, ", votes: 3", ", field: reply", ", step: {tool: write}, field: reply"])
def test_wins_losses_and_ties_of_two_runs(desk: Desk, keys: str) -> None:
    """By any judge of the suite; of an answer, as much as that judge looks at."""
    desk.write(keys=keys)

    def whole(text: str) -> Any:
        reply = json.dumps({"tool": "write", "reply": text})
        return (
            {"output": "done", "steps": [json.loads(reply)]} if "step" in keys else reply if "field" in keys else text
        )

    base, candidate = ({case: whole(text) for case, text in one.items()} for one in (BASE, CANDIDATE))
    done = compare(desk, base, candidate, "--json")
    assert done.code == 0, done.err
    found = done.json["preferred"]["overall"]
    assert (found["better"], found["worse"], found["ties"], found["p"]) == (2, 1, 2, 1)
    assert found["preferred"][0] == 0.6667
    assert found["net"][0] == 0.2
    assert done.json["orders"] == {"cases": 4, "disagreed": 0, "share": 0, "for_first": 0, "for_second": 0}
    assert [(one["case"], one["candidate"]) for one in done.json["decided"]] == [
        ("c0", "better"), ("c1", "better"), ("c2", "worse"),
    ]  # fmt: skip
    assert len(desk.judged()) == 4 * 2 * (2 if "votes" in keys else 1), "the same answers are not asked about"


def test_swapping_the_runs_mirrors_the_result_and_asks_the_very_same(desk: Desk) -> None:
    """Byte for byte: so nothing that the judge is told says which run is which."""
    desk.write()
    found, asked = [], []
    for one, other in ((BASE, CANDIDATE), (CANDIDATE, BASE)):
        found.append(compare(desk, one, other, "--json").json["preferred"]["overall"])
        asked.append(sorted(json.dumps(request.body, sort_keys=True) for request in desk.judged()))
        desk.server.asked.clear()
    assert asked[0] == asked[1]
    assert (found[0]["better"], found[0]["worse"]) == (found[1]["worse"], found[1]["better"])


def test_nothing_that_the_judge_is_told_says_where_an_answer_is_from(desk: Desk) -> None:
    desk.write()
    compare(desk, BASE, CANDIDATE)
    words = " ".join(str(asked.body["messages"]) for asked in desk.judged()).casefold()
    for word in ("base", "candidate", "run", "a.jsonl", "b.jsonl", "desk-1", "new", "reference"):
        assert not re.search(rf"\b{re.escape(word)}\b", words)
    first = [the_answers(asked)[0] for asked in desk.judged()]
    assert sorted(first) == sorted(text for one in (BASE, CANDIDATE) for text in one.values() if text != "same")
    assert len({re.sub('[0-9a-f]{32}|"[^"]*"', "…", user(asked)) for asked in desk.judged()}) == 1


@pytest.mark.parametrize(("place", "word"), [("A", "first"), ("B", "second")])
def test_a_judge_that_goes_by_the_place_finds_ties_and_is_told_of(desk: Desk, place: str, word: str) -> None:
    desk.server.behaviour = pairing(lambda _, __: choosing(tone=place))
    desk.write()
    done = compare(desk, BASE, CANDIDATE)
    assert done.code == 0, done.err
    assert f"The orders disagreed in 4 of 4 cases (100 %), mostly for the answer shown {word}" in done.out
    assert re.search(r"overall +0 +0 +5 +unknown: none is decided", done.out)


def test_each_criterion_is_told_where_there_are_several(desk: Desk) -> None:
    def verdict(a: str, b: str) -> Answer:
        return choosing(tone="A" if "Good" in a else "B" if "Good" in b else "tie", help="A")

    desk.server.behaviour = pairing(verdict)
    desk.write(rubric=TWO)
    done = compare(desk, BASE, CANDIDATE, "--json")
    told = {name: (one["better"], one["worse"], one["ties"]) for name, one in done.json["preferred"].items()}
    assert told == {"overall": (2, 1, 2), "tone": (2, 1, 2), "help": (0, 0, 5)}
    assert done.json["decided"][0]["criteria"] == {"tone": 1, "help": 0.5}


def test_a_rubric_with_a_scale_compares_by_its_anchors(desk: Desk) -> None:
    desk.write(
        rubric="criteria: [{name: tone, question: How kind?, anchors: {1: rude, 5: warm}}]",
        keys=", scale: 1-5, pass_at: 4",
    )
    assert compare(desk, BASE, CANDIDATE, "--json").json["preferred"]["overall"]["better"] == 2
    assert "- 5: warm" in desk.judged()[0].body["messages"][0]["content"]


def test_what_a_person_reads(desk: Desk) -> None:
    desk.write()
    hostile = {"c5": "Good day! \x1b[2J::error::x"}
    desk.server.behaviour = pairing(
        lambda a, _: said(
            json.dumps({"tone": {"reason": "kind\x1b[2J\n::error::x", "better": "A" if "Good" in a else "B"}})
        )
    )
    done = compare(desk, {"c5": "No."}, hostile)
    assert done.code == 0, done.err
    assert "1 case, compared by judge-1 in both orders" in done.out
    assert re.search(
        r"overall +1 +0 +0 +100 % \(21 to 100; 1 of 1\) +\+100\.0 \(-58\.7 to \+100\.0\) +1\.000", done.out
    )
    assert "- better c5: tone: better in both orders (ours as A: kind" in done.out
    assert "\x1b" not in done.out
    assert "\n::error" not in done.out


def test_an_answer_without_what_is_judged_has_lost_without_a_call(desk: Desk) -> None:
    desk.write(keys=", field: reply")
    reply = json.dumps({"reply": "Good day!"})
    done = compare(
        desk, {"c0": reply, "c1": "no JSON", "c2": "none"}, {"c0": "no JSON", "c1": reply, "c2": "no"}, "--json"
    )
    found = done.json["preferred"]["overall"]
    assert (found["better"], found["worse"], found["ties"]) == (1, 1, 1)
    assert desk.server.asked == []


def test_runs_as_they_are_written_by_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt of the second is the kinder one; repeats after the first are not looked at."""
    desk.server.behaviour = lambda asked: (
        pairing(the_greeting)(asked) if "Answer B is" in user(asked) else behaving(by_greeting)(asked)
    )
    desk.write()
    files: list[Path] = []
    for prompt in ("Be quick.", "Be kind."):
        desk.repo.write("prompt.md", prompt)
        monkeypatch.setenv("HOUSE_KEY", KEY)
        files.append(desk.out.parent / f"{len(files)}.jsonl")
        arguments = ("--repo", str(desk.repo.folder), "-o", str(files[-1]), "--repeats", "2", "--no-cache", "--quiet")
        assert ci_eval("run", *arguments).code == 0
    desk.server.asked.clear()
    done = compare(desk, files[0], files[1], "--json")
    assert done.code == 0, done.err
    assert (done.json["preferred"]["overall"]["better"], done.json["another_golden_set"]) == (6, [])
    assert done.json["preferred"]["overall"]["p"] == 2 / 64
    assert len(desk.judged()) == 12


# --- what is left out, and what is lost -------------------------------------------------------------------------------


def test_cases_that_cannot_be_compared_are_left_out_and_told(desk: Desk) -> None:
    desk.write()
    lost = {"error": "HTTP 503", "error_kind": "infrastructure"}
    base = {"c0": curt(0), "c1": lost, "c2": curt(2), "gone": "x", "c3": curt(3)}
    done = compare(desk, base, {"c0": kind(0), "c1": kind(1), "c2": lost, "gone": "y", "c4": "z"}, "--json")
    assert (done.json["cases"], done.json["unanswered"], done.json["not_in_golden_set"]) == (1, ["c1", "c2"], ["gone"])
    assert len(done.json["another_golden_set"]) == 2
    told = compare(desk, base, {"c0": kind(0), "c1": kind(1), "gone": "y"}).out
    assert "Left out: 1 case that one run has no answer to." in told
    assert "Left out: 1 case that the golden set does not have." in told
    assert "a.jsonl was made on another golden set" in told


GOOD = '{"tone": {"reason": "kind", "better": "A"}}'


@pytest.mark.parametrize(
    "reply",
    [
        said(GOOD + GOOD),
        said(f"The answer says {GOOD}"),
        said('{"tone": {"reason": "", "better": NaN}}'),
        said("A"),
        said(None, refusal="I cannot compare these."),
        said(GOOD, "length"),
        Answer(401, {}),
    ],
)
def test_without_a_verdict_there_is_no_preference_and_no_tie(desk: Desk, reply: Answer) -> None:
    desk.server.behaviour = lambda _: reply
    desk.write()
    done = compare(desk, BASE, CANDIDATE, "--json")
    assert done.code == 3
    assert "the judge gave no verdict on 4 of 4 pairs that differ" in done.err
    found = done.json["preferred"]["overall"]
    assert (found["better"], found["worse"], found["ties"]) == (0, 0, 1), (
        "the same answers, which nobody was asked about"
    )
    assert done.json["without_verdict"] == ["c0", "c1", "c2", "c4"]


def forty_cases(desk: Desk) -> None:
    desk.write()
    rows = ({"id": f"c{n}", "input": f"{n}?", "expected": "a parcel"} for n in range(40))
    desk.write_cases(rows)
    desk.repo.commit()


def test_pairs_that_nobody_was_asked_about_outweigh_no_lost_verdict(desk: Desk) -> None:
    """Where nearly all answers are the same, the few that are not are what is compared."""
    forty_cases(desk)
    desk.server.behaviour = lambda _: Answer(401, {})
    base = {f"c{n}": curt(n) for n in range(40)}
    done = compare(desk, base, {**base, "c0": kind(0), "c1": kind(1)})
    assert done.code == 3
    assert "the judge gave no verdict on 2 of 2 pairs" in done.err


def test_few_pairs_without_a_verdict_are_told_and_the_others_count(desk: Desk) -> None:
    forty_cases(desk)
    desk.server.behaviour = pairing(lambda a, b: said("well…") if "Parcel 7." in a + b else the_greeting(a, b))
    base, candidate = ({f"c{n}": text(n) for n in range(40)} for text in (curt, kind))
    done = compare(desk, base, candidate)
    assert done.code == 0, done.err
    assert "Without a verdict, and in no figure: 1 case (the judge gave no verdict in the form" in done.out
    assert re.search(r"overall +39 +0 +0 ", done.out)
    assert "and 19 more (--json has all)" in done.out


# --- before anything is asked -----------------------------------------------------------------------------------------


def test_a_dry_run_asks_nobody_and_says_what_it_would_cost(desk: Desk) -> None:
    desk.write(rubric=RUBRIC + CANARIES, keys=", votes: 3")
    done = compare(desk, BASE, CANDIDATE, "--dry-run")
    assert done.code == 0, done.err
    calls = 4 * 2 * 3 + 2 * 3
    assert f"4 pairs of answers that differ: at most {calls} calls" in done.out
    assert "Nothing was asked." in done.out
    found = compare(desk, BASE, CANDIDATE, "--dry-run", "--json").json
    assert (found["pairs"], found["calls"]) == (4, calls)
    assert found["usd"] > 0
    assert desk.server.asked == []


def test_known_answers_are_judged_first_and_a_judge_that_misses_one_compares_nothing(desk: Desk) -> None:
    desk.server.behaviour = pairing(lambda _, __: choosing(tone="A"))
    desk.write(rubric=RUBRIC + PAIR_CANARIES, keys=PAIRWISE)
    done = compare(desk, BASE, CANDIDATE)
    assert (done.code, done.out) == (3, "")
    assert "cannot be relied on" in done.err
    assert len(desk.server.asked) == 4


def test_a_judge_that_nobody_reaches_is_told_apart_from_one_that_misses(desk: Desk) -> None:
    desk.server.behaviour = lambda _: Answer(401, {"error": {"message": "no"}})
    desk.write(rubric=RUBRIC + PAIR_CANARIES, keys=PAIRWISE)
    done = compare(desk, BASE, CANDIDATE)
    assert (done.code, done.out) == (3, "")
    assert 'the judge "judge" gave no verdict on canary 1 of golden/tone.yaml (' in done.err
    assert "the key was refused; check the variable that key_env names); see to its provider" in done.err


@pytest.mark.parametrize("budget", [", usd: 0.0001", ", calls: 3", ", tokens: 50"])
def test_what_would_take_more_than_the_budget_is_not_begun(desk: Desk, budget: str) -> None:
    desk.write(budget=budget)
    done = compare(desk, BASE, CANDIDATE)
    assert (done.code, desk.server.asked) == (3, [])
    assert "more than the budget of ci-eval.yaml" in done.err


def test_a_judge_that_takes_more_than_was_planned_ends_with_the_budget(desk: Desk) -> None:
    """Its replies are a thousand times as long as they should be: what is left is not asked, and is no tie."""

    def dear(asked: Asked) -> Answer:
        answer = the_greeting(*the_answers(asked))
        assert isinstance(answer.body, dict)
        return Answer(200, {**answer.body, "usage": {"prompt_tokens": 10, "completion_tokens": 60_000}})

    desk.server.behaviour = dear
    desk.write(budget=", usd: 0.1")
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", policy.replace("key_env: HOUSE_KEY", "key_env: HOUSE_KEY, max_concurrency: 1"))
    desk.repo.commit()
    done = compare(desk, BASE, CANDIDATE, "--json")
    assert done.code == 3
    assert "there was no money left to ask" in done.err
    assert 2 <= len(desk.server.asked) < 8


@pytest.mark.parametrize(
    ("base", "candidate", "header", "told"),
    [
        ({"c0": "x"}, {"c1": "y"}, {}, "b.jsonl: the runs share no case of the golden set; compare runs of one golden"),
        ({"gone": "x"}, {"gone": "y"}, {}, "the runs share no case of the golden set"),
        (
            {"c0": {}},
            {"c0": {}},
            {},
            "no golden case has an answer in both runs; compare runs of one golden set that keep",
        ),
        ({}, {}, {}, "share no case"),
        ({"c0": "x"}, {"c0": "y"}, {"suite": "other"}, "b.jsonl: is a run of suite other, and"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_in_one_line(
    desk: Desk, base: Answers, candidate: Answers, header: Mapping[str, Any], told: str
) -> None:
    desk.write()
    done = compare(desk, run_file(desk, "a.jsonl", base), run_file(desk, "b.jsonl", candidate, **header))
    assert (done.code, done.out, desk.server.asked) == (2, "", [])
    assert told in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_runs_of_a_suite_that_is_no_more_are_refused_unless_another_is_named(desk: Desk) -> None:
    desk.write()
    files = [run_file(desk, f"{name}.jsonl", one, suite="old") for name, one in (("a", BASE), ("b", CANDIDATE))]
    done = compare(desk, files[0], files[1])
    assert (done.code, "no suite of that name; there are desk" in done.err) == (2, True)
    assert compare(desk, files[0], files[1], "--suite", "desk").code == 0


def test_a_suite_without_a_judge_and_a_judge_that_is_not_there_are_refused(desk: Desk) -> None:
    desk.write()
    done = compare(desk, BASE, CANDIDATE, "--scorer", "nobody")
    assert (done.code, "choose one of the judges of the suite desk with --scorer (judge)" in done.err) == (2, True)
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", re.sub(r"      - \{type: judge.*\n", "", policy))
    desk.repo.commit()
    done = compare(desk, BASE, CANDIDATE)
    assert (done.code, "the suite desk has no scorer of type judge" in done.err) == (2, True)


def test_help_says_what_it_does() -> None:
    assert "compare" in ci_eval("judge", "--help").out
    assert "in both orders, and not told which run is which" in " ".join(
        ci_eval("judge", "compare", "--help").out.split()
    )
