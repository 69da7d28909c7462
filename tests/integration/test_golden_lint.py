"""`ci-eval golden lint` as a user runs it, on the parcel desk's YAML and CSV."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Ran, ci_eval, ci_eval_process
from parcel_desk import CONFIG, FAQ_GOLDEN, FILES, KEY_ENV, TRIAGE_GOLDEN, Repository, edited

WHO = "ida.lund@posteo.net"
PERSONAL = {FAQ_GOLDEN: FILES[FAQ_GOLDEN] + f"sender,I am {WHO},nine to six,edge\n"}
AGAIN = {TRIAGE_GOLDEN: FILES[TRIAGE_GOLDEN] + "- id: again\n  input: {shop: a}\n- id: Again\n  input: {shop: b}\n"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv(KEY_ENV, raising=False)  # nobody is asked
    return Repository.create(tmp_path / "desk", {**FILES, **edited(CONFIG, "BASE_URL", "http://localhost:1/v1")})


def lint(repository: Repository, *options: str) -> Ran:
    return ci_eval("golden", "lint", "--repo", str(repository.folder), "--config", CONFIG, *options)


def test_golden_sets_in_order_exit_0(repository: Repository) -> None:
    assert lint(repository) == Ran(0, "7 cases: nothing is wrong.\n", "")


def test_what_is_wrong_is_told_with_its_line_and_exits_3(repository: Repository) -> None:
    repository.write(PERSONAL)
    ran = lint(repository)
    assert (ran.code, ran.err) == (3, "")
    assert ran.out == (
        f"{FAQ_GOLDEN}:5: problem [personal-data] an e-mail address (id…et); write an address at example.com\n"
        "8 cases: 1 problem.\n"
    )


def test_what_ci_eval_refuses_exits_2(repository: Repository) -> None:
    repository.write(AGAIN)
    ran = lint(repository)
    assert ran.code == 2
    assert f"{TRIAGE_GOLDEN}:17: refused [id] Again: the id stands at {TRIAGE_GOLDEN}:15 already" in ran.out


def test_personal_data_is_refused_where_the_policy_says_so(repository: Repository) -> None:
    repository.write({**PERSONAL, CONFIG: repository.read(CONFIG) + "pii: refuse\n"})
    assert (lint(repository).code, lint(repository, "--suite", "triage").code) == (2, 0)


def test_warnings_fail_where_that_is_wanted(repository: Repository) -> None:
    repository.write({FAQ_GOLDEN: FILES[FAQ_GOLDEN] + 'again,"What is the  postage, please?",four euros,common\n'})
    assert (lint(repository).code, lint(repository, "--strict").code) == (0, 3)


def test_another_commit_and_another_suite(repository: Repository) -> None:
    repository.write(PERSONAL)
    assert lint(repository, "--ref", "HEAD").out == "7 cases: nothing is wrong.\n"
    assert lint(repository, "--suite", "triage").out == "4 cases: nothing is wrong.\n"
    assert lint(repository, "--suite", "nope").code == 2


def test_json_has_every_finding_for_a_program(repository: Repository) -> None:
    repository.write(PERSONAL)
    assert lint(repository, "--json", "--suite", "faq").json == {
        "suites": ["faq"],
        "cases": 4,
        "exit_code": 3,
        "findings": [
            {
                "check": "personal-data",
                "state": "problem",
                "file": FAQ_GOLDEN,
                "line": 5,
                "case": None,
                "fact": "an e-mail address (id…et)",
                "remedy": "write an address at example.com",
            }
        ],
    }


def test_a_config_that_does_not_load_is_one_line(repository: Repository) -> None:
    repository.write({CONFIG: "version: 2\n"})
    ran = lint(repository)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_in_a_process_of_its_own_it_says_what_its_exit_codes_mean(repository: Repository) -> None:
    ran = ci_eval_process("golden", "lint", "--help", cwd=repository.folder)
    assert "Exits 0 when there is no problem, 2 when a run or a gate would refuse" in " ".join(ran.out.split())
