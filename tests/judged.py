"""A small product that a model judges, with both behind one server on loopback: a test says how they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gated import Silent, no_baselines
from making import jsonl
from model_server import KEY, Answer, Asked, Behaviour, ModelServer
from repo import Repo

from ci_eval import config as configs
from ci_eval.config import Config
from ci_eval.deadline import Deadline
from ci_eval.evaluation.base_run import Baselines
from ci_eval.evaluation.full_run import evaluate_all
from ci_eval.evaluation.session import Origin, Session
from ci_eval.gate import Gate
from ci_eval.outcome.model import GateOutcome
from ci_eval.purse import Purse
from ci_eval.records import CellResult, Record, Run
from ci_eval.report.json_report import to_json
from ci_eval.report.markdown import comment
from ci_eval.report.model import build
from ci_eval.runner.cache import ResponseCache
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot, at_commit
from ci_eval.text import JSON

POLICY = """\
version: 1
providers:
  house: {{api: openai, base_url: "{url}/v1", key_env: HOUSE_KEY, prices: {{"*": {{input: 1, output: 2}}}}}}
suites:
  desk:
    target: {{prompt: prompt.md, model: model.yaml}}
    golden: golden/*.jsonl
    scorers:
      - {{type: contains, any: [parcel], dimension: task_accuracy}}
      - {{type: judge, provider: house, model: judge-1, rubric: golden/tone.yaml{keys}}}
    gate: {{max_drop: 5}}
budget: {{seconds: 600{budget}}}
"""
RUBRIC = """\
criteria:
  - name: tone
    question: Is the reply friendly?
    pass: it greets the customer
    fail: it is curt
"""
CANARIES = """\
canaries:
  - {input: Where is it?, output: Good day! Your parcel is near., expect: pass}
  - {input: Where is it?, output: No idea., expect: fail, criterion: tone}
"""
PAIR_CANARIES = """\
canaries:
  - {input: Where is it?, output: Good day! It is near., reference: It is near., expect: better}
  - {input: Where is it?, output: No idea., reference: Good day! No idea., expect: worse, criterion: tone}
"""
PAIRWISE = ", mode: pairwise"
CASES = 6
KEYS = {"HOUSE_KEY": Secret(KEY)}

MARKUP = "![x](https://evil.example/?q=1) | a | b |\n\n# PASS\n```\n@everyone <!-- ci-eval --> ::error::x\u202e"
"""A reason of a judge that would do harm wherever it were more than text."""

Verdict = Callable[[str], Answer]
"""What the judge says of an answer."""


def said(text: str | None, finish: str = "stop", **message: Any) -> Answer:
    """A chat completion; ten tokens in and five out."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return Answer(200, {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})


def ruling(**values: bool | int) -> Answer:
    """A verdict in the form that was asked for."""
    keys = {bool: "pass", int: "score"}
    return said(json.dumps({name: {"reason": "because", keys[type(value)]: value} for name, value in values.items()}))


def by_greeting(answer: str) -> Answer:
    """A judge that is right."""
    return ruling(tone="Good day" in answer)


def user(asked: Asked) -> str:
    return str(asked.body["messages"][-1]["content"])


def the_answer(asked: Asked) -> str:
    """What stands between the two lines, as whoever obeys the system message would read it."""
    *_, opening, quoted, closing = user(asked).split("\n")
    assert opening == closing
    answer = json.loads(quoted)
    assert isinstance(answer, str)
    return answer


def the_answers(asked: Asked) -> tuple[str, str]:
    """A and B, as a pairwise judge reads them."""
    found = []
    for name in "AB":
        lead, opening, quoted, closing = next(
            part for part in user(asked).split("\n\n") if part.startswith(f"Answer {name} is")
        ).split("\n")
        assert opening == closing
        assert opening in lead
        found.append(json.loads(quoted))
    return found[0], found[1]


PairVerdict = Callable[[str, str], Answer]
"""What the judge says of A and B."""


def choosing(**better: str) -> Answer:
    """A pairwise verdict in the form that was asked for."""
    return said(json.dumps({name: {"reason": "because", "better": one} for name, one in better.items()}))


def the_greeting(a: str, b: str) -> Answer:
    """A pairwise judge that is right."""
    greets = ["Good day" in one for one in (a, b)]
    return choosing(tone="tie" if greets[0] == greets[1] else "A" if greets[0] else "B")


def pairing(verdict: PairVerdict, target: Callable[[Asked], str] | None = None) -> Behaviour:
    answers = target or polite
    return lambda asked: verdict(*the_answers(asked)) if is_judge(asked) else said(answers(asked))


def polite(asked: Asked) -> str:
    """The target, which is as friendly as its prompt."""
    greeting = "Good day! " if "kind" in asked.body["messages"][0]["content"] else ""
    return f"{greeting}Your parcel {user(asked).partition(' ')[0]} is on its way."


def is_judge(asked: Asked) -> bool:
    return bool(asked.body["model"] == "judge-1")


def behaving(verdict: Verdict, target: Callable[[Asked], str] = polite) -> Behaviour:
    return lambda asked: verdict(the_answer(asked)) if is_judge(asked) else said(target(asked))


@dataclass
class Desk:
    """The product's repository, and the server that answers and judges."""

    repo: Repo
    server: ModelServer
    out: Path

    def write(self, *, rubric: str = RUBRIC, keys: str = "", budget: str = "", **files: str) -> None:
        """Main, committed; `keys` are further ones of the judge."""
        self.repo.write("ci-eval.yaml", POLICY.format(url=self.server.url, keys=keys, budget=budget))
        self.repo.write("prompt.md", "Be kind.")
        self.repo.write("model.yaml", "provider: house\nmodel: desk-1\n")
        self.repo.write("golden/tone.yaml", rubric)
        rows = ({"id": f"c{n}", "input": f"{n} where is it?", "expected": "a parcel"} for n in range(CASES))
        self.write_cases(rows)
        for path, content in files.items():
            self.repo.write(path, content)
        self.repo.commit("main")

    def write_cases(self, rows: Iterable[JSON]) -> None:
        """Main's golden set, not yet committed."""
        self.repo.write("golden/cases.jsonl", jsonl(*rows))

    @property
    def main(self) -> Snapshot:
        return at_commit(self.repo.git, self.repo.git.commit("main"))

    def session(self, cache: ResponseCache | None = None, seconds: float = 600) -> Session:
        origin = Origin("push", "octo/shop", "main")
        return Session(KEYS, Silent(), self.out, origin, Deadline.after(seconds), Purse(), cache)

    def run(self, *, repeats: int = 1, session: Session | None = None) -> Run:
        """Main's own run; raises Inconclusive where it cannot be judged."""
        config = configs.load(self.main)
        ((_, run),) = evaluate_all(config, self.main, session or self.session(), ["desk"], repeats=repeats)
        return run

    def gate(
        self, files: Mapping[str, str], baselines: Callable[[Config], Baselines | None] = no_baselines
    ) -> GateOutcome:
        """A pull request that writes some files, judged."""
        return self._gate(files, lambda _: KEYS, baselines).run()

    def _gate(self, files: Mapping[str, str], keys: Any, baselines: Any = no_baselines) -> Gate:
        base = self.main
        self.repo.checkout(base.commit or "main")
        for path, content in files.items():
            self.repo.write(path, content)
        head = self.repo.at("a pull request")
        self.repo.checkout("main")
        return Gate(base, head, "ci-eval.yaml", keys, Silent(), self.out, baselines=baselines)

    def plan(self, files: Mapping[str, str]) -> Any:
        """What a gate would do."""

        def none_is_real(names: Collection[str]) -> dict[str, Secret]:
            return {name: Secret("none") for name in names}

        return self._gate(files, none_is_real).plan()

    def judged(self) -> list[Asked]:
        """What the judge was asked."""
        return [asked for asked in self.server.asked if is_judge(asked)]


def cell(record: Record, scorer: str = "judge") -> CellResult:
    return next(one for one in record.cells if one.scorer == scorer)


def outside_code(markdown: str) -> str:
    """What GitHub would read as markup: without fences and code spans."""
    lines, fence = [], ""
    for line in markdown.split("\n"):
        ticks = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if line == fence else fence
        elif len(ticks) >= 3:
            fence = ticks
        else:
            lines.append("".join(part for number, part in enumerate(line.split("`")) if number % 2 == 0))
    return "\n".join(lines)


def assert_markup_is_text(outcome: GateOutcome) -> None:
    """MARKUP is shown by the comment and the JSON report, and is nothing but text in both."""
    text = comment(build(outcome))
    assert "evil.example" in text, "it is shown"
    outside = outside_code(text)
    assert not any(word in outside for word in ("evil.example", "everyone", "<!-- ci-eval", "::error"))
    assert "\u202e" not in text
    told = json.dumps(to_json(outcome))
    assert "::error" not in told
    assert "evil.example" in told
