"""The same run by others: 2,000 cases at 200 ms and 50 at once, each compared with what is expected.

    python tests/benchmarks/peers.py FOLDER            # installs them there once (1.5 GB), then measures
    python tests/benchmarks/peers.py FOLDER inspect    # those whose name holds the word

Each is started as its users start it, without its cache and its telemetry, against the same server, one after the
other. A ratio is to the 8 seconds that the server alone needs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from run_speed import Row, Took, project, timed, wire_server
from tabulate import tabulate

ROW = Row("latency 200 ms", server={"latency": 0.2}, least=8.0)
SYSTEM = "Answer with a JSON object that has a label and n."


@dataclass(frozen=True)
class Peer:
    """A tool: how it is installed, told what to do, and started."""

    name: str
    install: Sequence[str]
    """A command in the folder of all peers."""
    program: str
    """What is there when it is installed, in that folder."""
    files: Callable[[int, Sequence[str]], Mapping[str, str]]
    """What it reads, by the server's port and the answers that are expected."""
    arguments: Callable[[int], Sequence[str]]


def _promptfoo(port: int, answers: Sequence[str]) -> Mapping[str, str]:
    config = {
        "prompts": [json.dumps([{"role": "system", "content": SYSTEM}, {"role": "user", "content": "{{text}}"}])],
        "providers": [
            {
                "id": "openai:chat:house-1",
                "config": {"apiBaseUrl": f"http://127.0.0.1:{port}/v1", "apiKey": "none", "temperature": 0},
            }
        ],
        "tests": "file://tests.json",
    }
    tests = [{"vars": {"text": text}, "assert": [{"type": "equals", "value": text}]} for text in answers]
    return {"promptfooconfig.json": json.dumps(config), "tests.json": json.dumps(tests)}


def _inspect(port: int, answers: Sequence[str]) -> Mapping[str, str]:
    samples = "".join(json.dumps({"input": text, "target": text}) + "\n" for text in answers)
    return {"task.py": _TASK.format(system=SYSTEM), "samples.jsonl": samples}


_TASK = """from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import exact
from inspect_ai.solver import generate, system_message


@task
def same():
    return Task(json_dataset("samples.jsonl"), solver=[system_message({system!r}), generate()], scorer=exact())
"""
PEERS = (
    Peer(
        "promptfoo 0.121.20",
        ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "promptfoo@0.121.20"],
        "node_modules/.bin/promptfoo",
        _promptfoo,
        lambda _: ["eval", "-c", "promptfooconfig.json", "-j", "50", "--no-cache", "--no-table", "--no-progress-bar"],
    ),
    Peer(
        "inspect-ai 0.3.285",
        ["python/bin/python", "-m", "pip", "install", "--quiet", "inspect-ai==0.3.285", "openai==3.54.0"],
        "python/bin/inspect",
        _inspect,
        lambda port: [
            *("eval", "task.py", "--model", "openai/house-1", "--model-base-url", f"http://127.0.0.1:{port}/v1"),
            *("-M", "responses_api=false", "--max-connections", "50", "--max-samples", "50", "--temperature", "0"),
            *("--display", "none", "--no-log-realtime"),
        ],
    ),
)
_QUIET = {
    "OPENAI_API_KEY": "none",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "true",
}


def installed(peer: Peer, folder: Path) -> str:
    program = folder / peer.program
    if not program.exists():
        print(f"installing {peer.name}", flush=True)
        if not (folder / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder / "python")], check=True)
        subprocess.run(peer.install, cwd=folder, check=True)
    return str(program)


def theirs(peer: Peer, program: str) -> Took:
    with wire_server(ROW.server) as port, tempfile.TemporaryDirectory() as name:
        at = Path(name)
        project(at, port, ROW)
        cases = map(json.loads, (at / "golden.jsonl").read_text().splitlines())
        for file, text in peer.files(port, [case["input"] for case in cases]).items():
            (at / file).write_text(text)
        os.environ.update(_QUIET, PROMPTFOO_CONFIG_DIR=str(at / "promptfoo"))
        return timed([program, *peer.arguments(port)], at, port)


def ours(_: str) -> Took:
    with wire_server(ROW.server) as port, tempfile.TemporaryDirectory() as name:
        project(Path(name), port, ROW)
        program = str(Path(sys.executable).with_name("ci-eval"))
        return timed([program, "run", "--quiet", "--json", "--no-cache"], Path(name), port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", help="only peers whose name holds one of these")
    parser.add_argument("--times", type=int, default=1)
    chosen = parser.parse_args()
    folder = chosen.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_line("ci-eval", [ours("") for _ in range(chosen.times)])]
    for peer in PEERS:
        if not chosen.words or any(word in peer.name for word in chosen.words):
            program = installed(peer, folder)
            lines.append(_line(peer.name, [theirs(peer, program) for _ in range(chosen.times)]))
    heads = ["tool", "seconds", "to the least", "asking", "at once", "answered", "CPU", "MiB"]
    print(tabulate(lines, heads, tablefmt="github", disable_numparse=True))
    print(f"\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _line(name: str, runs: Sequence[Took]) -> list[str]:
    answered = min(took.server["answers"].get("200", 0) for took in runs)
    if answered < ROW.cases:
        print(f"{name} asked {answered} of {ROW.cases}: {runs[0].out[-2000:]}", file=sys.stderr)
    seconds = median(took.seconds for took in runs)
    asking = median(took.server["seconds"] for took in runs)
    most = max(took.server["most"] for took in runs)
    peak = max(took.peak_mib for took in runs)
    cpu = median(took.cpu for took in runs)
    ratio = seconds / (ROW.least or 1)
    return [
        name,
        f"{seconds:.1f}",
        f"{ratio:.2f}",
        f"{asking:.1f}",
        f"{most}",
        f"{answered}",
        f"{cpu:.1f}",
        f"{peak:.0f}",
    ]


if __name__ == "__main__":
    main()
