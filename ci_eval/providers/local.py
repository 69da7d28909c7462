"""The model that needs no key and no network: it answers from what the system prompt says.

It reads the lists of the prompt (a heading `## name`, then lines `- label: definition`), chooses one entry of each for
the customer's message, and fills the JSON object that the prompt shows with `<name>` and `<name text>`. Definitions,
few-shot pairs and training rows are all examples of their labels to it. A damaged prompt gets a damaged answer.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from ci_eval.deadline import Deadline
from ci_eval.providers.base import Finish, Labelled, Message, ProviderError, Reply, Request, Usage
from ci_eval.text import Untrusted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ci_eval.providers.minilm import MiniLM

    Floats = NDArray[np.floating[Any]]

# Found by tenfold cross-validation on golden/helpdesk/train.jsonl, never on the cases; none of them is sharp.
_REACH = 0.8  # how far likeness of meaning carries: cosines are divided by it
_WORDS = 0.4  # what shared rare words count beside likeness of meaning
_RIDGE = 0.25  # how little one example is trusted
_SHARPNESS = 20.0  # of the probabilities that lists tell each other
_WORDING = 4.0  # what the nearest clause of a definition adds by itself, however many rows say otherwise
_ADVICE = 0.5  # how much a list believes the others
_DOUBT = 3.0  # rows of "no idea" that stand against what two labels have in common

# Chosen by hand.
_EARLIER = 0.3  # what earlier turns of a conversation count beside the last message
_HEAT = 2.0  # at temperature 0.3 the help desk loses next to nothing, at 0.7 some points, at 1 many

_MAX_EXAMPLES = 4000  # time grows with the cube; this many take seconds to solve for each list, and longer to read
_MAX_FITTED = 16  # prompts with their training rows kept at a time
_MAX_OBJECTS = 100  # places where a JSON object is looked for in a prompt

_PLACE = re.compile(r"<([a-z_][a-z0-9_]{0,63})( text)?>", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|' + _PLACE.pattern, re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_OBJECT = re.compile(r"^[ \t]*(?=\{)", re.MULTILINE)
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_CLAUSE_END = re.compile(r"[,:;.!?]\s")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

Entries = dict[str, str]


class LocalProvider:
    """`load` brings the encoder, once, when the first text has to be read."""

    def __init__(self, load: Callable[[], MiniLM]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._fitted: dict[object, _Mind] = {}

    def complete(self, request: Request, repeat: int, deadline: Deadline) -> Reply:
        parameters = _Parameters.of(request)
        talk = _Talk.of(request.messages)
        if deadline.remaining() <= 0:
            raise ProviderError("deadline")
        mind = self._mind(talk, request)
        text = mind.answer(talk, _Dice(request.digest, repeat, parameters.temperature))
        text, finish, tokens_out = self._end(text, parameters)
        tokens_in = mind.tokens + sum(len(self._encoder.tokens(said.content)) for said in talk.said)
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

    def _mind(self, talk: _Talk, request: Request) -> _Mind:
        key = (talk.system, talk.examples, request.train_digest or request.train)
        encoder = self._encoder
        with self._lock:
            if key not in self._fitted:
                if len(self._fitted) >= _MAX_FITTED:
                    del self._fitted[next(iter(self._fitted))]
                self._fitted[key] = _Mind(encoder, talk.system, (*request.train, *talk.examples))
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
class _Talk:
    """A request's messages, told apart: instructions, few-shot pairs, the conversation, and what to answer now."""

    system: str
    said: tuple[Message, ...]
    examples: tuple[Labelled, ...]
    earlier: str
    last: str

    @classmethod
    def of(cls, messages: Sequence[Message]) -> _Talk:
        system = "\n\n".join(message.content for message in messages if message.role == "system")
        said = tuple(message for message in messages if message.role != "system")
        asked = [place for place, message in enumerate(said) if message.role == "user"]
        if not asked:
            raise ProviderError("the request has no user message", about_request=True)
        examples, earlier = [], []
        for place in asked[:-1]:
            answer = said[place + 1]
            if answer.role == "assistant" and _labels(answer.content):
                examples.append(Labelled(said[place].content, answer.content))
            else:
                earlier.append(said[place].content)
        return cls(system, said, tuple(examples), "\n".join(earlier), said[asked[-1]].content)


def _labels(output: str) -> dict[str, str]:
    """The fields of a JSON answer that could be labels, as a prompt would write them."""
    try:
        fields = json.loads(output)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {
        name.lower(): value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
        if value is None or isinstance(value, str | int | float)
    }


@dataclass(frozen=True)
class _Dice:
    """Chance that comes out the same for the same request and repeat."""

    digest: str
    repeat: int
    temperature: float

    def pick(self, name: str, scores: Floats) -> int:
        """The place of the best score; at a temperature, of one that is likelier the better it is. Ties: the first."""
        if not self.temperature:
            return int(scores.argmax())
        # The floor keeps the quotient finite at a temperature of 1e-300.
        shares = _shares(scores / max(self.temperature * _HEAT, 1e-6)).cumsum()
        seed = hashlib.sha256(f"{self.digest} {self.repeat} {name}".encode()).digest()
        chance = int.from_bytes(seed[:8], "big") / 2**64
        return min(int((shares <= chance).sum()), len(shares) - 1)


def _shares(scores: Floats) -> Floats:
    """Softmax."""
    import numpy as np  # noqa: PLC0415 - a gate that does not use this model must not wait for numpy

    powers = np.exp(scores - scores.max())
    shares: Floats = powers / powers.sum()
    return shares


def parse_lists(prompt: str) -> dict[str, Entries]:
    r"""The prompt's lists: label to definition, by the lower-case name in their heading.

    >>> parse_lists("## Mood\n- happy: smiles,\n  laughs\n* sad\n")
    {'mood': {'happy': 'smiles, laughs', 'sad': ''}}
    """
    lists: dict[str, Entries] = {}
    entries: Entries = {}
    label = ""
    for line in prompt.splitlines():
        bare = line.strip()
        if line.startswith("#"):
            name = bare.strip("# \t").lower()
            entries = lists.setdefault(name, {}) if _NAME.fullmatch(name) else {}
            label = ""
        elif bare.startswith(("- ", "* ")):
            label, definition = _entry(bare[2:])
            if label:
                entries.setdefault(label, definition)
        elif label and bare and line[0].isspace():
            entries[label] = f"{entries[label]} {bare}".strip()
        else:
            label = ""
    return {name: entries for name, entries in lists.items() if entries}


def _entry(line: str) -> tuple[str, str]:
    label, colon, definition = line.partition(":")
    label = label.strip("*`\"' \t")
    # Without a colon a single word is a bare label; more words are a rule or a remark, not an entry.
    return (label, definition.strip("* \t")) if colon or len(label.split()) == 1 else ("", "")


def find_shape(prompt: str) -> str | None:
    """The first JSON object at the start of a line, as it stands there with its placeholders."""
    # A placeholder becomes as many digits, which are JSON within quotes and without, and nothing moves.
    digits = _PLACE.sub(lambda place: "1" * len(place.group()), prompt)
    for start in islice(_OBJECT.finditer(digits), _MAX_OBJECTS):
        try:
            _, end = json.JSONDecoder().raw_decode(digits, start.end())
        except (ValueError, RecursionError):
            continue
        return prompt[start.end() : end]
    return None


def fill(shape: str, chosen: Mapping[str, tuple[str, str]]) -> str:
    r"""The shape with the chosen (label, text) of each list; what nobody chose is empty or null.

    >>> fill('{"a": "<a>: <a text>", "b": <b>, "c": <c>}', {"a": ("x", 'say "y"'), "b": ("true", "")})
    '{"a": "x: say \\"y\\"", "b": true, "c": null}'
    """

    def value(place: re.Match[str]) -> str | None:
        label_text = chosen.get(place[1].lower())
        return label_text[bool(place[2])] if label_text else None

    def piece(match: re.Match[str]) -> str:
        if match.group().startswith('"'):
            return _PLACE.sub(lambda place: _quoted(value(place) or "")[1:-1], match.group())
        bare = value(match)
        return "null" if bare is None else bare if _LITERAL.fullmatch(bare) else _quoted(bare)

    return _PIECE.sub(piece, shape)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Mind:
    """One prompt with its examples, understood: what is the same for every message."""

    def __init__(self, encoder: MiniLM, prompt: str, rows: Sequence[Labelled]) -> None:
        self._encoder = encoder
        self._lists = parse_lists(prompt)
        self._shape = find_shape(prompt)
        self.tokens = len(encoder.tokens(prompt))
        if self._shape is None:
            self._phrases = list(self._definitions() or _sentences(prompt))
        else:
            self._learned = _Learned(encoder, self._lists, rows)

    def answer(self, talk: _Talk, dice: _Dice) -> str:
        if self._shape is None:
            return self._nearest_phrase(talk.last, dice)
        chosen = {}
        for name, scores in self._learned.scores(talk).items():
            chosen[name] = list(self._lists[name].items())[dice.pick(name, scores)]
        return fill(self._shape, chosen)

    def _definitions(self) -> list[str]:
        return [text or label for entries in self._lists.values() for label, text in entries.items()]

    def _nearest_phrase(self, message: str, dice: _Dice) -> str:
        """Nobody said what an answer looks like: whatever the prompt says that is nearest to the message."""
        if not self._phrases:
            return ""
        likeness = self._encoder.embed(self._phrases) @ self._encoder.embed([message])[0]
        return self._phrases[dice.pick("", likeness * _SHARPNESS)]


def _sentences(prompt: str) -> Iterator[str]:
    return (sentence.strip() for sentence in _SENTENCE_END.split(prompt) if sentence.strip())


@dataclass(frozen=True)
class _Example:
    """A text that stands for a label of some lists: a row for several, a definition or a clause of it for one."""

    text: str
    labels: Mapping[str, str]
    is_definition: bool = False


def _examples(lists: Mapping[str, Entries], rows: Iterable[Labelled]) -> list[_Example]:
    examples = [_Example(row.input, _labels(row.output)) for row in rows]
    for name, entries in lists.items():
        for label, definition in entries.items():
            texts = [f"{label}: {definition}" if definition else label, *_clauses(definition)]
            examples += [_Example(text, {name: label}, is_definition=True) for text in texts]
    if len(examples) > _MAX_EXAMPLES:
        raise ProviderError("more definitions and training rows than the local model can learn", about_request=True)
    return examples


def _clauses(definition: str) -> list[str]:
    """The parts of a definition such as "refunds, invoices, prices": each is an example of its own."""
    clauses = [clause.strip(" .") for clause in _CLAUSE_END.split(definition)]
    return [clause for clause in clauses if clause] if len(clauses) > 1 else []


class _Learned:
    """Kernel ridge regression from examples to labels, one for each list; then the lists advise each other."""

    def __init__(self, encoder: MiniLM, lists: Mapping[str, Entries], rows: Iterable[Labelled]) -> None:
        examples = _examples(lists, rows)
        texts = [example.text for example in examples]
        self._encoder = encoder
        self._words = _Words(encoder, texts)
        self._vectors = encoder.embed(texts)
        likeness = self._likeness(texts, self._cosines(texts))
        written = [example.is_definition for example in examples]
        marks = {name: _marks(examples, name, list(entries)) for name, entries in lists.items()}
        self._lines = {name: _Line(likeness, mark, written) for name, mark in marks.items()}
        self._advice = {
            name: {other: _advice(marks[other], marks[name]) for other in marks if other != name} for name in marks
        }

    def scores(self, talk: _Talk) -> dict[str, Floats]:
        """For each list a number per label, the higher the better: the logarithm of a likelihood."""
        import numpy as np  # noqa: PLC0415

        alone = self._alone(talk.last)
        if talk.earlier:
            before = self._alone(talk.earlier)
            alone = {name: (1 - _EARLIER) * scores + _EARLIER * before[name] for name, scores in alone.items()}
        shares = {name: _shares(scores) for name, scores in alone.items()}
        return {
            name: scores + _ADVICE * sum(np.log(shares[other] @ table) for other, table in self._advice[name].items())
            for name, scores in alone.items()
        }

    def _alone(self, message: str) -> dict[str, Floats]:
        cosines = self._cosines([message])
        likeness = self._likeness([message], cosines)[0]
        return {name: line.scores(likeness, cosines[0]) for name, line in self._lines.items()}

    def _cosines(self, texts: Sequence[str]) -> Floats:
        import numpy as np  # noqa: PLC0415

        cosines: Floats = self._encoder.embed(texts).astype(np.float64) @ self._vectors.T
        return cosines

    def _likeness(self, texts: Sequence[str], cosines: Floats) -> Floats:
        """How alike each text is to each example, in meaning and in words."""
        import numpy as np  # noqa: PLC0415

        meaning: Floats = np.exp((cosines - 1) / _REACH)
        return meaning + _WORDS * self._words.shared(texts)


def _marks(examples: Sequence[_Example], name: str, labels: list[str]) -> Floats:
    """A row for each example with a 1 at its label of this list; no 1 where it has none of them."""
    import numpy as np  # noqa: PLC0415

    marks = np.zeros((len(examples), len(labels)))
    columns = {label: column for column, label in enumerate(labels)}
    for row, example in enumerate(examples):
        column = columns.get(example.labels.get(name, ""))
        if column is not None:
            marks[row, column] = 1
    return marks


class _Line:
    """One list: what examples have taught about it, and where its definitions are among them."""

    def __init__(self, likeness: Floats, marks: Floats, written: Sequence[bool]) -> None:
        import numpy as np  # noqa: PLC0415

        self._definitions = [np.flatnonzero(column * written) for column in marks.T]
        self._used = np.flatnonzero(marks.sum(axis=1))
        marks = marks[self._used]
        self._mean = marks.mean(axis=0)
        equations = likeness[np.ix_(self._used, self._used)] + _RIDGE * np.eye(len(self._used))
        self._weights = np.linalg.solve(equations, marks - self._mean)

    def scores(self, likeness: Floats, cosines: Floats) -> Floats:
        import numpy as np  # noqa: PLC0415

        taught = likeness[self._used] @ self._weights + self._mean
        wording = np.array([cosines[places].max() for places in self._definitions])
        scores: Floats = _SHARPNESS * taught + _WORDING * wording
        return scores


def _advice(given: Floats, wanted: Floats) -> Floats:
    """How much likelier than usual each wanted label is in rows that have each given one; 1 where no row tells.

    Only rows have labels of two lists, so definitions add nothing to what is seen together.
    """
    usual = (wanted.sum(axis=0) + 1) / (wanted.sum() + wanted.shape[1])
    together = given.T @ wanted
    table: Floats = (together + _DOUBT * usual) / (together.sum(axis=1, keepdims=True) + _DOUBT) / usual
    return table


class _Words:
    """Which words texts share, rare ones counting more."""

    def __init__(self, encoder: MiniLM, texts: Sequence[str]) -> None:
        import numpy as np  # noqa: PLC0415

        self._encoder = encoder
        seen = Counter(token for text in texts for token in set(encoder.tokens(text)))
        self._columns = {token: column for column, token in enumerate(seen)}
        self._rarity = np.array([np.log((1 + len(texts)) / (1 + count)) for count in seen.values()])
        self._known = self._rows(texts)

    def shared(self, texts: Sequence[str]) -> Floats:
        """The cosine of each text with each known text, over the known words."""
        return self._rows(texts) @ self._known.T

    def _rows(self, texts: Sequence[str]) -> Floats:
        import numpy as np  # noqa: PLC0415

        rows = np.zeros((len(texts), len(self._columns)), np.float32)
        for row, text in enumerate(texts):
            columns = [self._columns[token] for token in set(self._encoder.tokens(text)) if token in self._columns]
            rows[row, columns] = self._rarity[columns]
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-9))
        return rows
