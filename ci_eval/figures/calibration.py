"""What is known of how a judge agrees with people: a small file beside its rubric, and whether it still holds.

Only counts are stored; coefficients are computed from them by whoever reads. The digests of rubric and judge say what
was compared: where either is another today, the figures are those of a judge that is no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ci_eval.config import calibration_path
from ci_eval.figures.agreement import Agreement, Detection
from ci_eval.reader import Document, Strict, read_json, validate
from ci_eval.records import Hex, Time
from ci_eval.scorers.judge import Judge
from ci_eval.scorers.registry import BoundScorer
from ci_eval.scorers.rubric import OVERALL, CriterionName
from ci_eval.snapshot import Snapshot
from ci_eval.standing import Stale, Standing, Tables
from ci_eval.text import Untrusted

FEWEST = 50
"""Labels of answers that the judge passed, and of those that it failed, from which on a share says much."""


class Compared(Tables):
    """What the counts say."""

    @property
    def agreement(self) -> Agreement:
        return Agreement(self.table)

    @property
    def detection(self) -> Detection:
        return Detection(self.passes)


class Calibration(Strict):
    """A judge beside people's labels."""

    format: Literal["ci-eval calibration 1"] = "ci-eval calibration 1"
    time: Time
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """Who judged."""
    rubric: Hex
    judge: Hex
    answers: Annotated[int, Field(ge=1)]
    """Labelled answers that the judge ruled on."""
    compared: dict[CriterionName, Compared]
    """By criterion, and `overall`."""


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
    def standing(self) -> Standing:
        """The same as runs and reports carry it."""
        found = self.calibration
        return Standing(
            scorer=Untrusted(self.scorer),
            dimension=Untrusted(self.dimension),
            model=Untrusted(self.policy.model),
            answers=found.answers if found else None,
            compared=dict(found.compared) if found else {},
            stale=self.stale,
        )


def compared(standing: Standing) -> Mapping[str, Compared]:
    """By criterion, and `overall`."""
    return {name: Compared(**vars(tables)) for name, tables in standing.compared.items()}


def telling(found: Mapping[str, Compared]) -> Compared | None:
    """What people said of all criteria together; where they did not, of the one that agrees least."""
    return found.get(OVERALL) or min(found.values(), key=lambda one: one.agreement.agreed.value, default=None)


def judge_facts(judges: Iterable[BoundScorer], snapshot: Snapshot) -> tuple[JudgeFact, ...]:
    """What a snapshot knows of some judges; raises InputError for a calibration that is none."""
    return tuple(_fact(bound, snapshot) for bound in judges)


def _fact(bound: BoundScorer, snapshot: Snapshot) -> JudgeFact:
    policy = bound.scorer.policy
    assert isinstance(policy, Judge), "a suite's judges"  # noqa: S101
    read, path = policy.read_rubric(snapshot), calibration_path(policy.rubric)
    found = validate(Calibration, _document(snapshot, path)) if snapshot.has(path) else None
    stale = _stale(found, bound, rubric_digest(policy, snapshot)) if found else None
    canaries = len(read.rubric.canaries)
    return JudgeFact(bound.scorer.name, bound.scorer.dimension, policy, read.concrete, canaries, found, stale)


def _document(snapshot: Snapshot, path: str) -> Document:
    return read_json(snapshot.read(path), path)


def _stale(found: Calibration, bound: BoundScorer, rubric: str) -> Stale | None:
    if found.rubric != rubric:
        return "the rubric changed since"
    return "the judge's model or settings changed since" if found.judge != bound.identity else None
