"""A judge asked until it has said enough: a reply that is no verdict once more, and as many votes as decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol, TypeVar

from ci_eval.providers.base import Message, ProviderError
from ci_eval.scorers.base import Asker
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.judge_words import LONGEST_ANSWER, NoVerdictError
from ci_eval.scorers.rubric import CriterionName

TOKENS_A_CRITERION = 60
"""A guess, for plans alone."""
_NO_VERDICT = "the judge gave no verdict in the form that was asked for"

Said = TypeVar("Said")


def refuse_too_long(text: str) -> None:
    if len(text) > LONGEST_ANSWER:
        raise ProviderError(f"an answer of more than {LONGEST_ANSWER:,} characters is not judged")


def verdict(asker: Asker, asked: Sequence[Message], draw: int, errand: Errand, read: Callable[[str], Said]) -> Said:
    """What `read` makes of a reply; raises ProviderError where none comes, or twice one that it cannot read."""
    for again in (False, True):
        reply = asker.ask(asked, draw, errand, again=again)
        if reply.finish != "stop" or reply.tool_calls:
            continue
        try:
            return read(reply.text.text())
        except NoVerdictError:
            continue
    raise ProviderError(_NO_VERDICT)


# --- votes ------------------------------------------------------------------------------------------------------------


class Ruled(Protocol):
    """One vote on one criterion."""

    @property
    def value(self) -> int | Fraction: ...


R = TypeVar("R", bound=Ruled)
Votes = Sequence[Mapping[CriterionName, R]]
"""Each with the same criteria."""


def votes(most: int, draw: Callable[[int], Mapping[CriterionName, R]]) -> list[Mapping[CriterionName, R]]:
    """Verdicts until each criterion is decided: what the others would say could change nothing."""
    found: list[Mapping[CriterionName, R]] = []
    while len(found) < most and not _decided(found, most):
        found.append(draw(len(found)))
    return found


def _decided(found: Votes[R], most: int) -> bool:
    """A value that most have is both their majority and their median."""
    counts = (Counter(vote[name].value for vote in found) for name in (found[0] if found else ()))
    return bool(found) and all(max(count.values()) > most / 2 for count in counts)


def settled(found: Votes[R]) -> dict[CriterionName, R]:
    """Of each criterion the median, which of two values is the majority; in the words of the first who said so."""
    return {name: _median([vote[name] for vote in found]) for name in found[0]}


def _median(rulings: Sequence[R]) -> R:
    value = sorted(ruling.value for ruling in rulings)[len(rulings) // 2]
    return next(ruling for ruling in rulings if ruling.value == value)


def agreement(found: Votes[R], ruled: Mapping[CriterionName, R]) -> dict[str, float]:
    """Of each criterion, the share of several votes that were for what was settled, as a part of a score."""
    if len(found) < 2:
        return {}
    return {
        f"{name}:agreement": sum(vote[name].value == ruling.value for vote in found) / len(found)
        for name, ruling in ruled.items()
    }
