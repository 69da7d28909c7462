"""What is wrong with golden cases beside each other. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ci_eval.datasets.contamination import strings, words
from ci_eval.datasets.duplicates import near
from ci_eval.golden.cases import STRATA, Stratum
from ci_eval.lint.findings import Finding, Placed
from ci_eval.scorers.base import equal
from ci_eval.text import JSON, Untrusted, canonical

_QUOTAS: Mapping[Stratum, int] = {"common": 60, "edge": 25, "adversarial": 15}
_ENOUGH_FOR_QUOTAS = 20
_SHORTEST = 4
"""Words: fewer are equal by chance once capitals and punctuation are gone."""
_OFTEN = 10
"""A name of a key is taken for a slip where another, nearly the same, is so many times as frequent."""
_LIKENESS = 0.8
_MOST_SLIPS = 20
"""Of one case; where it has more rare keys, those are no slips."""


def of_set(cases: Sequence[Placed]) -> Iterator[Finding]:
    for check in (_same_ids, _same_inputs, _near_inputs, _odd_keys, _strata):
        yield from check(cases)


def _same_ids(cases: Sequence[Placed]) -> Iterator[Finding]:
    """Ids are ASCII, so their capitals are all that can differ in one name."""
    for one, first in _repeated(cases, lambda placed: placed.case.id.casefold()):
        fact = ("the id stands at ", Untrusted(first.place), " already")
        yield one.finding("id", "refused", fact, "give each case its own id")


def _repeated(cases: Sequence[Placed], key: Callable[[Placed], str]) -> Iterator[tuple[Placed, Placed]]:
    """Each case whose key came before, and the first that had it."""
    first: dict[str, Placed] = {}
    for one in cases:
        earlier = first.setdefault(key(one), one)
        if earlier is not one:
            yield one, earlier


# --- inputs -----------------------------------------------------------------------------------------------------------


def _asked(placed: Placed) -> str:
    """What an answer depends on: the input, and documents beside it."""
    return canonical(_in_one_line([placed.case.input.reveal(), [part.reveal() for part in placed.case.context]]))


def _in_one_line(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _in_one_line(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_one_line(item) for item in value]
    return " ".join(value.split()) if isinstance(value, str) else value


def _same_inputs(cases: Sequence[Placed]) -> Iterator[Finding]:
    for one, first in _repeated(cases, _asked):
        place = Untrusted(first.place)
        if differing := _contradiction(one, first):
            fact = ("the input of ", place, ", which expects otherwise", *differing)
            yield one.finding("contradiction", "problem", fact, "keep the one that is right")
        elif not _in_one_cluster(one, first):
            fact = ("the input of ", place, " again: it counts twice")
            yield one.finding("same-input", "warning", fact, "keep one of them, or give both the same cluster")


def _contradiction(one: Placed, other: Placed) -> tuple[str | Untrusted, ...]:
    """In which keys two expectations differ; empty where both can be met."""
    if one.case.expected is None or other.case.expected is None:
        return ()
    this, that = one.case.expected.reveal(), other.case.expected.reveal()
    if not (isinstance(this, dict) and isinstance(that, dict)):
        return () if equal(this, that) else (":",)
    keys = [key for key in this if key in that and not equal(this[key], that[key])]
    return (": ", Untrusted(", ".join(keys))) if keys else ()


def _near_inputs(cases: Sequence[Placed]) -> Iterator[Finding]:
    """Each case once, beside the first that is nearly the same."""
    first: dict[str, Placed] = {}
    for one in cases:
        said = " ".join(words(" ".join(_parts(one))))
        earlier = first.setdefault(said, one)
        if earlier is not one and _asked(earlier) != _asked(one) and len(said.split()) >= _SHORTEST:
            yield from _nearly(one, earlier, "in the same words as")
    told: set[str] = set()
    for before, after in near(first):
        if after not in told and _each_part_is_near(first[before], first[after]):
            told.add(after)
            yield from _nearly(first[after], first[before], "nearly in the words of")


def _parts(placed: Placed) -> list[str]:
    return [*placed.texts, *strings([part.reveal() for part in placed.case.context])]


def _each_part_is_near(one: Placed, other: Placed) -> bool:
    """Many questions may be asked about one long text: those are not nearly the same."""
    pairs = [(" ".join(words(this)), " ".join(words(that))) for this, that in zip(_parts(one), _parts(other))]  # noqa: B905 - more parts are more words
    return all(this == that or any(near([this, that])) for this, that in pairs)


def _nearly(one: Placed, other: Placed, how: str) -> Iterator[Finding]:
    if not _in_one_cluster(one, other):
        fact = (f"asks {how} ", Untrusted(other.place))
        remedy = "keep one of them, or give both the same cluster: they are not two samples"
        yield one.finding("near-input", "warning", fact, remedy)


def _in_one_cluster(one: Placed, other: Placed) -> bool:
    return one.case.cluster is not None and one.case.cluster == other.case.cluster


# --- expectations and strata ------------------------------------------------------------------------------------------


def _odd_keys(cases: Sequence[Placed]) -> Iterator[Finding]:
    """A key that is misspelt is a key that no scorer looks at."""
    frequent = Counter(key for one in cases for key in _expected(one))
    usual = {key: count for key, count in frequent.items() if count >= _OFTEN}
    rare = {key for key, count in frequent.items() if _OFTEN * count <= max(usual.values(), default=0)}
    for one in cases:
        expected = _expected(one)
        missing = [key for key in usual if key not in expected]
        for key in islice((key for key in expected if key in rare), _MOST_SLIPS):
            known = [other for other in missing if usual[other] >= _OFTEN * frequent[key]]
            if meant := difflib.get_close_matches(key, known, 1, _LIKENESS):
                fact = ("expects ", Untrusted(key), ", where other cases have ", Untrusted(meant[0]))
                yield one.finding("expected-key", "warning", fact, "correct the key")


def _expected(placed: Placed) -> Mapping[str, Any]:
    expected = placed.case.expected.reveal() if placed.case.expected else None
    return expected if isinstance(expected, dict) else {}


def _strata(cases: Sequence[Placed]) -> Iterator[Finding]:
    """Of a set that is in strata at all, those of which it has less than half of what makes a good set."""
    counts = Counter(one.case.stratum for one in cases)
    if counts.total() < _ENOUGH_FOR_QUOTAS or set(counts) == {"common"}:
        return
    for stratum in STRATA:
        if 200 * counts[stratum] < _QUOTAS[stratum] * counts.total():
            fact = (
                f"{counts[stratum]} of {counts.total():,} cases are {stratum}; about {_QUOTAS[stratum]} % are good",
            )
            yield Finding("strata", "warning", cases[0].file, None, fact, f"add cases with stratum: {stratum}")
