"""Estimates of what a gate's calls will take, from what main's calls took.

Where main has no runs yet, tokens are guessed from the length of the request, and time is not guessed at all: the first
pass then asks in a random order until its share of the time is used.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean

from ci_eval.confirm.evidence import Stored
from ci_eval.confirm.machine import Question
from ci_eval.confirm.machine import Side as SideName
from ci_eval.evaluation.prepare import Prepared
from ci_eval.evaluation.resources import CHARACTERS_PER_TOKEN
from ci_eval.golden.cases import Case
from ci_eval.plan.subset import NOTHING, Cost, Option, Terms
from ci_eval.providers.base import Request, Usage
from ci_eval.records import Record, Scoring
from ci_eval.runner.evaluator import Evaluator
from ci_eval.stats import percentile

_TOKENS_OUT = 300

Evaluators = Mapping[SideName, Evaluator]


@dataclass(frozen=True)
class Measured:
    """What main's calls about one case took, on average."""

    seconds: float | None
    tokens_in: float | None
    tokens_out: float | None
    scoring: Cost | None
    """What scorers asked of providers, of an answer for which they did."""


def options(
    prepared: Prepared,
    evaluators: Evaluators,
    question: Question,
    ranks: Mapping[str, float] | None = None,
    *,
    candidate_known: bool = False,
) -> list[Option]:
    """Every golden case with what it would take to run it; `ranks` says which tell most.

    `candidate_known`: its first answers are there already.
    """
    measured = _measured(prepared.repeats)
    average = _average(measured.values())
    found = []
    for case in prepared.suite.golden.cases.values():
        one = {side: _one_call(by, case, prepared, measured.get(case.id, average)) for side, by in evaluators.items()}
        same = case.id in prepared.same
        base_first = NOTHING if prepared.recalled else one["base"]
        candidate_first = NOTHING if same or candidate_known else one["candidate"]
        again = [one[side] for side, by in evaluators.items() if not same and not by.is_deterministic(case)]
        flips = _flips(case.id, question) if again else 0.0
        rank = (ranks or {}).get(case.id, 0.0)
        found.append(Option(case.id, case.stratum, base_first + candidate_first, sum(again, NOTHING), flips, rank))
    return found


def _one_call(evaluator: Evaluator, case: Case, prepared: Prepared, measured: Measured) -> Cost:
    """One call about a case; a longer prompt than main's takes more tokens."""
    request = evaluator.target.request(case)
    if measured.tokens_in is None:
        tokens_in = _length(request) / CHARACTERS_PER_TOKEN
    else:
        tokens_in = measured.tokens_in * _length(request) / max(1, _length(prepared.base.target.request(case)))
    tokens_out = measured.tokens_out if measured.tokens_out is not None else _TOKENS_OUT
    usd = evaluator.cost(Usage(math.ceil(tokens_in), math.ceil(tokens_out)))
    answer = Cost(1, measured.seconds or 0.0, None if usd is None else float(usd), tokens_in, tokens_out)
    return answer + (measured.scoring or scoring_of(evaluator, case, tokens_out))


def scoring_of(evaluator: Evaluator, case: Case, tokens_out: float) -> Cost:
    """What scorers will ask of providers about an answer of so many tokens; how long that takes is not guessed."""
    bound = (evaluator.bound[scorer.name] for scorer in evaluator.scorers.for_case(case))
    return sum((one.takes(case, math.ceil(tokens_out * CHARACTERS_PER_TOKEN)) for one in bound), NOTHING)


def most_of(evaluator: Evaluator, case: Case) -> Cost:
    """What a call takes at most that nothing was measured of: by its length, and its limit of tokens."""
    request = evaluator.target.request(case)
    most = request.parameters.get("max_tokens") or request.parameters.get("max_completion_tokens")
    tokens_in = math.ceil(_length(request) / CHARACTERS_PER_TOKEN)
    tokens_out = most if isinstance(most, int) else _TOKENS_OUT
    usd = evaluator.cost(Usage(tokens_in, tokens_out))
    answer = Cost(1, 0.0, None if usd is None else float(usd), tokens_in, tokens_out)
    return answer + scoring_of(evaluator, case, tokens_out)


def _length(request: Request) -> int:
    return sum(len(message.content) for message in request.messages)


def _measured(records: Iterable[Record]) -> dict[str, Measured]:
    by_case = defaultdict[str, list[Record]](list)
    for record in records:
        by_case[record.case].append(record)
    return {case: _of_records(found) for case, found in by_case.items()}


def _of_records(records: Iterable[Record]) -> Measured:
    known = list(records)
    seconds = _mean(record.latency_ms for record in known)
    return Measured(
        None if seconds is None else seconds / 1000,
        _mean(record.tokens_in for record in known),
        _mean(record.tokens_out for record in known),
        _mean_cost([_as_cost(record.scoring) for record in known if record.scoring and record.scoring.calls]),
    )


def _as_cost(scoring: Scoring) -> Cost:
    counts = scoring.tokens_in, scoring.tokens_out, scoring.calls
    return Cost(0, float(scoring.seconds), scoring.cost_usd, *counts)


def _mean_cost(costs: Sequence[Cost]) -> Cost | None:
    return sum(costs, NOTHING).times(1 / len(costs)) if costs else None


def _average(measured: Iterable[Measured]) -> Measured:
    known = list(measured)
    return Measured(
        _mean(one.seconds for one in known),
        _mean(one.tokens_in for one in known),
        _mean(one.tokens_out for one in known),
        _mean_cost([one.scoring for one in known if one.scoring]),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _flips(case: str, question: Question) -> float | None:
    """The chance that two runs of main differ in a gated cell of a case; None where main has no two runs of it."""
    steady = 1.0
    for cell in question.by_case.get(case, ()):
        stored = question.stored.get(cell.key)
        if stored is None or stored.runs < 2:
            return None
        steady *= 1 - _disagreement(stored)
    return 1 - steady


def _disagreement(stored: Stored) -> float:
    """The share of pairs of runs that differ: an unbiased estimate of 2p(1 - p)."""
    return 2 * stored.passes * (stored.runs - stored.passes) / (stored.runs * (stored.runs - 1))


def _limit(prepared: Prepared, names: Iterable[str | None]) -> float | None:
    """Calls a second that policy allows the slowest of some providers."""
    providers = prepared.suite.config.policy.providers
    known = (providers[name].requests_per_minute for name in names if name in providers)
    return min((limit / 60 for limit in known if limit), default=None)


def terms(prepared: Prepared, evaluators: Evaluators, question: Question) -> Terms:
    """How the calls of this suite are made, and how they are judged."""
    records = prepared.repeats
    times = [record.latency_ms / 1000 for record in records if record.latency_ms is not None]
    limits = [limit for limit in question.limits.values() if limit != "any"]
    return Terms(
        concurrency=min(evaluator.concurrency for evaluator in evaluators.values()),
        calls_per_second=_limit(prepared, [prepared.candidate.target.lane]),
        slowest=percentile(times, 0.99) if times else 0.0,
        max_drop=min(limits, default=Fraction(1)),
        scoring_per_second=_limit(prepared, [scorer.policy.asks() for scorer in prepared.suite.scorers.all()]),
    )
