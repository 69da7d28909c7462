"""GitHub Models: chat completions and embeddings at one fixed address, for the workflow's own token."""

from __future__ import annotations

from dataclasses import replace

from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.openai import OpenAIProvider
from ci_eval.secrets import Secret

URL = "https://models.github.ai/inference"


class GitHubProvider(OpenAIProvider):
    """What sets it apart is the address: no policy can have the token sent to another."""

    def __init__(self, endpoint: Endpoint, key: Secret | None) -> None:
        super().__init__(replace(endpoint, base_url=URL), key)
