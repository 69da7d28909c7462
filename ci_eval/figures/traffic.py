"""What traffic like the golden set would show: the cases are taken as a sample. Informs, decides nothing. Pure.

The verdict is about these very cases, whose only noise is the model's; here the cases are a sample. Fresh runs do not
enter: they were made where the first look differed, which alone asked about every case once on each side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from ci_eval.comparison import Pair
from ci_eval.stats import FEWEST_CLUSTERS, clustered_error, paired_shares, points, student_t


@dataclass(frozen=True)
class Traffic:
    """The change of one dimension, candidate less base, in points."""

    dimension: str
    cases: int
    clusters: int
    change: Fraction
    interval: tuple[float, float] | None
    """At 95 %; None of so few clusters that it would be too narrow."""


def wider(dimension: str, pairs: Iterable[Pair], clusters: Mapping[str, Hashable]) -> Traffic | None:
    """The change over a dimension's cells that both sides answered; None where there is none."""
    gains, weights, cells = _by_case(pairs)
    if not gains:
        return None
    change = points(sum(gains.values(), Fraction(0)) / sum(weights.values(), Fraction(0)))
    groups = {clusters[case] for case in gains}
    return Traffic(dimension, len(gains), len(groups), change, interval(gains, weights, clusters, cells))


def interval(
    gains: Mapping[str, Fraction], weights: Mapping[str, Fraction], clusters: Mapping[str, Hashable], most: int
) -> tuple[float, float] | None:
    """The 95 % interval of a change in points, of the weight that each case gained (at most all of its own).

    None of fewer clusters than FEWEST_CLUSTERS. The mean paired difference has a standard error clustered by `clusters`
    (Miller 2024, arXiv 2411.00640). Changes are rare, and around a rare one that error is no interval: it would be
    (0, 0) where nothing changed. So it only says how many independent cases these are worth (as Korn and Graubard 1998
    do), `most` at the most (as many as there are answers), and Tango's interval is taken of so many, with Student's t
    for the number of clusters less one. Where nothing differed, nobody knows how differences cluster, and a cluster is
    worth one case.
    """
    groups = [clusters[case] for case in gains]
    if len(set(groups)) < FEWEST_CLUSTERS:
        return None
    total = sum(weights.values(), Fraction(0))
    change = sum(gains.values(), Fraction(0)) / total
    influences = [float((gains[case] - change * weights[case]) / total) for case in gains]
    # Changes that cancel out within clusters by chance do not make the sample larger.
    error = max(clustered_error(influences, groups), clustered_error(influences, list(gains)))
    better, worse = (float(sum((gain for gain in side if gain > 0), Fraction(0)) / total) for side in _sides(gains))
    spread = better + worse - float(change) ** 2
    worth = min(spread / error**2, most) if error else _clusters_worth(weights, clusters)
    low, high = paired_shares(worse * worth, better * worth, worth, student_t(len(set(groups)) - 1))
    return 100 * low, 100 * high


def _by_case(pairs: Iterable[Pair]) -> tuple[dict[str, Fraction], dict[str, Fraction], int]:
    """By case the weight that was gained, and all of its weight; and the number of cells."""
    gains, weights, cells = defaultdict[str, Fraction](Fraction), defaultdict[str, Fraction](Fraction), 0
    for pair in pairs:
        if not pair.missing:
            gains[pair.case] -= pair.weight * pair.known_loss
            weights[pair.case] += pair.weight
            cells += 1
    return gains, weights, cells


def _sides(gains: Mapping[str, Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    return list(gains.values()), [-gain for gain in gains.values()]


def _clusters_worth(weights: Mapping[str, Fraction], clusters: Mapping[str, Hashable]) -> float:
    """How many equal clusters these are worth (Kish 1965)."""
    sums = defaultdict[Hashable, Fraction](Fraction)
    for case, weight in weights.items():
        sums[clusters[case]] += weight
    return float(sum(sums.values(), Fraction(0)) ** 2 / sum((one**2 for one in sums.values()), Fraction(0)))
