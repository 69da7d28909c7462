"""What an agent did: the tools that it called, and the steps that it tells of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci_eval.errors import InputError
from ci_eval.reader import parse_json
from ci_eval.scorers.base import MISSING, Answer, equal
from ci_eval.text import JSON

MOST_CALLS = 500
"""More are no plan that anybody wrote down; comparing each with each would take too long."""


@dataclass(frozen=True)
class Call:
    """A tool that was asked for. The arguments are an object, or MISSING where they are no JSON object."""

    name: str
    arguments: Any


def calls(answer: Answer) -> list[Call]:
    """The calls of a model, then those that the steps of a pipeline tell: `{"tool": name, "arguments": {...}}`."""
    told = [step for step in steps(answer) if isinstance(step.get("tool"), str)]
    return asked_for(answer) + [Call(step["tool"], arguments_of(step.get("arguments", {}))) for step in told]


def asked_for(answer: Answer) -> list[Call]:
    """The calls of a model alone."""
    return [Call(call.name.text(), arguments_of(call.arguments.reveal())) for call in answer.tool_calls]


def steps(answer: Answer) -> Iterator[Mapping[str, Any]]:
    """The trajectory as it was told."""
    return (step for told in answer.steps if isinstance(step := told.reveal(), dict))


def arguments_of(written: JSON) -> Any:
    """In a model's own words they are JSON text, of which nothing at all stands for no arguments."""
    if isinstance(written, str):
        try:
            written = parse_json(written) if written.strip() else {}
        except InputError:
            return MISSING
    return written if isinstance(written, dict) else MISSING


def holds(pattern: JSON, value: Any) -> bool:
    """Whether a value has all that a pattern names: the keys of an object, or else the value itself."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(key in value and holds(pattern[key], value[key]) for key in pattern)
    return equal(pattern, value)
