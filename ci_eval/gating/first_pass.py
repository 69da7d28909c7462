"""The first pass: every planned case once on each side, both at once, until its share of the time is used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from ci_eval.confirm.machine import Side
from ci_eval.evaluation.prepare import Prepared
from ci_eval.gating.asking import SIDES, Asking
from ci_eval.records import Header, Record, scoring_calls
from ci_eval.runner.evaluator import Job, replace_repeat
from ci_eval.runner.pool import always


@dataclass(frozen=True)
class FirstPass:
    """What both sides answered."""

    headers: Mapping[Side, Header]
    records: Mapping[Side, Mapping[str, Record]]
    """By case."""
    unasked: frozenset[str]
    """Planned cases that were not begun on both sides: a random part, since the order is random."""
    calls: int
    scoring_calls: int = 0


def first_pass(
    prepared: Prepared,
    cases: Collection[str],
    asking: Asking,
    *,
    may_start: Callable[[], bool] = always,
    known: Mapping[str, Record] | None = None,
) -> FirstPass:
    """Ask about the planned cases; raises InputError for a request that cannot be rendered, before any is sent.

    `known` are answers of the candidate that need not be asked for.
    """
    found: dict[Side, dict[str, Record]] = {"base": {}, "candidate": dict(known or {})}
    if prepared.recalled:
        found["base"].update(prepared.recalled.records)
        prepared.suite.know(prepared.recalled.records.values())
    jobs = list(_jobs(prepared, cases, found["candidate"], asking))
    headers = {side: _start(side, prepared, asking, [job for own, job in jobs if own == side]) for side in SIDES}
    unasked, asked = set[str](), list[Record]()
    for side, job, record in asking.ask("first look", jobs, may_start):
        if record is None:
            unasked.add(job.case.id)
        else:
            asked.append(record)
            found[side][job.case.id] = record
    for case in sorted((prepared.same & found["base"].keys()) - found["candidate"].keys()):
        found["candidate"][case] = replace_repeat(found["base"][case], 0)
        asking.files["candidate"].add(found["candidate"][case])
    calls = sum(record.asked for record in asked)
    return FirstPass(headers, found, frozenset(unasked), calls, scoring_calls(asked))


def _jobs(
    prepared: Prepared, cases: Collection[str], known: Collection[str], asking: Asking
) -> Iterator[tuple[Side, Job]]:
    """Both sides of a case after each other, so that whenever it ends most cases have both."""
    for name in cases:
        case = prepared.suite.golden.cases[name]
        if not prepared.recalled:
            yield from (("base", job) for job in asking.sides["base"].jobs([case], 1))
        if name not in prepared.same and name not in known:
            yield from (("candidate", job) for job in asking.sides["candidate"].jobs([case], 1))


def _start(side: Side, prepared: Prepared, asking: Asking, jobs: list[Job]) -> Header:
    """Begin the run file of a side; main's stored run is whole from the start."""
    if side == "base" and prepared.recalled:
        asking.files[side].start(prepared.recalled.header)
        for record in prepared.recalled.records.values():
            asking.files[side].add(record)
        return prepared.recalled.header
    loaded = prepared.base if side == "base" else prepared.candidate
    evaluator = asking.sides[side]
    header = prepared.suite.header(evaluator, jobs, loaded.snapshot.commit, asking.session.origin)
    asking.files[side].start(header)
    return header
