"""A prompt: the messages of a request before the case's input fills them.

What a case brings in is text: `{{name}}` is replaced in one pass, after the messages were told apart, so no value can
name another variable or open a message of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Role
from ci_eval.reader import MIB, Document
from ci_eval.text import canonical

REQUEST_LIMIT = 4 * MIB
VARIABLE = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}")


@dataclass(frozen=True)
class Turn:
    """One message as a prompt has it, with its variables."""

    role: Role
    text: str
    line: int = 1
    """Where its text starts in the file."""

    def variables(self) -> set[str]:
        return set(VARIABLE.findall(self.text))


@dataclass(frozen=True)
class Prompt:
    """What a prompt file says: its messages, and perhaps a model and its parameters."""

    path: str
    turns: tuple[Turn, ...]
    own_messages: bool = False
    """Whether the file says where a case's input goes; a plain text is the system message alone."""
    brings: Document = field(default_factory=lambda: Document("", {}))
    """The model and parameters that the file names, by the names of the model config, on the file's own lines."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What variables hold where a case does not have them."""
    text_fills: str = "input"
    """The variable that a case's input fills when it is text."""

    def fields(self, given: object) -> Mapping[str, Any]:
        """What fills the variables, by the input of a case."""
        own = {self.text_fills: given} if self.own_messages and isinstance(given, str) else {}
        return {**self.defaults, **(given if isinstance(given, dict) else own)}

    def variables(self) -> set[str]:
        return {name for turn in self.turns for name in turn.variables()}

    def as_text(self) -> str:
        """All that reaches the model, to read and to compare: a plain prompt as it is."""
        if not self.own_messages:
            return "".join(turn.text for turn in self.turns)
        return "\n".join(f"{turn.role}:\n{turn.text}" for turn in self.turns)

    def settings(self) -> dict[str, Any]:
        """The model and parameters that the file names."""
        return self.brings.value if isinstance(self.brings.value, dict) else {}


def fill(turn: Turn, fields: Mapping[str, Any], file: str, case: Case) -> str:
    """Replace `{{name}}` once: what a value brings in is not looked at again.

    Raises InputError for a variable that the case does not have, and for a text that grows too large.
    """
    size = len(turn.text)

    def value(match: re.Match[str]) -> str:
        nonlocal size
        name = match.group(1)
        if name not in fields:
            known = ", ".join(fields) or "none: its input is not an object"
            raise InputError(
                f'unknown variable "{name}" (case {case.id} has {known})',
                remedy="name a field of the cases' input, or remove it",
                file=file,
                line=turn.line + turn.text.count("\n", 0, match.start()),
            )
        filled = fields[name] if isinstance(fields[name], str) else canonical(fields[name])
        size += len(filled)
        if size > REQUEST_LIMIT:  # before it is built: a small prompt can name a long field many times
            raise too_large(case, file)
        return filled

    return VARIABLE.sub(value, turn.text)


def too_large(case: Case, file: str) -> InputError:
    return InputError(f'the request of case "{case.id}" is too large', remedy="shorten it", file=file)
