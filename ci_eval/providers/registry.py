"""Every provider by its `api`; its module is loaded when a policy names it and a suite uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ci_eval.errors import Inconclusive
from ci_eval.providers.base import Provider
from ci_eval.reader import MIB, read_file
from ci_eval.secrets import Secret

if TYPE_CHECKING:
    from ci_eval.providers.local import LocalProvider


_WEIGHTS_LIMIT = 1024 * MIB


@dataclass(frozen=True)
class Endpoint:
    """What a provider is made from, out of the policy."""

    api: str
    base_url: str | None
    key_env: str | None
    concurrency: int
    timeout_seconds: float


def connect(endpoint: Endpoint, keys: Mapping[str, Secret]) -> Provider:
    """A provider that is ready to be asked; raises Inconclusive when its key is not there."""
    if endpoint.api == "local":
        return local_model()
    from ci_eval.providers.openai import OpenAIProvider  # noqa: PLC0415 - requests only where it is used

    return OpenAIProvider(
        endpoint.base_url,
        _key(endpoint, keys),
        concurrency=endpoint.concurrency,
        timeout_seconds=endpoint.timeout_seconds,
    )


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
        raise Inconclusive(
            f"{endpoint.key_env} is not set, so nothing can be evaluated; "
            "set it, or on a pull request from a fork ask a maintainer to run the gate"
        )
    return keys[endpoint.key_env]
