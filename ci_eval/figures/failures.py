"""How wrong answers look on both sides (loud or silent), and whether more became silent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ci_eval.records import CellResult, Record
from ci_eval.scorers.failure import Mode, mode
from ci_eval.stats import Z95, mid_p, paired_shares

_SURE = 0.02


@dataclass(frozen=True)
class Failures:
    """The modes of the answers that are known on both sides, by case, in the first look."""

    base: Mapping[str, Mode]
    candidate: Mapping[str, Mode]

    @cached_property
    def counts(self) -> tuple[Counter[Mode], Counter[Mode]]:
        return Counter(self.base.values()), Counter(self.candidate.values())

    @cached_property
    def became_silent(self) -> tuple[str, ...]:
        return tuple(case for case in self.base if self.candidate[case] == "silent" != self.base[case])

    @cached_property
    def ceased(self) -> tuple[str, ...]:
        """Cases that failed silently, and no more."""
        return tuple(case for case in self.base if self.base[case] == "silent" != self.candidate[case])

    @property
    def change(self) -> float:
        """How many more of all answers fail silently, in points; negative where fewer do."""
        return 100 * (len(self.became_silent) - len(self.ceased)) / len(self.base) if self.base else 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the change in points, 95 %, each case an independent one; None of no cases."""
        if not self.base:
            return None
        low, high = paired_shares(len(self.ceased), len(self.became_silent), len(self.base), Z95)
        return 100 * low, 100 * high

    @property
    def p(self) -> float:
        """McNemar's exact test (mid-p) of whether silence came and went alike."""
        return mid_p(len(self.became_silent), len(self.ceased))

    @property
    def more_silent(self) -> bool:
        """Whether more fail silently than chance explains: of changes that change nothing, one in a hundred."""
        return self.change > 0 and self.p <= _SURE


def failures(
    base: Mapping[str, Record], candidate: Mapping[str, Record], gated: Mapping[str, frozenset[str]]
) -> Failures:
    """Of the cases that both sides answered, by their gated scorers (case to scorers)."""
    sides = ({case: _mode(records[case], scorers) for case, scorers in gated.items() if case in records}
             for records in (base, candidate))  # fmt: skip
    ours, theirs = ({case: found for case, found in side.items() if found} for side in sides)
    both = [case for case in ours if case in theirs]
    return Failures({case: ours[case] for case in both}, {case: theirs[case] for case in both})


def _mode(record: Record, gated: frozenset[str]) -> Mode | None:
    """None where it is not known: a case that was lost, or a wrong answer whose text was not kept."""
    cells = [cell for cell in record.cells if cell.scorer in gated]
    if record.lost or not cells:
        return None
    if record.error is not None:
        return "error"
    if record.output is None and not _all_passed(cells) and record.finish != "length":
        return None
    text = record.output.text() if record.output else ""
    return mode(text, record.finish, cells, acts=bool(record.tool_calls))


def _all_passed(cells: Iterable[CellResult]) -> bool:
    return all(cell.passed for cell in cells)
