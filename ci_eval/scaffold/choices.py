"""Which suites a repository starts with, by what was found in it and what the user chose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import NamedTuple

from ci_eval.config import NAME
from ci_eval.errors import UsageError
from ci_eval.scaffold.discovery import Found
from ci_eval.scaffold.providers import KNOWN, provider_of
from ci_eval.targets.prompt import Prompt

MOST_SUITES = 8
"""More prompts than these are for a person to choose from: each suite costs calls."""
STARTER_PROMPT = "prompts/support.md"
CASES = "cases.jsonl"
NEW_MODEL = "models/default.yaml"
_SPARE_MODEL = "models/ci-eval.yaml"
_GENERIC = frozenset(
    {"default", "index", "main", "model", "models", "prompt", "prompts", "service", "services", "src", "system"}
    | {"system-prompt", "system_prompt", "systemprompt"}
)
_PLAIN = re.compile(r"[^a-z0-9_-]+")


class NewModel(NamedTuple):
    """A model config that the repository has not."""

    path: str
    provider: str
    model: str


@dataclass(frozen=True)
class Wishes:
    """What the user said; None where they left it to `init`."""

    prompts: tuple[str, ...] = ()
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Suite:
    """A suite of the new config."""

    name: str
    prompt: str
    model: str | None
    """The model config; None where the prompt file brings the model."""
    provider: str
    datasets: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """What a case has to fill."""
    user: bool = False
    """Whether the prompt has variables and leaves the customer's words to `target.user`."""
    starter: bool = False
    """Whether the prompt is ours, and so are its golden cases."""

    @property
    def golden(self) -> str:
        return f"golden/{self.name}"

    @property
    def cases(self) -> str:
        """The golden file that is written where there is none."""
        return f"{self.golden}/{CASES}"


@dataclass(frozen=True)
class Start:
    """What is to be written."""

    suites: tuple[Suite, ...]
    key_envs: Mapping[str, str | None]
    """The variable of the key, by provider."""
    new_models: tuple[NewModel, ...]
    """The model configs that have to be made: one, or none."""

    def keys(self) -> list[str]:
        """What a job has to hand on: GitHub Models take the workflow's own token."""
        github = ["GITHUB_TOKEN"] if any(KNOWN[name].api == "github" for name in self.key_envs) else []
        return sorted({*(key for key in self.key_envs.values() if key), *github})


def choose(found: Found, wishes: Wishes) -> Start:
    """Raises UsageError for a wish that cannot be met."""
    prompts = _wished(found, wishes)
    fallback = wishes.provider or next((model.provider for model in found.models), provider_of(found.keys))
    if fallback not in KNOWN:
        names = ", ".join(KNOWN)
        raise UsageError(f"no provider of that name; there are {names} (your own server: openai, its base_url later)")
    made = _new_model(found, wishes, fallback)
    model, provider = _model_of(Prompt(STARTER_PROMPT, ()), found, wishes, made)
    starter = Suite("support", STARTER_PROMPT, model, provider, starter=True)
    suites = _with_datasets(list(_suites(prompts, found, wishes, made)) or [starter], found.datasets)
    providers = dict.fromkeys(suite.provider for suite in suites)
    keys = {name: KNOWN[name].key_env(found.keys) for name in providers}
    needed = any(suite.model == made.path for suite in suites)
    if needed and not made.model:
        raise UsageError(f"nothing says which model of {fallback} is asked; name one with --model")
    return Start(tuple(suites), keys, (made,) if needed else ())


def _wished(found: Found, wishes: Wishes) -> Sequence[Prompt]:
    """The prompts that were named, or the first that were found."""
    if not wishes.prompts:
        return found.prompts[:MOST_SUITES]
    by_path = {prompt.path: prompt for prompt in found.prompts}
    missing = [path for path in wishes.prompts if path not in by_path]
    if missing:
        known = ", ".join(by_path) or "none"
        raise UsageError(f"{missing[0]} is not among the prompts that were found ({known})")
    return [by_path[path] for path in wishes.prompts]


def says_no_model(found: Found, wishes: Wishes) -> bool:
    """Whether neither the repository nor the user says who is asked."""
    bring = all("model" in prompt.settings() for prompt in _wished(found, wishes))
    return wishes.provider is None and not found.models and not (found.prompts and bring)


def _new_model(found: Found, wishes: Wishes, provider: str) -> NewModel:
    path = _SPARE_MODEL if NEW_MODEL in found.files else NEW_MODEL
    return NewModel(path, provider, wishes.model or KNOWN[provider].model)


def _suites(prompts: Sequence[Prompt], found: Found, wishes: Wishes, made: NewModel) -> Iterator[Suite]:
    for prompt, name in zip(prompts, names([prompt.path for prompt in prompts]), strict=True):
        model, provider = _model_of(prompt, found, wishes, made)
        needed = _needed(prompt)
        user = bool(needed) and not prompt.own_messages
        yield Suite(name, prompt.path, model, provider, variables=needed, user=user)


def _needed(prompt: Prompt) -> tuple[str, ...]:
    """The variables that a case has to fill; none where a text alone is enough."""
    needed = prompt.variables() - prompt.defaults.keys()
    return () if prompt.own_messages and needed <= {prompt.text_fills} else tuple(sorted(needed))


def _model_of(prompt: Prompt, found: Found, wishes: Wishes, made: NewModel) -> tuple[str | None, str]:
    """The model config of a prompt, None where it brings a model; and the provider that is asked."""
    brought = prompt.settings().get("model")
    if isinstance(brought, str) and wishes.model is None:
        return None, wishes.provider or ("github" if "/" in brought else made.provider)
    usable = [model for model in found.models if wishes.provider in {None, model.provider}]
    if usable and wishes.model is None:
        near = max(usable, key=lambda model: (_nearness(prompt.path, model.path), -usable.index(model)))
        return near.path, near.provider
    return made.path, made.provider


def _with_datasets(suites: list[Suite], datasets: Iterable[str]) -> list[Suite]:
    """Rows belong to the suites that are nearest to them."""
    homes: dict[str, list[str]] = {}
    for path in datasets:
        near = [_nearness(suite.prompt, path) for suite in suites]
        for suite, nearness in zip(suites, near, strict=True):
            if nearness == max(near):
                homes.setdefault(suite.name, []).append(path)
    return [replace(suite, datasets=tuple(homes.get(suite.name, ()))) for suite in suites]


def _nearness(one: str, other: str) -> tuple[int, bool]:
    """How many folders two files share, and whether they are called alike."""
    a, b = PurePosixPath(one), PurePosixPath(other)
    shared = 0
    for left, right in zip(a.parts[:-1], b.parts[:-1], strict=False):
        if left != right:
            break
        shared += 1
    return shared, _stem(a) == _stem(b)


# --- names ------------------------------------------------------------------------------------------------------------


def names(paths: Sequence[str]) -> list[str]:
    """A name for each suite, by its prompt: no two alike, each as a config takes it.

    >>> names(["services/mail/prompts/system.md", "prompts/Refund Desk.prompt.yml", "services/mail/prompts/short.md"])
    ['mail', 'refund-desk', 'short']
    """
    found: list[str] = []
    for path in paths:
        words = [word for word in _words(PurePosixPath(path)) if word]
        first = next((word for word in words if word not in _GENERIC), "suite")
        longer = "-".join(dict.fromkeys(reversed(words[:3])))
        tried = [first, longer, *(f"{first[:56]}-{number}" for number in range(2, len(paths) + 3))]
        found.append(next(name for name in map(_name, tried) if name not in found))
    return found


def _words(path: PurePosixPath) -> list[str]:
    """From the file's own name outwards."""
    return [_word(part) for part in (_stem(path), *path.parts[-2::-1])]


def _stem(path: PurePosixPath) -> str:
    return path.name.lower().partition(".")[0]


def _word(text: str) -> str:
    return _PLAIN.sub("-", text.lower()).strip("-_")


def _name(word: str) -> str:
    plain = word if re.match(r"[a-z]", word) else f"s-{word}"
    name = plain[:64].rstrip("-_")
    return name if NAME.fullmatch(name) else "suite"
