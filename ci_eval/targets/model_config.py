"""The model config: which model is asked, and how. Subject, so only the keys named here ever reach a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from ci_eval.config import RepoPath
from ci_eval.reader import Document, Strict, read_document, validate
from ci_eval.snapshot import Snapshot


class ModelConfig(Strict):
    """Which model is asked, and with which parameters. Only these reach the wire."""

    provider: str
    """A name from `providers` in main's ci-eval.yaml."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    temperature: Annotated[int | float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    top_p: Annotated[int | float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: Annotated[int | float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[int | float, Field(ge=-2, le=2)] | None = None
    response_format: dict[str, Any] | None = None
    train: RepoPath | None = None
    """Labelled rows that the local model learns from."""

    def parameters(self) -> dict[str, Any]:
        return self.model_dump(exclude={"provider", "model", "train"}, exclude_none=True)


def load(snapshot: Snapshot, path: str, known_provider: Callable[[str], bool]) -> ModelConfig:
    """The model config of a snapshot; raises InputError with file, line and remedy."""
    return checked(read_document(snapshot.read(path), path), known_provider)


def checked(document: Document, known_provider: Callable[[str], bool]) -> ModelConfig:
    """The model config that a document holds; raises InputError."""
    model = validate(ModelConfig, document)
    if not known_provider(model.provider):
        raise document.error(
            ("provider",),
            f'no provider "{model.provider}" in the ci-eval.yaml of the main branch',
            "name one that is there, or merge the provider first: a pull request cannot add a host",
        )
    return model
