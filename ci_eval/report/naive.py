"""The naive target in the report: how much better this PR's model is than an answer that costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from ci_eval.naive.margin import Margin
from ci_eval.outcome.model import SuiteOutcome
from ci_eval.report.document import Noun, Paragraph, Section, Table, Text, listed
from ci_eval.report.numbers import decimal, plain, points, signed
from ci_eval.text import Untrusted

_DIMENSION = Noun("dimension", "dimensions")
_NAIVE: Mapping[str, str] = {
    "nearest": "the answer to the most similar input",
    "logistic": "a logistic regression over embeddings",
    "regex": "a few patterns",
    "template": "the same answer to everything",
}


def naive(suite: SuiteOutcome) -> Iterator[Section]:
    """The table of margins, and a warning where a margin is below the least that policy wants."""
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
