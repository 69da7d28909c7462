"""Workflow commands: what the runner would do with each line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_eval.github.commands import (
    Annotation,
    annotate,
    annotation,
    escape_data,
    escape_property,
)
from ci_eval.text import Untrusted, log


def runner(line: str) -> tuple[str, dict[str, str], str] | None:
    """A line as the runner reads it (actions/runner, ActionCommand.TryParseV2): command, properties, data."""
    line = line.lstrip()
    if not line.startswith("::") or "::" not in line[2:]:
        return None
    head, data = line[2:].split("::", 1)
    name, _, rest = head.partition(" ")
    pairs = [part.partition("=") for part in rest.split(",") if part]
    for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        pairs = [(key, sep, value.replace(code, char)) for key, sep, value in pairs]
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        data = data.replace(code, char)
    return name, {key: value for key, _, value in pairs}, data


@pytest.mark.parametrize(
    ("value", "data", "as_property"),
    [
        ("plain", "plain", "plain"),
        ("100%", "100%25", "100%25"),
        ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
        ("%0A", "%250A", "%250A"),
        ("file=a,line=1::x", "file=a,line=1::x", "file=a%2Cline=1%3A%3Ax"),
    ],
)
def test_escaping_is_the_toolkit_s(value: str, data: str, as_property: str) -> None:
    assert (escape_data(value), escape_property(value)) == (data, as_property)


def test_an_annotation_stands_at_its_file_and_line() -> None:
    line = annotation("error", "task_accuracy fell by 2.7 points", "prompts/support.md", 12)

    assert line == "::error file=prompts/support.md,line=12::task_accuracy fell by 2.7 points"


def test_an_annotation_without_a_place() -> None:
    assert annotation("notice", "50% done") == "::notice::50%25 done"


CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e]")
HOSTILE = [
    "x\n::error::forged",
    "x\r::add-mask::true",
    "::stop-commands::token",
    "##[error]forged",
    "x%0A::error::forged",
    "a,line=99::forged",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\u2028::error::forged",
    "\u202eevil",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_the_text_of_one_annotation(text: str) -> None:
    line = annotation("warning", Untrusted(text), Untrusted(text), 3)
    found = runner(line)

    assert not CONTROLS.search(line)
    assert "##[" not in line
    assert found is not None
    name, properties, data = found
    assert (name, properties) == ("warning", {"file": log(text), "line": "3"})
    assert data == log(text)


@given(text=st.text(max_size=80), file=st.text(max_size=40))
def test_any_text_stays_the_text_of_one_annotation(text: str, file: str) -> None:
    line = annotation("error", text, file, 1)
    found = runner(line)

    assert not CONTROLS.search(line)
    assert found is not None
    assert found == ("error", {"file": log(file), "line": "1"}, log(text))


def test_ten_of_each_level_are_shown_and_the_rest_counted() -> None:
    wanted = [Annotation("error", f"case {index}") for index in range(14)]
    wanted += [Annotation("notice", f"note {index}") for index in range(10)]

    lines = annotate(wanted)

    assert lines[:9] == [f"::error::case {index}" for index in range(9)]
    assert lines[9] == "::error::5 more are in the report"
    assert lines[10:] == [f"::notice::note {index}" for index in range(10)]
