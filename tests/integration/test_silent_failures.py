"""The gate where wrong answers stop showing it, and what it tells of how sure they say they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from parcel_desk import Repository

POLICY = """\
version: 1
suites:
  desk:
    target: {python: "bot:answer", files: [bot.py], prompt: p.md}
    golden: golden.jsonl
    scorers: [{type: exact, field: city}, {type: not_silent}]
    confidence: {field: sure, wanted_precision: 0.5}
budget: {seconds: 60}
baseline: {repeats: 1}
"""
BOT = """\
def answer(asked):
    city = asked["prompt"].strip()
    return {"output": {"city": city, "sure": 0.9}}
"""
ROWS = [{"id": f"case-{number}", "input": "Where?", "expected": {"city": "Bonn"}} for number in range(6)]
FILES = {
    "ci-eval.yaml": POLICY,
    "golden.jsonl": "".join(f"{json.dumps(row)}\n" for row in ROWS),
    "bot.py": BOT,
    "p.md": "I don't know.\n",
}


def test_a_change_after_which_nobody_notices_what_is_wrong_fails(tmp_path: Path) -> None:
    """Its answers are as wrong as they were: no other score falls."""
    repo = Repository.create(tmp_path / "desk", FILES)
    repo.write({"p.md": "Leipzig\n"})

    ran = repo.gate("--config", "ci-eval.yaml", "--json")

    (suite,) = ran.json["suites"]
    dimensions = {one["name"]: (one["base"], one["candidate"], one["verdict"]) for one in suite["dimensions"]}
    assert ran.code == 1
    assert dimensions == {
        "task_accuracy": ("0.0000", "0.0000", "pass"),
        "not_silent": ("100.0000", "0.0000", "regression"),
    }
    assert (suite["failures"]["base"], suite["failures"]["candidate"]) == ({"doubt": 6}, {"silent": 6})
    assert suite["failures"]["more_silent"]
    base, candidate = suite["confidence"]
    assert (base["calibration_error"], candidate["right"], candidate["threshold"]) == (0.9, 0, None)


@pytest.mark.parametrize(("finish", "code"), [("refusal", 0), ("stop", 1)])
def test_what_the_provider_filtered_is_loud_whatever_of_it_came(tmp_path: Path, finish: str, code: int) -> None:
    bot = f"""\
def answer(asked):
    city = asked["prompt"].strip()
    return {{"output": {{"city": city}}, "finish": {finish!r} if city == "Leipzig" else "stop"}}
"""
    repo = Repository.create(tmp_path / "desk", {**FILES, "bot.py": bot})
    repo.write({"p.md": "Leipzig\n"})
    ran = repo.gate("--config", "ci-eval.yaml", "--json")
    assert ran.code == code
    found = {"refusal": {"refusal": 6}, "stop": {"silent": 6}}
    assert ran.json["suites"][0]["failures"]["candidate"] == found[finish]


def test_the_other_way_round_is_fine(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "desk", {**FILES, "p.md": "Leipzig\n"})
    repo.write({"p.md": "I don't know.\n"})
    assert repo.gate("--config", "ci-eval.yaml", "--json").code == 0
