"""`target` of a suite in `ci-eval.yaml`: the system under test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ci_eval.config.values import BaseUrl, Function, KeyVariable, Name, RepoPath
from ci_eval.reader import Strict, wrong

_WITH_MODEL = (".prompt.yml", ".prompt.yaml", ".prompty")
"""Prompt files that may bring their model and its parameters."""


class Examples(Strict):
    """Few-shot examples: the first `k` rows of a file."""

    from_: RepoPath = Field(alias="from")
    """A JSONL file of rows with `input` and `output`."""
    k: Annotated[int, Field(ge=1, le=100)]
    """How many of its rows, from the first."""


Kind = Literal["chat", "http", "command", "python"]
_OWN_KEYS: dict[Kind, frozenset[str]] = {
    "chat": frozenset({"provider", "examples", "user"}),
    "http": frozenset({"key_env", "max_concurrency", "timeout_seconds"}),
    "command": frozenset({"files", "env", "code", "max_concurrency", "timeout_seconds"}),
    "python": frozenset({"files", "env", "code", "max_concurrency", "timeout_seconds"}),
}


class TargetPolicy(Strict):
    """The system under test: a prompt and a model through a provider, or the user's own service or code."""

    prompt: RepoPath | None = None
    """The system prompt, text with `{{name}}` variables; or a `.prompt.yml` or `.prompty` with its own messages."""
    model: RepoPath | None = None
    """The model config: provider, model and parameters, YAML or JSON. A prompt file may bring them instead.

    A service or program of one's own is handed it whole, and may have any keys in it.
    """
    provider: Name | None = None
    """Through which provider a model is asked that a prompt file names; by default the only one there is."""
    examples: Examples | None = None
    user: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """How an object input becomes the user message; without it, it is sent as JSON."""
    http: BaseUrl | None = None
    """A service of one's own, which is handed each case with the prompt and the model config."""
    command: Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(min_length=1)] | None = None
    """A program of one's own, which reads cases as JSON lines: its name and arguments, run in a folder of `files`."""
    python: Function | None = None
    """A function of one's own, as `module:function`, that takes a case and returns the answer."""
    files: list[RepoPath] = Field(default_factory=list)
    """The code that a command or function consists of: patterns. It runs in a folder that holds nothing else."""
    env: list[KeyVariable] = Field(default_factory=list)
    """Environment variables that the program is given; its own environment has no others of this job."""
    code: Literal["trusted"] | None = None
    """`trusted`: a pull request's own version of `files` is run, with all that this job can do."""
    key_env: KeyVariable | None = None
    """The environment variable that holds the service's key, sent as a bearer token."""
    max_concurrency: Annotated[int, Field(ge=1, le=512)] | None = None
    """Cases under way at once; by default 16 at a service, and 1 in a program."""
    timeout_seconds: Annotated[int | float, Field(gt=0, le=3600)] = 60
    """The longest that one case may take."""

    @property
    def kind(self) -> Kind:
        if self.http is not None:
            return "http"
        if self.command is not None:
            return "command"
        return "chat" if self.python is None else "python"

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> TargetPolicy:
        kinds = [key for key in ("http", "command", "python") if getattr(self, key) is not None]
        if len(kinds) > 1:
            raise wrong(f"{' and '.join(kinds)} are two targets", "make them two suites")
        known = frozenset({"prompt", "model", self.kind}) | _OWN_KEYS[self.kind]
        for key in sorted(self.model_fields_set - known):
            remedy = f"remove it; {', '.join(sorted(known - {self.kind}))} are"
            raise wrong(f'"{key}" is no key of a {self.kind} target', remedy)
        if self.kind in {"command", "python"} and not self.files:
            raise wrong('"files" is missing', 'add "files": the code that it consists of, as in [src/**]')
        return self

    @model_validator(mode="after")
    def _a_chat_has_prompt_and_model(self) -> TargetPolicy:
        if self.kind == "chat" and self.prompt is None:
            raise wrong('"prompt" is missing', 'add "prompt"')
        if self.kind == "chat" and self.model is None and not str(self.prompt).endswith(_WITH_MODEL):
            raise wrong('"model" is missing', 'add "model": only .prompt.yml and .prompty files bring their own')
        return self
