"""A judge that says which of two answers is better, asked in both orders: its preference is what it says in both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from statistics import fmean

from ci_eval.golden.cases import Case
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import Message
from ci_eval.scorers import pair_words
from ci_eval.scorers.base import MISSING, Answer, Asker, Score, as_text, binary
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.judge_asking import (
    TOKENS_A_CRITERION,
    Votes,
    agreement,
    refuse_too_long,
    settled,
    verdict,
    votes,
)
from ci_eval.scorers.judge_words import LONGEST_ANSWER
from ci_eval.scorers.preference import TIE, BothOrders, Choice, mean
from ci_eval.scorers.rubric import CriterionName, ReadRubric
from ci_eval.text import Untrusted, canonical

CONSISTENCY, FIRST = ":consistency", ":first"
"""After a criterion's name: the parts of a score that say whether both orders gave the same (of several votes, in which
share), and which share of the verdicts favours the answer shown first (½ without a leaning)."""
_ORDERS = 2
_SAME = "the answers are the same, which is a tie"


@dataclass(frozen=True)
class PairBench:
    """A pairwise judge that is ready."""

    read: ReadRubric
    asker: Asker
    votes: int
    pass_at: Fraction
    field: str | None
    """The part of an answer that is compared."""
    references: Callable[[Case], Sequence[str]]
    """What an answer is compared with: the first. One that is the same as any of them is a tie."""

    def score(self, answer: Answer, case: Case, errand: Errand) -> Score:
        """Raises ProviderError where there is no verdict."""
        found = answer.field(self.field)
        if found is MISSING:
            return binary(False, f"no {self.field} in the answer")
        pairs = [in_one_form(as_text(found), reference) for reference in self.references(case)]
        if any(ours == reference for ours, reference in pairs):
            return Score(float(TIE), self.pass_at <= TIE, Untrusted(_SAME), dict.fromkeys(self._names, float(TIE)))
        for text in pairs[0]:
            refuse_too_long(text)
        orders = self._orders(case, *pairs[0])
        return self._score(votes(self.votes, partial(self._vote, orders, errand)))

    def takes(self, case: Case, characters: int) -> Cost:
        """What comparing an answer of so many characters will take: both orders for each vote."""
        reference = next(iter(self.references(case)), "")
        asked, _ = self._orders(case, " " * min(characters, LONGEST_ANSWER), reference[:LONGEST_ANSWER])
        return self.asker.takes(asked, TOKENS_A_CRITERION * len(self._names)).times(_ORDERS * self.votes)

    @property
    def _names(self) -> list[CriterionName]:
        return [criterion.name for criterion in self.read.criteria]

    @cached_property
    def _system(self) -> str:
        return pair_words.system_message(self.read)

    def _orders(self, case: Case, ours: str, reference: str) -> tuple[Sequence[Message], Sequence[Message]]:
        """With ours as A, and with ours as B."""
        context = [one.reveal() for one in case.context]
        ask = partial(pair_words.pair_messages, self._system, case.input.reveal(), context)
        return ask(ours, reference), ask(reference, ours)

    def _vote(
        self, orders: Sequence[Sequence[Message]], errand: Errand, number: int
    ) -> Mapping[CriterionName, BothOrders]:
        as_a, as_b = (verdict(self.asker, asked, number, errand, self._choices) for asked in orders)
        return {name: BothOrders(as_a[name], as_b[name]) for name in self._names}

    def _choices(self, reply: str) -> Mapping[CriterionName, Choice]:
        return pair_words.read_reply(reply, self.read)

    def _score(self, found: Votes[BothOrders]) -> Score:
        ruled = settled(found)
        value = mean(orders.value for orders in ruled.values())
        parts = {name: float(orders.value) for name, orders in ruled.items()}
        for name in self._names:
            parts[f"{name}{CONSISTENCY}"] = fmean(vote[name].consistent for vote in found)
            parts[f"{name}{FIRST}"] = float(mean(vote[name].first for vote in found))
        reason = Untrusted("; ".join(pair_words.pieces(ruled)))
        return Score(float(value), value >= self.pass_at, reason, {**parts, **agreement(found, ruled)})


def in_one_form(one: str, other: str) -> tuple[str, str]:
    """Two answers as they are compared: of two that are both JSON, neither is known by how it is laid out, and of
    others neither by the blanks around it.
    """
    found = [Answer(text).json for text in (one, other)]
    if all(isinstance(part, dict | list) for part in found):
        return canonical(found[0]), canonical(found[1])
    return one.strip(), other.strip()
