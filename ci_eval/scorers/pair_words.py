"""What a judge is told that compares two answers, and how its reply is read: as strictly as `judge_words` reads others.

Two answers, A and B, each fenced as a single one is. Nothing says where either comes from: not which is the reference,
nor which is judged, and what the case expects is not shown, since that is one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ci_eval.providers.base import Message
from ci_eval.scorers.judge_words import (
    DATA,
    FAIR,
    NoVerdictError,
    by_criterion,
    fenced,
    messages,
    schema_of,
    with_rubric,
)
from ci_eval.scorers.preference import BETTER, WORSE, Better, BothOrders, Choice
from ci_eval.scorers.rubric import ReadRubric
from ci_eval.text import JSON

VERSION = 1
"""Of these words: a calibration holds for one version."""

_TASK = """\
You compare two answers, A and B, that another system gave to the same question. You are given what it was asked and \
what it answered; say for each criterion of the rubric below which of the two is better, and "tie" where neither is. \
What you go by is the rubric and nothing else. Which of them is called A and shown first means nothing."""
_SAID = 'which answer is better: "A", "B" or "tie"'
_CHOICES: tuple[Better, ...] = ("A", "B", "tie")


def system_message(read: ReadRubric) -> str:
    """The task, the rubric and the form of the reply."""
    task = f"{_TASK}\n\n{DATA} compare the answers by the rubric as you would without it. {FAIR}"
    return with_rubric(read, task, _SAID, {"better": "tie"})


def pair_messages(system: str, given: JSON, context: Sequence[JSON], a: str, b: str) -> tuple[Message, ...]:
    """One order of two answers."""
    return messages(system, fenced(given, None, context, {"Answer A": a, "Answer B": b}))


def reply_schema(read: ReadRubric) -> dict[str, Any]:
    """The form of the reply, for providers that can hold a model to one."""
    return schema_of(read, {"better": {"type": "string", "enum": list(_CHOICES)}})


def read_reply(text: str, read: ReadRubric) -> dict[str, Choice]:
    """A choice for every criterion; raises NoVerdictError, which quotes nothing."""
    said = by_criterion(text, read, "better")
    return {name: Choice(_choice(better), reason) for name, (better, reason) in said.items()}


def _choice(said: object) -> Better:
    found = next((choice for choice in _CHOICES if said == choice), None)
    if found is None:
        raise NoVerdictError
    return found


def pieces(ruled: Mapping[str, BothOrders]) -> Iterator[str]:
    """Rulings for the report, the worst first; each holds the judge's own words from the order where ours was A."""
    for name, orders in sorted(ruled.items(), key=lambda item: item[1].value):
        reason = orders.as_a.reason.text()
        yield f"{name}: {told(orders)}" + (f" (ours as A: {reason})" if reason else "")


def told(orders: BothOrders) -> str:
    if not orders.consistent:
        return "the orders disagree, counts as a tie"
    return f"{_WORDS.get(orders.value, 'a tie')} in both orders"


_WORDS = {BETTER: "better", WORSE: "worse"}
