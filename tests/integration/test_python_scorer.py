"""A scorer of the user's own: main's code, in a process that has no keys, and nothing but a score is a score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command import Ran, ci_eval
from making import case, golden, held, scorer_set
from parcel_desk import Repository

from ci_eval.errors import InputError
from ci_eval.scorers.registry import ScorerSet
from ci_eval.targets import trust

ROWS = [{"id": name, "input": name, "expected": name.upper(), "context": ["c"]} for name in ("ada", "bob", "cyd")]
SAYS = "def answer(asked):\n    return {'output': {'reply': asked['prompt'][:-1] + asked['input']}}\n"
SCORER = """
import math, os, time
seen = []

def score(asked):
    seen.append(asked["case"])
    right = asked["output"].startswith("Dear ")
    parts = {"polite": 0.5, "exact": int(right)}
    return {"score": right, "reason": f"call {len(seen)} of {os.getpid()}", "parts": parts}
"""
POLICY = """\
version: 1
suites:
  desk:
    target: {python: "bot:answer", files: [bot.py], prompt: p.md}
    golden: golden.jsonl
    scorers: [{type: python, function: "scoring.tone:score", files: [scoring/**], field: reply, timeout_seconds: 20}]
budget: {seconds: 60}
baseline: {repeats: 1}
"""
FILES = {
    "ci-eval.yaml": POLICY,
    "golden.jsonl": "".join(f"{json.dumps(row)}\n" for row in ROWS),
    "bot.py": SAYS,
    "p.md": "Dear \n",
    "scoring/tone.py": SCORER,
}


def repository(folder: Path, **files: str) -> Repository:
    return Repository.create(
        folder / "desk", {**FILES, **{name.replace("__", "/"): text for name, text in files.items()}}
    )


def returning(body: str) -> dict[str, str]:
    return {"scoring/tone.py": f"import os, sys, time, json\n\ndef score(asked):\n    {body}\n"}


def gate(repo: Repository) -> Ran:
    return repo.gate("--config", "ci-eval.yaml", "--json")


def records(repo: Repository, side: str = "candidate") -> list[dict[str, Any]]:
    (file,) = repo.folder.rglob(f"desk/{side}.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    return [row for row in rows if "repeat" not in row]


def judged(folder: Path, files: Mapping[str, str]) -> tuple[Ran, list[dict[str, Any]]]:
    """A change of the prompt under such a scorer."""
    repo = Repository.create(folder / "desk", {**FILES, **files})
    repo.write({"p.md": "Dear, dear \n"})
    return gate(repo), records(repo)


def test_it_judges_both_sides_in_one_process(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    repo.write({"p.md": "Hey \n"})

    ran = gate(repo)

    assert (ran.code, ran.json["verdict"]) == (1, "regression")
    cells = [row["cells"][0] for side in ("base", "candidate") for row in records(repo, side)]
    assert [cell["passed"] for cell in cells] == [True] * 3 + [False] * 3
    assert cells[0]["parts"] == {"polite": 0.5, "exact": 1}
    assert len({cell["reason"].rpartition(" ")[2] for cell in cells}) == 1, "one process for all"
    assert len({cell["reason"] for cell in cells}) == 6


def test_it_sees_the_case_and_the_answer(tmp_path: Path) -> None:
    told = "return {'score': 1, 'reason': json.dumps(asked, sort_keys=True)}"
    _, found = judged(tmp_path, returning(told))
    seen = json.loads(next(row for row in found if row["case"] == "ada")["cells"][0]["reason"])
    assert seen == {
        "case": "ada", "input": "ada", "expected": "ADA", "context": ["c"], "output": "Dear, dear ada",
        "tool_calls": [], "steps": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "returns", ["1", "0.75", "True", "{'score': 0.5}", "{'score': True, 'reason': 'x', 'parts': {}}"]
)
def test_what_it_may_return(tmp_path: Path, returns: str) -> None:
    ran, found = judged(tmp_path, returning(f"return {returns}"))
    assert ran.code == 0
    assert all(row["cells"][0]["passed"] for row in found)


@pytest.mark.parametrize(
    "does",
    [
        "return None",
        "return '1'",
        "return 1.01",
        "return -0.01",
        "return float('nan')",
        "return float('inf')",
        "return 10**400",
        "return [1]",
        "return {'score': '1'}",
        "return {'score': 1, 'passed': True}",
        "return {'score': 1, 'parts': {'x': 2}}",
        "return {'score': 1, 'parts': {'x y': 1}}",
        "return {'reason': 'fine'}",
        "return {'score': 1, 'nonce': 'x', 'id': 7, 'unavailable': True}",
        "raise ValueError('no')",
        "raise SystemExit(0)",
        "os._exit(0)",
        'os.write(int(os.environ[\'CI_EVAL_REPLY_FD\']), b\'{"id": 1, "nonce": "", "score": 1}\\n\')',
    ],
)
def test_anything_else_is_no_score_and_no_pass(tmp_path: Path, does: str) -> None:
    """A scorer that fails says nothing of the answer: the case is lost to infrastructure."""
    ran, found = judged(tmp_path, returning(does))
    assert ran.code == 3
    assert all("cells" not in row and row["error_kind"] == "infrastructure" for row in found)
    assert all("scorer" in row["error"] for row in found)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (returning("return asked.output"), "function raised an exception, AttributeError; call it by hand"),
        (returning("raise KeyError('a')"), "function raised an exception, KeyError; call it by hand"),
        (returning("return None"), "returned something that is no score: see docs/scorers.md"),
    ],
)
def test_what_is_wrong_with_it_is_told(tmp_path: Path, files: Mapping[str, str], told: str) -> None:
    _, found = judged(tmp_path, files)
    assert all(told in row["error"] for row in found)


def test_what_an_exception_is_called_is_a_name_and_nothing_else(tmp_path: Path) -> None:
    odd = "raise type('no name, but ' + asked['input'], (Exception,), {})()"
    _, found = judged(tmp_path, returning(odd))
    assert all("ada" not in row["error"] for row in found)


def test_a_scorer_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Really: the process is gone, and it is started again for a few cases only."""
    hangs = returning("open(os.path.join(os.path.dirname(__file__), 'x'), 'a'); time.sleep(1000)")
    quick = {"ci-eval.yaml": POLICY.replace("timeout_seconds: 20", "timeout_seconds: 0.5")}
    ran, found = judged(tmp_path, {**hangs, **quick})
    assert ran.code == 3
    assert {row["error"] for row in found} <= {"timeout", "the scorer's program ended too often"}


def test_a_pull_request_is_judged_by_mains_scorer(tmp_path: Path) -> None:
    """One that it brings does not run."""
    repo = repository(tmp_path)
    repo.write({"p.md": "Hey \n", **returning("return 1")})
    assert gate(repo).json["verdict"] == "regression"


def test_it_has_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-of-a-key")
    _, found = judged(tmp_path, returning("return {'score': 1, 'reason': ' '.join(sorted(os.environ))}"))
    assert found[0]["cells"][0]["reason"].split() == ["CI_EVAL_REPLY_FD", "HOME", "LANG", "PATH", "PYTHONUTF8"]


# --- what is known before it runs -------------------------------------------------------------------------------------

PYTHON = {"type": "python", "function": "scoring.tone:score", "files": ["scoring/**"]}


def scorers(**different: object) -> ScorerSet:
    return scorer_set(golden(case()), {**PYTHON, **different})


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment"])
def test_it_never_runs_where_a_stranger_has_keys_beside_him(event: str) -> None:
    assert f"on {event} no code of the repository is run" in str(trust.scorers_objection(scorers(), event))
    own = scorer_set(golden(case("one", scorers=[PYTHON])), {"type": "exact"})
    assert trust.scorers_objection(own, event), "also where one case alone brings it"
    assert trust.scorers_objection(scorers(), "pull_request") is None
    assert trust.scorers_objection(scorer_set(golden(case())), event) is None


def test_another_version_of_its_code_is_another_scorer() -> None:
    """A stored run of main that was scored by other code does not serve."""
    one, same, other, more = (
        scorers().digest(held(files))
        for files in (
            {"scoring/tone.py": "1"},
            {"scoring/tone.py": "1", "else.py": "2"},
            {"scoring/tone2.py": "1"},
            {"scoring/tone.py": "1", "scoring/words.txt": "2"},
        )
    )
    assert one == same
    assert len({one, other, more}) == 3


def test_patterns_that_name_no_file_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    repo = repository(tmp_path, **{"ci-eval.yaml": POLICY.replace("scoring/**", "nowhere/**")})
    repo.write({"p.md": "Hey \n"})
    ran = gate(repo)
    assert ran.code == 2
    assert "no file of the scorer scoring.tone:score is there: nowhere/**; correct its files" in ran.out + ran.err


UNUSABLE = [
    (
        "import nobody_has_this\nscore = 1\n",
        "scoring/tone.py:1: scoring.tone:score cannot be imported: there is no module nobody_ha",
    ),
    ("score = 1\nx = 1 / 0\n", "scoring/tone.py:2: scoring.tone:score cannot be imported: it raises ZeroDivisionError"),
    ("def score(asked)\n    return 1\n", "scoring/tone.py:1: scoring.tone:score cannot be imported: it raises SyntaxE"),
    (
        "import sys\nsys.exit('score')\n",
        "scoring/tone.py:2: scoring.tone:score cannot be imported: it raises SystemExit",
    ),
    ("score = 7\n", "ci-eval.yaml: scoring.tone:score cannot be called: the module scoring.tone has no function score"),
    ("# score\n", "ci-eval.yaml: scoring.tone:score cannot be called: the module scoring.tone has no function score"),
    ("from scoring.other import score\n", "no module scoring.other; add it to `files`, or install it beside ci-eval"),
]
"""Modules that cannot be used, each with what is told once it was imported."""
MISSPELT = [
    ({"ci-eval.yaml": POLICY.replace("tone:score", "tune:score")}, "scoring.tune:score is in none of its files; write"),
    ({"ci-eval.yaml": POLICY.replace("scoring.tone:", "scorings:")}, "files, and no such module is installed; write"),
    (
        {"scoring/tone.py": "def scores(asked): ...\n"},
        "scoring/tone.py: has no function score; correct the name in scor",
    ),
]
"""What is seen without running anything."""


@pytest.mark.parametrize(("module", "told"), UNUSABLE)
@pytest.mark.parametrize("command", ["gate", "run"])
def test_a_scorer_that_cannot_be_imported_is_told_before_anything_is_asked(
    tmp_path: Path, command: str, module: str, told: str
) -> None:
    repo = Repository.create(tmp_path / "desk", {**FILES, "scoring/tone.py": module})
    repo.write({"p.md": "Hey \n"})
    ran = gate(repo) if command == "gate" else ci_eval("run", "-q", "--no-cache", "--repo", str(repo.folder))
    assert ran.code == 2
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not list(repo.folder.rglob("*/desk/*.jsonl"))


@pytest.mark.parametrize(("files", "told"), MISSPELT)
@pytest.mark.parametrize("command", ["gate", "run", "plan"])
def test_a_scorer_that_is_not_there_is_told_also_by_who_runs_no_code(
    tmp_path: Path, command: str, files: dict[str, str], told: str
) -> None:
    repo = Repository.create(tmp_path / "desk", {**FILES, **files})
    repo.write({"p.md": "Hey \n"})
    ran = plan(repo) if command == "plan" else ci_eval(command, "--repo", str(repo.folder), "-q", "--no-cache")
    assert (ran.code, told in ran.err) == (2, True), ran.err
    assert not list(repo.folder.rglob("*/desk/*.jsonl"))


def plan(repo: Repository) -> Ran:
    return ci_eval("plan", "--repo", str(repo.folder))


@pytest.mark.parametrize(
    "module",
    [
        "globals()['sc' + 'ore'] = lambda asked: 1\n",
        "from .words import *\n",
        "def __getattr__(_): return lambda asked: 1\n",
    ],
)
def test_a_function_that_a_module_makes_in_some_other_way_is_found(tmp_path: Path, module: str) -> None:
    words = {"scoring/words.py": "exec('def score(asked): return 1')\n", "scoring/tone.py": module}
    ran, found = judged(tmp_path, words)
    assert ran.code == 0, ran.err
    assert all(row["cells"][0]["passed"] for row in found)


def test_a_plan_runs_no_code(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    repo = Repository.create(tmp_path / "desk", {**FILES, "scoring/tone.py": f"open({str(mark)!r}, 'w')\n{SCORER}"})
    repo.write({"p.md": "Hey \n"})
    assert plan(repo).code == 0
    assert not mark.exists()
    gate(repo)
    assert mark.exists()


def test_an_import_may_take_longer_than_a_case(tmp_path: Path) -> None:
    slow = {"scoring/tone.py": "import time\ntime.sleep(2.5)\ndef score(asked): return 1\n"}
    ran, _ = judged(tmp_path, {**slow, "ci-eval.yaml": POLICY.replace("timeout_seconds: 20", "timeout_seconds: 2")})
    assert ran.code == 0, ran.err


def test_a_scorer_that_ends_its_process_while_it_is_imported_is_no_verdict(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "desk", {**FILES, "scoring/tone.py": "import os\nos._exit(0)\nscore = 1\n"})
    repo.write({"p.md": "Hey \n"})
    ran = gate(repo)
    assert (ran.code, "the scorer's program ended while it was imported; nothing was asked yet" in ran.err) == (3, True)


@pytest.mark.parametrize(
    "wrong",
    [{"function": "tone.py"}, {"function": "a:b:c"}, {"files": []}, {"files": ["../x"]}, {"timeout_seconds": 0}],
)
def test_keys_that_are_wrong(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        scorers(**wrong)
