"""The numbers that a text holds, as exact fractions; what could be read in two ways is no number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

Decimal = Literal[".", ","]
"""The sign between a number's whole and its parts."""

_APART = "'\u2019\u00a0\u2009\u202f"
"""Signs between thousands in any language: apostrophes and blanks that do not end a line."""
_MOST_DIGITS = 400  # 1e308 has 309; a fraction of more would only take room
_RUN = re.compile(
    r"(?P<sign>(?<![\w)])[-+\u2212][ ]?)?(?P<currency>[$\xa2-\xa5\u20a0-\u20c0][ ]?)?"
    rf"(?P<digits>(?<!\w)[.,]?[0-9](?:[0-9.,{_APART}]*[0-9])?)(?P<power>[eE][-+]?[0-9]+)?"
    r"(?P<percent>[ \u00a0\u202f]?[%\u066a\uff05])?"
)
_ALONE = re.compile(r"[0-9]+|[0-9]{1,3}([^0-9])[0-9]{3}(?:\1[0-9]{3})*")


class Unreadable(ValueError):
    """Something that looks like a number and could be two, or none."""


def finite(text: str) -> Fraction:
    """A number as Python and JSON write it; raises Unreadable beyond the range of a double."""
    if len(text) > _MOST_DIGITS:
        raise Unreadable
    power = int(text.lower().partition("e")[2] or 0)  # all of it: 1e-00000999999999 would fill the memory
    if abs(power) > _MOST_DIGITS or not math.isfinite(float(text)):
        raise Unreadable
    return Fraction(text)


def numbers(text: str, decimal: Decimal, units: Sequence[str] = (), *, percent: bool = False) -> Iterator[Fraction]:
    """Each number once, in the order of the text; only those with a unit, where some are given.

    `percent` makes 12 % a 0.12. Raises Unreadable for a number that is written in another way than `decimal` says.
    """
    seen: set[str | Fraction] = set()
    for run in _RUN.finditer(text):
        if run.group() in seen or not _stands_alone(text, run, units):
            continue
        value = finite(_plain(run["digits"], decimal) + (run["power"] or ""))
        value = -value if run["sign"] and run["sign"][0] in "-\u2212" else value
        value = value / 100 if percent and run["percent"] else value
        if value not in seen:
            yield value
        seen |= {value, run.group()}


def _stands_alone(text: str, run: re.Match[str], units: Sequence[str]) -> bool:
    """Whether no letter touches it; where units are given, whether one of them stands before or behind it."""
    before, behind = text[max(0, run.start() - 22) : run.start()], text[run.end() : run.end() + 22]
    if units:
        before, behind = before + (run["currency"] or ""), (run["percent"] or "") + behind
        return any(_ends(before, unit) or _begins(behind, unit) for unit in units)
    return not behind[:1].isalnum()


def _ends(before: str, unit: str) -> bool:
    before = before.rstrip(" \u00a0\u202f")
    return before.endswith(unit) and not (unit[0].isalpha() and before[: -len(unit)][-1:].isalpha())


def _begins(behind: str, unit: str) -> bool:
    behind = behind.lstrip(" \u00a0\u202f")
    return behind.startswith(unit) and not (unit[-1].isalnum() and behind[len(unit) :][:1].isalnum())


def _plain(digits: str, decimal: Decimal) -> str:
    whole, point, parts = digits.partition(decimal)
    if not (_ALONE.fullmatch(whole) or (point and not whole)) or (point and not parts.isdigit()):
        raise Unreadable
    return f"{''.join(filter(str.isdigit, whole))}.{parts or 0}"
