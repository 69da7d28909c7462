"""What the tests of the behaviour scorers are made of: an agent's answer, and its score under one scorer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from making import case, golden, held, no_embedding, resources, scorer_set

from ci_eval.errors import InputError
from ci_eval.providers.base import ToolCall
from ci_eval.scorers.base import Answer, Score
from ci_eval.text import JSON, Untrusted, canonical

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]


def called(*calls: tuple[str, JSON], text: str = "") -> Answer:
    """An answer that asks for tools; arguments that are text are as the model wrote them."""
    made = (
        ToolCall(Untrusted(name), Untrusted(said if isinstance(said, str) else canonical(said))) for name, said in calls
    )
    return Answer(text, tuple(made))


def stepped(*steps: JSON, text: str = "") -> Answer:
    """An answer of a pipeline that tells its steps."""
    return Answer(text, steps=tuple(Untrusted(step) for step in steps))


def judged(
    scorer: dict[str, Any], answer: Answer | str, expected: JSON = None, *, embed: Embed = no_embedding, **row: Any
) -> Score:
    """The score of one answer to a case of this expectation."""
    one = case(expected=expected, **row)
    bound = scorer_set(golden(one), scorer).bind(resources(held({}), embed))
    return next(iter(bound.values())).score(Answer(answer) if isinstance(answer, str) else answer, one)


def refused(scorer: dict[str, Any], expected: JSON = None, **row: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        judged(scorer, "", expected, **row)
    return caught.value


def why(score: Score) -> str:
    return score.reason.text()


def parts(score: Score, names: Iterable[str]) -> list[float]:
    return [score.parts[name] for name in names]
