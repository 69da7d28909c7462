"""Answers without a model: by rules, by the nearest example, or by a regression over embeddings. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci_eval.config import NaivePolicy, NaiveRule
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case, clusters_of
from ci_eval.naive import logistic
from ci_eval.reader import parse_json
from ci_eval.text import JSON, canonical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]

_FOLDS = 10
_MOST_LABELS = 100
"""A field with more different values is no choice among labels."""


@dataclass(frozen=True)
class Example:
    """An input and the answer to it, to learn from."""

    input: str
    answer: JSON
    group: object
    """Examples of the group of a case are not used for it: they are the case itself, or its like."""


def by_rules(policy: NaivePolicy, cases: Iterable[Case]) -> dict[str, str]:
    """The answer of the first rule that matches, or `answer`, by case; raises InputError for what is no pattern."""
    rules = [(_ready(rule), rule.answer) for rule in policy.rules]

    def answer(text: str) -> str:
        return next((said for pattern, said in rules if pattern.search(text)), policy.answer)

    return {case.id: answer(text_of(case)) for case in cases}


def _ready(rule: NaiveRule) -> Any:
    from ci_eval.scorers.regex import REMEDY, compiled  # noqa: PLC0415 - RE2 only where a rule has to match

    try:
        return compiled(f"(?i){rule.pattern}")
    except ValueError as error:
        raise InputError(str(error), remedy=REMEDY) from None


def nearest(cases: Sequence[Case], examples: Sequence[Example], embed: Embed) -> dict[str, str]:
    """The answer to the most alike of the examples that are not the case's own, by cosine."""
    import numpy as np  # noqa: PLC0415 - numpy only where it is used

    likeness = _vectors(embed, map(text_of, cases)) @ _vectors(embed, (one.input for one in examples)).T
    groups, own = [one.group for one in examples], clusters_of(cases)
    likeness[np.array([[own[case.id] == group for group in groups] for case in cases])] = -2.0
    return {case.id: _written(examples[int(row.argmax())].answer) for case, row in zip(cases, likeness, strict=True)}


def by_regression(cases: Sequence[Case], examples: Sequence[Example], embed: Embed) -> dict[str, str]:
    """Each field by a logistic regression over the examples; ten folds keep a case out of what is learnt for it.

    An answer that is no object is one label. A field of too many values to be a choice takes the commonest.
    """
    import numpy as np  # noqa: PLC0415 - numpy only where it is used

    own = clusters_of(cases)
    vectors = _vectors(embed, (one.input for one in examples))
    asked = _vectors(embed, map(text_of, cases))
    shared = {one.group for one in examples} & set(own.values())
    found: dict[str, dict[str, JSON]] = {case.id: {} for case in cases}
    for fold in range(_FOLDS) if shared else [-1]:
        taught = np.array([fold < 0 or _fold(one.group) != fold for one in examples])
        chosen = [place for place, case in enumerate(cases) if fold < 0 or _fold(own[case.id]) == fold]
        for name in _names(examples) if chosen and taught.any() else ():
            labels = [_label(one.answer, name) for one in examples]
            learnt = [label for label, use in zip(labels, taught, strict=True) if use]
            for place, label in zip(chosen, _predicted(vectors[taught], learnt, asked[chosen]), strict=True):
                if label:
                    found[cases[place].id][name] = parse_json(label)
    return {name: _written(fields.get("") if "" in fields else fields) for name, fields in found.items()}


def _predicted(vectors: Floats, labels: Sequence[str], asked: Floats) -> list[str]:
    """A label for each; the empty one stands for no such field."""
    different = set(labels)
    if len(different) == 1 or len(different) > _MOST_LABELS:
        return [max(sorted(different), key=labels.count)] * len(asked)
    return logistic.fit(vectors, labels).predict(asked)


def _names(examples: Iterable[Example]) -> list[str]:
    """The fields of the answers; the empty name where they are no objects."""
    answers = (one.answer if isinstance(one.answer, dict) else {"": None} for one in examples)
    return list(dict.fromkeys(name for answer in answers for name in answer))


def _label(answer: JSON, name: str) -> str:
    if not isinstance(answer, dict):
        return canonical(answer) if name == "" else ""
    return canonical(answer[name]) if name in answer else ""


def _fold(group: object) -> int:
    """By what a group is called: the same in every run."""
    return hashlib.sha256(repr(group).encode()).digest()[0] % _FOLDS


def _vectors(embed: Embed, texts: Iterable[str]) -> Floats:
    import numpy as np  # noqa: PLC0415 - numpy only where it is used

    return np.asarray(embed([text or " " for text in texts]), dtype=float)


def _written(answer: JSON) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def text_of(case: Case) -> str:
    """What is said in an input: a text as it is, of a conversation what its user said, of an object its values."""
    given = case.input.reveal()
    if isinstance(given, list):
        return "\n".join(message["content"] for message in given if message["role"] == "user")
    return given if isinstance(given, str) else "\n".join(_values(given))


def _values(given: Mapping[str, JSON]) -> list[str]:
    return [value if isinstance(value, str) else canonical(value) for value in given.values()]
