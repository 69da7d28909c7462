"""`rouge`: n-grams or subsequences that answer and reference share, equal to the library `rouge-score`.

That library comes as source only and takes 1.6 seconds to import, so it is what the tests compare with, not what runs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from ci_eval.scorers.subsequence import Indexed, chosen, length
from ci_eval.scorers.text_metric import Measure, Nearness, TextMetric, nearest

Words = Sequence[str]
Counts = tuple[int, int, int]
"""What both share, how much the text has, how much the reference has."""
Variant = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]

_MOST_WORDS = 5000
_MOST_LINES = 200
"""Of each text; a longest common subsequence takes time by both texts, and that of lines by both numbers of lines."""
_WORD = re.compile("[a-z0-9]+")


class Rouge(TextMetric):
    """ROUGE's F-measure, without stemming. Its words are of the letters a to z and digits: it is for English."""

    type: Literal["rouge"]
    variant: Variant = "rougeL"
    """Single words, pairs of words, the longest common subsequence, or that of each line with all lines."""

    def measure(self) -> Measure:
        return nearest(partial(rouge, self.variant))


def rouge(variant: Variant, text: str, reference: str) -> Nearness:
    """The F-measure, with precision and recall; of texts that are longer than what is looked at, their beginning."""
    by_line = variant == "rougeLsum"
    (given, cut), (wanted, other_cut) = _looked_at(text, by_line), _looked_at(reference, by_line)
    shared, size, wanted_size = _COUNTS[variant](given, wanted)
    precision, recall = shared / max(size, 1), shared / max(wanted_size, 1)
    f1 = 2 * precision * recall / (precision + recall) if shared else 0.0
    note = f" of the first {_MOST_WORDS} words and {_MOST_LINES} lines" if cut or other_cut else ""
    return Nearness(f1, {"precision": precision, "recall": recall, "f1": f1}, note)


def _looked_at(text: str, by_line: bool) -> tuple[list[Words], bool]:
    """The words of each line (of the whole as of one line), and whether there were more."""
    lines = [line for line in text.split("\n") if line] if by_line else [text]
    found: list[Words] = []
    room = _MOST_WORDS
    for line in lines[:_MOST_LINES]:
        words = _WORD.findall(line.lower())
        found.append(words[:room])
        if len(words) > room:
            return found, True
        room -= len(words)
    return found, len(lines) > _MOST_LINES


def _ngrams(size: int, given: Sequence[Words], wanted: Sequence[Words]) -> Counts:
    one, other = (Counter(zip(*(lines[0][start:] for start in range(size)), strict=False)) for lines in (given, wanted))
    return (one & other).total(), one.total(), other.total()


def _subsequence(given: Sequence[Words], wanted: Sequence[Words]) -> Counts:
    return length(wanted[0], Indexed.of(given[0])), len(given[0]), len(wanted[0])


def _by_line(given: Sequence[Words], wanted: Sequence[Words]) -> Counts:
    """Of each line of the reference, what any line of the text shares; no word counts more often than it is there."""
    left = Counter(word for line in given for word in line)
    others = [Indexed.of(line) for line in given]
    shared = 0
    for line in wanted:
        places = set[int]().union(*(chosen(line, other) for other in others))
        for word in (line[place] for place in places):
            shared += left[word] > 0
            left[word] -= 1
    return shared, sum(map(len, given)), sum(map(len, wanted))


_COUNTS: Mapping[Variant, Callable[[Sequence[Words], Sequence[Words]], Counts]] = {
    "rouge1": partial(_ngrams, 1),
    "rouge2": partial(_ngrams, 2),
    "rougeL": _subsequence,
    "rougeLsum": _by_line,
}
