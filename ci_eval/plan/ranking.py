"""Ranks cases by how much they tell about a change, for when there is no time to run all of them.

What the ranking draws on is main's own past and main's golden set. Only the likeness to the change comes from the pull
request; it can at most double a case's rank. Kept pure: runs in, numbers out.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ci_eval.confirm.evidence import Key

Rates = Mapping[Key, float]
"""The share of a run's repeats in which each cell passed."""

_AGEING = 0.9
_PRIOR_RUNS = 5
_CLOSE = 0.1
"""A score this far from its threshold counts 1/e as much as one at the threshold."""
_WORD = re.compile(r"[^\W_]{2,}")


def rank(
    cases: Iterable[str], history: Sequence[Rates], closeness: Mapping[str, float], likeness: Mapping[str, float]
) -> dict[str, float]:
    """How much each case is expected to tell; larger is more.

    What it did in main's past counts the more, the more runs are known; without any, closeness to the threshold is all
    there is. `closeness` and `likeness` are in [0, 1] by case.
    """
    past = sensitivity(history)
    weight = _PRIOR_RUNS / (len(history) + _PRIOR_RUNS)
    found = {}
    for case in cases:
        known = past.get(case, _unseen(len(history)))
        blended = (1 - weight) * known + weight * closeness.get(case, 0.0)
        found[case] = blended * (1 + likeness.get(case, 0.0))
    return found


def sensitivity(history: Sequence[Rates]) -> dict[str, float]:
    """By case: how often its cells changed from one of main's runs to the next, the newest first, older ones less.

    A cell passed a run when it did in most repeats, so that coin flips within a run count for little. After Facebook's
    predictive test selection (arXiv 1810.05286): what broke before breaks again.
    """
    flips, broke = defaultdict[str, float](float), Counter[str]()
    for age, (newer, older) in enumerate(pairwise(history)):
        changed = {key for key in newer.keys() & older.keys() if (newer[key] > 0.5) != (older[key] > 0.5)}
        for case in {case for case, _ in changed}:
            flips[case] += _AGEING**age
        broke.update({case for case, scorer in changed if older[case, scorer] > 0.5})
    cases = {case for run in history for case, _ in run}
    return {case: (flips[case] + broke[case] / 2 + 0.3) / (len(history) + 1) for case in cases}


def _unseen(runs: int) -> float:
    return 0.3 / (runs + 1)


def close(scores: Mapping[Key, float], thresholds: Mapping[str, float]) -> dict[str, float]:
    """How near a case's nearest cell is to the threshold of its scorer, in [0, 1]; 1 is at it."""
    found: dict[str, float] = {}
    for (case, scorer), score in scores.items():
        near = math.exp(-abs(score - thresholds[scorer]) / _CLOSE)
        found[case] = max(found.get(case, 0.0), near)
    return found


def like(texts: Mapping[str, str], change: str) -> dict[str, float]:
    """How much each text speaks of what changed: the cosine of their words, rare words counting more (TF-IDF)."""
    words = {name: Counter(_words(text)) for name, text in texts.items()}
    spread = Counter(word for counts in words.values() for word in counts)
    rarity = {word: math.log((1 + len(texts)) / (1 + count)) for word, count in spread.items()}
    topic = _vector(Counter(_words(change)), rarity)
    return {name: _cosine(_vector(counts, rarity), topic) for name, counts in words.items()}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _vector(counts: Mapping[str, int], rarity: Mapping[str, float]) -> dict[str, float]:
    return {word: count * rarity[word] for word, count in counts.items() if word in rarity}


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    dot = sum(value * other[word] for word, value in one.items() if word in other)
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    return min(1.0, dot / lengths) if lengths else 0.0
