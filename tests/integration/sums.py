"""A repository of one suite: a hundred cases, each right or wrong as a server decides."""

from __future__ import annotations

import json
from pathlib import Path

from openai_server import OpenAIServer
from parcel_desk import Repository

CASES = 100
PROMPT = "prompt.txt"

_POLICY = """\
version: 1
providers:
  flipping: {api: openai, base_url: "BASE_URL", max_concurrency: 8PROVIDER}
suites:
  sums:
    target: {prompt: prompt.txt, model: model.yaml}
    golden: cases.jsonl
    scorers: [{type: exact}]
    gate: {max_drop: MAX_DROPMORE}
ANCHORbudget: {BUDGET}
"""


def sums(
    folder: Path,
    server: OpenAIServer,
    *,
    budget: str = "seconds: 600",
    provider: str = "",
    max_drop: float = 1,
    more: str = "",
    anchor: str = "",
) -> Repository:
    """Main's state; its system prompt is `main`. `more` are further keys of the gate."""
    rows = [{"id": f"case-{number}", "input": f"case {number}", "expected": "right"} for number in range(CASES)]
    policy = _POLICY.replace("BASE_URL", server.base_url).replace("PROVIDER", provider).replace("BUDGET", budget)
    files = {
        "ci-eval.yaml": policy.replace("MAX_DROPMORE", f"{max_drop:g}{more}").replace(
            "ANCHOR", f"    anchor: {anchor}\n" if anchor else ""
        ),
        PROMPT: "main\n",
        "model.yaml": "provider: flipping\nmodel: coin\n",
        "cases.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    return Repository.create(folder, files)
