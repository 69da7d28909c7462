"""How much better a model is than the naive target, dimension by dimension. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ci_eval.comparison import Comparison, base_passed, candidate_passed, share
from ci_eval.figures.traffic import wider
from ci_eval.golden.cases import clusters_of
from ci_eval.stats import points


@dataclass(frozen=True)
class Margin:
    """One dimension, on the 0-100 scale, over the cells that both answered."""

    dimension: str
    naive: Fraction
    model: Fraction
    gain: Fraction
    """The model less the naive target, in points."""
    interval: tuple[float, float] | None
    """At 95 %, with the golden set as a sample of all traffic; None of so few cases that it would be too narrow."""
    least: Fraction
    """What policy wants the gain to be."""

    @property
    def thin(self) -> bool:
        """Whether the model is not surely as much better as policy wants."""
        return (self.interval[0] if self.interval else float(self.gain)) < self.least


def margins(comparison: Comparison, dimensions: Iterable[str], least: Fraction) -> tuple[Margin, ...]:
    """`comparison`: the naive target as base, the model as candidate. Dimensions that only a paid scorer has: none."""
    found = []
    clusters = clusters_of(comparison.cases.values())
    for name in dimensions:
        pairs = [pair for pair in comparison.dimension(name) if not pair.missing]
        sides = share(pairs, base_passed), share(pairs, candidate_passed)
        traffic = wider(name, pairs, clusters)
        if traffic and None not in sides:
            naive, model = (points(side) for side in sides if side is not None)
            found.append(Margin(name, naive, model, traffic.change, traffic.interval, least))
    return tuple(found)
