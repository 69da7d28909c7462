"""`judge`: a model grades the answer by a rubric, or compares it with the case's reference answer by one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ci_eval.config import Name, RepoPath
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import Message
from ci_eval.reader import wrong
from ci_eval.scorers import judge_words, pair_words, rubric
from ci_eval.scorers.base import MISSING, Answer, Asker, Asking, Resources, Score, as_text, binary
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.judge_asking import (
    TOKENS_A_CRITERION,
    Votes,
    agreement,
    refuse_too_long,
    settled,
    verdict,
    votes,
)
from ci_eval.scorers.judge_pair import PairBench
from ci_eval.scorers.judge_parameters import JudgeParameters, held_to
from ci_eval.scorers.judge_words import LONGEST_ANSWER, Ruling
from ci_eval.scorers.preference import TIE
from ci_eval.scorers.references import WithReferences
from ci_eval.scorers.rubric import LEAST, MOST, CriterionName, Mode, ReadRubric, Scale
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted, canonical

_MOST_VOTES = 9
# Keys that change nothing of what the judge sees or says, and those that are in the rubric's digest or the asker's.
_ELSEWHERE = {"type", "name", "dimension", "weight", "rubric", "provider", "model", "parameters", "structured"}


class Judge(WithReferences):
    """Every criterion of the rubric is ruled on; the reply has to be exactly the JSON object that was asked for.

    A reply that is anything else is no score: it is asked for once more, and then the case is lost.
    """

    default_dimension: ClassVar[str] = "output_quality"
    type: Literal["judge"]
    provider: Name
    """Of the policy; who judges, and where."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """Not the one that is judged, nor a smaller one of its family."""
    rubric: RepoPath
    """YAML or markdown of main, with the criteria: docs/judge.md has its keys."""
    mode: Mode = "rubric"
    """`pairwise`: the answer is compared with the case's reference answer (`expected`, or its part by `against` or
    `field`), in both orders, by a judge that is not told which is which. Of each criterion, better in both orders is 1,
    worse in both 0, anything else a tie: 0.5; the score is their mean."""
    scale: Scale = "binary"
    """What each criterion gets in the mode `rubric`: pass or fail, or a whole number from 1 to 5."""
    pass_at: Annotated[int | float, Field(gt=0, le=MOST)] | None = None
    """The least mean of the criteria that passes. On the scale 1-5 above 1; on the binary one there is none: all of
    them have to pass. In the mode `pairwise` up to 1, by default 0.5: not worse than the reference."""
    votes: Annotated[int, Field(ge=1, le=_MOST_VOTES)] = 1
    """An odd number of verdicts on each answer, of which each criterion's majority or median counts."""
    parameters: JudgeParameters = JudgeParameters()
    structured: bool = True
    """Hold the reply to a JSON Schema; `false` for a server that has no `response_format`."""

    @model_validator(mode="after")
    def _votes_decide(self) -> Judge:
        if self.votes % 2 == 0:
            raise wrong("an even number of votes can tie", f"write {self.votes + 1}")
        return self

    @model_validator(mode="after")
    def _pass_at_fits(self) -> Judge:
        if self.mode == "pairwise":
            if self.scale != "binary":
                raise wrong("a pairwise judge says which answer is better, on no scale", "remove scale")
            if self.pass_at is not None and self.pass_at > 1:
                raise wrong("a pairwise judge scores from 0 to 1", "as in {mode: pairwise, pass_at: 0.5}")
        elif (self.scale == "1-5") != (self.pass_at is not None):
            raise wrong("pass_at belongs to the scale 1-5, which needs one", "as in {scale: 1-5, pass_at: 4}")
        elif self.pass_at is not None and self.pass_at <= LEAST:
            raise wrong(f"pass_at must be more than {LEAST}", "as in {scale: 1-5, pass_at: 4}")
        return self

    @property
    def is_pairwise(self) -> bool:
        return self.mode == "pairwise"

    @property
    def threshold(self) -> float:
        if self.is_pairwise:
            return float(self.least)
        return 1.0 if self.pass_at is None else (float(self.pass_at) - LEAST) / (MOST - LEAST)

    @property
    def least(self) -> Fraction:
        """The least mean of the criteria's values that passes."""
        if self.pass_at is not None:
            return Fraction(str(self.pass_at))
        return TIE if self.is_pairwise else Fraction(1)

    @property
    def reference_path(self) -> str | None:
        """The part of a case's `expected` that is its reference answer; None: all of it."""
        return self.against or self.field

    def files(self) -> tuple[str, ...]:
        return (self.rubric,)

    def asks(self) -> str:
        return self.provider

    def applies(self, case: Case) -> bool:
        """A rubric speaks of any answer; to compare, there has to be another one."""
        return super().applies(case) if self.is_pairwise else True

    def read_rubric(self, snapshot: Snapshot) -> ReadRubric:
        return rubric.load(snapshot, self.rubric, self.scale, self.mode)

    def of_whole_answers(self) -> Judge:
        """The same, looking at nothing but the whole of an answer and of what the case expects."""
        return self.model_copy(update={"field": None, "against": None, "step": None})

    def bind_asking(self, resources: Resources) -> Asking:
        if self.is_pairwise:
            return self.bind_comparing(resources)
        read = self.read_rubric(resources.snapshot)
        asker = self._asker(resources, judge_words.reply_schema(read, self.scale))
        bench = Bench(self, read, asker)
        return Asking(bench.score, bench.takes, draws=True, identity=self._identity(asker))

    def bind_comparing(self, resources: Resources) -> Asking:
        """As a pairwise judge, whatever the mode."""
        read = self.read_rubric(resources.snapshot)
        asker = self._asker(resources, pair_words.reply_schema(read))
        least = self.least if self.is_pairwise else TIE
        bench = PairBench(read, asker, self.votes, least, self.field, self.references)
        return Asking(bench.score, bench.takes, draws=True, identity=self._identity(asker))

    def _asker(self, resources: Resources, schema: Mapping[str, Any]) -> Asker:
        held = held_to(schema) if self.structured else {}
        return resources.asker(self.provider, self.model, lambda api: {**self.parameters.of(self.model, api), **held})

    def _identity(self, asker: Asker) -> str:
        """What of a judge a calibration holds for, besides the rubric."""
        version = pair_words.VERSION if self.is_pairwise else judge_words.VERSION
        settings = self.model_dump(mode="json", exclude=_ELSEWHERE)
        return hashlib.sha256(canonical([version, asker.identity, settings]).encode()).hexdigest()

    def share(self, value: float) -> float:
        """A criterion's value as a part of a score, in the mode `rubric`."""
        return value if self.scale == "binary" else (value - LEAST) / (MOST - LEAST)


@dataclass(frozen=True)
class Bench:
    """A judge that is ready to grade single answers."""

    policy: Judge
    read: ReadRubric
    asker: Asker

    def score(self, answer: Answer, case: Case, errand: Errand) -> Score:
        """Raises ProviderError where there is no verdict."""
        found = answer.field(self.policy.field)
        if found is MISSING:
            return binary(False, f"no {self.policy.field} in the answer")
        text = as_text(found)
        refuse_too_long(text)
        asked = self._messages(case, text)
        return self._score(
            votes(self.policy.votes, lambda number: verdict(self.asker, asked, number, errand, self._rulings))
        )

    def takes(self, case: Case, characters: int) -> Cost:
        asked = self._messages(case, " " * min(characters, LONGEST_ANSWER))
        return self.asker.takes(asked, TOKENS_A_CRITERION * len(self.read.criteria)).times(self.policy.votes)

    @cached_property
    def _system(self) -> str:
        return judge_words.system_message(self.read, self.policy.scale)

    def _messages(self, case: Case, text: str) -> Sequence[Message]:
        expected = self.policy.expected(case)
        context = [one.reveal() for one in case.context]
        given = None if expected is MISSING else expected
        return judge_words.messages(self._system, judge_words.user_message(case.input.reveal(), given, context, text))

    def _rulings(self, reply: str) -> Mapping[CriterionName, Ruling]:
        return judge_words.read_reply(reply, self.read, self.policy.scale)

    def _score(self, found: Votes[Ruling]) -> Score:
        ruled = settled(found)
        shares = {name: self.policy.share(ruling.value) for name, ruling in ruled.items()}
        mean = Fraction(sum(ruling.value for ruling in ruled.values()), len(ruled))
        least = self.policy.least
        reason = Untrusted("; ".join(judge_words.pieces(ruled, self.policy.scale)))
        return Score(self.policy.share(float(mean)), mean >= least, reason, {**shares, **agreement(found, ruled)})
