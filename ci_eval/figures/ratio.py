"""The candidate's latency or cost as a multiple of base's, and whether it is above the limit. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from ci_eval.confirm.evidence import Found

_HAIR = 1e-9


class Ratio(NamedTuple):
    """The candidate's figure in multiples of base's, with its interval; 1 is no change."""

    value: float
    low: float
    high: float


def judge(ratio: Ratio | None, max_increase: Fraction) -> Found:
    """The verdict of a limit in percent, as `max_increase: 20`: reached, not reached, or not known (None included).

    As with scores, doubt is no pass: the interval has to lie on one side of the limit. What reaches it fails,
    also where the float of the ratio falls a hair short of it.
    """
    limit = float(1 + max_increase / 100) * (1 - _HAIR)
    if ratio is None:
        return "inconclusive"
    if ratio.low >= limit:
        return "regression"
    return "pass" if ratio.high < limit else "inconclusive"
