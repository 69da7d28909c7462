"""Golden cases: what one is, and how a set of them is read out of a snapshot."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ci_eval.errors import InputError
from ci_eval.reader import Document, Strict, each_row, validate, wrong
from ci_eval.snapshot import Snapshot
from ci_eval.text import JSON, Untrusted, canonical

Stratum = Literal["common", "edge", "adversarial"]
STRATA: tuple[Stratum, ...] = ("common", "edge", "adversarial")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ /-]{0,63}")
_ROLES = frozenset({"system", "user", "assistant"})


def _case_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise wrong("not an id", "write 1 to 64 letters, digits, '.', '_' or '-', as in refund-001")
    return value


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise wrong("not a label", "write up to 64 letters, digits, blanks, '.', '_', '/' or '-'")
    return value


def _input(value: Untrusted) -> Untrusted:
    bare = value.reveal()
    if isinstance(bare, list) and bare:
        for message in bare:
            if not _is_message(message):
                raise wrong("not a message", 'write {"role": "user", "content": "..."}')
    elif not isinstance(bare, str | dict) or not bare:
        raise wrong("empty, or neither text, an object nor a list of messages", "write what the user sends")
    return value


def _expected(value: Untrusted) -> Untrusted:
    bare = value.reveal()
    for key in ("refuse", "escalate"):
        if isinstance(bare, dict) and not isinstance(bare.get(key, False), bool):
            raise wrong(f"{key} is neither true nor false", "write true or false (in YAML, yes and no are words)")
    return value


def _is_message(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"role", "content"}
        and value["role"] in _ROLES
        and isinstance(value["content"], str)
    )


CaseId = Annotated[str, AfterValidator(_case_id)]
Label = Annotated[str, AfterValidator(_label)]
Input = Annotated[Untrusted, AfterValidator(_input)]
Expected = Annotated[Untrusted, AfterValidator(_expected)]


class Case(Strict):
    """One input with its expectation: a row of a golden set."""

    id: CaseId
    input: Input
    """Text (the user message), an object (fills `{{name}}`), or the conversation so far."""
    expected: Expected | None = None
    """What a right answer is, or holds; scorers say which part of it they look at. `refuse` and `escalate` are true
    or false."""
    stratum: Stratum = "common"
    category: Label | None = None
    tags: list[Label] = Field(default_factory=list)
    context: list[Untrusted] = Field(default_factory=list)
    """Documents that a right answer stands on."""
    scorers: list[dict[str, Any]] = Field(default_factory=list)
    """Further scorers, for this case alone."""
    human: dict[Label, int | float] = Field(default_factory=dict)
    """People's own ratings of this case."""
    source: Untrusted | None = None
    cluster: Label | None = None
    """Cases that come from one conversation or one customer share a cluster."""

    @property
    def digest(self) -> str:
        """SHA-256 over all that decides how an answer to this case is scored."""
        judged = self.model_dump(include={"expected", "context", "scorers"})
        judged["input"] = json.dumps(self.input.reveal())  # not canonical: an object is sent in the order of its keys
        return hashlib.sha256(canonical(judged).encode()).hexdigest()

    def expectation(self, key: str) -> JSON:
        """A part of an expectation that is an object; None where there is none."""
        expected = self.expected.reveal() if self.expected else None
        return expected.get(key) if isinstance(expected, dict) else None


@dataclass(frozen=True)
class GoldenSet:
    """Cases by id, in the order of their files."""

    cases: Mapping[str, Case]
    rows: Mapping[str, Document]
    """Where cases with scorers of their own stand, for errors that are found in those later."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over ids and contents, whatever the order and the files."""
        found = hashlib.sha256()
        for number, name in enumerate(sorted(self.cases)):  # as canonical JSON, of which the whole is never there
            found.update(f'{"," if number else "{"}"{name}":"{self.cases[name].digest}"'.encode())
        found.update(b"}" if self.cases else b"{}")
        return found.hexdigest()


def load(snapshot: Snapshot, patterns: Iterable[str]) -> GoldenSet:
    """The golden set that some patterns name; raises InputError for the first row that is wrong."""
    cases: dict[str, Case] = {}
    rows: dict[str, Document] = {}
    seen: dict[str, str] = {}
    paths = sorted({path for pattern in patterns for path in snapshot.glob(pattern)})
    for path in paths:
        for row in each_row(snapshot.read(path), path):
            case = validate(Case, row)
            name = unicodedata.normalize("NFKC", case.id).casefold()
            if name in seen:
                raise InputError(
                    f'the id "{case.id}" stands at {seen[name]} already',
                    remedy="give each case its own id",
                    file=row.file,
                    line=row.first_line,
                )
            seen[name] = f"{row.file}:{row.first_line}"
            cases[case.id] = case
            if case.scorers:
                rows[case.id] = Document(row.file, None, row.first_line)
    return GoldenSet(cases, rows)


def clusters_of(cases: Iterable[Case]) -> dict[str, tuple[str, str]]:
    """The cluster of each case; one without is a cluster of its own."""
    return {case.id: ("cluster", case.cluster) if case.cluster else ("case", case.id) for case in cases}


@dataclass(frozen=True)
class Edits:
    """What a pull request does to a golden set. None of it changes how it is judged."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    rewritten: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.rewritten)


def edits(base: GoldenSet, head: GoldenSet) -> Edits:
    """The cases that differ, by id."""
    shared = base.cases.keys() & head.cases.keys()
    return Edits(
        added=tuple(sorted(head.cases.keys() - base.cases.keys())),
        removed=tuple(sorted(base.cases.keys() - head.cases.keys())),
        rewritten=tuple(sorted(name for name in shared if base.cases[name].digest != head.cases[name].digest)),
    )
