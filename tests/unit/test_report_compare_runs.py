"""What is told of runs side by side, and that nobody's words in them become markup, commands or escapes."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hostile import HOSTILE, Page, hostile_text
from hypothesis import given, settings
from making import cell, fingerprint, header, record
from report_factory import revealed

from ci_eval.compare_runs import RunComparison, compare
from ci_eval.figures.counted_run import counted
from ci_eval.records import Record, Run
from ci_eval.report.compare_runs import build
from ci_eval.report.compare_runs_json import to_json
from ci_eval.report.document import Listing, Paragraph, Section, Table
from ci_eval.report.markdown import page
from ci_eval.report.terminal import show
from ci_eval.text import Untrusted

ONE_POINT = Fraction(1)


def beside(
    base: Sequence[Record], candidate: Sequence[Record], *, files: tuple[str, str] = ("a", "b"), **different: Any
) -> RunComparison:
    sides = (Run(header(), tuple(base)), Run(header(**different), tuple(candidate)))
    return compare(*(counted(file, run) for file, run in zip(files, sides, strict=True)))


def some(
    total: int, *, broke: int = 0, new: int = 0, lost: int = 0, text: str = "no", **different: Any
) -> RunComparison:
    names = [f"c{number:03}" for number in range(total)]
    after = [
        record(name, cell(number >= broke, reason=Untrusted(text)), output=Untrusted(text))
        for number, name in enumerate(names)
    ]
    gone = [after.pop().case for _ in range(lost)]
    after += [Record(case=name, request="9" * 64, error_kind="infrastructure") for name in gone]
    after += [record(f"new-{number}", cell(False)) for number in range(new)]
    before = [record(name, output=Untrusted(text)) for name in names]
    return beside(before, after, **{"fingerprint": fingerprint("d", "e" if new else "b"), **different})


def headline(*found: RunComparison, limit: Fraction | None = ONE_POINT) -> str:
    return revealed(build(found, limit).headline)


def section(found: RunComparison, title: str) -> Section:
    return next(one for one in build([found]).sections if one.title == title)


def words(found: RunComparison, title: str) -> str:
    lines = []
    for block in section(found, title).blocks:
        match block:
            case Paragraph():
                lines.append(revealed(block.text))
            case Listing():
                lines += map(revealed, block.items)
            case _:
                pass
    return "\n".join(lines)


def test_the_first_line_says_how_far_it_fell_and_how_sure_that_is() -> None:
    over = ", over 300 cases that both runs have"
    assert headline(some(300, broke=6)) == f"task_accuracy fell by 2.0 points (limit 1){over}"
    assert headline(some(300, broke=3)) == f"task_accuracy fell by 1.0 point (limit 1), which may be chance{over}"
    assert headline(some(300, broke=2)) == f"no dimension fell by 1 point or more{over}"
    assert headline(some(300, broke=3), limit=None) == f"task_accuracy fell by 1.0 point{over}"
    assert headline(some(300), limit=None) == f"no dimension fell{over}"
    assert headline(some(300, lost=1)) == "some of what should have been compared is missing"
    assert headline(some(300, broke=6, lost=150), limit=Fraction(3)).startswith(
        "task_accuracy fell by 4.0 points (limit 3), but answers are missing"
    )


def test_of_several_the_one_that_fell_is_named() -> None:
    assert headline(some(300), some(300, broke=6)) == "candidate 2: task_accuracy fell by 2.0 points (limit 1)"


def test_of_several_there_is_one_table_with_a_column_each() -> None:
    report = build([some(300, broke=6), some(300, broke=3), some(300)], ONE_POINT)
    (table,) = [block for block in report.sections[0].blocks if isinstance(block, Table)]
    assert table.headers == ("dimension", "candidate 1", "candidate 2", "candidate 3")
    assert [[revealed(text) for text in row] for row in table.rows] == [
        ["task_accuracy", "100.0 → 98.0 (−2.0)", "100.0 → 99.0 (−1.0)", "100.0 → 100.0 (0.0)"],
        ["verdict", "regression", "inconclusive", "pass"],
    ]


def test_a_change_is_never_shown_on_the_wrong_side_of_the_limit() -> None:
    table = build([some(10_001, broke=100)], ONE_POINT).sections[0].blocks[0]
    assert isinstance(table, Table)
    assert revealed(table.rows[0][4]).startswith("−0.9999 (")


def test_new_cases_are_said_to_change_the_score() -> None:
    found = some(50, broke=1, new=12)
    told = words(found, "New cases, which base does not have")
    assert told.startswith("With them the candidate's task_accuracy is 79.0 instead of 98.0.\nnew-0, new-1, new-10")
    assert section(found, "New cases, which base does not have").count == 12


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (some(20, fingerprint=fingerprint()), "Prompt, model config and data are the same in both runs"),
        (some(20, fingerprint=fingerprint(golden="e")), "The golden sets differ. Cases are compared by id"),
        (some(20, fingerprint=fingerprint(scorers="e")), "The scorers differ"),
        (some(20, lost=2), "The candidate lost 2 answers to infrastructure"),
    ],
)
def test_what_makes_runs_less_than_comparable_is_told(found: RunComparison, expected: str) -> None:
    assert expected in words(found, "What to know")


def test_a_part_of_the_same_golden_set_is_told() -> None:
    found = beside([record("a"), record("b")], [record("a")], fingerprint=fingerprint("d"))
    assert "The candidate lacks 1 case of the same golden set" in words(found, "What to know")
    found = beside([record("a"), record("b")], [record("a")], fingerprint=fingerprint("d", "e"))
    assert "lacks" not in words(found, "What to know")


def test_a_broken_case_is_shown_with_both_answers_and_the_reason() -> None:
    shown = page(build([some(20, broke=1, text="said so")]))
    assert "**`c000`** \n\n- `exact` (`task_accuracy`) passed → failed: `said so`\n\nbase:\n```text" in shown


def full(text: str) -> list[RunComparison]:
    """Text of somebody else in every place that takes it."""
    before = [record("a", cell(reason=Untrusted(text)), output=Untrusted(text)), record("b", cell(False))]
    after = [record("a", cell(False, reason=Untrusted(text)), output=Untrusted(text)), record("b")]
    silent = [Record(case="a", request="9" * 64, cells=[cell(False)], error=Untrusted(text), error_kind="request")]
    return [beside(before, side, files=(text, text)) for side in (after, silent)]


def check_harmless(text: str) -> None:
    ours, theirs = (Page(page(build(full(one), ONE_POINT))) for one in ("ordinary", text))
    assert (theirs.elements, theirs.prose) == (ours.elements, ours.prose)
    file = io.StringIO()
    show(build(full(text), ONE_POINT), file=file)
    printed = file.getvalue() + "".join(strings(to_json(full(text))))
    assert "##[" not in printed
    assert not [line for line in printed.split("\n") if line.strip().startswith("::")]
    assert not set(printed) & set("\x1b\x07\x08\r\x00\x9b\u202e\u200b\u2028")


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("text", [text for text in HOSTILE if text], ids=str)
def test_hostile_text_is_harmless(text: str) -> None:
    check_harmless(text)


@settings(deadline=None, max_examples=40)
@given(hostile_text.filter(bool))
def test_any_text_is_harmless(text: str) -> None:
    check_harmless(text)


def test_json_is_exact_and_says_the_format() -> None:
    found = json.loads(json.dumps(to_json([some(300, broke=3, new=1)], ONE_POINT)))
    assert (found["format"], found["verdict"], found["limit"]) == ("ci-eval comparison 1", "inconclusive", "1.0000")
    (candidate,) = found["candidates"]
    (dimension,) = candidate["dimensions"]
    assert (dimension["base"], dimension["candidate"], dimension["change"]) == ("100.0000", "99.0000", "-1.0000")
    assert candidate["only_candidate"]["effects"] == [
        {"dimension": "task_accuracy", "without": "99.0000", "whole": "98.6711"}
    ]
    assert [case["case"] for case in candidate["worse"]] == ["c000", "c001", "c002"]


def test_json_names_the_runs_and_judges_only_by_a_limit() -> None:
    found = to_json([some(3)])
    assert found["base"]["commit"] == "1" * 40
    assert found["verdict"] is None
