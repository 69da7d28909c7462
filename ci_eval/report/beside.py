"""What a score is made of, and what it stands beside: criteria, the overall score, a naive target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from statistics import fmean

from ci_eval.naive.margin import Margin
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.records import Record
from ci_eval.report.document import Noun, Paragraph, Section, Table, Text, listed
from ci_eval.report.numbers import decimal, plain, points, signed
from ci_eval.text import Untrusted

_CRITERION = Noun("criterion", "criteria")
_DIMENSION = Noun("dimension", "dimensions")
_NAIVE: Mapping[str, str] = {
    "nearest": "the answer to the most similar input",
    "logistic": "a logistic regression over embeddings",
    "regex": "a few patterns",
    "template": "the same answer to everything",
}

Means = dict[tuple[str, str], float]
"""By scorer and criterion, in [0, 1]."""


def overall(suite: SuiteOutcome) -> Iterator[tuple[Text, ...]]:
    """The last row of the table of dimensions."""
    if found := suite.overall:
        base, candidate = (decimal(score, 1) for score in (found.base, found.candidate))
        change = signed(decimal(-found.drop, 1))
        yield (("overall",), (base,), (candidate,), (change,), ("not gated",), ("",), ("",), ("",))


def criteria(suite: SuiteOutcome) -> Iterator[Section]:
    """Scores that are made of named criteria, told apart."""
    base, candidate = means(suite.comparison.base.values()), means(suite.comparison.candidate.values())
    names = dict.fromkeys((*base, *candidate))
    rows = tuple(_criterion(name, base.get(name), candidate.get(name)) for name in names)
    if rows:
        words = "Means over the answers of one run a side, of 100. Told, not gated: that is the score as a whole."
        table = Table(("scorer", "criterion", "base", "this PR"), "llrr", rows, _CRITERION)
        yield Section("Criteria", (Paragraph((words,)), table), importance=58)


def _criterion(name: tuple[str, str], base: float | None, candidate: float | None) -> tuple[Text, ...]:
    return ((Untrusted(name[0]),), (Untrusted(name[1]),), (_share(base),), (_share(candidate),))


def means(records: Iterable[Record]) -> Means:
    """Of each criterion, over the cells that have it."""
    found = defaultdict[tuple[str, str], list[float]](list)
    for record in records:
        for cell in record.cells:
            for name, value in cell.parts.items():
                found[_shared_name(record, cell.scorer), name].append(float(value))
    return {key: fmean(values) for key, values in found.items()}


def _shared_name(record: Record, scorer: str) -> str:
    """A case's own scorers are called by the case: here they count with those of the others."""
    return scorer.removeprefix(f"{record.case}:").partition(":")[2] if scorer.startswith(f"{record.case}:") else scorer


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def naive(suite: SuiteOutcome) -> Iterator[Section]:
    """The margin over a naive target; a warning where it is too thin to pay for."""
    found = suite.naive
    if found is None or not found.margins:
        return
    words = f"What this PR's model is better than {_NAIVE[found.kind]}, which costs next to nothing:"
    rows = tuple(_margin(one) for one in found.margins)
    table = Table(("dimension", "naive", "this PR", "gain"), "lrrr", rows, _DIMENSION)
    yield Section("Beside a naive answer", (Paragraph((words,)), table, *_too_thin(found.margins)), importance=57)


def _margin(one: Margin) -> tuple[Text, ...]:
    low_high = " to ".join(signed(decimal(Fraction(end), 1)) for end in one.interval or ())
    gain = signed(decimal(one.gain, 1)) + (f" ({low_high})" if low_high else "")
    return ((Untrusted(one.dimension),), (decimal(one.naive, 1),), (decimal(one.model, 1),), (gain,))


def _too_thin(margins: Sequence[Margin]) -> Iterator[Paragraph]:
    thin = [one for one in margins if one.thin]
    if thin:
        wanted = points(thin[0].least, plain(thin[0].least))
        all_of_it = "Too thin to pay for: n" if len(thin) == len(margins) else "N"
        yield Paragraph(
            (f"{all_of_it}ot surely {wanted} better in ", *listed(Untrusted(one.dimension) for one in thin), ".")
        )
