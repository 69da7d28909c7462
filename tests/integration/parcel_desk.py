"""A second product: the parcel desk of a shop, in a repository that looks nothing like the project's own.

Its config is not at the root, its golden sets are YAML and CSV, its prompts have variables, and its dimensions have
names of their own. The model behind it is `answers`: a server that, like a real one, knows what its prompt says.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from command import Ran, ci_eval
from openai_server import Answer, Asked, says, says_json

CONFIG = "quality/gate.yaml"
KEY_ENV = "DESK_KEY"
KEY = "sk-canary-7f3a9c51d0"
TRIAGE_PROMPT = "assistants/triage/system.txt"
TRIAGE_MODEL = "assistants/triage/model.json"
SHOTS = "assistants/triage/shots.jsonl"
FAQ_PROMPT = "assistants/faq/system.txt"
TRIAGE_GOLDEN = "quality/triage/tickets.yaml"
FAQ_GOLDEN = "quality/faq.csv"
TRIAGE_CASES, FAQ_CASES = 4, 3

SETTLING = 2 * 7
"""Reruns of a case that broke outright: both sides, as often as it takes to be sure."""

Files = Mapping[str, str | None]
"""Texts by path; None: the file is taken away."""

POLICY = """\
version: 1
providers:
  desk: {api: openai, base_url: "BASE_URL", key_env: DESK_KEY, max_concurrency: 8, timeout_seconds: 5}
suites:
  triage:
    target:
      prompt: assistants/triage/system.txt
      model: assistants/triage/model.json
      examples: {from: assistants/triage/shots.jsonl, k: 1}
      user: "Ticket of {{customer}}: {{ticket}}"
    watch: [assistants/triage/tools/**]
    golden: [quality/triage/*.yaml]
    scorers:
      - {type: exact, field: queue, dimension: routing, weight: 3}
      - {type: contains, field: reply, dimension: courtesy}
    gate: {max_drop: 1, per_dimension: {courtesy: any}}
  faq:
    target: {prompt: assistants/faq/system.txt, model: assistants/faq/model.yaml}
    golden: quality/faq.csv
    scorers:
      - {type: contains, dimension: facts}
budget: {seconds: 60}
baseline: {repeats: 1}
"""

FILES: Mapping[str, str] = {
    CONFIG: POLICY,
    TRIAGE_PROMPT: """\
You route the tickets of {{shop}} to a queue and open your reply with "Dear", and the name.
Queues:
* parcels
* invoices
* returns
""",
    TRIAGE_MODEL: '{"provider": "desk", "model": "house-1", "temperature": 0, "max_tokens": 50}\n',
    SHOTS: '{"input": "Where is my invoice?", "output": "{\\"queue\\": \\"invoices\\", \\"reply\\": \\"Dear Jo\\"}"}\n',
    "assistants/triage/tools/lookup.md": "Looks up a parcel by its number.\n",
    FAQ_PROMPT: "Open: nine to six\nPostage: four euros\nReturns: thirty days\n",
    "assistants/faq/model.yaml": "provider: desk\nmodel: house-1\ntemperature: 0\n",
    TRIAGE_GOLDEN: """\
- id: lost-parcel
  input: {shop: Nordlicht, customer: Ida, contact: Ida, ticket: My parcel never came}
  expected: {queue: parcels, reply: Dear Ida}
- id: late-parcel
  input: {shop: Nordlicht, customer: Ole, contact: Ole, ticket: The parcel is late}
  expected: {queue: parcels, reply: Dear Ole}
  stratum: edge
- id: wrong-invoice
  input: {shop: Nordlicht, customer: Mia, contact: Max, ticket: My invoice is wrong}
  expected: {queue: invoices, reply: Dear Mia}
- id: send-back
  input: {shop: Nordlicht, customer: Kai, contact: Kai, ticket: I want to make a return}
  expected: {queue: returns, reply: Dear Kai}
  stratum: adversarial
""",
    FAQ_GOLDEN: """\
id,input,expected,stratum
opening-hours,When are you open?,nine to six,common
postage,"What is the postage, please?",four euros,common
return-window,How long do returns take?,thirty days,edge
""",
    "src/checkout.ts": "export const vat = 0.19\n",
}

_QUEUE_OF = {"parcel": "parcels", "invoice": "invoices", "return": "returns"}


def answers(asked: Asked) -> Answer:
    """A model that does what its system prompt says: a queue that is not listed is not known, nor is a fact."""
    if "You route" not in asked.system:
        facts = (line.split(": ") for line in asked.system.splitlines() if ": " in line)
        return says(next((fact for word, fact in facts if word.lower() in asked.user.lower()), "I do not know"))
    wanted = next((queue for word, queue in _QUEUE_OF.items() if word in asked.user), "front desk")
    name = re.match(r"Ticket of (\w+)", asked.user)
    greeting = "Dear" if '"Dear"' in asked.system else "Hey"
    queue = wanted if f"* {wanted}\n" in asked.system else "front desk"
    return says_json(queue=queue, reply=f"{greeting} {name[1] if name else 'you'}, we are looking into it.")


@dataclass(frozen=True)
class Repository:
    """A git repository that a developer works in, with git as it is installed and not through our own door."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, files: Files) -> Repository:
        folder.mkdir(parents=True)
        repository = cls(folder)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit(files)
        return repository

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=dev", "-c", "user.email=dev@example.com", "-c", "commit.gpgSign=false")
        environ = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: Files) -> None:
        for path, text in files.items():
            place = self.folder / path
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def commit(self, files: Files, message: str = "A change") -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def gate(self, *options: str) -> Ran:
        """`ci-eval gate` on what stands in the working tree, with the config that is not at the root."""
        return ci_eval("gate", "--repo", str(self.folder), "--config", CONFIG, "--quiet", *options)


def edited(path: str, old: str, new: str, files: Mapping[str, str] = FILES) -> dict[str, str]:
    """A file of the desk with one thing changed."""
    assert old in files[path], f"{old!r} is not in {path}"
    return {path: files[path].replace(old, new)}
