"""The gate on prompt files that bring their own messages, model and parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ran
from openai_server import Answer, Asked, OpenAIServer, says
from parcel_desk import Repository

PROMPT = """\
name: Capitals
model: house/geo-1
modelParameters:
  temperature: 0
  maxTokens: 20
messages:
  - role: system
    content: Answer with the capital.
  - role: user
    content: "Country: {{input}}"
testData:
  - {input: France, expected: Paris}
"""
PROMPTY = """\
---
name: Capitals
model:
  api: chat
  configuration: {type: openai, name: house/geo-1}
  parameters: {temperature: 0, max_tokens: 20}
---
system:
Answer with the capital.

user:
Country: {{input}}
"""
CAPITALS = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo", "Peru": "Lima", "Kenya": "Nairobi"}
CAPITALS["The Democratic Republic of the Congo"] = "Kinshasa"
POLICY = """\
version: 1
providers:
  house: {api: openai, base_url: "BASE_URL", max_concurrency: 4}
suites:
  capitals:
    target: {prompt: PROMPT}
    golden: cases.jsonl
    scorers: [{type: exact}]
budget: {seconds: 60}
baseline: {repeats: 1}
"""


def answers(asked: Asked) -> Answer:
    """Knows the capitals, as long as it is asked for them, not too hot, and by its own name."""
    cool = asked.body.get("temperature") == 0
    told = "Answer with the capital." in asked.system
    right = cool and told and asked.body["model"] == "house/geo-1"
    return says(CAPITALS[asked.user.removeprefix("Country: ")] if right else "Atlantis")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(answers) as running:
        yield running


def repository(folder: Path, server: OpenAIServer, path: str, text: str) -> Repository:
    rows = [
        {"id": name.lower().replace(" ", "-"), "input": name, "expected": capital} for name, capital in CAPITALS.items()
    ]
    files = {
        "ci-eval.yaml": POLICY.replace("BASE_URL", server.base_url).replace("PROMPT", path),
        path: text,
        "cases.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
    }
    return Repository.create(folder / "geo", files)


def gate(repo: Repository) -> Ran:
    return repo.gate("--config", "ci-eval.yaml", "--json")


@pytest.mark.parametrize(("path", "text"), [("geo.prompt.yml", PROMPT), ("prompts/geo.prompty", PROMPTY)])
class TestBothFormats:
    def test_a_worse_prompt_fails(self, tmp_path: Path, server: OpenAIServer, path: str, text: str) -> None:
        repo = repository(tmp_path, server, path, text)
        repo.write({path: text.replace("the capital", "a city")})

        ran = gate(repo)

        assert (ran.code, ran.json["verdict"]) == (1, "regression")
        shown = repo.gate("--config", "ci-eval.yaml").out
        assert "-Answer with the capital." in shown
        assert "+Answer with a city." in shown

    def test_a_parameter_is_told_in_words_and_judged(
        self, tmp_path: Path, server: OpenAIServer, path: str, text: str
    ) -> None:
        repo = repository(tmp_path, server, path, text)
        repo.write({path: text.replace("temperature: 0", "temperature: 0.7")})

        ran = gate(repo)

        assert (ran.code, ran.json["verdict"]) == (1, "regression")
        assert ran.json["suites"][0]["notes"][0]["words"] == ["temperature 0 → 0.7"]

    def test_a_rewording_that_changes_no_answer_passes(
        self, tmp_path: Path, server: OpenAIServer, path: str, text: str
    ) -> None:
        repo = repository(tmp_path, server, path, text)
        repo.write({path: text.replace("the capital.", "the capital. Be brief.")})

        assert gate(repo).code == 0
        assert server.calls == 2 * len(CAPITALS)
        assert {asked.body["max_tokens"] for asked in server.asked} == {20}


def test_its_own_test_data_decides_nothing(tmp_path: Path, server: OpenAIServer) -> None:
    """No request differs, so nobody is asked about the candidate; and its rows are no leak of the golden set."""
    repo = repository(tmp_path, server, "geo.prompt.yml", PROMPT)
    own = "The Democratic Republic of the Congo, expected: Kinshasa"
    repo.write({"geo.prompt.yml": PROMPT.replace("France, expected: Paris", own)})

    ran = gate(repo)

    assert (ran.code, server.calls) == (0, len(CAPITALS))
    assert ran.json["suites"][0]["leaks"] == []
    assert ran.json["suites"][0]["notes"][0]["words"] == ["nothing of what is sent"]


def test_a_prompt_file_cannot_choose_where_its_requests_go(tmp_path: Path, server: OpenAIServer) -> None:
    repo = repository(tmp_path, server, "geo.prompt.yml", PROMPT)
    repo.write({"geo.prompt.yml": PROMPT + "provider: elsewhere\nendpoint: https://attacker.example\n"})

    ran = gate(repo)

    assert (ran.code, server.calls) == (2, 0)
    assert 'geo.prompt.yml:13: unknown key "provider"' in ran.err


def test_a_pull_request_cannot_move_a_prompt_file_to_another_provider(tmp_path: Path, server: OpenAIServer) -> None:
    """`target.provider` is policy: main's counts, whatever head says."""
    with OpenAIServer(lambda _: says("Paris")) as other:
        repo = repository(tmp_path, server, "geo.prompt.yml", PROMPT)
        policy = repo.read("ci-eval.yaml")
        two = policy.replace("providers:\n", f'providers:\n  other: {{api: openai, base_url: "{other.base_url}"}}\n')
        repo.commit({"ci-eval.yaml": two.replace("geo.prompt.yml}", "geo.prompt.yml, provider: house}")})
        changed = {"geo.prompt.yml": PROMPT.replace("the capital.", "the capital. Be brief.")}
        repo.write(changed | {"ci-eval.yaml": two.replace("geo.prompt.yml}", "geo.prompt.yml, provider: other}")})

        ran = gate(repo)

        assert (ran.code, other.calls, server.calls) == (0, 0, 2 * len(CAPITALS))
        assert any("settings of suite capitals change" in note for note in ran.json["policy_notes"])


def test_a_text_prompt_becomes_a_prompt_file(tmp_path: Path, server: OpenAIServer) -> None:
    """One prompt in two forms: the words say what moved, and the answers say that nothing broke."""
    repo = repository(tmp_path, server, "geo.prompt.yml", PROMPT)
    text = {
        "ci-eval.yaml": repo.read("ci-eval.yaml").replace("prompt: geo.prompt.yml", "prompt: geo.md, model: geo.yaml"),
        "geo.prompt.yml": None,
        "geo.md": "Answer with the capital.\n",
        "geo.yaml": "provider: house\nmodel: house/geo-1\ntemperature: 0\n",
    }
    repo.commit(text)
    config = text["ci-eval.yaml"]
    assert config is not None
    repo.write(
        {
            "ci-eval.yaml": config.replace("prompt: geo.md, model: geo.yaml", "prompt: geo.prompt.yml"),
            "geo.prompt.yml": PROMPT,
            "geo.md": None,
            "geo.yaml": None,
        }
    )

    ran = gate(repo)

    assert (ran.code, ran.json["verdict"]) == (0, "pass")
    words = {note["role"]: note["words"] for note in ran.json["suites"][0]["notes"]}
    assert "max_tokens not set → 20" in words["model"]


def test_a_policy_that_leaves_the_provider_open_is_refused(tmp_path: Path, server: OpenAIServer) -> None:
    repo = repository(tmp_path, server, "geo.prompt.yml", PROMPT)
    policy = repo.read("ci-eval.yaml")
    for change, said in (
        (policy.replace("providers:\n", "providers:\n  other: {api: local}\n"), "merge target.provider first"),
        (policy.replace("geo.prompt.yml}", "geo.prompt.yml, provider: hous}"), 'ci-eval.yaml:6: no provider "hous"'),
        (policy.replace("geo.prompt.yml}", "geo.md}"), '"model" is missing; add "model": only .prompt.yml'),
    ):
        repo.write({"ci-eval.yaml": change})
        ran = gate(repo)
        assert (ran.code, server.calls) == (2, 0)
        assert said in ran.err
