"""Answers that people labelled: read from files and runs, and given to a judge that rules on the same answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from ci_eval.errors import InputError, UsageError
from ci_eval.evaluation.score_given_answers import score_given
from ci_eval.evaluation.session import Session
from ci_eval.evaluation.suite import Suite
from ci_eval.golden.cases import Case, CaseId, Expected, Input
from ci_eval.plan.subset import NOTHING, Cost
from ci_eval.reader import Document, Strict, each_row, read_file, validate
from ci_eval.records import Record, Run
from ci_eval.runner.given_answers import GivenAnswer, part_of, part_recorded, with_reference
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.registry import BoundScorer
from ci_eval.scorers.rubric import LEAST, MOST, OVERALL, CriterionName
from ci_eval.text import Untrusted, canonical

Word = Literal["pass", "fail", "worse", "tie", "better"]
Mark = Word | Annotated[int, Field(ge=LEAST, le=MOST)]
PREFERENCES: tuple[Word, ...] = ("worse", "tie", "better")
"""The marks of a pairwise judge, worst first: the answer is worse than its reference, as good, or better."""
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
    """One answer, and what people said of it."""

    case: Case
    answer: str
    marks: dict[str, dict[str, str | int]] = field(default_factory=dict)
    """Marks by person, by criterion or `overall`."""


@dataclass
class Labels:
    """All labelled answers, for one judge."""

    judge: Judge
    criteria: Sequence[str]
    answers: dict[str, Labelled] = field(default_factory=dict)
    """By a key made of question and answer, so that labels of the same answer come together."""

    def read(self, path: Path, golden: Mapping[str, Case]) -> None:
        """Add the labels of a file of JSON lines; raises InputError with the line of a label that cannot be used."""
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
        """The labelled case, with the reference answer in the place where a pairwise judge looks for it."""
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
        """Every answer with the judge's record; answers that the budget did not reach are left out."""
        given = self.given()
        records = score_given(bound, suite, session, given, 0, "labelled answers for")
        pairs = zip(given, self.answers.values(), strict=True)
        return [Judged(labelled, records[one.case.id]) for one, labelled in pairs if one.case.id in records]


class Judged(NamedTuple):
    """An answer with people's marks and the judge's record."""

    labelled: Labelled
    record: Record
