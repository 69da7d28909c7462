"""What a pull request touches: which suites, which of their files, and in which words to say it.

A change is a path whose object id differs between two trees. Renames are not followed, attributes and filters are not
asked, and what base watched stays watched: so a file cannot be moved, linked or configured out of sight.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ci_eval.config import Config, calibration_path
from ci_eval.errors import InputError
from ci_eval.reader import read_document
from ci_eval.snapshot import SUBMODULE, Snapshot, changed_paths, matches
from ci_eval.text import Untrusted, canonical

Role = Literal["prompt", "model", "examples", "dataset", "training rows", "code", "watched file"]
_DIFF_LINES = 60


@dataclass(frozen=True)
class FileChange:
    """One file of a suite's subject that is not the same on both sides."""

    role: Role
    path: str
    kind: Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class SuiteChanges:
    """What a pull request does to one suite."""

    suite: str
    subject: tuple[FileChange, ...]
    """Judged by running the golden set."""
    policy: tuple[str, ...]
    """Paths of golden sets, schemas and rubrics that differ: told, and without effect on this verdict."""
    settings: bool
    """Whether the suite's own settings in the config file differ."""


@dataclass(frozen=True)
class Changes:
    """What a pull request does, by suite."""

    suites: tuple[SuiteChanges, ...]
    added_suites: tuple[str, ...]
    removed_suites: tuple[str, ...]
    shared_policy: bool
    """Whether providers, budget or baseline settings differ."""
    paths: tuple[str, ...]
    """Every path that differs, relevant or not."""

    @property
    def policy_changed(self) -> bool:
        own = any(suite.policy or suite.settings for suite in self.suites)
        return bool(own or self.added_suites or self.removed_suites or self.shared_policy)

    def affected(self) -> tuple[SuiteChanges, ...]:
        return tuple(suite for suite in self.suites if suite.subject)


def detect(base: Snapshot, head: Snapshot, base_config: Config, head_config: Config) -> Changes:
    """Match what differs against what the suites of base and head read; raises InputError for a watched submodule."""
    paths = changed_paths(base, head)
    ours, theirs = base_config.policy.suites, head_config.policy.suites
    sides = ((base, base_config), (head, head_config))
    return Changes(
        suites=tuple(_suite(name, paths, sides) for name in ours),
        added_suites=tuple(sorted(theirs.keys() - ours.keys())),
        removed_suites=tuple(sorted(ours.keys() - theirs.keys())),
        shared_policy=base_config.policy_text() != head_config.policy_text(),
        paths=tuple(paths),
    )


Sides = tuple[tuple[Snapshot, Config], tuple[Snapshot, Config]]


def _suite(name: str, paths: Iterable[str], sides: Sides) -> SuiteChanges:
    (base, base_config), (head, head_config) = sides
    roles = {path: role for snapshot, config in sides for path, role in _roles(snapshot, config, name)}
    policy_files = {path for snapshot, config in sides for path in _policy_files(snapshot, config, name)}
    subject, policy = [], []
    for path in paths:
        role = roles.get(path) or _role_by_pattern(name, path, sides)
        if path in policy_files and role in {None, "watched file"}:
            policy.append(path)
        elif role:
            _refuse_submodule(path, base, head)
            subject.append(FileChange(role, path, _kind(path, base, head)))
    moved = _moved(base_config, head_config, name, {change.path for change in subject})
    settings = base_config.policy_text(name) != head_config.policy_text(name)
    return SuiteChanges(name, (*subject, *moved), tuple(policy), settings and name in head_config.policy.suites)


def _roles(snapshot: Snapshot, config: Config, suite: str) -> Iterator[tuple[str, Role]]:
    """Every path that a suite's requests are made from on one side, links and inclusions followed."""
    if suite not in config.policy.suites:
        return
    subject = config.subject(suite)
    single: list[tuple[str | None, Role]] = [(subject.prompt, "prompt"), (subject.model, "model")]
    if subject.examples:
        single.append((subject.examples.from_, "examples"))
    if subject.model:
        single.append((_trained_on(snapshot, subject.model), "training rows"))
    named: list[tuple[str, Role]] = [(path, role) for path, role in single if path]
    named += [(path, "dataset") for pattern in subject.datasets for path in _under(snapshot, pattern)]
    named += [(path, "code") for pattern in subject.code for path in _under(snapshot, pattern)]
    watch = config.policy.suites[suite].watch
    named += [(path, "watched file") for pattern in watch for path in _under(snapshot, pattern)]
    for path, role in reversed(named):
        for step in snapshot.closure(path):
            yield step, role


def _under(snapshot: Snapshot, pattern: str) -> list[str]:
    """What a pattern names, and links that it leads through: whatever stands behind them may be meant."""
    return [*snapshot.glob(pattern), *snapshot.links_on(pattern)]


def _trained_on(snapshot: Snapshot, model: str) -> str | None:
    """The rows that a model config names; a config that cannot be read is reported where it is loaded."""
    try:
        value = read_document(snapshot.read(model), model).value
    except InputError:
        return None
    train = value.get("train") if isinstance(value, dict) else None
    return train if isinstance(train, str) else None


def _policy_files(snapshot: Snapshot, config: Config, suite: str) -> Iterator[str]:
    """Golden sets, whatever files the scorers name, and how judges by these agree with people."""
    if suite not in config.policy.suites:
        return
    settings = config.policy.suites[suite]
    for pattern in settings.golden_patterns:
        yield from snapshot.glob(pattern)
    for scorer in settings.scorers:
        named = [value for value in scorer.values() if isinstance(value, str) and value in snapshot.entries]
        yield from (*named, *(calibration_path(path) for path in named))


def _role_by_pattern(suite: str, path: str, sides: Sides) -> Role | None:
    """For names that only look the same (case, Unicode form), and for patterns of the other side."""
    for _, config in sides:
        if suite in config.policy.suites:
            settings, subject = config.policy.suites[suite], config.subject(suite)
            by_role: list[tuple[Role, list[str]]] = [
                ("prompt", [subject.prompt] if subject.prompt else []),
                ("model", [subject.model] if subject.model else []),
                ("examples", [subject.examples.from_] if subject.examples else []),
                ("dataset", list(subject.datasets)),
                ("code", list(subject.code)),
                ("watched file", settings.watch),
            ]
            for role, patterns in by_role:
                if any(matches(pattern, path) for pattern in patterns):
                    return role
    return None


def _moved(base: Config, head: Config, suite: str, seen: set[str]) -> Iterator[FileChange]:
    """A config that names another file changes the subject, even where no file of it differs."""
    if suite not in head.policy.suites:
        return
    ours, theirs = base.subject(suite), head.subject(suite)
    own = ours.model == ours.prompt and theirs.model == theirs.prompt  # then it is the prompt file that moved
    pairs: tuple[tuple[Role, str, str], ...] = (
        ("prompt", ours.prompt or "none", theirs.prompt or "none"),
        ("model", ours.model or "none", theirs.model or "none"),
        ("examples", _examples_text(ours.examples), _examples_text(theirs.examples)),
        ("dataset", canonical(ours.datasets), canonical(theirs.datasets)),
    )
    for role, one, other in pairs:
        if one != other and other not in seen and not (role == "model" and own):
            yield FileChange(role, other, "changed")


def _examples_text(examples: Any) -> str:
    return f"{examples.from_} (first {examples.k} rows)" if examples else "none"


def _refuse_submodule(path: str, *sides: Snapshot) -> None:
    if any(side.entries[path].mode == SUBMODULE for side in sides if path in side.entries):
        raise InputError("a submodule is watched", remedy="watch files of this repository only", file=path)


def _kind(path: str, base: Snapshot, head: Snapshot) -> Literal["added", "removed", "changed"]:
    if path not in base.entries:
        return "added"
    return "changed" if path in head.entries else "removed"


# --- in words ---------------------------------------------------------------------------------------------------------


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Untrusted]:
    """How two versions of a model config differ: `temperature 0 → 0.7`, one line a key."""
    keys = [*after, *(key for key in before if key not in after)]
    return [
        Untrusted(f"{key} {_shown(before.get(key))} → {_shown(after.get(key))}")
        for key in keys
        if before.get(key) != after.get(key)
    ]


def settings(data: bytes | None, path: str) -> dict[str, Any]:
    """What stands in a model config; nothing where there is none."""
    if data is None:
        return {}
    value = read_document(data, path).value
    return value if isinstance(value, dict) else {}


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else canonical(value)


def line_diff(base: bytes | None, head: bytes | None) -> Untrusted:
    """The lines that differ, with one line around them, as `diff -U1` shows them."""
    before = (base or b"").decode("utf-8", "replace").split("\n")
    after = (head or b"").decode("utf-8", "replace").split("\n")
    lines = list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]
    more = len(lines) - _DIFF_LINES
    return Untrusted("\n".join(lines[:_DIFF_LINES] + ([f"… {more} more lines"] if more > 0 else [])))


def first_changed_line(base: bytes | None, head: bytes | None) -> int | None:
    """The line of head's file, from 1, where it begins to differ; its last one where base only has more."""
    if head is None or base == head:
        return None
    before, after = (base or b"").split(b"\n"), head.removesuffix(b"\n").split(b"\n")
    same = next((number for number, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), None)
    return min(len(before) if same is None else same + 1, len(after))


def added_lines(base: bytes | None, head: bytes | None) -> str:
    """The text of the lines that head has and base has not."""
    before = set((base or b"").decode("utf-8", "replace").split("\n"))
    return "\n".join(line for line in (head or b"").decode("utf-8", "replace").split("\n") if line not in before)
