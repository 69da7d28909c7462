"""A run file with its cells counted over all repeats, as `ci-eval compare` needs it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ci_eval.errors import Inconclusive
from ci_eval.records import Header, Record, Run

ScoreKey = tuple[str, str]
"""A scorer and its dimension: what a case is scored by."""


class PassCount(NamedTuple):
    """How often a cell passed."""

    passes: int
    runs: int

    @property
    def rate(self) -> Fraction:
        return Fraction(self.passes, self.runs)


@dataclass(frozen=True)
class CountedRun:
    """A run with its cells counted over all repeats."""

    file: str
    header: Header
    cases: Mapping[str, Sequence[Record]]
    """The records of each case, in the order of repeats."""
    cells: Mapping[str, Mapping[ScoreKey, PassCount]]
    """By case id; empty for a case of which every answer was lost."""

    @property
    def lost(self) -> int:
        """Answers lost to infrastructure; they have no score."""
        return sum(record.lost for records in self.cases.values() for record in records)


def counted(file: str, run: Run) -> CountedRun:
    """Raises Inconclusive for a shard, and for a run that was not asked everything."""
    if run.header.shard:
        raise Inconclusive(f"{file} is shard {run.header.shard} of a run; join the shards with ci-eval merge")
    cases: dict[str, list[Record]] = {}
    for record in sorted(run.records, key=lambda record: record.key):
        cases.setdefault(record.case, []).append(record)
    short = next((case for case, records in cases.items() if len(records) < run.header.repeats), None)
    if short or not cases:
        what = f'the case "{short}" has {len(cases[short])} of {run.header.repeats} answers' if short else "no answer"
        raise Inconclusive(f"{file} is not whole: {what}; finish it with the same command and --resume")
    return CountedRun(file, run.header, cases, {case: _tallies(records) for case, records in cases.items()})


def _tallies(records: Iterable[Record]) -> dict[ScoreKey, PassCount]:
    runs, passes = Counter[ScoreKey](), Counter[ScoreKey]()
    for record in records:
        if not record.lost:
            known = {(cell.scorer, cell.dimension): cell.passed for cell in record.cells}
            runs.update(known.keys())  # a mapping would be added as counts
            passes.update(score for score, passed in known.items() if passed)
    return {score: PassCount(passes[score], runs[score]) for score in runs}
