"""Points, as people read them: short, and never on the wrong side of a limit.

`round` alone shows a drop of 0.996, which passes, as the 1.0 that fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

_MOST_DIGITS = 6


def digits_for(value: Fraction, marks: Iterable[Fraction], least: int = 1) -> int:
    """How many decimals keep a number on its side of every mark.

    >>> digits_for(Fraction(97, 100), [Fraction(1)])
    2
    """
    wanted = [mark for mark in marks if mark != value]
    for digits in range(least, _MOST_DIGITS):
        shown = round(value, digits)
        if all((shown < mark) == (value < mark) and shown != mark for mark in wanted):
            return digits
    return _MOST_DIGITS


def decimal(value: Fraction, digits: int, *marks: Fraction) -> str:
    """With this many decimals, cut towards the right side where rounding would still cross a mark.

    >>> decimal(Fraction(10, 3), 1), decimal(Fraction(9999999, 10_000_000), 6, Fraction(1))
    ('3.3', '0.999999')
    """
    scale = 10**digits
    shown = round(value, digits)
    for mark in marks:
        if value < mark <= shown:
            shown = Fraction(math.floor(value * scale), scale)
        elif shown <= mark < value:
            shown = Fraction(math.ceil(value * scale), scale)
    return f"{Decimal(shown.numerator * (scale // shown.denominator)).scaleb(-digits):.{digits}f}"


def faithful(value: Fraction, *marks: Fraction, least: int = 1) -> str:
    """As short as it can be without misleading about a mark, or about zero."""
    every = (*marks, Fraction(0))
    return decimal(value, digits_for(value, every, least), *every)


def between(interval: tuple[float, float], digits: int, *marks: Fraction) -> tuple[str, str]:
    """Both ends of an interval; neither is rounded over a mark, or over zero.

    >>> between((0.234, 0.996), 1, Fraction(1))
    ('0.2', '0.9')
    """
    low, high = (decimal(Fraction(end), digits, *marks, Fraction(0)) for end in interval)
    return low, high


def plain(value: Fraction) -> str:
    """Without spare zeros; up to six decimals.

    >>> plain(Fraction(1)), plain(Fraction("0.25"))
    ('1', '0.25')
    """
    text = decimal(value, _MOST_DIGITS)
    return text.rstrip("0").rstrip(".")


def signed(text: str) -> str:
    """A change, with a true minus.

    >>> signed("-3.3"), signed("0.7"), signed("0.0")
    ('−3.3', '+0.7', '0.0')
    """
    if text.startswith("-"):
        return f"−{text[1:]}" if text.strip("-0.") else text[1:]
    return f"+{text}" if text.strip("0.") else text


def points(value: Fraction, text: str) -> str:
    return f"{text} point" if value == 1 else f"{text} points"


def dollars(usd: float) -> str:
    """Money, to two digits that count and never less than cents.

    >>> dollars(1234.5), dollars(0.0421), dollars(0.00042), dollars(0)
    ('$1,234.50', '$0.042', '$0.00042', '$0.00')
    """
    digits = 2 if usd == 0 or usd >= 0.1 else 1 - math.floor(math.log10(usd))
    return f"${usd:,.{min(digits, 12)}f}"
