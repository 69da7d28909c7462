"""The report on a terminal and in a log."""

from __future__ import annotations

import io

import pytest
from hostile import HOSTILE, hostile_text
from hypothesis import given, settings
from report_factory import comparison, full, outcome, realistic, rerun, some, suite

from ci_eval.outcome.model import GateOutcome
from ci_eval.report.json_report import to_json
from ci_eval.report.markdown import comment, summary
from ci_eval.report.model import build
from ci_eval.report.terminal import show


def shown(one: GateOutcome, width: int | None = None, most: int = 20) -> str:
    file = io.StringIO()
    show(build(one), file=file, width=width, most=most)
    return file.getvalue()


def check_harmless(text: str) -> None:
    printed = shown(full(text))
    assert "##[" not in printed
    assert not [line for line in printed.split("\n") if line.strip().startswith("::")]
    assert all(char.isprintable() or char in "\n\u00a0" or char.isspace() for char in printed)
    assert not set(printed) & set("\x1b\x07\x08\r\x00\x9b\u202e\u200b\u2028")


@pytest.mark.parametrize("text", [text for text in HOSTILE if text], ids=str)
def test_hostile_text_is_harmless(text: str) -> None:
    check_harmless(text)


@settings(deadline=None, max_examples=50)
@given(hostile_text.filter(bool))
def test_any_text_is_harmless(text: str) -> None:
    check_harmless(text)


def test_the_first_line_is_the_verdict() -> None:
    assert shown(realistic()).startswith("Regression: task_accuracy fell by 3.3 points (limit 1);")


def test_markup_of_the_console_is_not_read() -> None:
    assert "[bold red]x[/]" in shown(full("[bold red]x[/]"))


def test_a_pipe_gets_no_colour_and_lines_of_a_hundred() -> None:
    printed = shown(realistic())
    assert "\x1b" not in printed
    assert max(len(line) for line in printed.split("\n")) <= 100


def test_the_name_of_a_dimension_is_not_broken_where_other_columns_are_wide() -> None:
    lost = outcome(suite(comparison(some(10, lost=10), "output_quality")))
    assert any(line.startswith(" output_quality ") for line in shown(lost, 80).split("\n"))


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert shown(realistic()).startswith("\x1b[1;31mRegression\x1b[0m: ")


def test_sides_stand_beside_each_other() -> None:
    lines = shown(realistic()).split("\n")
    assert any('{"category": "billing"}' in line and '{"category": "other"}' in line for line in lines)


def test_lines_of_a_text_stay_lines() -> None:
    lines = [line.rstrip() for line in shown(full("first\nsecond")).split("\n")]
    assert lines[lines.index("    first") + 1] == "    second"


def test_long_lists_are_counted() -> None:
    printed = shown(outcome(suite(comparison(some(50, broke=50)))), most=5)
    assert "45 more broken cases are in the run files." in printed


def test_what_reruns_said_is_told() -> None:
    runs = {"case-0000": ("+", "-"), "case-0001": ("+-", "-+")}
    printed = shown(outcome(rerun(comparison(some(300, broke=2)), runs, quarantined=(("a", "exact"),))))
    assert "(reruns: main 7 of 7, this PR 0 of" in printed
    assert "Cases that flipped once and did not stay broken (1)" in printed
    assert "Coin flips on main, not gated" in printed
    assert "surely fell by less than 1 point" in " ".join(printed.split())


def test_every_renderer_tells_every_verdict() -> None:
    """One model: no renderer may leave a dimension out or judge it otherwise."""
    one = realistic()
    report = build(one)
    printed = shown(one).split("\n")
    tables = [comment(report).split("\n"), summary(report).split("\n")]
    data = {entry["name"]: entry["verdict"] for entry in to_json(one)["suites"][0]["dimensions"]}
    for result in one.suites[0].dimensions:
        row = next(line for line in printed if line.startswith(f" {result.name} "))
        assert result.verdict.value in row
        for lines in tables:
            assert result.verdict.value in next(line for line in lines if line.startswith(f"| `{result.name}`"))
        assert data[result.name] == result.verdict.value
