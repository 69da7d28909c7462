"""Splits a golden set into shards for several machines, and joins their runs again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci_eval.errors import Inconclusive, InputError, UsageError
from ci_eval.golden.cases import Case
from ci_eval.records import Header, Record, Run

_MOST = 1000


@dataclass(frozen=True)
class Shard:
    """One of `of` parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2/4`; raises UsageError for anything else."""
        match = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text, re.ASCII)
        found = cls(int(match[1]), int(match[2])) if match else None
        if found is None or not found.number <= found.of <= _MOST:
            raise UsageError(f"a shard is written as 2/4: which one, from 1 on, of how many (at most {_MOST})")
        return found

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def of_cases(self, cases: Mapping[str, Case]) -> list[Case]:
        """Its cases, in the order of the golden set."""
        dealt = deal(cases.values(), self.of)
        return [case for case in cases.values() if dealt[case.id] == self.number]


def deal(cases: Iterable[Case], of: int) -> dict[str, int]:
    """The number of the shard of every case: dealt like cards, a stratum after the other, in the order of hashes.

    So shards differ by one case at most, in whole and in every stratum; and as cases are put in order by the hash of
    their ids, neighbours in a file, which are often alike and slow together, part.
    """
    ordered = sorted(cases, key=lambda case: (case.stratum, hashlib.sha256(case.id.encode()).digest()))
    return {case.id: place % of + 1 for place, case in enumerate(ordered)}


Part = tuple[str, Run]
"""A file's name and the run that is in it."""


def join(parts: Sequence[Part], cases: Mapping[str, Case]) -> Run:
    """One run out of all shards of an evaluation, as if it had been made in one piece.

    Raises InputError for files that do not belong together, and Inconclusive when a shard or an answer is missing.
    """
    shards = _shards(parts)
    of = next(iter(shards.values())).of
    _refuse_strangers(parts, shards, deal(cases.values(), of))
    present = {shard.number for shard in shards.values()}
    missing = [str(Shard(number, of)) for number in range(1, of + 1) if number not in present]
    if missing:
        what = f"shard {missing[0]} is" if len(missing) == 1 else f"shards {', '.join(missing[:10])} are"
        raise Inconclusive(f"{what} missing; evaluate what is missing, and merge again")
    header = _header([run.header for _, run in parts if run.records] or [run.header for _, run in parts])
    records = {(record.case, record.repeat): record for _, run in parts for record in run.records}
    return Run(header, tuple(_in_order(records, header.repeats, parts, shards, cases)))


def _shards(parts: Sequence[Part]) -> dict[str, Shard]:
    """The shard of each file."""
    found: dict[str, Shard] = {}
    first_name, first = parts[0]
    repeats = next((run.header.repeats for _, run in parts if run.records), 1)
    for name, run in parts:
        if run.header.shard is None:
            raise InputError("is a whole run, no shard", remedy="merge what ci-eval run --shard wrote", file=name)
        shard = Shard.parse(run.header.shard)
        others = _differences(first.header, run.header)
        if run.records and run.header.repeats != repeats:
            others.append("other repeats")
        if shard.of != Shard.parse(str(first.header.shard)).of:
            others.append("another number of shards")
        if others:
            problem = f"belongs to another evaluation than {first_name}: {', '.join(others)}"
            raise InputError(problem, remedy="merge the shards of one evaluation", file=name)
        twin = next((other for other, known in found.items() if known == shard), None)
        if twin is not None:
            raise InputError(f"is shard {shard}, and so is {twin}", remedy="name each shard once", file=name)
        found[name] = shard
    return found


def _differences(one: Header, other: Header) -> list[str]:
    pairs = {
        "another suite": (one.suite, other.suite),
        "another commit": (one.commit, other.commit),
        **one.fingerprint.differences(other.fingerprint),
    }
    return [words for words, (mine, theirs) in pairs.items() if mine != theirs]


def _refuse_strangers(parts: Sequence[Part], shards: Mapping[str, Shard], dealt: Mapping[str, int]) -> None:
    for name, run in parts:
        for record in run.records:
            if dealt.get(record.case) != shards[name].number:
                problem = f'the case "{record.case}" is none of shard {shards[name]}'
                raise InputError(problem, remedy="evaluate this shard again", file=name)


def _header(headers: Sequence[Header]) -> Header:
    """What all say; as old as the oldest."""

    def same(values: Sequence[str]) -> str:
        return values[0] if len(set(values)) == 1 else ""

    return headers[0].model_copy(
        update={
            "shard": None,
            "time": min(header.time for header in headers),
            "run_url": same([header.run_url for header in headers]),
            "deterministic": all(header.deterministic for header in headers),
        }
    )


def _in_order(
    records: Mapping[tuple[str, int], Record],
    repeats: int,
    parts: Sequence[Part],
    shards: Mapping[str, Shard],
    cases: Mapping[str, Case],
) -> Iterable[Record]:
    dealt = deal(cases.values(), len(parts))
    files = {shards[name].number: name for name, _ in parts}
    for case in cases:
        for repeat in range(repeats):
            if (case, repeat) not in records:
                file = files[dealt[case]]
                remedy = "finish it with the same command and --resume"
                raise Inconclusive(f'{file} is not whole: the case "{case}" was not asked; {remedy}')
            yield records[case, repeat]
