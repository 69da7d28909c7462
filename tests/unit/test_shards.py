"""Shards: every case in exactly one, as even as cards can be dealt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import case, cell, header, record

from ci_eval.errors import Inconclusive, InputError
from ci_eval.golden.cases import STRATA, Case
from ci_eval.records import Header, Run
from ci_eval.runner.shards import Shard, deal, join

names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
golden_sets = st.dictionaries(names, st.sampled_from(STRATA), max_size=60).map(
    lambda rows: {name: case(name, stratum=stratum) for name, stratum in rows.items()}
)


@given(golden_sets, st.integers(1, 70))
def test_every_case_is_in_one_shard_and_shards_are_even(cases: Mapping[str, Case], of: int) -> None:
    parts = [Shard(number, of).of_cases(cases) for number in range(1, of + 1)]
    assert Counter(one.id for part in parts for one in part) == Counter(list(cases))
    for stratum in (*STRATA, None):
        sizes = [sum(stratum in {one.stratum, None} for one in part) for part in parts]
        assert max(sizes) - min(sizes) <= 1
    for part in parts:
        mine = [one.id for one in part]
        assert mine == [name for name in cases if name in mine], "the order of the golden set"


def test_the_order_of_the_file_does_not_move_a_case() -> None:
    cases = [case(f"case-{number}") for number in range(50)]
    assert deal(cases, 7) == deal(reversed(cases), 7)


def test_neighbours_part() -> None:
    """The ten cases of one topic, which stand together, are not all one machine's."""
    cases = {f"case-{number:03}": case(f"case-{number:03}") for number in range(100)}
    dealt = deal(cases.values(), 4)
    assert len({dealt[f"case-{number:03}"] for number in range(10)}) > 1
    assert [dealt[f"case-{number:03}"] for number in range(12)] != [number % 4 + 1 for number in range(12)]


@given(golden_sets, st.integers(1, 12), st.integers(1, 3))
def test_joining_gives_the_whole_run_back(cases: Mapping[str, Case], of: int, repeats: int) -> None:
    records = [record(name, cell(), repeat=repeat) for name in cases for repeat in range(repeats)]
    whole = Run(header(repeats=repeats if records else 1), tuple(records))
    parts = []
    for number in range(1, of + 1):
        mine = {one.id for one in Shard(number, of).of_cases(cases)}
        of_mine = tuple(one for one in records if one.case in mine)
        part = header(repeats=repeats if mine else 1, shard=f"{number}/{of}")
        parts.append((f"{number}.jsonl", Run(part, of_mine)))
    assert join(parts[::-1], cases) == whole


def parts_of(*headers: Header) -> list[tuple[str, Run]]:
    cases = {name: case(name) for name in "abcd"}
    dealt = deal(cases.values(), 2)
    runs = []
    for number, one in enumerate(headers, start=1):
        mine = tuple(record(name) for name in cases if dealt[name] == number)
        runs.append((f"{number}.jsonl", Run(one.model_copy(update={"shard": f"{number}/2"}), mine)))
    return runs


FOUR = {name: case(name) for name in "abcd"}


def test_a_joined_run_is_as_old_as_its_oldest_shard_and_names_no_run_that_made_half_of_it() -> None:
    one = header(time="2026-05-04T08:30:00Z", run_url="https://github.com/o/r/actions/runs/1", deterministic=True)
    two = header(time="2026-05-03T08:30:00Z", run_url="https://github.com/o/r/actions/runs/2", deterministic=False)
    joined = join(parts_of(one, two), FOUR).header
    assert (joined.time, joined.run_url, joined.deterministic) == ("2026-05-03T08:30:00Z", "", False)
    assert join(parts_of(one, one), FOUR).header.run_url == one.run_url


def test_a_repeat_that_one_shard_lacks_is_found() -> None:
    parts = parts_of(header(repeats=2), header(repeats=2))
    with pytest.raises(Inconclusive, match="is not whole: the case"):
        join(parts, FOUR)


def test_a_case_that_the_golden_set_lacks_is_refused() -> None:
    parts = parts_of(header(), header())
    stranger = (parts[0][0], Run(parts[0][1].header, (*parts[0][1].records, record("stranger"))))
    with pytest.raises(InputError, match='the case "stranger" is none of shard 1/2'):
        join([stranger, parts[1]], FOUR)
