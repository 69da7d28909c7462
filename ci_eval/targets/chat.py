"""`chat`: a system prompt, a model config and perhaps few-shot rows, through a provider.

Everything here is subject: it may come from a pull request. It is read as data and fills in `{{name}}` in one pass;
nothing in it is ever executed, expanded twice, or looked up in the environment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_eval import datasets
from ci_eval.config import ProviderPolicy, Subject
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Labelled, Message, Request
from ci_eval.reader import MIB, decode
from ci_eval.snapshot import Snapshot
from ci_eval.targets import model_config
from ci_eval.targets.model_config import ModelConfig
from ci_eval.text import canonical

PROMPT_LIMIT = MIB
_REQUEST_LIMIT = 4 * MIB
_VARIABLE = re.compile(r"\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}")
_NOT_YET = (".prompt.yml", ".prompt.yaml", ".prompty")


@dataclass(frozen=True)
class ChatTarget:
    """A target that is ready to render requests."""

    prompt: str
    prompt_path: str
    user: str | None
    model: ModelConfig
    examples: tuple[Labelled, ...]
    train: tuple[Labelled, ...]
    files: tuple[str, ...]
    """Every file that was read for it."""

    @property
    def digest(self) -> str:
        """SHA-256 over all that requests are made of, but the cases."""
        rows = [[row.input, row.output] for row in (*self.examples, *self.train)]
        parts = [self.prompt, self.user, self.model.model_dump(), len(self.examples), rows]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()  # in the order in which it is sent

    def request(self, case: Case) -> Request:
        """The request of a case; raises InputError for a variable that the case does not have."""
        given = case.input.reveal()
        fields: Mapping[str, Any] = given if isinstance(given, dict) else {}
        system = _fill(self.prompt, fields, self.prompt_path, case)
        shots = (m for row in self.examples for m in (Message("user", row.input), Message("assistant", row.output)))
        messages = (Message("system", system), *shots, *self._asked(given, case))
        if sum(len(message.content) for message in messages) > _REQUEST_LIMIT:
            raise _too_large(case, self.prompt_path)
        return Request(
            provider=self.model.provider,
            model=self.model.model,
            messages=messages,
            parameters=self.model.parameters(),
            train=self.train,
            train_digest=_digest_of(self.train),
        )

    def _asked(self, given: object, case: Case) -> tuple[Message, ...]:
        if isinstance(given, str):
            return (Message("user", given),)
        if isinstance(given, list):
            return tuple(Message(message["role"], message["content"]) for message in given)
        assert isinstance(given, dict), "a case's input is text, an object or messages"  # noqa: S101 - cases.py checks
        if self.user is None:
            return (Message("user", json.dumps(given, ensure_ascii=False)),)
        return (Message("user", _fill(self.user, given, "target.user", case)),)


def _too_large(case: Case, file: str) -> InputError:
    return InputError(f'the request of case "{case.id}" is too large', remedy="shorten it", file=file)


def _digest_of(rows: tuple[Labelled, ...]) -> str:
    if not rows:
        return ""
    return hashlib.sha256(canonical([[row.input, row.output] for row in rows]).encode()).hexdigest()


def _fill(template: str, fields: Mapping[str, Any], file: str, case: Case) -> str:
    """Replace `{{name}}` once: what a value brings in is not looked at again."""
    size = len(template)

    def value(match: re.Match[str]) -> str:
        nonlocal size
        name = match.group(1)
        if name not in fields:
            known = ", ".join(fields) or "none: its input is not an object"
            line = template.count("\n", 0, match.start()) + 1
            raise InputError(
                f'unknown variable "{name}" (case {case.id} has {known})',
                remedy="name a field of the cases' input, or remove it",
                file=file,
                line=line,
            )
        filled = fields[name] if isinstance(fields[name], str) else canonical(fields[name])
        size += len(filled)
        if size > _REQUEST_LIMIT:  # before it is built: a small prompt can name a long field many times
            raise _too_large(case, file)
        return filled

    return _VARIABLE.sub(value, template)


def load(snapshot: Snapshot, subject: Subject, user: str | None, providers: Mapping[str, ProviderPolicy]) -> ChatTarget:
    """The target of a snapshot under main's providers; raises InputError with file, line and remedy."""
    if subject.prompt.endswith(_NOT_YET):
        raise InputError("a prompt format that is not read yet", remedy="name a text file", file=subject.prompt)
    prompt = decode(snapshot.read(subject.prompt), subject.prompt, limit=PROMPT_LIMIT)
    if not prompt.strip():
        raise InputError("an empty prompt", remedy="write the system prompt", file=subject.prompt, line=1)
    model = model_config.load(snapshot, subject.model, providers)
    examples = _examples(snapshot, subject)
    train = tuple(row.labelled() for row in datasets.read(snapshot, model.train)) if model.train else ()
    files = (subject.prompt, subject.model, *_paths(subject, model))
    return ChatTarget(prompt, subject.prompt, user, model, examples, train, files)


def _examples(snapshot: Snapshot, subject: Subject) -> tuple[Labelled, ...]:
    if subject.examples is None:
        return ()
    rows = datasets.read(snapshot, subject.examples.from_)[: subject.examples.k]
    if len(rows) < subject.examples.k:
        problem = f"has {len(rows)} rows where examples.k asks for {subject.examples.k}"
        raise InputError(problem, remedy="add rows or lower k", file=subject.examples.from_)
    return tuple(row.labelled() for row in rows)


def _paths(subject: Subject, model: ModelConfig) -> tuple[str, ...]:
    examples = (subject.examples.from_,) if subject.examples else ()
    return (*examples, model.train) if model.train else examples
