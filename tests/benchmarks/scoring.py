"""What scoring adds to a run of 2,000 cases at 200 ms and 50 at once, by the scorers that ask no model.

    python tests/benchmarks/scoring.py             # each scorer alone, then the whole run
    python tests/benchmarks/scoring.py --times 3   # of which so many are made; medians

First each scorer by itself: its share of the 8 seconds that the answers take, in this process's own time. `ready` is
paid once in a run: libraries, models, schemas. Then `ci-eval run` as a user starts it, with `format` alone and with all
of them: that should add less than 5 % to the time from the first question to the last answer, since scorers that take
long work in a process of their own. That needs two idle cores; on a busy machine only the first table says something.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from run_speed import Row, project, timed, wire_server
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[1]))

from making import case, golden, held, resources, scorer_set

from ci_eval.golden.cases import Case
from ci_eval.scorers.base import Answer
from ci_eval.text import Untrusted

RECORDS = 2000
RUN_SECONDS = RECORDS / 50 * 0.2
GOAL = 0.05

_WORDS = (
    "the a your our note notes bin days sixty restore settings open choose account deleted refund invoice card plan "
    "month storage device sync password email link support team please then will can after before within from for and"
)
VOCABULARY = _WORDS.split()
LABELS = ("billing", "sync", "account", "sharing", "other")
SCHEMA = {
    "type": "object",
    "required": ["category", "reply", "entities"],
    "properties": {
        "category": {"enum": list(LABELS)},
        "reply": {"type": "string", "pattern": "[.]$", "maxLength": 4000},
        "entities": {"type": "array", "items": {"type": "object", "required": ["type", "value"]}, "uniqueItems": True},
    },
}
_GRADED: dict[str, Any] = {"field": "reply", "pass_at": 0.5}
SCORERS: tuple[dict[str, Any], ...] = (
    {"type": "exact", "field": "category"},
    {"type": "exact", "field": "reply", "normalise": ["case", "whitespace", "punctuation", "accents", "unicode"]},
    {"type": "format"},
    {"type": "json_schema", "schema": "reply.json"},
    {"type": "fields", "field": "entities", "key": ["type", "value"], "normalise": ["case"]},
    {"type": "numeric", "field": "amount", "relative": 0.01, "units": ["EUR"]},
    {"type": "retrieval", "step": {"tool": "search"}, "field": "hits", "key": "id", "k": 5},
    {"type": "contains", "field": "reply", "any": ["bin", "restore", "refund"], "none": ["guarantee"]},
    {"type": "regex", "field": "reply", "pattern": "(?i)\\brestore\\b", "at_most": 9},
    {"type": "refusal", "field": "reply"},
    {"type": "length", "field": "reply", "unit": "sentences", "max": 40, "min_ratio": 0.2},
    {"type": "token_f1", **_GRADED},
    *({"type": "rouge", "variant": one, **_GRADED} for one in ("rouge1", "rouge2", "rougeL", "rougeLsum")),
    {"type": "bleu", **_GRADED},
    {"type": "chrf", **_GRADED},
    {"type": "language", "field": "reply", "language": "en", "among": ["en", "de", "fr"]},
)


def reply(chance: random.Random) -> str:
    sentences = (" ".join(chance.choices(VOCABULARY, k=chance.randint(6, 16))) for _ in range(6))
    return "\n".join(f"{sentence.capitalize()}." for sentence in sentences)


def value(chance: random.Random) -> dict[str, Any]:
    found = {(chance.choice(LABELS), chance.choice(VOCABULARY)) for _ in range(8)}
    entities = [{"type": kind, "value": word} for kind, word in sorted(found)]
    amount = f"{chance.randint(1, 9999):,}.50 EUR"
    return {"category": chance.choice(LABELS), "reply": reply(chance), "entities": entities, "amount": amount}


Answered = tuple[Case, str, tuple[Untrusted, ...]]
"""A case, what is answered, and the steps to it."""


def answered(chance: random.Random, number: int) -> Answered:
    """An answer of about 600 characters, with ten documents found on the way."""
    hits = [{"id": identity, "text": reply(chance)} for identity in chance.sample(range(100), 10)]
    expected = {**value(chance), "documents": chance.sample(range(100), 2)}
    steps = (Untrusted({"tool": "search", "hits": hits}),)
    return case(f"c{number}", expected=expected), json.dumps(value(chance)), steps


def alone(answers: Sequence[Answered]) -> None:
    cases = golden(*(one for one, _, _ in answers))
    at = resources(held({"reply.json": json.dumps(SCHEMA)}))
    rows = []
    for entry in SCORERS:
        started = time.thread_time()
        bound = next(iter(scorer_set(cases, entry).bind(at).values()))
        fresh = [(Answer(text, steps=steps), one) for one, text, steps in answers]
        bound.score(Answer("Where are the notes that I deleted?"), answers[0][0])  # may load a model
        ready = time.thread_time() - started
        started = time.thread_time()
        for answer, one in fresh:
            bound.score(answer, one)
        seconds = time.thread_time() - started
        rows.append((entry["type"], entry.get("variant", ""), ready, seconds / RECORDS * 1e6, seconds / RUN_SECONDS))
    print(tabulate(rows, headers=["scorer", "", "ready (s)", "µs an answer", "share of the run"], floatfmt=".3g"))
    print(
        f"\nall {len(rows)}: {sum(share for *_, share in rows):.0%} of {RUN_SECONDS:g} s; each parses the answer anew\n"
    )


def within_a_run(answers: Sequence[Answered], times: int) -> None:
    """No row for `retrieval`: this server tells no steps."""
    every = [{**entry, "name": f"s{place}"} for place, entry in enumerate(SCORERS) if entry["type"] != "retrieval"]
    few = [{"type": "format"}]
    asking = {len(scorers): [_asking(answers, scorers) for _ in range(times)] for scorers in (few, every)}
    rows = [(count, *map(median, zip(*took, strict=True))) for count, took in asking.items()]
    print(tabulate(rows, headers=["scorers", "asking (s)", "whole (s)", "CPU (s)"], floatfmt=".4g"))
    (_, least, *_), (_, most, *_) = rows
    added = most / least - 1
    print(f"\nadded to asking: {added:.1%} of the run, goal {GOAL:.0%}{'' if added <= GOAL else ': SHORT'}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _asking(answers: Sequence[Answered], scorers: list[dict[str, Any]]) -> tuple[float, float, float]:
    with wire_server({"latency": 0.2}) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, port, Row("", cases=1))
        policy = yaml.safe_load((folder / "ci-eval.yaml").read_text())
        policy["suites"]["s"]["scorers"] = scorers
        rows = [one.model_copy(update={"input": Untrusted(text)}).model_dump_json() for one, text, _ in answers]
        (folder / "ci-eval.yaml").write_text(yaml.safe_dump(policy))
        (folder / "golden.jsonl").write_text("\n".join(rows))
        (folder / "reply.json").write_text(json.dumps(SCHEMA))
        program = str(Path(sys.executable).with_name("ci-eval"))
        took = timed([program, "run", "--quiet", "--json", "--no-cache"], folder, port)
    assert '"format"' in took.out, took.out
    return took.server["seconds"], took.seconds, took.cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1, help="whole runs of each kind")
    chosen = parser.parse_args()
    chance = random.Random(7)
    answers = [answered(chance, number) for number in range(RECORDS)]
    alone(answers)
    within_a_run(answers, chosen.times)


if __name__ == "__main__":
    main()
