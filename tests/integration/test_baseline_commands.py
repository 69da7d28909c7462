"""`ci-eval baseline show`, `verify`, `prune` and `replay` on a clone whose model answers as a coin falls."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest
from command import Ran, ci_eval
from openai_server import Answer, Asked, Behaviour, OpenAIServer, says
from parcel_desk import Repository

CASES, FLAKY = 60, 3
BRANCH = "ci-eval-baselines"
POLICY = """\
version: 1
providers:
  coin: {api: openai, base_url: "BASE_URL", max_concurrency: 8}
suites:
  sums:
    target: {prompt: prompt.txt, model: model.yaml}
    golden: cases.jsonl
    scorers: [{type: exact}, {type: contains, dimension: wording, weight: 2}]
budget: {seconds: 600}
"""


def falling(first: int) -> Behaviour:
    """The first few cases are right or wrong by a coin that falls the same way whenever the tests run."""
    asked_before: Counter[str] = Counter()
    lock = Lock()

    def answer(asked: Asked) -> Answer:
        with lock:
            asked_before[asked.user] += 1
            time = asked_before[asked.user]
        coin = hashlib.sha256(f"{asked.user}:{time}".encode()).digest()[0] < 128
        return says("wrong" if int(asked.user.split()[1]) < first and coin else "right")

    return answer


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(falling(FLAKY)) as running:
        yield running


@pytest.fixture
def sums(tmp_path: Path, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    rows = [{"id": f"case-{number}", "input": f"case {number}", "expected": "right"} for number in range(CASES)]
    files = {
        "ci-eval.yaml": POLICY.replace("BASE_URL", server.base_url),
        "prompt.txt": "main\n",
        "model.yaml": "provider: coin\nmodel: coin\n",
        "cases.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    return Repository.create(tmp_path / "sums", files)


def baseline(sums: Repository, command: str) -> Ran:
    return ci_eval("baseline", *command.split(), "--repo", str(sums.folder))
