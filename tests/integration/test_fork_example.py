"""`examples/forks` is a whole repository: what it holds is run here as it stands, but for the address of its model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fork_desk import as_data, main_checked_out, pull_json, push_fork, stand
from github_hub import Hub, Job, opened
from openai_server import Answer, Asked, says_json

import ci_eval

EXAMPLE = Path(ci_eval.__file__).parent.parent / "examples" / "forks"
PROMPT = "prompts/support.md"
CASES = 24
_WORDS = {
    "payment": ("charged", "invoice", "money", "refund", "transfer", "discount"),
    "return": ("broken", "send back", "exchange", "stopped", "label", "wrong"),
    "advice": ("Which chain", "tight", "rack", "tube", "pedals", "pads"),
}


def answers(asked: Asked) -> Answer:
    """It knows the categories that the prompt lists, and takes everything else for an order."""
    listed = [name for name in _WORDS if f"- {name}:" in asked.system]
    name = next((name for name in listed if any(word in asked.user for word in _WORDS[name])), "order")
    return says_json(category=name, reply=f"This is about your {name}.")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as made:
        made.model.behaviour = answers
        files = {str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8") for path in _files()}
        priced = f'base_url: "{made.model.base_url}", prices: {{gpt-4.1-mini: {{input: 0.4, output: 1.6}}}}'
        files["ci-eval.yaml"] = files["ci-eval.yaml"].replace("api: openai,", f"api: openai, {priced},")
        made.push_main(files)
        yield made


def _files() -> list[Path]:
    return [path for path in EXAMPLE.rglob("*") if path.is_file()]


def judged(hub: Hub, capsys: pytest.CaptureFixture[str], old: str, new: str) -> Job:
    changed = hub.developer.read(PROMPT).replace(old, new)
    pull = pull_json(push_fork(hub, {PROMPT: changed}))
    stand(hub, pull)
    workspace = main_checked_out(hub)
    created = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    hub.api.add_run(9000 + hub.runs, created_at=created)
    return as_data(
        hub, capsys, pull, workspace=workspace, INPUT_CONFIG="ci-eval.yaml", OPENAI_API_KEY="sk-canary-7f3a9c51d0"
    )


def test_a_fork_that_damages_the_example_s_prompt_is_red(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = judged(hub, capsys, "- return: sending something back, exchanges, broken parts\n", "")

    assert (job.code, job.outputs["verdict"], float(job.outputs["worst-drop"])) == (1, "regression", 25.0)


def test_a_fork_that_only_rewords_it_is_green(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    job = judged(hub, capsys, "bicycle parts", "parts of bicycles")

    assert (job.code, hub.model.calls) == (0, 2 * CASES)
