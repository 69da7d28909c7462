"""What scoring adds to a run: 2,000 answers under each scorer that asks no model.

    python tests/benchmarks/scoring.py

Beside each stands its share of what 2,000 cases take at 200 ms and 50 at once: 8 seconds. A scorer should stay below
5 % of that. Counted is this process's own time, since a busy machine is none of its doing. `ready` is paid once in a
run: libraries, models, schemas.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

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


def answered(chance: random.Random, number: int) -> tuple[Case, str, tuple[Untrusted, ...]]:
    """An answer of about 600 characters, with ten documents found on the way."""
    hits = [{"id": identity, "text": reply(chance)} for identity in chance.sample(range(100), 10)]
    expected = {**value(chance), "documents": chance.sample(range(100), 2)}
    steps = (Untrusted({"tool": "search", "hits": hits}),)
    return case(f"c{number}", expected=expected), json.dumps(value(chance)), steps


def main() -> int:
    chance = random.Random(7)
    answers = [answered(chance, number) for number in range(RECORDS)]
    cases = golden(*(one for one, _, _ in answers))
    at = resources(held({"reply.json": json.dumps(SCHEMA)}))
    rows = []
    for entry in SCORERS:
        started = time.thread_time()
        bound = next(iter(scorer_set(cases, entry).bind(at).values()))
        ready = time.thread_time() - started
        fresh = [(Answer(text, steps=steps), one) for one, text, steps in answers]
        started = time.thread_time()
        for answer, one in fresh:
            bound.score(answer, one)
        seconds = time.thread_time() - started
        rows.append((entry["type"], entry.get("variant", ""), ready, seconds / RECORDS * 1e6, seconds / RUN_SECONDS))
    print(tabulate(rows, headers=["scorer", "", "ready (s)", "µs an answer", "share of the run"], floatfmt=".3g"))
    together = sum(share for *_, share in rows)
    print(f"\nall {len(rows)} together: {together:.1%} of {RUN_SECONDS:g} s; each parses the answer anew")
    over = [name for name, *_, share in rows if share > GOAL]
    print(f"over {GOAL:.0%}: {', '.join(over) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
