"""The model that needs no key and no network: it answers from what the system prompt says.

It reads the lists of the prompt (a heading `## name`, then lines `- label: definition`), chooses one entry of each for
the customer's message, and fills the JSON object that the prompt shows with `<name>` and `<name text>`. Definitions,
few-shot pairs and training rows are all examples of their labels to it. A damaged prompt gets a damaged answer.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ci_eval.deadline import Deadline
from ci_eval.providers.base import Finish, Labelled, Message, ProviderError, Reply, Request, Usage
from ci_eval.providers.local_learning import SHARPNESS, LabelModel, labels_of, softmax
from ci_eval.providers.local_prompt import fill, find_shape, parse_lists
from ci_eval.text import Untrusted

if TYPE_CHECKING:
    from ci_eval.providers.local_learning import Floats
    from ci_eval.providers.minilm import MiniLM

# Chosen by hand.
_HEAT = 2.0  # at temperature 0.3 the help desk loses next to nothing, at 0.7 some points, at 1 many

_MAX_FITTED = 16  # prompts with their training rows kept at a time

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class LocalProvider:
    """Answers requests and embeds texts on this machine. `load` is called once, when the first text has to be read."""

    def __init__(self, load: Callable[[], MiniLM]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._fitted: dict[object, _FittedPrompt] = {}

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        parameters = _Parameters.of(request)
        conversation = _Conversation.of(request.messages)
        if deadline.remaining() <= 0:
            raise ProviderError("deadline")
        fitted = self._fitted_prompt(conversation, request)
        text = fitted.answer(conversation, _Sampler(request.digest, repeat, parameters.temperature))
        text, finish, tokens_out = self._end(text, parameters)
        tokens_in = fitted.tokens + sum(len(self._encoder.tokens(said.content)) for said in conversation.said)
        return Reply(Untrusted(text), finish, Usage(tokens_in, tokens_out))

    def is_deterministic(self, request: Request) -> bool:
        return not request.parameters.get("temperature")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._encoder.embed(texts).tolist()
        return vectors

    @cached_property
    def _loaded(self) -> MiniLM:
        return self._load()

    @property
    def _encoder(self) -> MiniLM:
        with self._lock:
            return self._loaded

    def _fitted_prompt(self, conversation: _Conversation, request: Request) -> _FittedPrompt:
        key = (conversation.system, conversation.examples, request.train_digest or request.train)
        encoder = self._encoder
        with self._lock:
            if key not in self._fitted:
                if len(self._fitted) >= _MAX_FITTED:
                    del self._fitted[next(iter(self._fitted))]
                self._fitted[key] = _FittedPrompt(
                    encoder, conversation.system, (*request.train, *conversation.examples)
                )
            return self._fitted[key]

    def _end(self, text: str, parameters: _Parameters) -> tuple[str, Finish, int]:
        text = min((text.partition(word)[0] for word in parameters.stop), key=len, default=text)
        limit = parameters.max_tokens
        if limit is None:
            return text, "stop", len(self._encoder.tokens(text))
        text, tokens = self._encoder.cut(text, limit)
        return (text, "length", limit) if tokens > limit else (text, "stop", tokens)


@dataclass(frozen=True)
class _Parameters:
    temperature: float = 0.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: Request) -> _Parameters:
        if request.model != "minilm":
            raise ProviderError("the local provider has one model, minilm", about_request=True)
        if set(request.parameters) - {"temperature", "max_tokens", "stop"}:
            raise ProviderError("the local model takes temperature, max_tokens and stop only", about_request=True)
        return cls(
            _temperature(request.parameters.get("temperature")),
            _max_tokens(request.parameters.get("max_tokens")),
            _stop(request.parameters.get("stop")),
        )


def _temperature(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise ProviderError("temperature has to be a number from 0 to 2", about_request=True)
    return float(value)


def _max_tokens(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ProviderError("max_tokens has to be a whole number from 1", about_request=True)
    return value


def _stop(value: object) -> tuple[str, ...]:
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) and word for word in words):
        raise ProviderError("stop has to be a text or a list of texts, none of them empty", about_request=True)
    return tuple(words)


@dataclass(frozen=True)
class _Conversation:
    """A request's messages by their part: instructions, few-shot pairs, earlier turns, and the message to answer."""

    system: str
    said: tuple[Message, ...]
    examples: tuple[Labelled, ...]
    earlier: str
    last: str

    @classmethod
    def of(cls, messages: Sequence[Message]) -> _Conversation:
        system = "\n\n".join(message.content for message in messages if message.role == "system")
        said = tuple(message for message in messages if message.role != "system")
        asked = [place for place, message in enumerate(said) if message.role == "user"]
        if not asked:
            raise ProviderError("the request has no user message", about_request=True)
        examples, earlier = [], []
        for place in asked[:-1]:
            answer = said[place + 1]
            if answer.role == "assistant" and labels_of(answer.content):
                examples.append(Labelled(said[place].content, answer.content))
            else:
                earlier.append(said[place].content)
        return cls(system, said, tuple(examples), "\n".join(earlier), said[asked[-1]].content)


@dataclass(frozen=True)
class _Sampler:
    """Chooses among scores at a temperature. Seeded, so that the same request and repeat choose the same."""

    digest: str
    repeat: int
    temperature: float

    def pick(self, name: str, scores: Floats) -> int:
        """The place of the best score; at a temperature, of one that is likelier the better it is. Ties: the first."""
        if not self.temperature:
            return int(scores.argmax())
        # The floor keeps the quotient finite at a temperature of 1e-300.
        shares = softmax(scores / max(self.temperature * _HEAT, 1e-6)).cumsum()
        seed = hashlib.sha256(f"{self.digest} {self.repeat} {name}".encode()).digest()
        chance = int.from_bytes(seed[:8], "big") / 2**64
        return min(int((shares <= chance).sum()), len(shares) - 1)


class _FittedPrompt:
    """One prompt with its examples, read and learned: all that is the same for every message."""

    def __init__(self, encoder: MiniLM, prompt: str, rows: Sequence[Labelled]) -> None:
        self._encoder = encoder
        self._lists = parse_lists(prompt)
        self._shape = find_shape(prompt)
        self.tokens = len(encoder.tokens(prompt))
        if self._shape is None:
            self._phrases = list(self._definitions() or _sentences(prompt))
        else:
            self._learned = LabelModel(encoder, self._lists, rows)

    def answer(self, conversation: _Conversation, sampler: _Sampler) -> str:
        if self._shape is None:
            return self._nearest_phrase(conversation.last, sampler)
        chosen = {}
        for name, scores in self._learned.scores(conversation.last, conversation.earlier).items():
            chosen[name] = list(self._lists[name].items())[sampler.pick(name, scores)]
        return fill(self._shape, chosen)

    def _definitions(self) -> list[str]:
        return [text or label for entries in self._lists.values() for label, text in entries.items()]

    def _nearest_phrase(self, message: str, sampler: _Sampler) -> str:
        """The answer where the prompt shows no JSON shape: the sentence or definition most like the message."""
        if not self._phrases:
            return ""
        likeness = self._encoder.embed(self._phrases) @ self._encoder.embed([message])[0]
        return self._phrases[sampler.pick("", likeness * SHARPNESS)]


def _sentences(prompt: str) -> Iterator[str]:
    return (sentence.strip() for sentence in _SENTENCE_END.split(prompt) if sentence.strip())
