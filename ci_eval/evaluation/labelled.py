"""A judge beside people: their labels read, the judge asked about the same answers, and both counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median_high, median_low
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from ci_eval.errors import InputError, UsageError
from ci_eval.evaluation.score_given_answers import score_given
from ci_eval.evaluation.suite import Session, Suite
from ci_eval.figures.calibration import Compared
from ci_eval.golden.cases import Case, CaseId, Expected, Input
from ci_eval.plan.subset import NOTHING, Cost
from ci_eval.reader import Document, Strict, each_row, read_file, validate
from ci_eval.records import Record, Run
from ci_eval.runner.given_answers import GivenAnswer, part_of, part_recorded, with_reference
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.preference import TIE
from ci_eval.scorers.registry import BoundScorer
from ci_eval.scorers.rubric import LEAST, MOST, OVERALL, CriterionName
from ci_eval.text import Untrusted, canonical

Word = Literal["pass", "fail", "worse", "tie", "better"]
Mark = Word | Annotated[int, Field(ge=LEAST, le=MOST)]
PREFERENCES: tuple[Word, ...] = ("worse", "tie", "better")
"""What a pairwise judge and people say of an answer beside its reference, in this order."""
Rater = Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._@-]{1,64}$")]


class LabelRow(Strict):
    """What one person said of one answer."""

    case: CaseId | None = None
    """A golden case, whose input, expectation and context are the answer's; else `input` is here."""
    input: Input | None = None
    output: Annotated[str, Field(max_length=100_000)]
    label: Mark | dict[CriterionName, Mark]
    """Of all together, or by criterion: `pass`, `fail`, or a whole number from 1 to 5; of an answer beside a reference
    `better`, `worse` or `tie`."""
    rater: Rater | None = None
    """Who said it; needed where several people labelled the same answer."""
    expected: Expected | None = None
    reference: Annotated[str, Field(max_length=100_000)] | None = None
    """For a pairwise judge: what `output` is better or worse than; without it, the golden case's."""
    context: list[Untrusted] = Field(default_factory=list)


@dataclass
class Labelled:
    """One answer, and what people said of it: by criterion, each person's mark."""

    case: Case
    answer: str
    marks: dict[str, dict[str, str | int]] = field(default_factory=dict)


@dataclass
class Labels:
    """All labelled answers, for one judge."""

    judge: Judge
    criteria: Sequence[str]
    answers: dict[str, Labelled] = field(default_factory=dict)
    """By what was asked and answered."""

    def read(self, path: Path, golden: Mapping[str, Case]) -> None:
        """Raises InputError with the line of a label that is none."""
        for row in each_row(read_file(path), str(path)):
            label = validate(LabelRow, row)
            case = self._case(label, golden, row)
            marks = label.label if isinstance(label.label, dict) else {OVERALL: label.label}
            for name, mark in marks.items():
                problem = self._add(case, part_of(self.judge.field, label.output), name, label.rater or "", mark)
                if problem:
                    raise row.error(("label",), *problem)

    def of_run(self, run: Run, golden: Mapping[str, Case], dimension: str) -> None:
        """Add what golden cases' own `human` says of a run's first answers."""
        names = {**{name: name for name in self.criteria}, dimension: OVERALL}
        for record in run.records:
            case, said = golden.get(record.case), part_recorded(self.judge, record)
            if case is None or record.repeat or said is None or not self.judge.applies(case):
                continue
            for name, value in case.human.items():
                if name in names:
                    problem = self._add(case, said, names[name], "human", self._mark(value))
                    if problem:
                        raise InputError(f'the case "{case.id}": {problem[0]}', remedy=problem[1])

    def _mark(self, value: float) -> str | int:
        """A number of a golden case as a mark: of a binary judge 1 and 0, of a pairwise one 0.5, too."""
        if self.judge.is_pairwise:
            return PREFERENCES[int(2 * value)] if value in (0, 0.5, 1) else -1
        if self.judge.scale == "binary" and value in (0, 1):
            return "pass" if value else "fail"
        return int(value) if value == int(value) else -1

    def _case(self, label: LabelRow, golden: Mapping[str, Case], row: Document) -> Case:
        """Its reference as a pairwise judge gets it."""
        case, path = self._asked(label, golden, row), self.judge.reference_path
        if not self.judge.is_pairwise and label.reference is not None:
            raise row.error(("reference",), "a reference, for a judge of single answers", "remove it")
        if label.reference is not None:
            case = with_reference(case, path, label.reference)
        if not self.judge.applies(case):
            raise row.error((), "no reference answer to compare with", 'add "reference"')
        return case

    def _asked(self, label: LabelRow, golden: Mapping[str, Case], row: Document) -> Case:
        if label.case is not None:
            if label.case not in golden:
                raise row.error(("case",), f'no golden case "{label.case}"', "write its input instead")
            return golden[label.case]
        if label.input is None:
            raise row.error((), '"input" is missing', 'add "input", or "case" for a golden case')
        return Case(id="labelled", input=label.input, expected=label.expected, context=label.context)

    def _add(self, case: Case, answer: str, name: str, rater: str, mark: str | int) -> tuple[str, str] | None:
        """What is wrong with a mark, and what to write instead; None where it was added."""
        if name not in {*self.criteria, OVERALL}:
            return f'the rubric has no criterion "{name}"', f"write one of {', '.join(self.criteria)}"
        if mark not in self._scale:
            called = "pairwise" if self.judge.is_pairwise else self.judge.scale
            return f"{mark} is no mark of its judge's scale, {called}", f"write {self._scale_words()}"
        key = canonical([case.model_dump(include={"input", "expected", "context"}), answer])
        known = self.answers.setdefault(key, Labelled(case, answer))
        given = known.marks.setdefault(name, {})
        if rater in given:
            return "a second label for this answer by the same person", "remove one, or say in rater who gave which"
        given[rater] = mark
        return None

    @property
    def _scale(self) -> tuple[Mark, ...]:
        if self.judge.is_pairwise:
            return PREFERENCES
        return ("pass", "fail") if self.judge.scale == "binary" else ("pass", "fail", *range(LEAST, MOST + 1))

    def _scale_words(self) -> str:
        if self.judge.is_pairwise:
            return "better, worse or tie"
        return "pass or fail" if self.judge.scale == "binary" else f"a whole number from {LEAST} to {MOST}"

    # --- the judge is asked -------------------------------------------------------------------------------------------

    def given(self) -> list[GivenAnswer]:
        """The answers, each as one of a case of its own."""
        numbered = enumerate(self.answers.values(), start=1)
        return [
            GivenAnswer(one.case.model_copy(update={"id": f"answer-{number}"}), one.answer) for number, one in numbered
        ]

    def takes(self, bound: BoundScorer) -> Cost:
        """What asking the judge about all of them will take."""
        return sum((bound.takes(one.case, len(one.answer)) for one in self.given()), NOTHING)

    def refuse_none(self) -> None:
        if not self.answers:
            raise UsageError("there is no label; name a file of labels, or --run with golden cases that have `human`")

    def judged(self, bound: BoundScorer, suite: Suite, session: Session) -> list[Judged]:
        """Every answer with what the judge says of it; without those that it was not asked about for want of money."""
        given = self.given()
        records = score_given(bound, suite, session, given, 0, "labelled answers for")
        pairs = zip(given, self.answers.values(), strict=True)
        return [Judged(labelled, records[one.case.id]) for one, labelled in pairs if one.case.id in records]


class Judged(NamedTuple):
    """An answer with people's marks and the judge's record."""

    labelled: Labelled
    record: Record


# --- counted ----------------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    """People's word and the judge's, as places on a scale, and whether each passes."""

    people: int
    judge: int
    people_pass: bool
    judge_pass: bool


@dataclass(frozen=True)
class Count:
    """The answers of which people said something by one name, beside the judge."""

    judge: Judge
    name: str
    judged: Sequence[Judged]

    @property
    def compared(self) -> Compared | None:
        """The tables; None where nobody said anything of it, or the judge could not."""
        pairs = [pair for _, pair in self.pairs()]
        if not pairs:
            return None
        size = self._size()
        table, passes = _zeros(size), _zeros(2)
        for pair in pairs:
            table[pair.people][pair.judge] += 1
            passes[pair.people_pass][pair.judge_pass] += 1
        return Compared(table=table, passes=passes, people=self._people())

    def pairs(self) -> Iterator[tuple[Judged, Pair]]:
        """Where people are of two minds, half by half, nobody can be right about them: such an answer is left out."""
        for one in self.judged:
            settled = self._settled(one.labelled)
            if settled is not None and not one.record.lost:
                yield one, self._pair(settled, one.record)

    def differing(self) -> Iterator[tuple[Judged, Pair]]:
        """Where judge and people differ, the farthest apart first."""
        found = [(one, pair) for one, pair in self.pairs() if pair.people != pair.judge]
        return iter(sorted(found, key=lambda item: -abs(item[1].people - item[1].judge)))

    @property
    def split(self) -> int:
        """Answers of which as many people said one thing as the other."""
        marked = [one.labelled for one in self.judged if one.labelled.marks.get(self.name)]
        return sum(self._settled(one) is None for one in marked)

    def _marks(self, labelled: Labelled) -> list[int]:
        """People's marks as places on the scale, in the order of their names."""
        marks = [mark for _, mark in sorted(labelled.marks.get(self.name, {}).items())]
        if self.judge.is_pairwise:
            return [PREFERENCES.index(mark) for mark in marks]
        if not self._in_words():
            return [int(mark) - LEAST for mark in marks]
        return [int(self._passes(mark)) for mark in marks]

    def _settled(self, labelled: Labelled) -> int | None:
        marks = self._marks(labelled)
        if not marks or (self._size() <= len(PREFERENCES) and median_low(marks) != median_high(marks)):
            return None
        return median_low(marks)

    def _pair(self, settled: int, record: Record) -> Pair:
        (cell,) = record.cells
        value = float(cell.score if self.name == OVERALL else cell.parts[self.name])
        passed = cell.passed if self.name == OVERALL else value >= self.judge.threshold
        if self.judge.is_pairwise:
            place = 1 + (value > TIE) - (value < TIE)
            return Pair(settled, place, settled / 2 >= self.judge.threshold, passed)
        if self._size() == 2:
            return Pair(settled, int(passed), bool(settled), passed)
        place = int(value * (MOST - LEAST) + 0.5)  # a mean of criteria, to the nearest mark
        return Pair(settled, place, self._passes(settled + LEAST), passed)

    def _passes(self, mark: str | int) -> bool:
        return mark >= (self.judge.pass_at or LEAST) if isinstance(mark, int) else mark == "pass"

    def _in_words(self) -> bool:
        """Whether marks are pass and fail: of a graded judge, as soon as one is."""
        return any(
            isinstance(mark, str) for one in self.judged for mark in one.labelled.marks.get(self.name, {}).values()
        )

    def _size(self) -> int:
        if self.judge.is_pairwise:
            return len(PREFERENCES)
        return 2 if self._in_words() else MOST - LEAST + 1

    def _people(self) -> list[list[int]] | None:
        """The first two people on each answer that two or more labelled."""
        both = [marks for one in self.judged if len(marks := self._marks(one.labelled)) > 1]
        if not both:
            return None
        table = _zeros(self._size())
        for one, other, *_ in both:
            table[one][other] += 1
        return table


def _zeros(size: int) -> list[list[int]]:
    return [[0] * size for _ in range(size)]


def counts(judge: Judge, criteria: Iterable[str], judged: Sequence[Judged]) -> list[Count]:
    """One for each name by which people said something, all together first."""
    return [count for name in (OVERALL, *criteria) if (count := Count(judge, name, judged)).compared]
