"""One answer under one scorer, for the tests of scorers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from making import case, golden, held, resources, scorer_set

from ci_eval.errors import InputError
from ci_eval.scorers.base import Answer, Score
from ci_eval.text import JSON, Untrusted


def scored(scorer: dict[str, Any], answer: str, expected: JSON = "yes", steps: tuple[JSON, ...] = ()) -> Score:
    """The score of an answer as a run would get it."""
    one = case(expected=expected)
    bound = scorer_set(golden(one), scorer).bind(resources(held({})))
    return next(iter(bound.values())).score(Answer(answer, steps=tuple(map(Untrusted, steps))), one)


def refusal(scorer: dict[str, Any], expected: JSON = "yes") -> InputError | None:
    """What is said about a scorer that cannot be used."""
    try:
        scored(scorer, "", expected)
    except InputError as error:
        return error
    return None


def said(score: Score) -> str:
    return score.reason.text()


@contextmanager
def linear(seconds: float = 2) -> Iterator[None]:
    """What takes time by the square of a hundred thousand characters takes far longer; of this thread's own time."""
    started = time.thread_time()
    yield
    assert time.thread_time() - started < seconds
