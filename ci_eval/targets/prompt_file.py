"""Prompts by the name of their file: `.prompt.yml`, `.prompty`, and any other text, which is the system message."""

from __future__ import annotations

from ci_eval.errors import InputError
from ci_eval.reader import MIB, decode
from ci_eval.snapshot import Snapshot
from ci_eval.targets import github_prompt, prompty
from ci_eval.targets.prompt import Prompt, Turn


def load(snapshot: Snapshot, path: str) -> Prompt:
    """The prompt of a snapshot; raises InputError with file, line and remedy."""
    prompt = read(snapshot.read(path), path)
    if not any(turn.text.strip() for turn in prompt.turns):
        raise InputError("an empty prompt", remedy="write the system prompt", file=path, line=1)
    return prompt


def read(data: bytes, path: str) -> Prompt:
    """Raises InputError."""
    if path.endswith((".prompt.yml", ".prompt.yaml")):
        return github_prompt.read(data, path)
    if path.endswith(".prompty"):
        return prompty.read(data, path)
    return Prompt(path, (Turn("system", decode(data, path, limit=MIB)),))
