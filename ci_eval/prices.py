"""What tokens cost, in USD. Unknown is said, never guessed."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase

from ci_eval.config import Price, ProviderPolicy
from ci_eval.providers.base import Usage

_MILLION = Decimal(1_000_000)
# Whose list of prices holds for an API at its own address. Azure's models have names of the user's own, and GitHub
# Models are paid for in another way: for both, only the policy knows.
_LISTED = {"openai": "openai", "anthropic": "anthropic", "google": "google"}


def cost_of(usage: Usage, model: str, provider: ProviderPolicy) -> Decimal | None:
    """What an answer cost, or what one of so many tokens would; None where tokens or price are not known."""
    if provider.api == "local":
        return Decimal(0)
    if usage.tokens_in is None or usage.tokens_out is None:
        return None
    for pattern, price in provider.prices.items():
        if fnmatchcase(model, pattern):
            return _by(price, usage.tokens_in, usage.tokens_out, usage.tokens_cached or 0)
    return _listed(usage, model, provider)


def _by(price: Price, tokens_in: int, tokens_out: int, cached: int) -> Decimal:
    dear = Decimal(str(price.input))
    cheap = dear if price.cached is None else Decimal(str(price.cached))
    return ((tokens_in - cached) * dear + cached * cheap + tokens_out * Decimal(str(price.output))) / _MILLION


def _listed(usage: Usage, model: str, provider: ProviderPolicy) -> Decimal | None:
    """By the list that comes with the genai-prices package; nothing is fetched."""
    # Without TLS only servers of one's own are called, which are on no list; reading it takes 70 MB.
    if provider.api not in _LISTED or (provider.base_url or "").startswith("http:"):
        return None
    import genai_prices  # noqa: PLC0415 - it takes a while, and most runs that need no price are short

    counted = genai_prices.Usage(
        input_tokens=usage.tokens_in, output_tokens=usage.tokens_out, cache_read_tokens=usage.tokens_cached or 0
    )
    try:
        if provider.base_url:
            return genai_prices.calc_price(counted, model, provider_api_url=provider.base_url).total_price
        return genai_prices.calc_price(counted, model, provider_id=_LISTED[provider.api]).total_price
    except (LookupError, ValueError):  # a model or host that is not listed; counts that contradict each other
        return None
