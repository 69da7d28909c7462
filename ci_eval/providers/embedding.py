"""Embeddings by a provider, for the similarity scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ci_eval.deadline import Deadline
from ci_eval.providers.base import ProviderError

# OpenAI refuses more than 8,192 tokens, which these are in any language; Google cuts for itself.
_LONGEST = 8000


@runtime_checkable
class Vectors(Protocol):
    """A provider that has embedding models."""

    def vectors(self, model: str, texts: Sequence[str], deadline: Deadline) -> Sequence[Sequence[float]]:
        """A unit vector for each text, in their order; raises ProviderError."""


@dataclass(frozen=True)
class RemoteEmbedder:
    """One embedding model of a provider. Of a text the first 8,000 characters count; an empty one is a blank."""

    provider: Vectors
    model: str
    timeout_seconds: float

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A unit vector for each text, in their order; raises ProviderError."""
        short = [text[:_LONGEST] or " " for text in texts]
        try:
            return self.provider.vectors(self.model, short, Deadline.after(self.timeout_seconds))
        except ProviderError as error:  # never about the request: what was asked for is the policy's, not a candidate's
            raise ProviderError(f"no embedding: {error.cause}") from error
