"""`http`, `command` and `python`: the user's own service or code, handed each case with the prompt and the config.

The whole pipeline is judged, retrieval and parsing included. What it does with them is its own business: nothing is
filled in here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci_eval.config import Kind, Subject, TargetPolicy
from ci_eval.errors import InputError
from ci_eval.golden.cases import Case
from ci_eval.providers.base import Message, Request
from ci_eval.reader import MIB, decode, read_document
from ci_eval.snapshot import SUBMODULE, Snapshot
from ci_eval.targets.prompt import REQUEST_LIMIT, Prompt, Turn, too_large
from ci_eval.targets.python_function import refuse_missing

_FILES_LIMIT = 20_000
_BYTES_LIMIT = 256 * MIB


@dataclass(frozen=True)
class OwnTarget:
    """A target that is ready to render requests, and knows the code that answers them."""

    kind: Kind
    runs: str
    """The service's URL, or the command, or the function."""
    prompt: Prompt | None
    config: Mapping[str, Any] | None
    snapshot: Snapshot
    code: Mapping[str, str]
    """Git's mode and object id of every file that it consists of, by path; empty for a service."""
    rows: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        prompt = self.prompt.as_text() if self.prompt else None
        parts = [self.kind, self.runs, prompt, self.config, self.code_digest]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def code_digest(self) -> str:
        """SHA-256 over names, modes and object ids: changed code never makes the same request."""
        return hashlib.sha256(json.dumps(sorted(self.code.items())).encode()).hexdigest()

    @property
    def lane(self) -> str:
        """Of code, each side's own process."""
        return f"{self.kind} {self.runs} {self.code_digest if self.code else ''}"

    @property
    def model_name(self) -> str:
        name = (self.config or {}).get("model")
        return name if isinstance(name, str) else ""

    def request(self, case: Case) -> Request:
        """What it is handed; raises InputError when that is too large."""
        body: dict[str, Any] = {"case": case.id, "input": case.input.reveal()}
        if self.prompt:
            body["prompt"] = self.prompt.as_text()
        if self.config is not None:
            body["config"] = dict(self.config)
        if len(json.dumps(body)) > REQUEST_LIMIT:
            raise too_large(case, self.prompt.path if self.prompt else "")
        shown = (Message("system", body["prompt"]),) if self.prompt else ()
        return Request(
            provider=self.kind,
            model=self.model_name,
            messages=(*shown, Message("user", case.input.text())),
            parameters={"code": self.code_digest[:12]} if self.code else {},
            body=body,
        )

    def contents(self) -> Iterator[tuple[str, bool, bytes]]:
        """Path, whether it may be executed, and contents of every file of the code; raises InputError."""
        size = 0
        for path, meta in self.code.items():
            content = self.snapshot.read(path)
            size += len(content)
            if size > _BYTES_LIMIT:
                raise InputError("the code of a target is too large", remedy="narrow target.files", file=path)
            yield path, meta.startswith("100755"), content


def load(snapshot: Snapshot, subject: Subject, policy: TargetPolicy) -> OwnTarget:
    """The target of a snapshot, of the kind and with the code that main's policy names; raises InputError."""
    prompt = None
    if subject.prompt is not None:
        text = decode(snapshot.read(subject.prompt), subject.prompt, limit=MIB)
        prompt = Prompt(subject.prompt, (Turn("system", text),))
    config = _config(snapshot, subject.model) if subject.model is not None else None
    runs = policy.http or policy.python or json.dumps(policy.command)
    code = code_files(snapshot, policy.files)
    if policy.files and not code:
        remedy = "correct the patterns, or add the files"
        raise InputError("target.files names no file of this side", remedy=remedy, file=policy.files[0])
    if policy.python is not None:
        refuse_missing(policy.python, snapshot, code)
    return OwnTarget(policy.kind, runs, prompt, config, snapshot, code)


def code_files(snapshot: Snapshot, patterns: list[str]) -> dict[str, str]:
    """Mode and object id by path, of the files that some patterns name, links followed; raises InputError."""
    found: dict[str, str] = {}
    for path in sorted({path for pattern in patterns for path in snapshot.glob(pattern)}):
        if {"", ".", "..", ".git"} & {*path.split("/")} or "\0" in path:  # git's own checkout would refuse it, too
            raise InputError("not a path that can be written", remedy="rename it", file=path)
        if snapshot.entries[path].mode == SUBMODULE:
            raise InputError("a submodule is part of a target", remedy="name files of this repository only", file=path)
        oid = snapshot.oid(path)
        if oid is None:
            raise InputError("is a link to no file", remedy="replace it by the file", file=path)
        found[path] = f"{snapshot.entries[path].mode} {oid}"
    if len(found) > _FILES_LIMIT:
        raise InputError(f"target.files names more than {_FILES_LIMIT} files", remedy="narrow it")
    return found


def _config(snapshot: Snapshot, path: str) -> dict[str, Any]:
    document = read_document(snapshot.read(path), path)
    if not isinstance(document.value, dict):
        raise document.error((), "not a mapping of keys to values", "write key: value pairs")
    return document.value
