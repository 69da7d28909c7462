"""The model config: which model is asked, and how. Subject, so only the keys named here ever reach a provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ci_eval.config import ProviderPolicy, RepoPath
from ci_eval.providers.parameters import unfit
from ci_eval.reader import Document, Strict, read_document, validate, wrong
from ci_eval.snapshot import Snapshot

ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
StopWord = Annotated[str, Field(min_length=1, max_length=1000)]


class NamedSchema(Strict):
    """A JSON Schema that the answer is bound to."""

    name: ToolName
    description: Annotated[str, Field(max_length=10_000)] | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Strict):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise wrong("type and json_schema do not fit", 'write json_schema exactly where the type is "json_schema"')
        return self


class Function(Strict):
    """What a tool is called, what it does and what it takes."""

    name: ToolName
    description: Annotated[str, Field(max_length=10_000)] | None = None
    parameters: dict[str, Any] | None = None
    """A JSON Schema of an object."""
    strict: bool | None = None


class Tool(Strict):
    """A tool that the model may ask for; nothing here ever runs it."""

    type: Literal["function"]
    function: Function


class FunctionName(Strict):
    name: ToolName


class NamedTool(Strict):
    """The one tool that has to be called."""

    type: Literal["function"]
    function: FunctionName


class ModelConfig(Strict):
    """Which model is asked, and with which parameters. Only these reach the wire, each in the words of its API."""

    provider: str
    """A name from `providers` in main's ci-eval.yaml."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    temperature: Annotated[int | float, Field(ge=0, le=2)] | None = None
    max_tokens: Tokens | None = None
    """The longest answer; one that is cut off there counts as failed."""
    max_completion_tokens: Tokens | None = None
    """The same for OpenAI's reasoning models, thoughts included."""
    top_p: Annotated[int | float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | list[str] | None = None
    presence_penalty: Annotated[int | float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[int | float, Field(ge=-2, le=2)] | None = None
    response_format: ResponseFormat | None = None
    """In OpenAI's shape: `{type: json_schema, json_schema: {name: …, schema: …}}`."""
    tools: Annotated[list[Tool], Field(min_length=1, max_length=128)] | None = None
    """In OpenAI's shape: `{type: function, function: {name: …, description: …, parameters: …}}`."""
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    """How much a reasoning model thinks, in words."""
    thinking_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """How much it may think, in tokens; 0 turns thinking off."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """The server's own parameters, of those that main's `extra_parameters` names."""
    train: RepoPath | None = None
    """Labelled rows that the local model learns from."""

    @model_validator(mode="after")
    def _tools_fit(self) -> ModelConfig:
        names = [tool.function.name for tool in self.tools or ()]
        if len(names) != len(set(names)):
            raise wrong("two tools of one name", "give one of them another name")
        if self.tool_choice is not None and not names:
            raise wrong("tool_choice without tools", "add tools, or remove it")
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.function.name not in names:
            raise wrong("tool_choice names a tool that is not there", "name one of the tools")
        return self

    def parameters(self) -> dict[str, Any]:
        """What is sent beside model and messages: the server's own parameters last."""
        apart = {"provider", "model", "train", "extra"}
        return {**self.model_dump(exclude=apart, exclude_none=True, by_alias=True), **self.extra}


def load(snapshot: Snapshot, path: str, providers: Mapping[str, ProviderPolicy]) -> ModelConfig:
    """The model config of a snapshot under main's providers; raises InputError with file, line and remedy."""
    return checked(read_document(snapshot.read(path), path), providers)


def checked(document: Document, providers: Mapping[str, ProviderPolicy]) -> ModelConfig:
    """The model config that a document holds; raises InputError."""
    model = validate(ModelConfig, document)
    provider = providers.get(model.provider)
    if provider is None:
        raise document.error(
            ("provider",),
            f'no provider "{model.provider}" in the ci-eval.yaml of the main branch',
            "name one that is there, or merge the provider first: a pull request cannot add a host",
        )
    _refuse_strangers(model, provider, document)
    known = {key: value for key, value in model.parameters().items() if key not in model.extra}
    found = unfit(provider, model.model, known)
    if found:
        raise document.error((found.key,), found.problem, found.remedy)
    return model


def _refuse_strangers(model: ModelConfig, provider: ProviderPolicy, document: Document) -> None:
    """Of the server's own parameters, only those that main's policy names: others might cost, or steer elsewhere."""
    for key in model.extra:
        if key in ModelConfig.model_fields:
            raise document.error(("extra", key), f"{key} is a parameter of every server", "write it beside extra")
        if key not in provider.extra_parameters:
            known = ", ".join(provider.extra_parameters) or "none"
            problem = f'main\'s policy lets no model config set "{key}" (known are {known})'
            raise document.error(("extra", key), problem, "remove it, or merge it into extra_parameters first")
