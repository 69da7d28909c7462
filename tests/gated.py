"""A small product under the gate, on the model without a key: what the security tests attack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repo import Repo

from ci_eval import config as configs
from ci_eval.config import Config
from ci_eval.deadline import Deadline
from ci_eval.evaluation.base_run import Baselines
from ci_eval.evaluation.full_run import FullRun
from ci_eval.evaluation.session import Origin, Session
from ci_eval.evaluation.suite import Suite
from ci_eval.gate import Gate
from ci_eval.outcome.model import GateOutcome
from ci_eval.records import Record, Run
from ci_eval.snapshot import Snapshot, at_commit

POLICY = """\
version: 1
providers:
  local: {api: local}
suites:
  sort:
    target: {prompt: prompt.md, model: model.yaml}
    golden: golden/*.jsonl
    scorers:
      - {type: exact, field: topic}
    gate: {max_drop: 1}
budget: {seconds: 3600}
"""
PROMPT = """\
Sort the message. Answer with {"topic": "<topic>"}.

{"topic": "<topic>"}

## topic
- kitchen: recipes, cooking, baking, food and drink, ovens, bread
- garden: plants, flowers, trees, soil, watering, roses
- travel: trains, flights, hotels, suitcases, visas, passports
"""
WORSE = PROMPT.replace("- travel: trains, flights, hotels, suitcases, visas, passports\n", "")
"""Without travel, whatever is about travel is sorted wrongly: two of six cases."""

ASKED = {
    "bread": ("kitchen", "How hot must the oven be for a sourdough loaf?"),
    "soup": ("kitchen", "Which food goes with a cold drink in summer, cooking or not?"),
    "roses": ("garden", "Which month is best to prune my rose flowers?"),
    "trees": ("garden", "How much watering do young trees in dry soil need?"),
    "visa": ("travel", "Do I need a visa and a passport for two days in Cairo?"),
    "train": ("travel", "When does the last train leave, and are there hotels?"),
}


def row(name: str, topic: str, text: str, **different: Any) -> dict[str, Any]:
    return {"id": name, "input": text, "expected": {"topic": topic}, **different}


ROWS = [row(name, topic, text) for name, (topic, text) in ASKED.items()]


def rows(*values: object) -> str:
    return "".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values)


class Silent:
    def start(self, label: str, total: int) -> None: ...

    def advance(self, record: Record) -> None: ...

    def finish(self) -> None: ...


def no_baselines(_: Config) -> Baselines | None:
    return None


@dataclass(frozen=True)
class Product:
    """A repository whose main has a policy, a golden set and a good prompt."""

    repo: Repo
    out: Path

    @classmethod
    def new(cls, repo: Repo, out: Path, *, policy: str = POLICY, golden: str | None = None) -> Product:
        repo.write("ci-eval.yaml", policy)
        repo.write("prompt.md", PROMPT)
        repo.write("model.yaml", "provider: local\nmodel: minilm\n")
        repo.write("golden/cases.jsonl", rows(*ROWS) if golden is None else golden)
        repo.commit("main")
        return cls(repo, out)

    @property
    def main(self) -> Snapshot:
        return at_commit(self.repo.git, self.repo.git.commit("main"))

    def gate(
        self, files: Mapping[str, str | None], baselines: Callable[[Config], Baselines | None] = no_baselines
    ) -> GateOutcome:
        """A pull request that changes some files (None: deletes them), judged."""
        base = self.main
        self.repo.checkout(base.commit or "main")
        for path, content in files.items():
            if content is None:
                self.repo.delete(path)
            else:
                self.repo.write(path, content)
        head = self.repo.at("a pull request")
        self.repo.checkout("main")
        return Gate(base, head, "ci-eval.yaml", lambda _: {}, Silent(), self.out, baselines=baselines).run()

    def suite(self) -> Suite:
        return Suite.load(configs.load(self.main), self.main, "sort")

    def evaluated(self, event: str = "push", repository: str = "octo/shop", cases: Iterable[str] = ASKED) -> Run:
        """Main's own run, as a job on main would make it."""
        suite = self.suite()
        session = Session({}, Silent(), self.out, Origin(event, repository, "main"), Deadline.after(3600))
        return FullRun(suite, suite.side(self.main), session).evaluate(suite.golden.cases[name] for name in cases)
