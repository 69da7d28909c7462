"""The report as JUnit XML: what a reader of test results makes of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hostile import HOSTILE, hostile_text
from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml, Skipped
from junitparser import TestCase as Result
from report_factory import Change, cell, comparison, full, joined, outcome, realistic, record, rerun, some, suite

from ci_eval.compare_runs import RunComparison, compare
from ci_eval.config import GatePolicy
from ci_eval.figures.counted_run import counted
from ci_eval.outcome.model import GateOutcome
from ci_eval.records import Run
from ci_eval.report.compare_runs_junit import to_junit as runs_junit
from ci_eval.report.junit import to_junit
from ci_eval.verdict import Verdict


def read(text: str) -> dict[str, list[Result]]:
    """The tests by their suite."""
    found: Any = JUnitXml.fromstring(text.encode())
    return {suite.name: list(suite) for suite in found}


def by_name(one: GateOutcome) -> dict[str, Result]:
    return {str(test.name): test for test in read(to_junit(one))["helpdesk"]}


def problems(test: Result) -> list[tuple[type, str]]:
    return [(type(found), str(found.message)) for found in test.result]


def verdict(one: GateOutcome) -> list[tuple[type, str]]:
    [test] = read(to_junit(one))["ci-eval"]
    assert test.name == "verdict"
    return problems(test)


def test_a_case_that_stayed_broken_fails_and_the_others_pass() -> None:
    found = by_name(outcome(suite(comparison(some(300, broke=12, repaired=3)))))
    assert len(found) == 300
    failed = {name for name, test in found.items() if not test.is_passed}
    assert failed == {f"case-{number:04}" for number in range(12)}
    [(kind, message)] = problems(found["case-0003"])
    assert kind is Failure
    assert message == "exact (task_accuracy): category is other, not billing"
    assert found["case-0003"].classname == "helpdesk.common/billing"
    assert "Where is order case-0003?" in str(found["case-0003"].result[0].text)


def test_a_case_that_broke_within_the_limit_passes_and_says_so() -> None:
    found = by_name(outcome(suite(comparison(some(300, broke=1)))))
    assert all(test.is_passed for test in found.values())
    assert str(found["case-0000"].system_out).startswith("broke, and fails nothing: exact (task_accuracy)")


def test_a_dimension_that_passes_fails_no_case() -> None:
    """Only what stands behind the verdict is red."""
    both = joined(comparison(some(300, broke=12)), comparison(some(300, broke=1), "format"))
    found = by_name(outcome(suite(both, gate=GatePolicy(max_drop=1))))
    [(_, message)] = problems(found["case-0000"])
    assert "format" not in message
    assert "format" in str(found["case-0000"].system_out)


def test_what_went_by_itself_is_no_failure() -> None:
    compared = comparison(some(300, broke=4))
    found = by_name(outcome(rerun(compared, {"case-0000": ("+", "+")})))
    assert found["case-0000"].is_passed


def test_what_is_lost_is_an_error_and_nothing_is_skipped() -> None:
    text = to_junit(outcome(suite(comparison(some(300, lost=2)))))
    every = [test for group in read(text).values() for test in group]
    errors = [test.name for test in every if any(isinstance(found, Error) for found in test.result)]
    assert errors == ["case-0000", "case-0001"]
    assert not [test for test in every if any(isinstance(found, Skipped) for found in test.result)]
    assert "HTTP 503 after 4 tries" in text


@pytest.mark.parametrize(
    ("one", "kinds"),
    [
        (outcome(suite(comparison(some(300)))), []),
        (outcome(suite(comparison(some(300, broke=12)))), [Failure]),
        (outcome(suite(comparison(some(300, lost=12)))), [Error]),
        (outcome(verdict=Verdict.INCONCLUSIVE, reason="stopped"), [Error]),
        (outcome(verdict=Verdict.INCONCLUSIVE, reason="bootstrap"), [Error]),
        (outcome(verdict=Verdict.PASS, reason="nothing relevant changed"), []),
    ],
)
def test_the_file_is_as_red_as_the_exit_code(one: GateOutcome, kinds: list[type]) -> None:
    assert [kind for kind, _ in verdict(one)] == kinds
    found: Any = JUnitXml.fromstring(to_junit(one).encode())
    assert (found.failures + found.errors > 0) == (one.verdict is not Verdict.PASS)


def test_counts_are_true() -> None:
    found: Any = JUnitXml.fromstring(to_junit(outcome(suite(comparison(some(300, broke=9, lost=1))))).encode())
    before = found.tests, found.failures, found.errors
    found.update_statistics()
    assert (found.tests, found.failures, found.errors) == before == (301, 10, 1)


def test_the_table_is_in_the_properties() -> None:
    found: Any = JUnitXml.fromstring(to_junit(realistic()).encode())
    told = {one.name: one.value for group in found for one in group.properties()}
    assert told["task_accuracy.change"] == "−3.3"
    assert told["format.limit"] == "any broken case"
    assert told["task_accuracy.verdict"] == "regression"


def test_hidden_texts_are_not_in_the_file() -> None:
    text = to_junit(replace(realistic(), hide_outputs=True))
    assert "case-0001" in text
    assert [part for part in ("Where is order", "category is other") if part in text] == []


@pytest.mark.parametrize(
    "text", [*(text for text in HOSTILE if text), "]]>", "<!ENTITY x>", "\ufffe\uffff", "&#0;"], ids=str
)
def test_hostile_text_stays_text(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=60)
@given(hostile_text.filter(bool))
def test_any_text_stays_text(text: str) -> None:
    check(text)


def check(text: str) -> None:
    def shape(one: GateOutcome) -> list[tuple[str, int]]:
        return [(name, len(group)) for name, group in read(to_junit(one)).items()]

    assert shape(full(text)) == shape(full())
    assert "\x00" not in to_junit(full(text))


# --- run files side by side -------------------------------------------------------------------------------------------


def beside(**different: Any) -> RunComparison:
    base = {f"case-{n}": record(f"case-{n}", cell()) for n in range(4)}
    candidate = {**base, "case-1": record("case-1", cell(False), output="wrong"), **different}
    header = rerun(comparison(some(3)), {}).base_header
    sides = (
        counted(f"{name}.jsonl", Run(header, tuple(run.values()))) for name, run in (("a", base), ("b", candidate))
    )
    return compare(*sides)


def test_a_case_fails_that_fails_on_a_candidate_and_not_on_base() -> None:
    found = read(runs_junit([beside()]))
    assert list(found) == ["b.jsonl"]
    assert [test.name for test in found["b.jsonl"] if not test.is_passed] == ["case-1"]
    assert "wrong" in str(found["b.jsonl"][1].result[0].text)


def test_with_a_limit_there_is_a_verdict() -> None:
    [test] = read(runs_junit([beside()], Fraction(1)))["ci-eval"]
    assert [kind for kind, _ in problems(test)] == [Error]
    assert not read(runs_junit([beside()], Fraction(50)))["ci-eval"][0].result


# --- no room for every test -------------------------------------------------------------------------------------------


def _cut(one: GateOutcome, room: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("ci_eval.report.junit_xml._ROOM", room)
    return JUnitXml.fromstring(to_junit(one).encode())


def test_a_file_is_bounded_and_says_how_many_cases_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed stays, in the order of the golden set; the counts are of what is there, as readers expect."""
    one = outcome(suite(comparison(some(300, broke=12))))
    found = _cut(one, 20_000, monkeypatch)
    _, cases = found
    names = [str(test.name) for test in cases]
    left = 300 - len(names)
    assert 12 < len(names) < 300
    assert names == [f"case-{number:04}" for number in range(len(names))]
    assert f"  <system-out>{left} more cases are in the run files.</system-out>\n  </testsuite>" in to_junit(one)
    assert (cases.tests, cases.failures, found.tests) == (len(names), 12, len(names) + 1)
    assert len(to_junit(one)) < 2 * 20_000, "the room is for the tests, without the white space between"


def test_what_failed_goes_last_and_the_verdict_never(monkeypatch: pytest.MonkeyPatch) -> None:
    last: dict[str, Change] = {f"z-{number}": "broke" for number in range(9)}
    one = outcome(suite(comparison({**some(40), **last})))
    (verdict_test,), cases = _cut(one, 2000, monkeypatch)
    assert problems(verdict_test)
    assert 0 < len(list(cases)) < 9
    assert all(not test.is_passed for test in cases)


def test_no_suite_looks_clean_because_others_had_all_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them fails; the last two have one case each that does."""
    first, *others = (suite(comparison(some(size, broke=broke)), suite=name) for name, size, broke in _SUITES)
    _, *found = _cut(outcome(first, *others), 3000, monkeypatch)
    assert [one.name for one in found] == [name for name, _, _ in _SUITES]
    assert all(one.failures for one in found)
    _, *alone = _cut(outcome(first, *others), 1, monkeypatch)
    assert [(one.tests, one.failures) for one in alone] == [(1, 1)] * len(_SUITES)


_SUITES = (("many", 300, 200), ("few", 40, 1), ("last", 40, 1))


def test_a_large_golden_set_has_room_for_every_case() -> None:
    assert len(by_name(outcome(suite(comparison(some(5000, broke=100)))))) == 5000
