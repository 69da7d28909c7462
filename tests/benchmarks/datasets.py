"""What it takes to check a large fine-tune dataset: `python tests/benchmarks/datasets.py [ROWS]`.

Made-up rows of 30 words in and 40 out, of which a few hold golden inputs; CPU seconds of one core, each as a part of
the 20 seconds that all of it may take for 100,000 rows.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from ci_eval.datasets.changes import shifts
from ci_eval.datasets.contamination import leaks_in_rows
from ci_eval.datasets.duplicates import duplicates
from ci_eval.datasets.formats import refused
from ci_eval.datasets.rows import Row, _row
from ci_eval.golden.cases import Case
from ci_eval.reader import read_rows
from ci_eval.text import Untrusted

_LIMIT_SECONDS = 20.0
T = TypeVar("T")


def _made(count: int, golden: list[str]) -> bytes:
    rng = random.Random(7)
    words = [f"{rng.choice('bcdfg')}{rng.choice('aeiou')}{number}" for number in range(5000)]
    lines = []
    for number in range(count):
        asked = " ".join(rng.choices(words, k=30))
        if number % 1000 == 0:
            asked = f"{asked} {golden[number // 1000 % len(golden)]}"
        answer = json.dumps({"label": rng.choice("abcde"), "reply": " ".join(rng.choices(words, k=40))})
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        lines.append(json.dumps({"messages": turns}))
    return "\n".join(lines).encode()


def _timed(name: str, work: Callable[[], T]) -> T:
    began = time.process_time()
    found = work()
    took = time.process_time() - began
    print(f"{name:<32} {took:6.2f} s   {took / _LIMIT_SECONDS:5.2f} of the limit")
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    golden = [f"the wedding album number {number} shows twice on my tablet today" for number in range(300)]
    cases = [Case(id=f"c{number}", input=Untrusted(text)) for number, text in enumerate(golden)]
    data = _made(count, golden)
    began = time.process_time()

    def read() -> list[Row]:
        return [_row(document) for document in read_rows(data, "rows.jsonl")]

    rows = _timed(f"read {count:,} rows, {len(data) >> 20} MiB", read)
    leaks = _timed("contamination by 300 cases", lambda: leaks_in_rows(cases, rows))
    _timed("duplicates and near-duplicates", lambda: duplicates(rows))
    _timed("format", lambda: refused(rows))
    _timed("labels", lambda: shifts(rows, rows))
    took = time.process_time() - began
    print(f"{'all':<32} {took:6.2f} s   {took / _LIMIT_SECONDS:5.2f} of the limit; {len(leaks)} golden inputs found")


if __name__ == "__main__":
    main()
