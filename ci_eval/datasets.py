"""Fine-tune and few-shot datasets: what their rows say, how two versions differ, whether they give the test away."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Labelled
from ci_eval.reader import Document, parse_json, read_rows
from ci_eval.snapshot import Snapshot
from ci_eval.text import canonical

_SHORTEST_INPUT = 4
_SHORTEST_ANSWER = 6
_OUTPUT_KEYS = ("output", "expected", "completion", "response", "answer")
_SHAPES = "messages (OpenAI), contents (Gemini), or input and output"


@dataclass(frozen=True)
class Row:
    """One example: the last thing the user says and what is answered."""

    file: str
    line: int
    input: str
    output: str
    digest: str

    def labelled(self) -> Labelled:
        return Labelled(self.input, self.output)


def read(snapshot: Snapshot, path: str) -> list[Row]:
    """The rows of a dataset; raises InputError at the first that has none of the known shapes."""
    return [_row(document) for document in read_rows(snapshot.read(path), path)]


def _row(document: Document) -> Row:
    value = document.value
    if not isinstance(value, dict):
        raise document.error((), "a row that is not an object", f"give it {_SHAPES}")
    pair = _chat(value, "messages", "content") or _gemini(value) or _plain(value)
    if pair is None:
        raise document.error((), "a row without input and output", f"give it {_SHAPES}")
    digest = hashlib.sha256(canonical(value).encode()).hexdigest()
    return Row(document.file, document.first_line, *pair, digest)


def _chat(value: dict[str, Any], key: str, content: str) -> tuple[str, str] | None:
    """The last assistant turn of a conversation, and what the user had said before it."""
    turns = value.get(key)
    if not isinstance(turns, list):
        return None
    asked: str | None = None
    pair: tuple[str, str] | None = None
    for turn in turns:
        said = turn.get(content) if isinstance(turn, dict) else None
        if isinstance(said, str) and turn.get("role") == "user":
            asked = said
        elif isinstance(said, str) and turn.get("role") == "assistant" and asked is not None:
            pair = (asked, said)
    return pair


def _gemini(value: dict[str, Any]) -> tuple[str, str] | None:
    turns = value.get("contents")
    if not isinstance(turns, list):
        return None
    roles = {"user": "user", "model": "assistant"}
    messages = [
        {
            "role": roles.get(str(turn.get("role"))),
            "content": "".join(str(part.get("text", "")) for part in turn["parts"]),
        }
        for turn in turns
        if isinstance(turn, dict)
        and isinstance(turn.get("parts"), list)
        and all(isinstance(part, dict) for part in turn["parts"])
    ]
    return _chat({"messages": messages}, "messages", "content")


def _plain(value: dict[str, Any]) -> tuple[str, str] | None:
    asked = value.get("input", value.get("prompt"))
    answered = next((value[key] for key in _OUTPUT_KEYS if key in value), None)
    if asked is None or answered is None:
        return None
    return _text(asked), _text(answered)


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)


# --- what changed -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RowChanges:
    """How many rows came and went, as multisets: a row that moved is no change."""

    added: int
    removed: int
    relabelled: int
    """The same input with another output; not counted as added and removed."""
    kept: int


def compare(base: Sequence[Row], head: Sequence[Row]) -> RowChanges:
    before, after = Counter(row.digest for row in base), Counter(row.digest for row in head)
    came = _inputs(head, after - before)
    went = _inputs(base, before - after)
    relabelled = (came & went).total()
    return RowChanges((came - went).total(), (went - came).total(), relabelled, (before & after).total())


def _inputs(rows: Iterable[Row], digests: Counter[str]) -> Counter[str]:
    """The inputs of the rows that some digests name, as often as they are counted."""
    by_digest = {row.digest: row.input for row in rows}
    return Counter(by_digest[digest] for digest in digests.elements())


# --- contamination ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leak:
    """A golden case whose input or answer stands where the model learns from."""

    case: str
    part: str
    """`input` or `answer`."""
    file: str
    line: int | None
    """None for the prompt, where the text may span lines."""
    exact: bool
    """Word for word; else the same but for case, punctuation and blanks."""


def normalised(text: str) -> str:
    """Words only: NFKC, case-folded, punctuation and blanks as one blank.

    >>> normalised("  Where's my REFUND?! ")
    'where s my refund'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def leaks_in_rows(cases: Iterable[Case], rows: Iterable[Row]) -> list[Leak]:
    """Golden inputs that are a row's input, and golden answers that are a row's output."""
    exact: dict[tuple[str, str], Row] = {}
    alike: dict[tuple[str, str], Row] = {}
    for row in rows:
        for part, text in (("input", row.input), *(("answer", said) for said in _said(row.output))):
            exact.setdefault((part, text.strip()), row)
            alike.setdefault((part, normalised(text)), row)
    found = []
    for case, part, text in _parts(cases):
        same = exact.get((part, text.strip()))
        row_found = same or alike.get((part, normalised(text)))
        if row_found:
            found.append(Leak(case, part, row_found.file, row_found.line, same is not None))
    return found


def _said(output: str) -> Iterator[str]:
    """An answer, and the texts in it where it is JSON."""
    yield output
    if output.lstrip()[:1] in {"{", "["}:
        try:
            yield from _strings(parse_json(output))
        except InputError:
            return


def leaks_in_text(cases: Iterable[Case], text: str, file: str) -> list[Leak]:
    """Golden inputs and answers that a prompt quotes."""
    words = f" {normalised(text)} "
    return [
        Leak(case, part, file, None, quoted in text)
        for case, part, quoted in _parts(cases)
        if f" {normalised(quoted)} " in words
    ]


def _parts(cases: Iterable[Case]) -> Iterator[tuple[str, str, str]]:
    """What may not be known in advance. Short ones are left out: everybody says "thank you"."""
    for case in cases:
        for part, texts, shortest in (
            ("input", _strings(case.input.reveal()), _SHORTEST_INPUT),
            ("answer", _strings(case.expected.reveal() if case.expected else None), _SHORTEST_ANSWER),
        ):
            for text in texts:
                if len(normalised(text).split()) >= shortest:
                    yield case.id, part, text


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
