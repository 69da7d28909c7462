"""Embeddings by a provider, for the similarity scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from ci_eval.deadline import Deadline
from ci_eval.providers.base import ProviderError, Usage

# OpenAI refuses more than 8,192 tokens, which these are in any language; Google cuts for itself.
_LONGEST = 8000


class Embedded(NamedTuple):
    """Texts as vectors."""

    vectors: Sequence[Sequence[float]]
    """A unit vector for each text, in their order."""
    usage: Usage


@runtime_checkable
class Vectors(Protocol):
    """A provider that has embedding models."""

    def vectors(self, model: str, texts: Sequence[str], deadline: Deadline) -> Embedded:
        """Raises ProviderError."""


def shortened(text: str) -> str:
    """What is sent of a text."""
    return text[:_LONGEST] or " "


@dataclass(frozen=True)
class RemoteEmbedder:
    """One embedding model of a provider. Of a text the first 8,000 characters count; an empty one is a blank."""

    provider: Vectors
    model: str

    def embed(self, texts: Sequence[str], deadline: Deadline) -> Embedded:
        """Raises ProviderError."""
        try:
            return self.provider.vectors(self.model, [shortened(text) for text in texts], deadline)
        except ProviderError as error:  # never about the request: what was asked for is the policy's, not a candidate's
            raise ProviderError(f"no embedding: {error.cause}") from error
