"""The report as SARIF: valid, at the file that was changed, and with no link of somebody else's."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, hostile_text
from hypothesis import given, settings
from jsonschema import Draft4Validator
from report_factory import cell, comparison, full, outcome, realistic, record, some, suite
from test_report_junit import beside

from ci_eval.outcome.model import ChangeNote, GateOutcome
from ci_eval.report.compare_runs_sarif import to_sarif as runs_sarif
from ci_eval.report.sarif import to_sarif
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict

SCHEMA = Draft4Validator(json.loads((Path(__file__).parents[1] / "data" / "sarif-2.1.0.json").read_bytes()))


def read(text: str) -> dict[str, Any]:
    log = json.loads(text)
    assert [error.message for error in SCHEMA.iter_errors(log)] == []
    [run] = log["runs"]
    assert isinstance(run, dict)
    return run


def results(one: GateOutcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(to_sarif(one))["results"]
    return found


def place(location: dict[str, Any]) -> tuple[str, int | None]:
    found = location["physicalLocation"]
    return found["artifactLocation"]["uri"], found.get("region", {}).get("startLine")


def test_a_dimension_that_fell_is_an_error_at_the_prompt() -> None:
    run = read(to_sarif(realistic()))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["task_accuracy", "format", "behaviour"]
    found = [(one["ruleId"], one["level"]) for one in run["results"]]
    assert found == [("task_accuracy", "error"), ("format", "error")]
    first = run["results"][0]
    assert place(first["locations"][0]) == ("golden/helpdesk/prompt.md", 19)
    assert [place(one) for one in first["relatedLocations"]] == [("golden/helpdesk/model.yaml", None)]
    assert first["message"]["text"].startswith(
        "Suite helpdesk: task_accuracy fell by 3.3 points (limit 1). Broken: case-0000, "
    )
    assert first["message"]["text"].endswith("case-0009, and 2 more.")
    assert rules[first["ruleIndex"]] == first["ruleId"]


def test_what_broke_within_the_limit_is_a_note() -> None:
    [found] = results(outcome(suite(comparison(some(300, broke=2)))))
    assert found["level"] == "note"
    assert "within the limit" in found["message"]["text"]


def test_a_pass_without_a_change_has_no_result() -> None:
    assert results(outcome(suite(comparison(some(300))))) == []


def test_what_is_open_is_a_warning_and_a_run_that_did_not_succeed() -> None:
    run = read(to_sarif(outcome(suite(comparison(some(300, lost=12))))))
    assert [one["level"] for one in run["results"]] == ["warning"]
    assert run["invocations"][0]["executionSuccessful"] is False


@pytest.mark.parametrize("reason", ["stopped", "bootstrap"])
def test_a_gate_that_could_not_judge_says_so(reason: str) -> None:
    [found] = results(outcome(verdict=Verdict.INCONCLUSIVE, reason=reason, problem=Untrusted("no key for openai")))
    assert (found["ruleId"], found["level"]) == ("verdict", "warning")
    assert found["message"]["text"].endswith("no key for openai")
    assert place(found["locations"][0]) == ("ci-eval.yaml", None)


@pytest.mark.parametrize("line", [1, 6, None])
def test_the_line_is_where_the_file_changed(line: int | None) -> None:
    note = ChangeNote("prompt", Untrusted("p.md"), (), Untrusted("@@ -5,3 +5,2 @@\n one\n-two\n three"), line)
    one = suite(comparison(some(300, broke=12)), notes=(note,))
    assert place(results(outcome(one))[0]["locations"][0]) == ("p.md", line)


@pytest.mark.parametrize(
    "path", ["https://evil.example/x", "//evil.example/x", "a b/ü[1].md", "\ud800", "..\\x", "%41?#"]
)
def test_a_path_is_no_address(path: str) -> None:
    one = suite(comparison(some(300, broke=12)), notes=(ChangeNote("model", Untrusted(path), ()),))
    uri, _ = place(results(outcome(one))[0]["locations"][0])
    assert not uri.startswith(("http:", "https:", "//"))
    assert uri.isascii()


@pytest.mark.parametrize("text", [text for text in HOSTILE if text], ids=str)
def test_hostile_text_makes_no_link_and_no_placeholder(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=60)
@given(hostile_text.filter(bool))
def test_no_text_does(text: str) -> None:
    check(text)


def check(text: str) -> None:
    compared = comparison(some(300, broke=12))
    compared = replace(compared, pairs=tuple(replace(pair, dimension=text) for pair in compared.pairs))
    for one in (full(text), outcome(suite(compared, suite=text))):
        run = read(to_sarif(one))
        for result in run["results"]:
            bare = result["message"]["text"].replace("\\\\", "").replace("\\[", "").replace("\\]", "")
            assert not {"[", "]"} & set(bare)
            assert not {"{", "}"} & set(bare.replace("{{", "").replace("}}", ""))


def test_the_same_finding_has_the_same_name_in_every_run() -> None:
    """So that a reader sees one alert that stays, not a new one each time."""
    first, second = (results(outcome(suite(comparison(some(300, broke=n))))) for n in (12, 20))
    assert first[0]["partialFingerprints"] == second[0]["partialFingerprints"]
    other = results(outcome(suite(comparison(some(300, broke=12)), suite="billing")))
    assert first[0]["partialFingerprints"] != other[0]["partialFingerprints"]


def test_hidden_texts_are_not_in_the_file() -> None:
    assert "Where is order" not in to_sarif(realistic())


def test_runs_side_by_side_are_told_at_the_run_file() -> None:
    [found] = read(runs_sarif([beside()], Fraction(1)))["results"]
    assert found["level"] == "warning"
    assert [place(one)[0] for one in (*found["locations"], *found["relatedLocations"])] == ["b.jsonl", "a.jsonl"]
    [note] = read(runs_sarif([beside()]))["results"]
    assert note["level"] == "note"


def test_nothing_that_fell_is_no_result() -> None:
    same = beside(**{"case-1": record("case-1", cell())})
    assert read(runs_sarif([same], Fraction(1)))["results"] == []
