"""Every provider by its `api`. A new one is a file and a line here; its module is loaded when a suite uses it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from ci_eval.errors import MissingKey
from ci_eval.providers.base import Provider
from ci_eval.providers.embedding import RemoteEmbedder, Vectors
from ci_eval.providers.endpoint import Endpoint
from ci_eval.reader import MIB, read_file
from ci_eval.secrets import Secret

if TYPE_CHECKING:
    from ci_eval.providers.local import LocalProvider


PROVIDERS: Mapping[str, str] = {
    "anthropic": "ci_eval.providers.anthropic:AnthropicProvider",
    "azure": "ci_eval.providers.azure:AzureProvider",
    "github": "ci_eval.providers.github:GitHubProvider",
    "google": "ci_eval.providers.google:GoogleProvider",
    "openai": "ci_eval.providers.openai:OpenAIProvider",
}
"""Those that are called over HTTP; `local` is made in its own way."""
EMBEDDING = frozenset({"azure", "github", "google", "openai"})
"""Those that have embedding models."""
_WEIGHTS_LIMIT = 1024 * MIB


def connect(endpoint: Endpoint, keys: Mapping[str, Secret]) -> Provider:
    """A provider that is ready to be asked; raises Inconclusive when its key is not there."""
    if endpoint.api == "local":
        return local_model()
    return _connected(endpoint, _key(endpoint, keys))


@lru_cache(maxsize=64)
def _connected(endpoint: Endpoint, key: Secret | None) -> Provider:
    """One provider for all who ask the same endpoint: its limits are one, however many suites and sides there are."""
    module, _, name = PROVIDERS[endpoint.api].partition(":")
    provider: Provider = getattr(import_module(module), name)(endpoint, key)
    return provider


def connect_embedder(endpoint: Endpoint, model: str, keys: Mapping[str, Secret]) -> RemoteEmbedder:
    """A model of an API in EMBEDDING, ready to be asked; raises Inconclusive when its key is not there."""
    provider = connect(endpoint, keys)
    assert isinstance(provider, Vectors), "an API in EMBEDDING"  # noqa: S101 - a test asserts that each has vectors
    return RemoteEmbedder(provider, model)


@lru_cache(maxsize=1)
def local_model() -> LocalProvider:
    """The embedded model: one for all suites, since it holds the weights and remembers what it has read."""
    from ci_eval.providers.local import LocalProvider  # noqa: PLC0415 - numpy only where it is used
    from ci_eval.providers.minilm import find_folder, load  # noqa: PLC0415

    return LocalProvider(lambda: load(find_folder(), lambda path: read_file(path, limit=_WEIGHTS_LIMIT)))


def _key(endpoint: Endpoint, keys: Mapping[str, Secret]) -> Secret | None:
    if endpoint.key_env is None:
        return None
    if endpoint.key_env not in keys:
        raise MissingKey(endpoint.key_env, "nothing can be evaluated")
    return keys[endpoint.key_env]
