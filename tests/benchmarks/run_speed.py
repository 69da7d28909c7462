"""How fast `ci-eval run` is, as a user starts it: whole process, start-up and scoring included.

    python tests/benchmarks/run_speed.py            # everything; the first two rows three times, medians
    python tests/benchmarks/run_speed.py latency    # the rows whose name holds the word

Beside each row stands a bare loop: pooled `requests`, a thread pool, nothing else. On a busy machine the ratio of the
two says more than the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

HERE = Path(__file__).parent
SERVER = HERE / "wire_server.py"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One thing that is measured."""

    name: str
    cases: int = 2000
    concurrency: int = 50
    server: Mapping[str, float | str] = field(default_factory=dict)
    timeout: float = 60
    least: float | None = None
    """Seconds that the server alone needs, whoever asks."""
    goal: float | None = None
    """Seconds that the whole process may take; for a limited server, that the requests may take."""
    times: int = 1
    """How often it is measured; medians are shown."""
    bare: bool = True
    """Whether the bare loop can do it, too: it knows no limits and no errors."""


ROWS = (
    Row("no latency", goal=3.0, times=3),
    Row("latency 200 ms", server={"latency": 0.2}, least=8.0, goal=9.0, times=3),
    Row("no latency, 5,000 cases", cases=5000),
    Row("no latency, 20,000 cases", cases=20_000),
    Row("limit 100/s, retry-after", 300, server={"rate": 100.0}, least=2.9, goal=3.6, bare=False),
    Row("limit 100/s, x-ratelimit", 300, server={"rate": 100.0, "headers": "all"}, least=2.9, goal=3.6, bare=False),
    Row("limit 100/s, latency 50 ms", 300, server={"rate": 100.0, "latency": 0.05}, least=2.9, goal=3.6, bare=False),
    Row("limit 100/s, latency 200 ms", 300, server={"rate": 100.0, "latency": 0.2}, least=3.1, goal=3.8, bare=False),
    Row("5 % HTTP 500", server={"errors": 0.05}, bare=False),
    Row("2 % resets", server={"resets": 0.02}, bare=False),
    Row("one answer drips", 200, server={"drip": 50}, timeout=2, bare=False),
)


@dataclass(frozen=True)
class Took:
    """One process, measured."""

    seconds: float
    cpu: float
    peak_mib: float
    out: str
    server: Mapping[str, Any]

    @property
    def calls(self) -> int:
        return sum(self.server["answers"].values())

    @property
    def refused(self) -> int:
        return int(self.server["answers"].get("429", 0))


@contextmanager
def wire_server(settings: Mapping[str, float | str]) -> Iterator[int]:
    """The server in its own process; its port."""
    words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen([sys.executable, str(SERVER), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def project(folder: Path, port: int, row: Row) -> None:
    """A repository whose cases are scored by exact match and by a schema."""
    answers = [json.dumps({"label": f"topic-{number % 7}", "n": number}) for number in range(row.cases)]
    cases = [{"id": f"c{n}", "input": text, "expected": json.loads(text)} for n, text in enumerate(answers)]
    files = {
        "ci-eval.yaml": _POLICY.format(port=port, concurrency=row.concurrency, timeout=row.timeout),
        "prompt.md": "Answer with a JSON object that has a label and n.",
        "model.yaml": "provider: house\nmodel: house-1\ntemperature: 0\n",
        "golden.jsonl": "".join(f"{json.dumps(case)}\n" for case in cases),
        "schema.json": _SCHEMA,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)


_POLICY = """version: 1
providers:
  house:
    api: openai
    base_url: "http://127.0.0.1:{port}/v1"
    max_concurrency: {concurrency}
    timeout_seconds: {timeout}
suites:
  s:
    target: {{prompt: prompt.md, model: model.yaml}}
    golden: golden.jsonl
    scorers:
      - {{type: exact}}
      - {{type: json_schema, schema: schema.json}}
"""
_SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["label", "n"],
        "properties": {"label": {"type": "string", "maxLength": 40}, "n": {"type": "integer", "minimum": 0}},
        "additionalProperties": False,
    }
)


def timed(command: Sequence[str], folder: Path, port: int) -> Took:
    """One process to its end, with what it took of time, processor and memory."""
    before = time.monotonic()
    with (folder / "out").open("w+b") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as answer:
        stats = json.load(answer)
    return Took(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said, stats)


def ours(row: Row) -> Took:
    with wire_server(row.server) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, port, row)
        program = str(Path(sys.executable).with_name("ci-eval"))
        return timed([program, "run", "--quiet", "--json", "--no-cache"], folder, port)


def bare(row: Row) -> Took:
    with wire_server(row.server) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project(folder, port, row)
        command = [sys.executable, str(HERE / "bare_loop.py"), str(port), str(row.concurrency)]
        return timed(command, folder, port)


def measure(row: Row, times: int) -> list[object]:
    """A line of the table."""
    runs = [(ours(row), bare(row) if row.bare else None) for _ in range(times)]
    mine = [took for took, _ in runs]
    other = [took for _, took in runs if took]
    seconds = median(took.seconds for took in mine)
    asking = median(took.server["seconds"] for took in mine)
    beside = median(took.seconds for took in other) if other else None
    wasted = max(took.refused / took.calls for took in mine)
    return [
        row.name,
        f"{row.cases:,}",
        f"{seconds:.2f}",
        f"{asking:.2f}",
        f"{row.least:.1f}" if row.least else "",
        f"{beside:.2f}" if beside else "",
        f"{seconds / beside:.2f}" if beside else "",
        f"{median(took.cpu for took in mine):.2f}",
        f"{median(took.cpu for took in other):.2f}" if other else "",
        f"{max(took.peak_mib for took in mine):.0f}",
        f"{wasted:.1%}",
        " ".join(sorted({took.out.strip() for took in mine})),
    ]


HEADS = ["what", "cases", "seconds", "asking", "least", "bare", "ratio", "CPU", "bare-CPU", "MiB", "refused", "said"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only rows whose name holds one of these")
    parser.add_argument("--times", type=int, help="instead of what each row says")
    chosen = parser.parse_args()
    rows = [row for row in ROWS if not chosen.words or any(word in row.name for word in chosen.words)]
    lines = []
    for row in rows:
        lines.append(measure(row, chosen.times or row.times))
        print(tabulate([lines[-1]], HEADS, tablefmt="plain"), flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(tabulate(lines, HEADS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
