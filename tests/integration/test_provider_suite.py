"""A suite whose model, tools and embeddings are other people's servers, from the command line to the run file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import anthropic_server as claude
import openai_shapes as chat
import pytest
from command import Ran, ci_eval
from model_server import KEY, Answer, Asked, ModelServer
from repo import Repo

POLICY = """\
version: 1
providers:
  claude:
    api: anthropic
    base_url: "{claude}/v1"
    key_env: CLAUDE_KEY
    stream: {stream}
    prices: {{"claude-*": {{input: 3, output: 15, cached: 0.3}}}}
  embed: {{api: openai, base_url: "{embed}/v1", key_env: EMBED_KEY, prices: {{"e-*": {{input: 2, output: 0}}}}}}
suites:
  s:
    target: {{prompt: p.md, model: m.yaml}}
    golden: g.jsonl
    scorers:
      - {{type: similarity, pass_at: 0.9, provider: {embedder}, model: e-1}}
"""
MODEL = """\
provider: claude
model: claude-house-1
max_tokens: 100
tools: [{type: function, function: {name: track, parameters: {type: object}}}]
"""


def says(asked: Asked) -> Mapping[str, Any]:
    if asked.body["messages"][-1]["content"] == "track":
        return claude.message(claude.call("track", {"id": 7}), stop_reason="tool_use", cache_read_input_tokens=1000)
    return claude.message(claude.text("a blue parcel"), cache_read_input_tokens=1000)


def embeds(asked: Asked) -> Mapping[str, Any]:
    """Texts about parcels point one way, all others another."""
    return chat.embeddings(*([1, 0] if "parcel" in text else [0, 1] for text in asked.body["input"]))


@pytest.fixture
def servers() -> Iterator[tuple[ModelServer, ModelServer]]:
    with ModelServer(claude.serves(says)) as model, ModelServer(chat.serves(embeds)) as embedder:
        yield model, embedder


def ran(
    repo: Repo, servers: tuple[ModelServer, ModelServer], *, stream: str = "false", embedder: str = "embed"
) -> tuple[Ran, dict[str, Any]]:
    """`ci-eval run`, and its records by case."""
    model, embed = servers
    repo.write("ci-eval.yaml", POLICY.format(claude=model.url, embed=embed.url, stream=stream, embedder=embedder))
    repo.write("p.md", "Be kind.")
    repo.write("m.yaml", MODEL)
    rows: list[dict[str, str]] = [
        {"id": "same", "input": "colour", "expected": "the parcel is blue"},
        {"id": "other", "input": "colour", "expected": "a refund"},
        {"id": "call", "input": "track", "expected": "a refund"},
    ]
    repo.write("g.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    repo.commit()
    done = ci_eval("run", "--repo", str(repo.folder), "--json", "--quiet", "--out", str(repo.folder / "out"))
    file = repo.folder / "out" / "s" / "run.jsonl"
    lines = file.read_text().splitlines()[1:] if file.exists() else []
    return done, {record["case"]: record for record in map(json.loads, lines)}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_KEY", KEY)
    monkeypatch.setenv("EMBED_KEY", KEY)


@pytest.mark.parametrize("stream", ["false", "true"])
def test_answers_tool_calls_tokens_and_costs_are_kept(
    repo: Repo, servers: tuple[ModelServer, ModelServer], stream: str
) -> None:
    done, records = ran(repo, servers, stream=stream)
    assert done.code == 0, done.err
    assert [records[case]["cells"][0]["passed"] for case in ("same", "other", "call")] == [True, False, True]
    assert records["call"]["output"] == ""
    assert records["call"]["tool_calls"] == [{"name": "track", "arguments": '{"id": 7}'}]
    assert (records["same"]["tokens_in"], records["same"]["tokens_cached"]) == (1020, 1000)
    assert records["same"]["cost_usd"] == pytest.approx((20 * 3 + 1000 * 0.3 + 9 * 15) / 1e6)
    assert {asked.headers["x-api-key"] for asked in servers[0].asked} == {KEY}
    assert all(asked.body.get("stream") is (stream == "true" or None) for asked in servers[0].asked)


def test_a_run_that_was_streamed_does_not_stand_for_one_that_was_not(
    repo: Repo, servers: tuple[ModelServer, ModelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = []
    for stream in ("false", "true"):
        for name in ("CLAUDE_KEY", "EMBED_KEY"):  # a run takes them out of its environment
            monkeypatch.setenv(name, KEY)
        done, _ = ran(repo, servers, stream=stream)
        assert done.code == 0, done.err
        header = json.loads((repo.folder / "out" / "s" / "run.jsonl").read_text().splitlines()[0])
        marks.append(header["fingerprint"]["target"])
    assert marks[0] != marks[1]


def test_embeddings_that_do_not_come_are_infrastructure_and_no_score(
    repo: Repo, servers: tuple[ModelServer, ModelServer]
) -> None:
    servers[1].behaviour = lambda _: Answer(400, {})
    done, records = ran(repo, servers)
    assert done.code == 3
    assert {(record["error"], record["error_kind"]) for record in records.values()} == {
        ("no embedding: HTTP 400", "infrastructure")
    }
    assert not any("cells" in record for record in records.values())


def test_an_answer_that_was_paid_for_stays_paid_for_when_its_scoring_fails(
    repo: Repo, servers: tuple[ModelServer, ModelServer]
) -> None:
    servers[1].behaviour = lambda _: Answer(400, {})
    _, records = ran(repo, servers)
    paid = (20 * 3 + 1000 * 0.3 + 9 * 15) / 1e6
    assert [records[case]["cost_usd"] for case in ("same", "other")] == [pytest.approx(paid)] * 2
    assert records["same"]["tokens_in"] == 1020


def test_what_scoring_asks_of_a_provider_is_counted_beside_the_answer(
    repo: Repo, servers: tuple[ModelServer, ModelServer]
) -> None:
    _, records = ran(repo, servers)
    scoring = records["same"]["scoring"]
    assert scoring.pop("seconds") >= 0
    assert scoring == {"calls": 1, "tokens_in": 8, "cost_usd": pytest.approx(16e-6)}


def test_a_scorer_whose_key_is_missing_asks_nobody(
    repo: Repo, servers: tuple[ModelServer, ModelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EMBED_KEY")
    done, _ = ran(repo, servers)
    assert done.code == 3
    assert "EMBED_KEY is not set" in done.err
    assert servers[0].asked == []


@pytest.mark.parametrize("embedder", ["nobody", "claude"])
def test_a_scorer_that_names_no_embedding_provider(
    repo: Repo, servers: tuple[ModelServer, ModelServer], embedder: str
) -> None:
    done, _ = ran(repo, servers, embedder=embedder)
    assert done.code == 2
    assert f'no provider "{embedder}" with embedding models; name one of embed' in done.err
    assert servers[0].asked == []
