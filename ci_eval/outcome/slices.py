"""Groups of cases on both sides: is a change concentrated in one group, or scattered? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ci_eval.comparison import base_passed, candidate_passed, passed_cases
from ci_eval.golden.cases import STRATA, Case
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.stats import could_reject, holm, mid_p, wilson

Kind = Literal["stratum", "category", "tag"]
Pattern = Literal["systematic", "scattered"]
_STRATA: tuple[str, ...] = STRATA
_LEVEL = 0.05


@dataclass(frozen=True)
class Passes:
    """How many cases passed, of those that are known. A case passes when all its gated scores do."""

    passed: int
    known: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %, of the share that passed; raises ValueError where nothing is known."""
        return wilson(self.passed, self.known)


@dataclass(frozen=True)
class Slice:
    """A stratum, a category or a tag."""

    kind: Kind
    name: str
    cases: int
    base: Passes
    candidate: Passes
    broke: tuple[str, ...]
    """Cases with a score that stayed broken."""
    repaired: tuple[str, ...]
    """Cases with a score that stayed repaired."""
    p: float
    """Of the test, corrected for all slices of the suite; 1 where too little changed for one."""

    @property
    def flips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.broke, *self.repaired)))

    @property
    def pattern(self) -> Pattern | None:
        """None where nothing changed."""
        if not self.flips:
            return None
        return "systematic" if self.p <= _LEVEL else "scattered"

    @property
    def for_worse(self) -> bool:
        return len(self.broke) > len(self.repaired)


def slices(suite: SuiteOutcome) -> tuple[Slice, ...]:
    """Strata, then categories and tags, each with the most broken first; none of a single case, or of all of them.

    Systematic is what a sign test on the cases that changed rejects as chance at 5 %, after Holm over all slices, which
    may overlap; those in which so little changed that no outcome could be rejected take nothing from the others. In
    simulation at most 1 suite in 20 without a trend has any slice that is called so.

    What counts is what stayed: the first look's flips are chosen by noise, and reruns have sorted them; of a flip that
    was not asked again nothing is known, so it has no vote. A case votes once, however many of its scores changed; one
    that broke and was repaired does not vote. Votes are not joined by cluster: the cases are given, and the noise that
    could make a pattern is the model's, which is each answer's own.
    """
    members = _members(suite.comparison.cases)
    broke = {group: tuple(case for case in names if case in suite.broken) for group, names in members.items()}
    repaired = {group: tuple(case for case in names if suite.repaired.get(case)) for group, names in members.items()}
    votes = {group: _votes(broke[group], repaired[group]) for group in members}
    tried = could_reject({group: mid_p(0, sum(votes[group])) for group in members}, _LEVEL)
    p = holm({group: mid_p(*votes[group]) for group in tried})
    base, candidate = (passed_cases(suite.gated, side) for side in (base_passed, candidate_passed))
    found = [
        Slice(
            kind=group[0],
            name=group[1],
            cases=len(names),
            base=_passes(names, base),
            candidate=_passes(names, candidate),
            broke=broke[group],
            repaired=repaired[group],
            p=p.get(group, 1.0),
        )
        for group, names in members.items()
    ]
    return tuple(sorted(found, key=_order))


def _members(cases: Mapping[str, Case]) -> dict[tuple[Kind, str], list[str]]:
    members: dict[tuple[Kind, str], list[str]] = {}
    for name, case in cases.items():
        for group in _groups(case):
            members.setdefault(group, []).append(name)
    return {group: names for group, names in members.items() if 1 < len(names) < len(cases)}


def _groups(case: Case) -> Iterator[tuple[Kind, str]]:
    yield "stratum", case.stratum
    if case.category is not None:
        yield "category", case.category
    for tag in dict.fromkeys(case.tags):
        yield "tag", tag


def _votes(broke: Collection[str], repaired: Collection[str]) -> tuple[int, int]:
    """Cases that became worse, and better."""
    return len({*broke} - {*repaired}), len({*repaired} - {*broke})


def _passes(names: Sequence[str], passed: Mapping[str, bool]) -> Passes:
    known = [passed[name] for name in names if name in passed]
    return Passes(sum(known), len(known))


def _order(one: Slice) -> tuple[int, int, str]:
    if one.kind == "stratum":
        return 0, _STRATA.index(one.name), one.name
    return 1 + (one.kind == "tag"), -len(one.broke), one.name
