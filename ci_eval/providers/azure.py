"""Azure OpenAI: the same chat completions behind another header and, in its dated API, another path."""

from __future__ import annotations

from urllib.parse import quote

from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.openai import OpenAIProvider
from ci_eval.secrets import Secret


class AzureProvider(OpenAIProvider):
    """A resource by its `…/openai/v1`, or with an `api_version` by its bare address and a deployment in the path."""

    key_header = ("api-key", "")

    def __init__(self, endpoint: Endpoint, key: Secret | None) -> None:
        super().__init__(endpoint, key)
        self._version = endpoint.api_version

    def _path(self, operation: str, model: str) -> str:
        """The name of a deployment is subject: nothing in it may lead to another path."""
        if self._version is None:
            return operation
        version = quote(self._version, safe="")
        return f"/openai/deployments/{quote(model, safe='')}{operation}?api-version={version}"
