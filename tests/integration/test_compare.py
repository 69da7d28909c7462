"""`ci-eval compare` on run files that real runs and a real gate wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ran, ci_eval, ci_eval_process
from making import cell, header, record
from openai_server import Answer, Asked, OpenAIServer, says
from parcel_desk import KEY, KEY_ENV, Repository

from ci_eval.records import Run, to_bytes

CASES = 40
POLICY = """\
version: 1
providers:
  desk: {api: openai, base_url: "BASE_URL", key_env: DESK_KEY}
suites:
  echo:
    target: {prompt: prompt.md, model: model.yaml}
    golden: cases.jsonl
    scorers: [{type: exact, dimension: task_accuracy}]
budget: {seconds: 60}
"""


def case_line(number: int, expected: str = "") -> str:
    row = {"id": f"case-{number}", "input": f"word-{number}", "expected": expected or f"word-{number}"}
    return f"{json.dumps(row)}\n"


FILES = {
    "prompt.md": "Say what you were told.\n",
    "model.yaml": "provider: desk\nmodel: house-1\ntemperature: 0\n",
    "cases.jsonl": "".join(case_line(number) for number in range(CASES)),
}
WORSE = "Say what you were told, but nothing of case 1 and its like.\n"


def echoes(asked: Asked) -> Answer:
    """With the worse prompt it fails word-1 and word-10 to word-19: 11 of 40."""
    silent = "nothing of" in asked.system and asked.user.startswith("word-1")
    return says("" if silent else asked.user)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    with OpenAIServer(echoes) as server:
        policy = POLICY.replace("BASE_URL", server.base_url)
        yield Repository.create(tmp_path / "shop", {**FILES, "ci-eval.yaml": policy})


@pytest.fixture
def evaluated(shop: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """Main; main with two more cases and one less; and with those a worse prompt."""
    base, golden, worse = (tmp_path / f"{name}.jsonl" for name in ("base", "golden", "worse"))
    evaluate(shop, base, monkeypatch)
    more = "".join(case_line(number, "another word") for number in (100, 101))
    shop.write({"cases.jsonl": f"{''.join(case_line(number) for number in range(1, CASES))}{more}"})
    evaluate(shop, golden, monkeypatch)
    shop.write({"prompt.md": WORSE})
    evaluate(shop, worse, monkeypatch)
    return base, golden, worse


def evaluate(shop: Repository, file: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)
    ran = ci_eval("run", "-q", "--no-cache", "--repo", str(shop.folder), "-o", str(file), *options)
    assert ran.code == 0, ran.err


def compare(*arguments: object) -> Ran:
    return ci_eval("compare", *map(str, arguments))


def test_golden_sets_of_two_versions_are_compared_over_the_cases_they_share(
    evaluated: tuple[Path, Path, Path],
) -> None:
    base, golden, _ = evaluated
    ran = compare(base, golden)
    assert ran.code == 0
    assert ran.out.startswith("no dimension fell, over 39 cases that both runs have\n")
    assert "With them the candidate's task_accuracy is 95.1 instead of 100.0." in ran.out
    assert "case-100, case-101" in ran.out
    assert "Cases that only base has (1)\nWith it base's task_accuracy is 100.0, unchanged." in ran.out
    assert "Prompt, model config and data are the same" in ran.out


def test_a_worse_prompt_is_a_regression_only_if_asked(evaluated: tuple[Path, Path, Path]) -> None:
    base, golden, worse = evaluated
    assert compare(base, worse).code == 0
    judged = compare(base, golden, worse, "--fail-on-drop", "1", "--format", "md")
    assert judged.code == 1
    assert judged.out.startswith("### ❌ Regression: candidate 2: `task_accuracy` fell by 28.2 points (limit 1)\n")
    assert compare(base, worse, "--fail-on-drop", "28.3").code == 0
    assert compare(worse, base, "--fail-on-drop", "1").code == 0


@pytest.mark.parametrize(
    ("form", "end", "begin"),
    [("html", ".html", "<!doctype html>"), ("junit", ".xml", "<?xml"), ("sarif", ".sarif", "{"), ("md", ".md", "### ")],
)
def test_every_form_is_printed_or_written(
    form: str, end: str, begin: str, evaluated: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    base, golden, worse = evaluated
    file = tmp_path / f"report{end}"
    printed = compare(base, golden, worse, "--fail-on-drop", "1", "--format", form, "--report", file)
    assert printed.code == 1
    assert printed.out.startswith(begin)
    assert file.read_text(encoding="utf-8").rstrip() == printed.out.rstrip()


@pytest.mark.parametrize("form", ["html", "junit"])
def test_in_a_job_no_answer_is_printed_where_the_runner_looks_for_commands(
    form: str, evaluated: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, _, worse = evaluated
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ran = compare(base, worse, "--format", form)
    assert (ran.code, ran.out) == (2, "")
    assert "write it with --report FILE" in ran.err


def test_json_holds_both_answers_of_what_broke(evaluated: tuple[Path, Path, Path]) -> None:
    base, _, worse = evaluated
    (candidate,) = compare(base, worse, "--json").json["candidates"]
    assert len(candidate["worse"]) == 11
    assert candidate["worse"][0]["base_output"] == "word-1"
    assert candidate["worse"][0]["cells"][0]["candidate"] == {"passed": 0, "answers": 1}
    assert compare(base, worse, "--json").out == compare(base, worse, "--format", "json").out


def test_what_a_gate_left_behind_can_be_compared(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write({"prompt.md": WORSE})
    monkeypatch.setenv(KEY_ENV, KEY)
    assert ci_eval("gate", "-q", "--no-cache", "--repo", str(shop.folder)).code == 1
    folder = shop.folder / ".ci-eval" / "echo"
    ran = compare(folder / "base.jsonl", folder / "candidate.jsonl", "--fail-on-drop", "1")
    assert (ran.code, ran.out.partition(",")[0]) == (1, "Regression: task_accuracy fell by 27.5 points (limit 1)")


def test_in_a_process_of_its_own_it_needs_no_repository_and_no_key(
    evaluated: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    base, _, worse = evaluated
    ran = ci_eval_process("compare", str(base), str(worse), "--fail-on-drop", "1", cwd=tmp_path)
    assert (ran.code, ran.err) == (1, "")


# --- what is no run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    file = tmp_path / "whole.jsonl"
    file.write_bytes(to_bytes(Run(header(), tuple(record(f"c{number}") for number in range(20)))))
    return file


def test_a_drop_that_may_be_chance_exits_3(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    records = [record(f"c{number}", cell(number > 0)) for number in range(20)]
    other.write_bytes(to_bytes(Run(header(), tuple(records))))
    ran = compare(whole, other, "--fail-on-drop", "5")
    assert ran.code == 3
    assert ran.out.startswith("Inconclusive: task_accuracy fell by 5.0 points (limit 5), which may be chance")


def test_a_shard_exits_3_and_says_what_to_do(whole: Path, tmp_path: Path) -> None:
    shard = tmp_path / "shard.jsonl"
    shard.write_bytes(to_bytes(Run(header(shard="1/2"), (record("c0"),))))
    ran = compare(whole, shard)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"ci-eval: {shard} is shard 1/2 of a run; join the shards with ci-eval merge\n"


def test_another_suite_exits_2(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_bytes(to_bytes(Run(header(suite="other"), (record("c0"),))))
    ran = compare(whole, other)
    assert (ran.code, ran.out) == (2, "")
    assert "is a run of suite other, and" in ran.err


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (b"", "an empty run file"),
        (
            b'{"id": "a", "input": "a golden case"}\n',
            ":1: not a run file; name what ci-eval run, merge or a gate wrote",
        ),
        (b"not json\n", ":1: "),
        (b'{"format": "ci-eval run 2"}\n', ":1: "),
        (to_bytes(Run(header(), (record("c0"),)))[:-20], ":2: "),
        (to_bytes(Run(header(), (record("c0"), record("c0")))), ':3: case "c0" twice in one repeat'),
    ],
)
def test_a_file_that_is_no_run_exits_2_with_the_line(whole: Path, tmp_path: Path, damage: bytes, told: str) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(damage)
    for arguments in ((whole, bad), (bad, whole)):
        ran = compare(*arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert told in ran.err


@pytest.mark.parametrize("points", ["0", "-1", "101", "nan", "1e2", "1/2", "", "١"])
def test_points_that_are_none_exit_2(whole: Path, points: str) -> None:
    ran = compare(whole, whole, f"--fail-on-drop={points}")
    assert (ran.code, ran.out) == (2, "")
    assert "write points above 0 and up to 100, as in 1 or 0.5" in ran.err


def test_a_log_of_a_job_gets_no_commands_out_of_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    other = tmp_path / "::error::x.jsonl"
    other.write_bytes(whole.read_bytes())
    assert compare(whole, other, "--format", "md").out.startswith("::stop-commands::")
    assert "::error" not in compare(whole, other).out
