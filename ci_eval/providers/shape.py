"""Answers, read strictly: each part is there and of its type, or the whole is no answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ci_eval.errors import InputError
from ci_eval.providers.base import ProviderError
from ci_eval.reader import parse_reply

# Beyond this a count is no count: no model takes a billion tokens, and a cost would be made of it.
_MOST_TOKENS = 1_000_000_000


class MisshapenError(Exception):
    """Some part of an answer is missing or of another type."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever is wrong with a body becomes one ProviderError, which quotes nothing of it."""
    try:
        yield
    except (InputError, MisshapenError) as error:
        raise ProviderError(f"an answer that is not {what}") from error


def object_in(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a whole body; raises InputError or MisshapenError."""
    return as_object(parse_reply(body))


def as_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MisshapenError("not an object")
    return value


def as_list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise MisshapenError("not a list")
    return value


def as_text(value: object) -> str:
    if not isinstance(value, str):
        raise MisshapenError("not text")
    return value


def text_or_none(value: object) -> str | None:
    return None if value is None else as_text(value)


def as_index(value: object) -> int:
    """The place of a part in a list that is streamed."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1000:
        raise MisshapenError("not an index")
    return value


def tokens(value: object) -> int | None:
    """A count of tokens; None for anything else, since an answer is no worse for being badly counted."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


def total(*counts: int | None) -> int | None:
    """Their sum, where the first is known."""
    return None if counts[0] is None else sum(count or 0 for count in counts)


def part_of(count: int | None, whole: int | None) -> int | None:
    """A count that is among another; None where it is more than all of them."""
    return None if count is None or whole is None or count > whole else count


def unit_vector(value: object) -> Sequence[float]:
    """An embedding, scaled to length 1; raises MisshapenError for what has no direction."""
    numbers = as_list(value)
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise MisshapenError("not numbers")
    try:
        length = math.hypot(*numbers)
    except OverflowError:  # a whole number beyond every float
        length = math.inf
    if not (length and math.isfinite(length)):
        raise MisshapenError("no direction")
    return [number / length for number in numbers]
