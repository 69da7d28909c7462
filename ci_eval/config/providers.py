"""`providers` in `ci-eval.yaml`: the ways to reach models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ci_eval.config.values import WORKFLOW_TOKEN, BaseUrl, ExtraName, KeyVariable
from ci_eval.reader import Strict, wrong

Dollars = Annotated[int | float, Field(ge=0, le=100_000)]
Api = Literal["local", "openai", "azure", "github", "anthropic", "google"]


class Price(Strict):
    """What a model costs, in USD per million tokens."""

    input: Dollars
    """Of what is sent."""
    output: Dollars
    """Of what is answered, thoughts included."""
    cached: Dollars | None = None
    """Of an input token that was read from the provider's cache; by default it costs as much as any other."""


class ProviderPolicy(Strict):
    """A way to reach a model: the only hosts that are ever called, and keys only from these variables."""

    api: Api
    """The wire format: `openai` is every server that speaks chat completions; `local` is the embedded model."""
    base_url: BaseUrl | None = None
    """Where the API lives, with its version, as in `http://localhost:8000/v1`; left out for the API's own address."""
    api_version: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$")] | None = None
    """`azure` only: the dated API, whose models are deployments; left out for `…/openai/v1`."""
    key_env: KeyVariable | None = None
    """The environment variable that holds the key; left out for a server that wants none."""
    stream: bool = False
    """Ask for the answer piece by piece, for servers that close a connection on which nothing comes for long."""
    extra_parameters: list[ExtraName] = Field(default_factory=list)
    """`openai` and `azure` only: names of the server's own parameters that a model config may set under `extra`."""
    prices: dict[Annotated[str, Field(min_length=1, max_length=200)], Price] = Field(default_factory=dict)
    """Prices by model or pattern (`gpt-4o*`), the first that matches; without one, those that genai-prices lists."""
    max_concurrency: Annotated[int, Field(ge=1, le=512)] = 16
    """Requests under way at once, at most: it starts with fewer and goes back when the server asks for it."""
    requests_per_minute: Annotated[int | float, Field(gt=0, le=1_000_000)] | None = None
    """Never more than this; without it, the server's own answers say how fast."""
    tokens_per_minute: Annotated[int | float, Field(gt=0, le=1_000_000_000)] | None = None
    """In and out together, as the server counts them after each answer; the next is taken to cost as much."""
    timeout_seconds: Annotated[int | float, Field(gt=0, le=3600)] = 60
    """The longest that one request may take, retries included; waiting for the server's limits is not counted."""

    @model_validator(mode="after")
    def _fits_its_api(self) -> ProviderPolicy:
        if self.api == "local" and (self.base_url or self.key_env):
            raise wrong("the local model has no base_url and no key", "remove them")
        if self.api == "local" and self.stream:
            raise wrong("the local model does not stream", "remove stream")
        if self.api == "github" and self.base_url:
            raise wrong("the api github has one address, and its token goes nowhere else", "remove base_url")
        if self.api in {"anthropic", "google"} and not (self.base_url or self.key_env):
            raise wrong(f"the api {self.api} needs a key", "name the variable that holds it in key_env")
        if self.extra_parameters and self.api not in {"openai", "azure"}:
            raise wrong(f"the api {self.api} takes no extra_parameters", "remove them")
        self._refuse_half_of_azure()
        return self

    def _refuse_half_of_azure(self) -> None:
        if self.api != "azure":
            if self.api_version:
                raise wrong("api_version belongs to azure", "remove it, or write api: azure")
            return
        if not (self.base_url and self.key_env):
            raise wrong("azure needs base_url and key_env", "add https://NAME.openai.azure.com/openai/v1 and its key")
        if self.base_url.rstrip("/").endswith("/v1") == bool(self.api_version):
            remedy = "end base_url in /openai/v1, or write the bare https://NAME.openai.azure.com and an api_version"
            raise wrong("base_url and api_version do not fit each other", remedy)

    @property
    def key_variable(self) -> str | None:
        """The environment variable that is read for the key."""
        return self.key_env or (WORKFLOW_TOKEN if self.api == "github" else None)
