"""The providers that `init` knows by name: how each is written into a config, and what it is asked by default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ci_eval.config import Api


@dataclass(frozen=True)
class Known:
    """A provider by one of its usual names."""

    api: Api
    keys: tuple[str, ...] = ()
    """Variables under which its key is usually kept, the most usual one first; none: it takes none of its own."""
    model: str = ""
    """What is asked where neither the repository nor the user names a model; empty: they have to."""
    base_url: str = ""

    def key_env(self, seen: Collection[str]) -> str | None:
        """The variable of its key: one that the repository uses already, else the usual one."""
        return next((name for name in self.keys if name in seen), next(iter(self.keys), None))


_OPENAI = Known("openai", ("OPENAI_API_KEY",), "gpt-4.1-mini")
_ANTHROPIC = Known("anthropic", ("ANTHROPIC_API_KEY", "CLAUDE_API_KEY"), "claude-haiku-4-5")
_GOOGLE = Known("google", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), "gemini-2.5-flash")

KNOWN: Mapping[str, Known] = {
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "claude": _ANTHROPIC,
    "google": _GOOGLE,
    "gemini": _GOOGLE,
    "github": Known("github", (), "openai/gpt-4o-mini"),
    "local": Known("local", (), "minilm"),
    "openrouter": Known("openai", ("OPENROUTER_API_KEY",), "", "https://openrouter.ai/api/v1"),
    "mistral": Known("openai", ("MISTRAL_API_KEY",), "", "https://api.mistral.ai/v1"),
    "groq": Known("openai", ("GROQ_API_KEY",), "", "https://api.groq.com/openai/v1"),
    "deepseek": Known("openai", ("DEEPSEEK_API_KEY",), "", "https://api.deepseek.com"),
    "together": Known("openai", ("TOGETHER_API_KEY",), "", "https://api.together.xyz/v1"),
}


def provider_of(keys: Collection[str]) -> str:
    """The provider whose key a repository uses; OpenAI where it uses none that is known."""
    return next((name for name, known in KNOWN.items() if {*known.keys} & {*keys}), "openai")
