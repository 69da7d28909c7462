"""`ci-eval demo`, as a newcomer starts it: the one place where the embedded model judges the project's golden set."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Ran, ci_eval_process

from ci_eval.cli.scenarios import SCENARIOS, Scenario


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """It takes seconds, so it runs once."""
    folder = tmp_path_factory.mktemp("demo") / "new"
    return ci_eval_process("demo", "--dir", str(folder), cwd=folder.parent), folder


def test_the_demo_comes_out_as_expected(demo: tuple[Ran, Path]) -> None:
    ran, folder = demo

    assert ran.code == 0, ran.err
    assert str(folder) in ran.out.splitlines()[-1]
    assert f"A page to look at: {folder}/damaged-prompt.html" in ran.out
    assert len(ran.out.splitlines()) < 50, "it ends in sight of where it began"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_pull_request_of_the_demo_is_judged_and_has_its_comment(
    scenario: Scenario, demo: tuple[Ran, Path]
) -> None:
    ran, folder = demo

    [row] = [line for line in ran.out.splitlines() if line.startswith(f"{scenario.name} ")]
    comment = (folder / f"{scenario.name}.md").read_text(encoding="utf-8")
    assert scenario.title in row
    assert f" {scenario.expected.value} " in row
    assert scenario.expected.value.capitalize() in comment.split("\n")[0]


def test_hiding_the_broken_cases_changes_nothing_about_the_verdict(demo: tuple[Ran, Path]) -> None:
    _, folder = demo
    damaged, hidden = (
        (folder / f"{name}.md").read_text(encoding="utf-8").split("\n")[0]
        for name in ("damaged-prompt", "hidden-damage")
    )

    assert damaged == hidden
