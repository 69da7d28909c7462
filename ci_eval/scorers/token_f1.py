"""`token_f1`: the words that answer and expectation share, as in SQuAD."""

from __future__ import annotations

import re
import string
from typing import Literal

from ci_eval.scorers.overlap import Overlap
from ci_eval.scorers.text_metric import Measure, Nearness, TextMetric, nearest

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def words(text: str) -> list[str]:
    """As SQuAD's own evaluation has them: lower case, no ASCII punctuation, no English articles.

    >>> words("The cat's pyjamas, an A!")
    ['cats', 'pyjamas']
    """
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(text: str, reference: str) -> Nearness:
    """Where neither has a word, they are the same."""
    overlap = Overlap.of(words(text), words(reference))
    return Nearness(overlap.f1, overlap.parts())


class TokenF1(TextMetric):
    """F1 of the words, in any order; of several expected texts the nearest counts."""

    type: Literal["token_f1"]

    def measure(self) -> Measure:
        return nearest(token_f1)
