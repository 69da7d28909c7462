"""The calibration file beside a rubric: how far a judge agreed with people, and whether that still holds.

Only counts are stored; coefficients are computed from them by whoever reads. The digests of rubric and judge say what
was compared: where either is another today, the figures are those of a judge that is no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ci_eval.config import calibration_path
from ci_eval.errors import InputError
from ci_eval.figures.agreement import Agreement, Detection
from ci_eval.judge_agreement import AgreementTables, JudgeAgreement, Stale
from ci_eval.reader import Document, Strict, read_json, validate
from ci_eval.records import Hex, Time, Word
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.registry import BoundScorer
from ci_eval.scorers.rubric import OVERALL, CriterionName
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted

FEWEST = 50
"""Labels of answers that the judge passed, and of those that it failed, from which on a share says much."""


class Compared(AgreementTables):
    """What the counts say."""

    @property
    def agreement(self) -> Agreement:
        return Agreement(self.table)

    @property
    def detection(self) -> Detection:
        return Detection(self.passes)


class Calibration(Strict):
    """A judge beside people's labels."""

    suite: Word | None = None
    scorer: Word | None = None
    """Whose it is; None in a file of the first format, which holds a single judge."""
    time: Time
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """Who judged."""
    rubric: Hex
    judge: Hex
    answers: Annotated[int, Field(ge=1)]
    """Labelled answers that the judge ruled on."""
    compared: dict[CriterionName, Compared]
    """By criterion, and `overall`."""


class _FirstFile(Calibration):
    format: Literal["ci-eval calibration 1"]


class CalibrationFile(Strict):
    """All judges that rule by one rubric, each beside people."""

    format: Literal["ci-eval calibration 2"] = "ci-eval calibration 2"
    judges: Annotated[list[Calibration], Field(min_length=1, max_length=200)]


_ANEW = "remove it, and make it anew with ci-eval judge calibrate; or use the ci-eval that wrote it"


def kept(snapshot: Snapshot, rubric: str) -> list[Calibration]:
    """What is kept beside a rubric; raises InputError for a file that is none."""
    path = calibration_path(rubric)
    if not snapshot.has(path):
        return []
    try:
        return _calibrations(read_json(snapshot.read(path), path))
    except InputError as error:  # nobody wrote it by hand
        raise InputError(error.problem, remedy=_ANEW, file=error.file, line=error.line) from None


def _calibrations(document: Document) -> list[Calibration]:
    if isinstance(document.value, dict) and document.value.get("format") == "ci-eval calibration 1":
        return [validate(_FirstFile, document)]
    return validate(CalibrationFile, document).judges


def with_new(found: Iterable[Calibration], new: Calibration, others: Collection[str]) -> CalibrationFile:
    """A judge's new figures in the place of its old ones; `others` are the identities of the suite's other judges.

    What says of nobody whose it is stays where it is of one of those.
    """
    stay = [
        one
        for one in found
        if one.judge != new.judge and (one.suite, one.scorer) != (new.suite, new.scorer)
        if one.scorer is not None or one.judge in others
    ]
    return CalibrationFile(judges=sorted([*stay, new], key=lambda one: (one.suite or "", one.scorer or "")))


def _of(found: Sequence[Calibration], suite: str, bound: BoundScorer, rubric: str) -> Calibration | None:
    """The figures of one judge: those that hold for whoever judges as it does, or else its own, which are stale."""

    def nearness(one: Calibration) -> tuple[bool, bool, bool]:
        same = one.judge == bound.identity
        return same and one.rubric == rubric, (one.suite, one.scorer) == (suite, bound.scorer.name), same

    own = [one for one in found if one.scorer is None or any(nearness(one))]
    return max(own, key=nearness, default=None)


def rubric_digest(judge: Judge, snapshot: Snapshot) -> str:
    return hashlib.sha256(snapshot.read(judge.rubric)).hexdigest()


@dataclass(frozen=True)
class JudgeFact:
    """One judge, and what is known of it."""

    scorer: str
    dimension: str
    policy: Judge
    concrete: bool
    """Whether its rubric names criteria."""
    canaries: int
    calibration: Calibration | None
    stale: Stale | None = None
    """What changed since; None where the calibration holds."""

    @property
    def as_recorded(self) -> JudgeAgreement:
        """The same in the form that runs and reports store."""
        found = self.calibration
        return JudgeAgreement(
            scorer=Untrusted(self.scorer),
            dimension=Untrusted(self.dimension),
            model=Untrusted(self.policy.model),
            answers=found.answers if found else None,
            compared=dict(found.compared) if found else {},
            stale=self.stale,
        )


def compared(judge: JudgeAgreement) -> Mapping[str, Compared]:
    """By criterion, and `overall`."""
    return {name: Compared(**vars(tables)) for name, tables in judge.compared.items()}


def telling(found: Mapping[str, Compared]) -> Compared | None:
    """What people said of all criteria together; where they did not, of the one that agrees least."""
    return found.get(OVERALL) or min(found.values(), key=lambda one: one.agreement.agreed.value, default=None)


def judge_facts(judges: Iterable[BoundScorer], suite: str, snapshot: Snapshot) -> tuple[JudgeFact, ...]:
    """What a snapshot knows of a suite's judges; raises InputError for a calibration that is none."""
    return tuple(_fact(bound, suite, snapshot) for bound in judges)


def _fact(bound: BoundScorer, suite: str, snapshot: Snapshot) -> JudgeFact:
    policy = bound.scorer.policy
    assert isinstance(policy, Judge), "a suite's judges"  # noqa: S101
    read, rubric = policy.read_rubric(snapshot), rubric_digest(policy, snapshot)
    found = _of(kept(snapshot, policy.rubric), suite, bound, rubric)
    stale = _stale(found, bound, rubric) if found else None
    canaries = len(read.rubric.canaries)
    return JudgeFact(bound.scorer.name, bound.scorer.dimension, policy, read.concrete, canaries, found, stale)


def _stale(found: Calibration, bound: BoundScorer, rubric: str) -> Stale | None:
    if found.rubric != rubric:
        return "the rubric changed since"
    return "the judge's model or settings changed since" if found.judge != bound.identity else None
