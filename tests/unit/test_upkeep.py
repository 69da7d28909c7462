"""What is wrong with stored files, and which of them may go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import cell, fingerprint, header, record, run

from ci_eval.baseline.store import Damaged, StoredRun
from ci_eval.baseline.upkeep import Checked, check, surplus
from ci_eval.errors import InputError
from ci_eval.records import Run

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COMMIT = "1" * 40
HOME = f"runs/s/{fingerprint().folder}/{COMMIT}-7.1.jsonl"


def stored(one: Run, path: str = HOME, oid: str = "a" * 40) -> StoredRun:
    return StoredRun(path, oid, one)


def problems(*files: StoredRun | Damaged, cases: Iterable[str] | None = ("a",)) -> list[str]:
    known = None if cases is None else frozenset(cases)
    return [problem.what for file in check(files, lambda _: known, NOW) for problem in file.problems]


WHOLE = run(record("a"), record("a", repeat=1), repeats=2)


def test_a_whole_run_in_its_place_has_no_problem() -> None:
    assert problems(stored(WHOLE)) == []


def test_a_run_whose_golden_set_cannot_be_seen_is_held_to_its_own_cases() -> None:
    assert problems(stored(WHOLE), cases=None) == []
    assert problems(stored(run(record("a"), record("b"), record("a", repeat=1), repeats=2)), cases=None) == [
        "lacks answers to some cases"
    ]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("README.md", "is not named as a stored run is (runs/suite/fingerprint/commit-run.jsonl)"),
        (f"runs/s/{fingerprint().folder}/{COMMIT}.jsonl", "is not named as a stored run is"),
        (f"runs/s/{fingerprint().folder}/x/{COMMIT}-7.1.jsonl", "is not named as a stored run is"),
        (HOME.replace("/s/", "/other/"), "lies in the folder of another suite"),
        (HOME.replace(fingerprint().folder, fingerprint("d").folder), "lies in the folder of another fingerprint"),
        (HOME.replace(COMMIT, "2" * 40), "is named by another commit than it holds"),
    ],
)
def test_a_run_in_another_place_is_told(path: str, what: str) -> None:
    (found,) = problems(stored(WHOLE, path))
    assert found.startswith(what)


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "merge_group", ""])
def test_a_run_of_an_event_that_may_not_write_is_told(event: str) -> None:
    assert problems(stored(run(record("a"), event=event))) == ["was written by an event that may not write baselines"]


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch", "local"])
def test_runs_of_main_and_of_a_laptop_may_be_there(event: str) -> None:
    assert problems(stored(run(record("a"), event=event))) == []


def test_a_run_of_the_future_is_told() -> None:
    assert problems(stored(run(record("a"), time="2026-06-01T00:11:00Z"))) == ["was written in the future"]


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (run(record("b")), "lacks answers to some cases"),
        (run(record("a"), record("b")), "has answers to cases that its golden set does not hold"),
        (run(record("a"), repeats=2), "lacks answers to some cases"),
        (run(record("a"), record("a", repeat=1)), "has more repeats than its header says"),
        (Run(header(), ()), "lacks answers to some cases"),
        (
            run(record("a"), record("a", cell(scorer="judge"), repeat=1), repeats=2),
            "has a case that was not scored alike in every repeat",
        ),
        (
            run(record("a"), record("a", cell(), cell(scorer="judge"), repeat=1), repeats=2),
            "has a case that was not scored alike in every repeat",
        ),
    ],
)
def test_a_run_that_is_not_whole_is_told(one: Run, what: str) -> None:
    assert what in problems(stored(one))


def test_a_run_without_answers_is_not_whole_even_where_its_golden_set_cannot_be_seen() -> None:
    assert problems(stored(Run(header(), ())), cases=None) == ["lacks answers to some cases"]


def test_a_copy_is_told_and_its_first_is_not() -> None:
    copy = HOME.replace("7.1", "8.1")
    assert problems(stored(WHOLE), stored(WHOLE, copy)) == [f"is a copy of {HOME}"]


def test_a_file_that_cannot_be_read_is_told_with_its_line() -> None:
    error = InputError("not JSON", remedy="correct it", file="x", line=3)
    (found,) = check([Damaged("x", error)], lambda _: None, NOW)
    assert (found.header, found.problems[0].path) == (None, "x")
    assert found.problems[0].what == "cannot be read (line 3: not JSON)"
    assert "ci-eval baseline prune --damaged" in found.problems[0].remedy


# --- what may go ------------------------------------------------------------------------------------------------------


def aged(path: str, days: int, **different: Any) -> Checked:
    time = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Checked(path, header(time=time, **different), ())


AGED = [aged(str(days), days) for days in (3, 0, 2, 1)]


def going(files: Iterable[Checked], keep: int | None = None, days: int | None = None) -> tuple[str, ...]:
    return surplus(files, keep=keep, older_than=None if days is None else timedelta(days=days), now=NOW)


@pytest.mark.parametrize(
    ("keep", "days", "gone"),
    [
        (1, None, ("1", "2", "3")),
        (3, None, ("3",)),
        (9, None, ()),
        (None, 1, ("2", "3")),
        (None, 9, ()),
        (2, 2, ("3",)),
        (3, 1, ("3",)),
    ],
)
def test_what_is_neither_among_the_newest_nor_young_goes(
    keep: int | None, days: int | None, gone: tuple[str, ...]
) -> None:
    assert going(AGED, keep, days) == gone


def test_each_fingerprint_and_each_suite_keeps_its_newest() -> None:
    others = [aged("suite", 9, suite="other"), aged("golden", 9, fingerprint=fingerprint(golden="d"))]
    assert going([*AGED, *others], 1, 1) == ("2", "3")


def test_a_file_with_a_problem_neither_goes_nor_counts_as_the_newest() -> None:
    """A forged run of the year 9999 must not make the true ones go."""
    ((forged,), (unreadable,)) = (
        list(check([stored(run(record("a"), time="9999-01-01T00:00:00Z"))], lambda _: None, NOW)),
        list(check([Damaged("x", InputError("gone", remedy="look", file="x"))], lambda _: None, NOW)),
    )
    assert going([forged, aged("true", 5), unreadable], 1) == ()


kinds = st.sampled_from("abc")
files = st.lists(st.tuples(kinds, st.integers(0, 400)), max_size=20)


@given(files, st.none() | st.integers(1, 5), st.none() | st.integers(1, 100))
def test_the_newest_of_a_fingerprint_never_goes(
    found: list[tuple[str, int]], keep: int | None, days: int | None
) -> None:
    store = [aged(f"{kind}{number}", age, suite=kind) for number, (kind, age) in enumerate(found)]
    gone = set(going(store, keep, days))
    for kind in {kind for kind, _ in found}:
        ages = {f"{kind}{number}": age for number, (of, age) in enumerate(found) if of == kind}
        stay = ages.keys() - gone
        assert min(ages.values()) == min(ages[path] for path in stay)
        assert len(stay) >= min(keep or 1, len(ages))
        assert all(days is None or ages[path] > days for path in ages.keys() & gone)
