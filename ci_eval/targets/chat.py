"""`chat`: a prompt, a model config and perhaps few-shot rows, through a provider.

Everything here is subject: it may come from a pull request. It is read as data and fills in `{{name}}` in one pass;
nothing in it is ever executed, expanded twice, or looked up in the environment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ci_eval.config import ProviderPolicy, Subject
from ci_eval.datasets.rows import read as read_rows
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Labelled, Message, Request
from ci_eval.reader import read_document
from ci_eval.snapshot import Snapshot
from ci_eval.targets import model_config, prompt_file
from ci_eval.targets.model_config import ModelConfig
from ci_eval.targets.prompt import REQUEST_LIMIT, Prompt, Turn, fill, too_large
from ci_eval.text import canonical


@dataclass(frozen=True)
class ChatTarget:
    """A target that is ready to render requests."""

    prompt: Prompt
    user: str | None
    model: ModelConfig
    examples: tuple[Labelled, ...]
    train: tuple[Labelled, ...]

    @property
    def lane(self) -> str:
        return self.model.provider

    @property
    def model_name(self) -> str:
        return self.model.model

    @property
    def rows(self) -> tuple[str, ...]:
        return (self.model.train,) if self.model.train else ()

    @property
    def digest(self) -> str:
        """SHA-256 over all that requests are made of, but the cases."""
        rows = [[row.input, row.output] for row in (*self.examples, *self.train)]
        turns = [[turn.role, turn.text] for turn in self.prompt.turns]
        prompt = [turns, self.prompt.own_messages, dict(self.prompt.defaults), self.prompt.text_fills]
        parts = [prompt, self.user, self.model.model_dump(), len(self.examples), rows]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()  # in the order in which it is sent

    @cached_property
    def _parameters(self) -> Mapping[str, Any]:
        return self.model.parameters()

    def request(self, case: Case) -> Request:
        """The request of a case; raises InputError for a variable that the case does not have."""
        given = case.input.reveal()
        fields = self.prompt.fields(given)
        turns = [Message(turn.role, fill(turn, fields, self.prompt.path, case)) for turn in self.prompt.turns]
        opening = next((number for number, turn in enumerate(turns) if turn.role != "system"), len(turns))
        shots = (m for row in self.examples for m in (Message("user", row.input), Message("assistant", row.output)))
        messages = (*turns[:opening], *shots, *turns[opening:], *self._asked(given, case))
        if sum(len(message.content) for message in messages) > REQUEST_LIMIT:
            raise too_large(case, self.prompt.path)
        return Request(
            provider=self.model.provider,
            model=self.model.model,
            messages=messages,
            parameters=self._parameters,
            train=self.train,
            train_digest=_digest_of(self.train),
        )

    def _asked(self, given: object, case: Case) -> tuple[Message, ...]:
        """What stands after the prompt's own messages."""
        if isinstance(given, list):
            return tuple(Message(message["role"], message["content"]) for message in given)
        if self.prompt.own_messages and self._takes(given):
            return ()
        if isinstance(given, str):
            return (Message("user", given),)
        assert isinstance(given, dict), "a case's input is text, an object or messages"  # noqa: S101 - cases.py checks
        if self.user is None:
            return (Message("user", json.dumps(given, ensure_ascii=False)),)
        return (Message("user", fill(Turn("user", self.user), given, "target.user", case)),)

    def _takes(self, given: object) -> bool:
        """Whether the prompt's messages hold the input; raises InputError where there is no place left for it."""
        named = self.prompt.variables()
        if isinstance(given, str) and self.prompt.text_fills in named:
            return True
        asks = self.prompt.turns[-1].role == "user"
        wanted = {self.prompt.text_fills} if isinstance(given, str) else named
        if asks and not named & wanted:
            problem = "its messages name no variable, so the cases' input would go nowhere"
            remedy = f"write {{{{{self.prompt.text_fills}}}}} where it belongs"
            raise InputError(problem, remedy=remedy, file=self.prompt.path, line=self.prompt.turns[-1].line)
        return asks


def _digest_of(rows: tuple[Labelled, ...]) -> str:
    if not rows:
        return ""
    return hashlib.sha256(canonical([[row.input, row.output] for row in rows]).encode()).hexdigest()


def load(
    snapshot: Snapshot,
    subject: Subject,
    user: str | None,
    providers: Mapping[str, ProviderPolicy],
    provider: str | None = None,
) -> ChatTarget:
    """The target of a snapshot under main's providers; raises InputError with file, line and remedy.

    `provider` is the policy's, for a prompt file that brings its model: a file never says where its requests go.
    """
    assert subject.prompt is not None, "a chat target has a prompt"  # noqa: S101 - loading.py looked
    prompt = prompt_file.load(snapshot, subject.prompt)
    model = _model(snapshot, subject, prompt, providers, provider)
    examples = _examples(snapshot, subject)
    train = tuple(row.labelled() for row in read_rows(snapshot, model.train)) if model.train else ()
    return ChatTarget(prompt, user, model, examples, train)


def _model(
    snapshot: Snapshot,
    subject: Subject,
    prompt: Prompt,
    providers: Mapping[str, ProviderPolicy],
    provider: str | None,
) -> ModelConfig:
    """What the model config says, and what it leaves open of what the prompt file says."""
    settings = prompt.settings()
    if subject.model is not None and subject.model != subject.prompt:
        config = read_document(snapshot.read(subject.model), subject.model)
        both = {**settings, **config.value} if isinstance(config.value, dict) else config.value
        return model_config.checked(replace(config, value=both), providers)
    if "model" not in settings:
        problem, remedy = "names no model", "add it, or name a model config beside it: target.model in ci-eval.yaml"
        raise InputError(problem, remedy=remedy, file=prompt.path)
    if provider is None:
        problem = "brings its model, and main's ci-eval.yaml does not say through which provider it is asked"
        raise InputError(problem, remedy="merge target.provider first", file=prompt.path)
    return model_config.checked(replace(prompt.brings, value={**settings, "provider": provider}), providers)


def _examples(snapshot: Snapshot, subject: Subject) -> tuple[Labelled, ...]:
    if subject.examples is None:
        return ()
    rows = read_rows(snapshot, subject.examples.from_)[: subject.examples.k]
    if len(rows) < subject.examples.k:
        problem = f"has {len(rows)} rows where examples.k asks for {subject.examples.k}"
        raise InputError(problem, remedy="add rows or lower k", file=subject.examples.from_)
    return tuple(row.labelled() for row in rows)
