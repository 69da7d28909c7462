"""Multinomial logistic regression over unit vectors. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_STEPS = 400
_STRENGTH = 10.0
"""How much the examples count against small weights: C in scikit-learn's words. Unit vectors want more than its 1."""


@dataclass(frozen=True)
class Logistic:
    """Labels by a linear score of each."""

    labels: tuple[str, ...]
    weights: Floats
    """One column a label; the last row is the intercept, which is not shrunk."""

    def predict(self, vectors: Floats) -> list[str]:
        scores = vectors @ self.weights[:-1] + self.weights[-1]
        return [self.labels[int(place)] for place in scores.argmax(axis=1)]


def fit(vectors: Floats, labels: Sequence[str]) -> Logistic:
    """Least sum of log losses and of half of the squared weights by `_STRENGTH`, by Nesterov's accelerated gradient.

    Vectors have length 1, so the mean's gradient is 1-Lipschitz but for the ridge (Böhning 1992: the softmax's Hessian
    is at most 1/2, and with the intercept a row has length √2).
    """
    import numpy as np  # noqa: PLC0415 - numpy only where it is used

    names = tuple(sorted(set(labels)))
    places = {name: place for place, name in enumerate(names)}
    wanted = np.eye(len(names))[[places[label] for label in labels]]
    rows = np.hstack([np.asarray(vectors, dtype=float), np.ones((len(labels), 1))])
    ridge = 1 / (_STRENGTH * len(labels))
    shrunk = np.full((rows.shape[1], 1), ridge)
    shrunk[-1] = 0.0
    weights = ahead = np.zeros((rows.shape[1], len(names)))
    for step in range(1, _STEPS + 1):
        scores = rows @ ahead
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        gradient = rows.T @ (powers / powers.sum(axis=1, keepdims=True) - wanted) / len(labels) + shrunk * ahead
        before, weights = weights, ahead - gradient / (1.0 + ridge)
        ahead = weights + (step - 1) / (step + 2) * (weights - before)
    return Logistic(names, weights)
