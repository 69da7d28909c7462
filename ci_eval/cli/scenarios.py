"""The pull requests of `ci-eval demo`: what each edits in the help desk's files, and what the gate should say to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ci_eval.verdict import Verdict

PROMPT = "golden/helpdesk/prompt.md"
MODEL = "golden/helpdesk/model.yaml"
TRAIN = "golden/helpdesk/train.jsonl"

Files = dict[str, str]
"""The texts of a repository by path."""


@dataclass(frozen=True)
class Scenario:
    """One pull request. `edit` gets main's files and the cases that the damaged prompt broke, and changes the files."""

    name: str
    title: str
    expected: Verdict
    edit: Callable[[Files, frozenset[str]], None]


def _replace(files: Files, path: str, old: str, new: str) -> None:
    if old not in files[path]:
        raise LookupError(f"the demo expects {old!r} in {path}")
    files[path] = files[path].replace(old, new)


def _reword(files: Files, broken: frozenset[str]) -> None:
    _replace(
        files,
        PROMPT,
        "- sharing: shared albums, invitations, family members, links, who can see or comment on pictures",
        "- sharing: shared albums, inviting people, family members, links, and who may see or comment on pictures",
    )


def _damage_prompt(files: Files, broken: frozenset[str]) -> None:
    """Drop three articles, as a well-meant edit that makes the prompt shorter would."""
    lines = files[PROMPT].splitlines(keepends=True)
    dropped = ("- refund:", "- missing-photos:", "- two-factor:")
    files[PROMPT] = "".join(line for line in lines if not line.startswith(dropped))


def _damage_model(files: Files, broken: frozenset[str]) -> None:
    _replace(files, MODEL, "max_tokens: 120", "max_tokens: 60")


_NEXT_CATEGORY: Mapping[str, str] = {
    "billing": "account",
    "account": "backup",
    "backup": "sharing",
    "sharing": "device",
    "device": "privacy",
    "privacy": "feedback",
    "feedback": "other",
    "other": "billing",
}


def _damage_dataset(files: Files, broken: frozenset[str]) -> None:
    """Every other row gets the label of the line below: a spreadsheet column that slipped."""
    rows = [json.loads(line) for line in files[TRAIN].splitlines()]
    for row in rows[::2]:
        answer = json.loads(row["messages"][1]["content"])
        answer["category"] = _NEXT_CATEGORY[answer["category"]]
        row["messages"][1]["content"] = json.dumps(answer)
    files[TRAIN] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _damage_and_hide(files: Files, broken: frozenset[str]) -> None:
    """The damaged prompt again, and the golden cases that it breaks are gone."""
    _damage_prompt(files, broken)
    for path in [path for path in files if path.startswith("golden/helpdesk/cases/")]:
        rows = files[path].splitlines(keepends=True)
        files[path] = "".join(row for row in rows if json.loads(row)["id"] not in broken)


def _unrelated(files: Files, broken: frozenset[str]) -> None:
    files["NOTES.md"] = "Nothing here reaches a model.\n"


DAMAGED_PROMPT = "damaged-prompt"

SCENARIOS = (
    Scenario("harmless-edit", "a definition of the prompt is reworded", Verdict.PASS, _reword),
    Scenario(DAMAGED_PROMPT, "three articles are dropped from the prompt", Verdict.REGRESSION, _damage_prompt),
    Scenario("damaged-model-config", "max_tokens goes from 120 to 60", Verdict.REGRESSION, _damage_model),
    Scenario("damaged-dataset", "half the labels slip by one", Verdict.REGRESSION, _damage_dataset),
    Scenario("hidden-damage", "the damaged prompt, its broken cases deleted", Verdict.REGRESSION, _damage_and_hide),
    Scenario("unrelated", "a file that no suite watches", Verdict.PASS, _unrelated),
)
