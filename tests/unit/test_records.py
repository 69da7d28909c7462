"""Run files: what is written can be read, and what is not whole is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import cell, fingerprint, header, record, run

from ci_eval import __version__
from ci_eval.errors import InputError
from ci_eval.records import (
    Record,
    Run,
    RunFile,
    kept_output,
    kept_reason,
    parse,
    safe_word,
    to_bytes,
    to_line,
)
from ci_eval.text import Untrusted

HOSTILE = (
    "\x00\x01\x1f\x7f",
    "a\nb\r\nc\r",
    "\u2028\u2029\x85\x0b\x0c",
    '"}\n{"case": "forged"}',
    "\\u0000 \\ud800 \\",
    "\ufeff",
    "\U0010ffff\U0001f600",
    "::add-mask::x",
    "",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_goes_out_and_comes_back(tmp_path: Path, text: str) -> None:
    one = record("a", cell(reason=Untrusted(text)), output=Untrusted(text), error=Untrusted(text), error_kind="request")
    file = RunFile(tmp_path / "run.jsonl")
    file.start(header())
    file.add(one)
    file.add(record("b"))
    assert file.path.read_bytes().count(b"\n") == 3
    assert parse(file.path.read_bytes(), "run.jsonl") == Run(header(), (one, record("b")))


numbers = st.none() | st.integers(0, 10**12)
records = st.builds(
    record,
    st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
    st.builds(cell, st.booleans(), reason=st.text().map(Untrusted), score=st.floats(0, 1)),
    repeat=st.integers(0, 20),
    output=st.none() | st.text().map(Untrusted),
    finish=st.sampled_from([None, "stop", "length", "refusal"]),
    latency_ms=st.none() | st.floats(0, 1e9),
    tokens_in=numbers,
    tokens_out=numbers,
    reused=st.booleans(),
)


@given(st.lists(records, unique_by=lambda one: (one.case, one.repeat)))
def test_round_trip(many: list[Record]) -> None:
    one = Run(header(repeats=21), tuple(many))
    assert parse(to_bytes(one), "run.jsonl") == one


def test_the_file_of_a_run_is_what_its_writer_wrote(tmp_path: Path) -> None:
    one = run(record("a"), record("b"))
    file = RunFile(tmp_path / "run.jsonl")
    file.start(one.header)
    for each in one.records:
        file.add(each)
    assert file.path.read_bytes() == to_bytes(one)


def test_starting_again_forgets_what_was_there(tmp_path: Path) -> None:
    file = RunFile(tmp_path / "run.jsonl")
    file.start(header())
    file.add(record("a"))
    file.start(header())
    assert parse(file.path.read_bytes(), "run.jsonl").records == ()


HEADER = json.loads(to_line(header()))
RECORD = json.loads(to_line(record("a")))


def lines(*values: Any) -> bytes:
    return "".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values).encode()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"\n \n", 1),
        (b"<!DOCTYPE html><html>404</html>", 1),
        (b"version https://git-lfs.github.com/spec/v1\n", 1),
        (b"\x1f\x8b\x08\x00", 1),
        (lines(RECORD), 1),
        (lines([]), 1),
        (lines(HEADER | {"format": "ci-eval run 2"}), 1),
        (lines(HEADER | {"score": 100}), 1),
        (lines(HEADER | {"time": "2026-99-99T08:30:00Z"}), 1),
        (lines(HEADER | {"time": "2026-02-30T08:30:00Z"}), 1),
        (lines(HEADER | {"time": "٢٠٢٦-05-04T08:30:00Z"}), 1),
        (lines(HEADER | {"time": "2026-05-04T08:30:00Z\n"}), 1),
        (lines(HEADER | {"time": "2026-05-04 08:30:00"}), 1),
        (lines(HEADER | {"commit": "main"}), 1),
        (lines(HEADER | {"commit": "--output=x"}), 1),
        (lines(HEADER | {"repeats": 0}), 1),
        (lines(HEADER | {"repeats": True}), 1),
        (lines(HEADER | {"event": "push\n"}), 1),
        (lines(HEADER | {"fingerprint": {}}), 1),
        (lines(HEADER, RECORD, RECORD), 3),
        (lines(HEADER, json.dumps(RECORD)[:-5]), 2),
        (lines(HEADER, RECORD, '{"case": "a", "case": "b"}'), 3),
        (lines(HEADER, RECORD | {"case": "a b"}), 2),
        (lines(HEADER, RECORD | {"request": "x"}), 2),
        (lines(HEADER, RECORD | {"repeat": -1}), 2),
        (lines(HEADER, RECORD | {"tokens_in": 1.5}), 2),
        (lines(HEADER, RECORD | {"error_kind": "network"}), 2),
        (lines(HEADER, RECORD | {"passed": True}), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"score": 1', '"score": NaN')), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"score": 1', '"score": 1e999')), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"score": 1', '"score": 1.5')), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"score": 1', '"score": "1"')), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"score": 1', '"score": true')), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"passed": true', '"passed": 1')), 2),
        (lines(HEADER, json.dumps(RECORD).replace('"passed": true', '"passed": "true"')), 2),
    ],
)
def test_a_file_that_is_not_whole_is_refused_at_its_line(data: bytes, line: int) -> None:
    with pytest.raises(InputError) as caught:
        parse(data, "run.jsonl")
    assert (caught.value.file, caught.value.line) == ("run.jsonl", line)


def test_what_a_newer_version_wrote_is_not_for_its_reader_to_correct() -> None:
    told = f"; ci-eval 7.0.0 wrote it, and this is {__version__}: evaluate again, or use that one"
    newer = {**header().model_dump(mode="json"), "version": "7.0.0"}
    future = ([{**newer, "future": 1}], [{**newer, "format": "ci-eval run 9"}], [newer, {"case": "a", "mood": "good"}])
    for lines in future:
        with pytest.raises(InputError) as refused:
            parse("".join(f"{json.dumps(line)}\n" for line in lines).encode(), "run.jsonl")
        assert str(refused.value).startswith(f"run.jsonl:{len(lines)}: ")
        assert str(refused.value).endswith(told)
    for version in ("7\n::error::x", "", __version__):
        with pytest.raises(InputError, match=r'^run\.jsonl:1: unknown key "future"; write'):
            parse(json.dumps({**newer, "version": version, "future": 1}).encode(), "run.jsonl")


@given(st.integers(0, len(to_bytes(run(record("a"), record("b"))))))
def test_a_file_that_was_cut_never_reads_as_more_than_it_holds(length: int) -> None:
    whole = to_bytes(run(record("a"), record("b")))
    try:
        found = parse(whole[:length], "run.jsonl")
    except InputError:
        return
    assert found.records == run(record("a"), record("b")).records[: len(found.records)]
    assert whole[:length].count(b"\n") + 1 >= len(found.records) + 1


# --- runs -------------------------------------------------------------------------------------------------------------

GONE = Record(case="b", request="9" * 64, error=Untrusted("HTTP 503"), error_kind="infrastructure")


def test_a_repeat_is_its_records_by_case() -> None:
    one = run(record("a"), record("a", repeat=1), record("b"), repeats=2)
    assert one.repeat(0) == {"a": record("a"), "b": record("b")}
    assert one.repeat(1) == {"a": record("a", repeat=1)}
    assert one.repeat(2) == {}


@pytest.mark.parametrize(
    ("one", "whole"),
    [
        (run(record("a"), record("b")), True),
        (run(record("a"), record("b"), record("c")), True),
        (run(record("a")), False),
        (run(record("a"), GONE), False),
        (run(record("a"), record("b"), repeats=2), False),
        (run(record("a"), record("b"), record("a", repeat=1), repeats=2), False),
        (run(record("a"), record("b"), record("a", repeat=1), record("b", repeat=1), repeats=2), True),
        (run(record("a"), record("b"), repeats=10**9), False),
    ],
)
def test_a_run_is_whole_when_every_repeat_has_every_case(one: Run, whole: bool) -> None:
    assert one.holds(["a", "b"]) is whole


def test_a_folder_is_named_by_all_three_digests() -> None:
    folders = {
        fingerprint().folder,
        fingerprint("d").folder,
        fingerprint(golden="d").folder,
        fingerprint(scorers="d").folder,
    }
    assert len(folders) == 4
    assert all(set(folder) <= set("0123456789abcdef-") for folder in folders)


def test_long_texts_are_kept_as_far_as_a_row_can_hold_them() -> None:
    assert kept_output("x" * 100_000) == Untrusted("x" * 100_000)
    assert kept_output("x" * 100_001).text().endswith("x… (1 more characters)")
    assert kept_reason(Untrusted("y" * 501)).text().endswith("y… (1 more characters)")


@pytest.mark.parametrize("word", ["a b", "a\n", "$(id)", "a" * 201, "ä", "a;b", "`a`"])
def test_an_odd_word_of_the_environment_is_left_out(word: str) -> None:
    assert safe_word(word) == ""
    assert safe_word("https://github.com/octo/shop/actions/runs/1") != ""
