"""Workflow commands: lines on stdout that the runner acts on.

The encoding is that of GitHub's own toolkit (actions/toolkit, packages/core/src/command.ts). Nothing is ever written
to GITHUB_ENV or GITHUB_PATH, and there is no command here that sets a variable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ci_eval.text import Hostile, log

Level = Literal["error", "warning", "notice"]

MAX_ANNOTATIONS = 10
"""GitHub shows this many of each level for a step, and drops the rest without a word."""


@dataclass(frozen=True)
class Annotation:
    level: Level
    message: Hostile
    file: Hostile | None = None
    line: int | None = None


def escape_data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(value: str) -> str:
    return escape_data(value).replace(":", "%3A").replace(",", "%2C")


def annotation(level: Level, message: Hostile, file: Hostile | None = None, line: int | None = None) -> str:
    """One annotation as a line to print. Cleaned first, so that its text is neither a command nor two lines."""
    places = []
    if file is not None:
        places.append(f"file={escape_property(log(file))}")
    if file is not None and line is not None:
        places.append(f"line={line}")
    properties = f" {','.join(places)}" if places else ""
    return f"::{level}{properties}::{escape_data(log(message))}"


def annotate(wanted: Iterable[Annotation]) -> list[str]:
    """As many as GitHub shows of each level; the last place says how many had none."""
    items = list(wanted)
    total = Counter(item.level for item in items)
    shown: Counter[Level] = Counter()
    lines = []
    for item in items:
        shown[item.level] += 1
        hidden = total[item.level] - MAX_ANNOTATIONS + 1
        if shown[item.level] < MAX_ANNOTATIONS or hidden == 1:
            lines.append(annotation(item.level, item.message, item.file, item.line))
        elif shown[item.level] == MAX_ANNOTATIONS:
            lines.append(annotation(item.level, f"{hidden} more are in the report"))
    return lines
