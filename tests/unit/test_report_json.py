"""The report for programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hostile import HOSTILE
from report_factory import comparison, full, outcome, realistic, rerun, some, suite

from ci_eval.changes import Changes, FileChange, SuiteChanges
from ci_eval.config import GatePolicy
from ci_eval.confirm.evidence import Stored
from ci_eval.report.json_report import to_json
from ci_eval.text import Untrusted
from ci_eval.verdict import Verdict


def test_it_names_its_format_and_verdict() -> None:
    found = to_json(realistic())
    assert found["format"] == "ci-eval report 1"
    assert (found["verdict"], found["reason"]) == ("regression", "judged")


def test_numbers_are_exact_to_four_digits() -> None:
    found = to_json(outcome(suite(comparison(some(300, broke=10)))))
    assert found["suites"][0]["dimensions"] == [
        {
            "name": "task_accuracy",
            "verdict": "regression",
            "why": "settled",
            "base": "100.0000",
            "candidate": "96.6667",
            "drop": "3.3333",
            "worst_drop": "3.3333",
            "standard_error": 0.0,
            "interval": ["3.3333", "3.3333"],
            "fresh_runs": 0,
            "limit": "1.0000",
            "cells": 300,
            "gated": 300,
            "broke": 10,
            "repaired": 0,
            "missing": 0,
        }
    ]


def test_a_drop_just_below_the_limit_is_not_rounded_onto_it() -> None:
    strict = GatePolicy(max_drop=0.33334)
    [dimension] = to_json(outcome(suite(comparison(some(300, broke=1)), gate=strict)))["suites"][0]["dimensions"]
    assert float(dimension["drop"]) < 0.33334
    assert dimension["verdict"] == "pass"


def test_unknown_scores_are_null() -> None:
    [dimension] = to_json(outcome(suite(comparison({"a": "lost"}))))["suites"][0]["dimensions"]
    assert dimension["candidate"] is None


class TestReruns:
    def test_a_dimension_says_what_it_stands_on(self) -> None:
        one = rerun(comparison(some(300, broke=2)), {"case-0000": ("+", "-"), "case-0001": ("+-", "-+")})
        [found] = to_json(outcome(one))["suites"][0]["dimensions"]
        assert (found["why"], found["fresh_runs"], found["broke"]) == ("interim look", 28, 1)
        assert found["standard_error"] > 0
        low, high = map(float, found["interval"])
        assert low < float(found["drop"]) < high < 1

    def test_flipped_cells_with_their_reruns(self) -> None:
        one = rerun(comparison(some(300, broke=2)), {"case-0000": ("+", "-"), "case-0001": ("+-", "-+x")})
        found = to_json(outcome(one))["suites"][0]
        assert [flip["fate"] for flip in found["flips"]] == ["stayed", "went"]
        assert [broken["case"] for broken in found["broken"]] == ["case-0000"]
        assert found["flips"][0] == {
            "case": "case-0000",
            "scorer": "exact",
            "dimension": "task_accuracy",
            "change": "broke",
            "fate": "stayed",
            "base": {"repeatable": False, "reruns": 7, "passed": 7, "lost": 0},
            "candidate": {"repeatable": False, "reruns": 7, "passed": 0, "lost": 0},
        }
        assert found["flips"][1]["candidate"]["lost"] > 0

    def test_a_repaired_cell_that_did_not_stay_so_is_not_repaired(self) -> None:
        one = rerun(comparison(some(300, broke=2, repaired=1)), {f"case-{n:04}": ("+-", "-+") for n in range(3)})
        found = to_json(outcome(one))["suites"][0]
        assert found["repaired"] == found["broken"] == []
        assert [flip["change"] for flip in found["flips"]] == ["broke", "broke", "repaired"]

    def test_quarantined_cells(self) -> None:
        one = rerun(comparison(some(300)), {}, stored={("case-0007", "exact"): Stored(3, 5)})
        found = to_json(outcome(one))["suites"][0]
        assert found["quarantined"] == [{"case": "case-0007", "scorer": "exact"}]
        assert found["dimensions"][0]["cells"] == 299


def test_cases_by_what_became_of_them() -> None:
    found = to_json(full("text"))["suites"][0]
    assert [one["case"] for one in found["broken"]] == ["case-1"]
    assert found["repaired"] == ["case-2"]
    assert found["errors"] == [{"case": "case-3", "candidate": "text"}]
    assert found["edits"] == {"added": ["new-1", "new-2"], "removed": ["gone-1"], "rewritten": ["other-1"]}
    assert found["new_cases"] == [{"case": "new-1", "scores": 1, "failed": ["exact"]}]
    assert found["with_new_cases"] == [{"dimension": "task_accuracy", "without": "50.0000", "whole": "33.3333"}]
    assert found["leaks"][0] == {"case": "case-1", "part": "input", "file": "text", "line": 7, "match": "word for word"}


class TestFigures:
    def test_groups_of_cases(self) -> None:
        compared = comparison(some(300, broke=9))
        cases = {
            name: one.model_copy(update={"stratum": "edge"}) if number < 20 else one
            for number, (name, one) in enumerate(compared.cases.items())
        }
        found = to_json(outcome(suite(replace(compared, cases=cases))))["suites"][0]["slices"]
        assert [(one["kind"], one["name"], one["cases"], one["pattern"], one["p"]) for one in found] == [
            ("stratum", "common", 280, None, 1.0),
            ("stratum", "edge", 20, "systematic", 0.00195312),
        ]
        assert found[1]["base"] == {"passed": 20, "known": 20, "interval": [0.8389, 1.0]}
        assert found[1]["broke"] == [f"case-{number:04}" for number in range(9)]
        assert found[1]["repaired"] == []

    def test_all_traffic(self) -> None:
        [found] = to_json(outcome(suite(comparison(some(300, broke=9, repaired=3)))))["suites"][0]["traffic"]
        assert (found["dimension"], found["cases"], found["clusters"]) == ("task_accuracy", 300, 300)
        low, high = map(float, found["interval"])
        assert low < float(found["change"]) == -2 < 0 < high

    def test_latency_tokens_and_cost_of_both_sides(self) -> None:
        compared = comparison(some(40, broke=20))
        base = {name: one.model_copy(update={"cost_usd": 0.0004}) for name, one in compared.base.items()}
        slow = {
            name: one.model_copy(update={"cost_usd": 0.0006, "latency_ms": 300.0, "tokens_cached": 100})
            for name, one in compared.candidate.items()
        }
        compared = replace(compared, base=base, candidate=slow)
        found = to_json(outcome(suite(compared, base_stored=False)))["suites"][0]
        assert found["candidate"] == {
            "timed": 40,
            "latency_ms": {"p50": 300.0, "p95": 300.0, "p99": 300.0},
            "latency_interval_ms": {"p50": [300.0, 300.0], "p95": [300.0, None], "p99": [300.0, None]},
            "tokens_in": 16_000,
            "tokens_out": 1200,
            "tokens_cached": 4000,
            "tokens_reasoning": None,
            "answers": 40,
            "priced": 40,
            "cost_usd": 0.024,
            "cost_per_case_usd": 0.0006,
            "cost_per_correct_usd": 0.0012,
        }
        assert found["latency"] == {"pairs": 40, "ratio": {"value": 2.5, "low": 2.5, "high": 2.5}, "slower": True}
        assert (found["cost"]["pairs"], found["cost"]["unpriced_pairs"]) == (40, 0)
        assert found["cost"]["per_case_ratio"] == {"value": 1.5, "low": 1.5, "high": 1.5}
        assert found["cost"]["per_correct_ratio"]["value"] == 3

    def test_what_is_not_known_is_null(self) -> None:
        found = to_json(outcome(suite()))["suites"][0]
        assert found["latency"] == {"pairs": 0, "ratio": None, "slower": False}
        assert found["cost"]["per_case_ratio"] is found["base"]["cost_usd"] is found["base"]["tokens_cached"] is None

    def test_it_has_no_infinity(self) -> None:
        """An answer that was free on base costs something now; JSON cannot say by how many times."""
        compared = comparison(some(20))
        base = {name: one.model_copy(update={"cost_usd": 0.0}) for name, one in compared.base.items()}
        more = {name: one.model_copy(update={"cost_usd": 0.5}) for name, one in compared.candidate.items()}
        found = to_json(outcome(suite(replace(compared, base=base, candidate=more))))
        json.dumps(found, allow_nan=False)
        assert found["suites"][0]["cost"]["per_case_ratio"] is None


def test_changes_by_suite() -> None:
    touched = SuiteChanges("helpdesk", (FileChange("prompt", "p.md", "changed"),), ("golden/a.jsonl",), settings=True)
    one = outcome(suite(), changes=Changes((touched,), (), (), shared_policy=False, paths=("p.md",)))
    assert to_json(one)["changes"] == [
        {
            "suite": "helpdesk",
            "subject": [{"role": "prompt", "path": "p.md", "kind": "changed"}],
            "policy": ["golden/a.jsonl"],
            "settings": True,
        }
    ]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text], ids=str)
def test_no_string_of_it_is_a_workflow_command(text: str) -> None:
    printed = json.dumps(to_json(full(text)), ensure_ascii=False)
    assert "::" not in printed
    assert "##[" not in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("how", ["policy", "argument"])
def test_hidden_texts_are_not_in_it(how: str) -> None:
    one = full("a secret")
    plain = replace(one.suites[0], leaks=(), warnings=(), quarantined=(), notes=())
    one = replace(one, suites=(plain,), problem=None, policy_notes=(), hide_outputs=how == "policy")
    assert "a secret" not in json.dumps(to_json(one, show_outputs=how != "argument"))


def test_a_gate_that_stopped_says_why() -> None:
    found = to_json(outcome(verdict=Verdict.INCONCLUSIVE, reason="stopped", problem=Untrusted("no key\nset one")))
    assert found["problem"] == "no key\\u{a}set one"
    assert found["suites"] == []
