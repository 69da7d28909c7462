"""A judge is tried on its canaries before anything is asked; the plan counts that, and the budget pays for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import ci_eval
from judged import CANARIES, RUBRIC, Desk, behaving, by_greeting
from model_server import KEY, ModelServer
from repo import Repo

from ci_eval.errors import Inconclusive

CHANGE = {"prompt.md": "Be kind, and quick."}


@pytest.fixture
def desk(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("HOUSE_KEY", KEY)
    with ModelServer(behaving(by_greeting)) as server:
        yield Desk(repo, server, tmp_path / "out")


def test_a_plan_counts_them(desk: Desk) -> None:
    desk.write(rubric=RUBRIC + CANARIES, keys=", votes: 3")
    (work,) = desk.plan(CHANGE).work
    assert (work.canaries.calls, work.canaries.scoring) == (0, 2 * 3)
    assert work.canaries.usd
    desk.repo.write("prompt.md", "Be kind, and quick.")
    where = ("--repo", str(desk.repo.folder))
    (told,) = [line for line in ci_eval("plan", *where).out.splitlines() if line.startswith("canaries")]
    assert "6 calls by scorers, " in told
    assert ci_eval("plan", *where, "--json").json["suites"][0]["canaries"]["scoring"] == 6


def test_a_plan_without_canaries_says_nothing_of_them(desk: Desk) -> None:
    desk.write()
    desk.repo.write("prompt.md", "Be kind, and quick.")
    assert "canaries" not in ci_eval("plan", "--repo", str(desk.repo.folder)).out


@pytest.mark.parametrize("limit", ["calls", "tokens", "usd"])
def test_a_budget_that_they_use_up_is_told_before_the_first_call(desk: Desk, limit: str) -> None:
    """It reaches for everything else."""
    desk.write()
    (planned,) = desk.plan(CHANGE).plans
    first = planned.first
    just = {"calls": int(first.requests), "tokens": int(first.tokens) + 1, "usd": round((first.usd or 0) * 1.001, 6)}
    desk.write(budget=f", {limit}: {just[limit]}")
    desk.gate(CHANGE)
    desk.server.asked.clear()
    desk.write(budget=f", {limit}: {just[limit]}", rubric=RUBRIC + CANARIES)
    with pytest.raises(Inconclusive, match="with their confirmation and the judges' canaries, more than the budget"):
        desk.gate(CHANGE)
    assert desk.server.asked == []


def test_they_have_to_be_paid_for_where_nothing_else_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Main's run is stored, and what the change asks is the same."""
    where = ("--repo", str(desk.repo.folder), "-q")
    desk.write(rubric=RUBRIC + CANARIES)
    assert ci_eval("baseline", "update", *where).code == 0
    desk.write(rubric=RUBRIC + CANARIES, budget=", calls: 1")
    desk.repo.write("model.yaml", "provider: house\nmodel: desk-1 # as before\n")
    desk.server.asked.clear()
    monkeypatch.setenv("HOUSE_KEY", KEY)  # the first command has taken it
    ran = ci_eval("gate", *where)
    assert (ran.code, desk.server.asked) == (3, [])
    assert "2 calls" in ran.err
    assert "and the judges' canaries, more than the budget" in ran.err
    assert ci_eval("plan", *where[:2]).code == 3


def test_a_judge_that_may_be_asked_once_a_minute_takes_the_time_for_them_too(desk: Desk) -> None:
    desk.write(rubric=RUBRIC + CANARIES)
    policy = (desk.repo.folder / "ci-eval.yaml").read_text()
    desk.repo.write("ci-eval.yaml", policy.replace("key_env", "requests_per_minute: 1, key_env"))
    desk.repo.commit("slow")
    (work,) = desk.plan(CHANGE).work
    assert work.canary_seconds == 120


def test_only_what_was_asked_counts_as_a_call(desk: Desk) -> None:
    """A known answer is not asked for: two canaries are two calls."""
    desk.write(rubric=RUBRIC + CANARIES)
    session = desk.session()
    desk.run(session=session)
    assert session.purse.calls.spent == len(desk.server.asked)
