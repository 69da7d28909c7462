"""Models for the examples: each answers a golden case as it should, as far as it was told how, and not otherwise.

Nothing is known of a case but what the request holds: a label or a fact that the prompt no longer has is not answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Speaks = Callable[[Row, str], str]
"""What is answered to a golden row, by all that the system was told."""

_FINE_TUNED = "ft:gpt-4.1-mini-2025-04-14:my-bank:intents-1:BxYz1234"


def golden_rows(folder: Path) -> list[Row]:
    files = sorted(path for path in folder.rglob("golden/**/*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def row_of(rows: Sequence[Row], said: str) -> Row:
    """The row whose input stands in what the user says."""
    return next(row for row in rows if _text(row["input"]) in said)


def _text(given: str | Mapping[str, str]) -> str:
    return given if isinstance(given, str) else next(iter(given.values()))


def told(value: Any, system: str) -> Any:
    """A value that is answered: words only if the system has them."""
    if isinstance(value, list):
        return [one for one in value if one in system]
    return value if isinstance(value, bool) or value in system else "something else"


def in_json(**always: str) -> Speaks:
    """The expectation as an object, with fields that nothing is expected of."""

    def speaks(row: Row, system: str) -> str:
        return json.dumps({**always, **{key: told(value, system) for key, value in row["expected"].items()}})

    return speaks


def librarian(row: Row, system: str) -> str:
    expected = row["expected"]
    reply = told(expected.get("reply", "colleague"), system)
    if expected["refuse"]:
        reply = "I'm sorry, I cannot share that." if "I cannot share that" in system else "Here it is."
    return json.dumps({"category": told(expected["category"], system), "reply": reply})


def manual(row: Row, system: str) -> str:
    """The sentence of the documents at hand that answers, else that it is not in them."""
    sentences = re.split(r"(?<=[.;])\s+", " ".join(row.get("context", [])))
    answer = row["expected"]["answer"]
    found = next((one for one in sentences if answer in one.lower() and one in system), None)
    return found or "I do not know: that is not in the manual."


def reader(row: Row, system: str) -> str:
    """The three parts of an invoice as they stand there."""
    text = row["input"]
    date, total = (
        re.search(pattern, text, re.MULTILINE) for pattern in (r"^Dat\w+ ?: (.+)", r"^(?:Total|Summe) ?: (.+)")
    )
    assert date
    assert total
    return json.dumps({"vendor": text.split("\n")[0], "total": total[1], "date": date[1]})


def teller(row: Row, system: str) -> str:
    return str(row["expected"])


def knows(model: str, system: str) -> bool:
    """Whether a fine-tuned model is the one that was trained for this."""
    return model == _FINE_TUNED if model.startswith("ft:") else True
