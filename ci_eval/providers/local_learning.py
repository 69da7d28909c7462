"""How the local model learns labels from examples: kernel ridge regression over embeddings and shared words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_eval.providers.base import Labelled, ProviderError
from ci_eval.providers.local_prompt import Entries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ci_eval.providers.minilm import MiniLM

    Floats = NDArray[np.floating[Any]]

# Found by tenfold cross-validation on golden/helpdesk/train.jsonl, never on the cases; none of them is sharp.
_REACH = 0.8  # how far likeness of meaning carries: cosines are divided by it
_WORDS = 0.4  # what shared rare words count beside likeness of meaning
_RIDGE = 0.25  # how little one example is trusted
SHARPNESS = 20.0  # of the probabilities that lists tell each other
_WORDING = 4.0  # what the nearest clause of a definition adds by itself, however many rows say otherwise
_ADVICE = 0.5  # how much a list believes the others
_DOUBT = 3.0  # rows of "no idea" that stand against what two labels have in common

# Chosen by hand.
_EARLIER = 0.3  # what earlier turns of a conversation count beside the last message

_MAX_EXAMPLES = 4000  # time grows with the cube; this many take seconds to solve for each list, and longer to read
_CLAUSE_END = re.compile(r"[,:;.!?]\s")


def labels_of(output: str) -> dict[str, str]:
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


def softmax(scores: Floats) -> Floats:
    """Softmax."""
    import numpy as np  # noqa: PLC0415 - a gate that does not use this model must not wait for numpy

    powers = np.exp(scores - scores.max())
    shares: Floats = powers / powers.sum()
    return shares


@dataclass(frozen=True)
class _Example:
    """A text that stands for a label of some lists: a row for several, a definition or a clause of it for one."""

    text: str
    labels: Mapping[str, str]
    is_definition: bool = False


def _examples(lists: Mapping[str, Entries], rows: Iterable[Labelled]) -> list[_Example]:
    examples = [_Example(row.input, labels_of(row.output)) for row in rows]
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


class LabelModel:
    """Predicts a label of each list: kernel ridge regression for each, then each list is corrected by the others."""

    def __init__(self, encoder: MiniLM, lists: Mapping[str, Entries], rows: Iterable[Labelled]) -> None:
        examples = _examples(lists, rows)
        texts = [example.text for example in examples]
        self._encoder = encoder
        self._words = _Words(encoder, texts)
        self._vectors = encoder.embed(texts)
        likeness = self._likeness(texts, self._cosines(texts))
        written = [example.is_definition for example in examples]
        marks = {name: _marks(examples, name, list(entries)) for name, entries in lists.items()}
        self._models = {name: _ListModel(likeness, mark, written) for name, mark in marks.items()}
        self._advice = {
            name: {other: _advice(marks[other], marks[name]) for other in marks if other != name} for name in marks
        }

    def scores(self, message: str, earlier: str) -> dict[str, Floats]:
        """For each list one number per label, as log-likelihoods up to a constant.

        `earlier` is what the user said before the message, empty where there is nothing.
        """
        import numpy as np  # noqa: PLC0415

        alone = self._alone(message)
        if earlier:
            before = self._alone(earlier)
            alone = {name: (1 - _EARLIER) * scores + _EARLIER * before[name] for name, scores in alone.items()}
        shares = {name: softmax(scores) for name, scores in alone.items()}
        return {
            name: scores + _ADVICE * sum(np.log(shares[other] @ table) for other, table in self._advice[name].items())
            for name, scores in alone.items()
        }

    def _alone(self, message: str) -> dict[str, Floats]:
        cosines = self._cosines([message])
        likeness = self._likeness([message], cosines)[0]
        return {name: line.scores(likeness, cosines[0]) for name, line in self._models.items()}

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
    """One-hot: a row for each example with a 1 at its label of this list, or no 1 where it has none of them."""
    import numpy as np  # noqa: PLC0415

    marks = np.zeros((len(examples), len(labels)))
    columns = {label: column for column, label in enumerate(labels)}
    for row, example in enumerate(examples):
        column = columns.get(example.labels.get(name, ""))
        if column is not None:
            marks[row, column] = 1
    return marks


class _ListModel:
    """The regression of one list, and the places of its definitions among the examples."""

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
        scores: Floats = SHARPNESS * taught + _WORDING * wording
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
    """Likeness of texts by the words that they share, rare words counting more (TF-IDF)."""

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
