"""`judge`: a model grades the answer by a rubric."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ci_eval.config import Name, RepoPath
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import Cost
from ci_eval.providers.base import Message, ProviderError
from ci_eval.reader import Strict, wrong
from ci_eval.scorers import judge_words, rubric
from ci_eval.scorers.base import MISSING, Answer, Asker, Asking, Resources, Score, ScorerPolicy, as_text, binary
from ci_eval.scorers.errand import Errand
from ci_eval.scorers.judge_words import NoVerdictError, Ruling
from ci_eval.scorers.rubric import LEAST, MOST, CriterionName, ReadRubric, Scale
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted, canonical

_LONGEST_ANSWER = 100_000
"""Characters that are judged; no longer answer is."""
_MAX_TOKENS, _MAX_TOKENS_WITH_THOUGHTS = 2000, 8000
_TOKENS_A_CRITERION = 60
"""A guess, for plans alone."""
_MOST_VOTES = 9
# OpenAI's models that think: they refuse a temperature, and want their limit by another name.
_THINKS = re.compile(r"(openai/)?(o[1-9]|gpt-[5-9])")
# Anthropic's last models that take a temperature; later ones answer it with an error.
_CLAUDE_WITH_TEMPERATURE = re.compile(r"claude-(3|[a-z]+-4(-[0-6])?(-[0-9]{8})?$)")
_NO_VERDICT = "the judge gave no verdict in the form that was asked for"


class JudgeParameters(Strict):
    """How the judge is asked. Left out: temperature 0, where the model is known to take one."""

    temperature: Annotated[int | float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    top_p: Annotated[int | float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    thinking_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class Judge(ScorerPolicy):
    """Every criterion of the rubric is ruled on; the reply has to be exactly the JSON object that was asked for.

    A reply that is anything else is no score: it is asked for once more, and then the case is lost.
    """

    default_dimension: ClassVar[str] = "output_quality"
    type: Literal["judge"]
    provider: Name
    """Of the policy; who judges, and where."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    rubric: RepoPath
    """YAML or markdown of main, with the criteria: docs/judge.md has its keys."""
    scale: Scale = "binary"
    """What each criterion gets: pass or fail, or a whole number from 1 to 5."""
    pass_at: Annotated[int | float, Field(gt=LEAST, le=MOST)] | None = None
    """The least mean of the criteria that passes, on the scale 1-5; on the binary one, all of them have to pass."""
    votes: Annotated[int, Field(ge=1, le=_MOST_VOTES)] = 1
    """An odd number of verdicts on each answer, of which each criterion's majority or median counts."""
    parameters: JudgeParameters = JudgeParameters()
    structured: bool = True
    """Hold the reply to a JSON Schema; `false` for a server that has no `response_format`."""

    @model_validator(mode="after")
    def _votes_decide(self) -> Judge:
        if self.votes % 2 == 0:
            raise wrong("an even number of votes can tie", f"write {self.votes + 1}")
        if (self.scale == "1-5") != (self.pass_at is not None):
            raise wrong("pass_at belongs to the scale 1-5, which needs one", "as in {scale: 1-5, pass_at: 4}")
        return self

    @property
    def threshold(self) -> float:
        return 1.0 if self.pass_at is None else (float(self.pass_at) - LEAST) / (MOST - LEAST)

    def files(self) -> tuple[str, ...]:
        return (self.rubric,)

    def asks(self) -> str:
        return self.provider

    def applies(self, case: Case) -> bool:  # noqa: ARG002 - a rubric speaks of any answer
        return True

    def read_rubric(self, snapshot: Snapshot) -> ReadRubric:
        return rubric.load(snapshot, self.rubric, self.scale)

    def bind_asking(self, resources: Resources) -> Asking:
        read = self.read_rubric(resources.snapshot)
        asker = resources.asker(self.provider, self.model, lambda api: self._wanted(api, read))
        bench = Bench(self, read, asker)
        return Asking(bench.score, bench.takes, draws=True, identity=self._identity(asker))

    def _identity(self, asker: Asker) -> str:
        """What of a judge a calibration holds for, besides the rubric."""
        parts = [judge_words.VERSION, asker.identity, self.scale, self.votes, str(self.pass_at), self.field]
        return hashlib.sha256(canonical(parts).encode()).hexdigest()

    def _wanted(self, api: str, read: ReadRubric) -> Mapping[str, Any]:
        """The parameters of each request."""
        given = self.parameters.model_dump(exclude_none=True)
        thinks = api in {"openai", "azure", "github"} and bool(_THINKS.match(self.model))
        cool = not thinks and (api != "anthropic" or bool(_CLAUDE_WITH_TEMPERATURE.match(self.model)))
        if cool and not given.keys() & {"temperature", "reasoning_effort", "thinking_tokens"}:
            given["temperature"] = 0
        if not given.keys() & {"max_tokens", "max_completion_tokens"}:
            limit = _MAX_TOKENS_WITH_THOUGHTS if thinks or "reasoning_effort" in given else _MAX_TOKENS
            limit += given.get("thinking_tokens", 0)
            given["max_completion_tokens" if thinks else "max_tokens"] = limit
        if self.structured:
            schema = judge_words.reply_schema(read, self.scale)
            named = {"name": "verdict", "schema": schema, "strict": True}
            given["response_format"] = {"type": "json_schema", "json_schema": named}
        return given

    def share(self, value: float) -> float:
        """A criterion's value as a part of a score."""
        return value if self.scale == "binary" else (value - LEAST) / (MOST - LEAST)


@dataclass(frozen=True)
class Bench:
    """A judge that is ready."""

    policy: Judge
    read: ReadRubric
    asker: Asker

    def score(self, answer: Answer, case: Case, errand: Errand) -> Score:
        """Raises ProviderError where there is no verdict."""
        found = answer.field(self.policy.field)
        if found is MISSING:
            return binary(False, f"no {self.policy.field} in the answer")
        text = as_text(found)
        if len(text) > _LONGEST_ANSWER:
            raise ProviderError(f"an answer of more than {_LONGEST_ANSWER:,} characters is not judged")
        asked = self._messages(case, text)
        return self._score(self._votes(asked, errand))

    def takes(self, case: Case, characters: int) -> Cost:
        asked = self._messages(case, " " * min(characters, _LONGEST_ANSWER))
        one = self.asker.takes(asked, _TOKENS_A_CRITERION * len(self.read.criteria))
        return one.times(self.policy.votes)

    @cached_property
    def _system(self) -> str:
        return judge_words.system_message(self.read, self.policy.scale)

    def _messages(self, case: Case, text: str) -> Sequence[Message]:
        expected = self.policy.expected(case)
        context = [one.reveal() for one in case.context]
        given = None if expected is MISSING else expected
        return judge_words.messages(self._system, judge_words.user_message(case.input.reveal(), given, context, text))

    # --- votes --------------------------------------------------------------------------------------------------------

    def _votes(self, asked: Sequence[Message], errand: Errand) -> list[dict[str, Ruling]]:
        """Verdicts until each criterion is decided: what the others would say could change nothing."""
        votes: list[dict[str, Ruling]] = []
        while len(votes) < self.policy.votes and not self._decided(votes):
            votes.append(self._vote(asked, len(votes), errand))
        return votes

    def _decided(self, votes: Sequence[Mapping[str, Ruling]]) -> bool:
        """A value that most have is both their majority and their median."""
        counts = (Counter(vote[one.name].value for vote in votes) for one in self.read.criteria)
        return all(max(count.values(), default=0) > self.policy.votes / 2 for count in counts)

    def _vote(self, asked: Sequence[Message], number: int, errand: Errand) -> dict[str, Ruling]:
        """One verdict; a reply that is none is asked for once more."""
        try:
            return self._verdict(asked, number, errand, again=False)
        except NoVerdictError:
            pass
        try:
            return self._verdict(asked, number, errand, again=True)
        except NoVerdictError:
            raise ProviderError(_NO_VERDICT) from None

    def _verdict(self, asked: Sequence[Message], draw: int, errand: Errand, *, again: bool) -> dict[str, Ruling]:
        reply = self.asker.ask(asked, draw, errand, again=again)
        if reply.finish != "stop" or reply.tool_calls:
            raise NoVerdictError
        return judge_words.read_reply(reply.text.text(), self.read, self.policy.scale)

    # --- the score ----------------------------------------------------------------------------------------------------

    def _score(self, votes: Sequence[Mapping[str, Ruling]]) -> Score:
        ruled = {one.name: _settled([vote[one.name] for vote in votes]) for one in self.read.criteria}
        shares = {name: self.policy.share(ruling.value) for name, ruling in ruled.items()}
        mean = Fraction(sum(ruling.value for ruling in ruled.values()), len(ruled))
        least = Fraction(1) if self.policy.pass_at is None else Fraction(str(self.policy.pass_at))
        agreed = self._agreement(votes, ruled) if len(votes) > 1 else {}
        reason = Untrusted("; ".join(judge_words.pieces(ruled, self.policy.scale)))
        return Score(self.policy.share(float(mean)), mean >= least, reason, {**shares, **agreed})

    def _agreement(self, votes: Sequence[Mapping[str, Ruling]], ruled: Mapping[str, Ruling]) -> dict[str, float]:
        """Of each criterion, the share of the votes that were for what was settled."""
        return {
            agreement_of(name): sum(vote[name].value == ruling.value for vote in votes) / len(votes)
            for name, ruling in ruled.items()
        }


def agreement_of(criterion: CriterionName) -> str:
    """The part of a score that says how far the votes on a criterion agreed."""
    return f"{criterion}:agreement"


def _settled(rulings: Sequence[Ruling]) -> Ruling:
    """The median, which of two values is the majority; in the words of the first who said so."""
    value = sorted(ruling.value for ruling in rulings)[len(rulings) // 2]
    return next(ruling for ruling in rulings if ruling.value == value)
