"""The repository's workflows as they stand in git, and which of their jobs use ci-eval.

Read by the one strict reader, whose `on` is a word and not YAML 1.1's true. It refuses anchors, which GitHub takes: a
workflow that has them is told as unreadable, never as harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from ci_eval.doctor.conditions import runs
from ci_eval.errors import InputError
from ci_eval.reader import Document, read_yaml
from ci_eval.report.document import Text
from ci_eval.snapshot import Snapshot
from ci_eval.text import Untrusted

FOLDER = ".github/workflows"
PULLED = ("pull_request", "pull_request_target")
ON_PULL_REQUESTS = (*PULLED, "merge_group")
ON_MAIN = ("push", "schedule", "workflow_dispatch")
PRIVILEGED = ("pull_request_target", "workflow_run", "issue_comment")
"""Events that strangers cause, and that run with main's secrets and a token that writes."""
_MOST_STARTS = 500
_MOST_STEPS = 2000
_MOST_CALLS = 4
_MOST_ACTIONS = 10

_ACTION = re.compile(r"(?:.*/)?ci-eval(?:@.*|:.*)?", re.IGNORECASE | re.DOTALL)
_COMMAND = re.compile(r"\bci-eval\s|\bci_eval\.cli\.main\s")
_BRACKETS = re.compile(r"\[\s*'?([A-Za-z0-9_*-]+)'?\s*\]")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_.*-]*")
_GATE = re.compile(r"\b(?:ci-eval|ci_eval\.cli\.main)\s+gate\b")


@dataclass(frozen=True)
class Step:
    """A step of a job, or of an action of this repository that the job uses."""

    body: Mapping[str, Any]
    file: str
    line: int
    is_action: bool = False
    """Whether it is the action ci-eval."""

    @property
    def uses(self) -> str:
        return _word(self.body.get("uses"))

    @property
    def inputs(self) -> Mapping[str, Any]:
        return mapping(self.body.get("with"))

    @property
    def script(self) -> str:
        """What a shell, or actions/github-script, is given to run."""
        return "\n".join(filter(None, (_word(self.body.get("run")), _word(self.inputs.get("script")))))

    @property
    def uses_ci_eval(self) -> bool:
        return self.is_action or bool(_COMMAND.search(self.script))

    @property
    def gates(self) -> bool:
        return self.is_action or bool(_GATE.search(self.script))


@dataclass(frozen=True)
class Workflow:
    """A file that could be read."""

    path: str
    document: Document

    @property
    def body(self) -> Mapping[str, Any]:
        return mapping(self.document.value)

    @property
    def events(self) -> Mapping[str, Mapping[str, Any]]:
        """The events that start it, with their filters."""
        on = self.body.get("on")
        if isinstance(on, list):
            return {name: {} for name in on if isinstance(name, str)}
        return {on: {}} if isinstance(on, str) else {name: mapping(value) for name, value in mapping(on).items()}


@dataclass(frozen=True)
class Job:
    workflow: Workflow
    id: str
    body: Mapping[str, Any]
    steps: tuple[Step, ...]
    """With those of the repository's own composite actions, in their place."""

    @property
    def uses(self) -> str:
        """The reusable workflow that it calls."""
        return _word(self.body.get("uses"))

    @property
    def needs(self) -> list[Any]:
        needs = self.body.get("needs")
        return needs if isinstance(needs, list) else [needs]


@dataclass(frozen=True)
class Start:
    """A job as an event starts it: alone, or through jobs that call its workflow."""

    job: Job
    callers: tuple[Job, ...]
    """The outermost first."""

    @property
    def chain(self) -> tuple[Job, ...]:
        return (*self.callers, self.job)

    @property
    def events(self) -> Mapping[str, Mapping[str, Any]]:
        return self.chain[0].workflow.events

    @property
    def about(self) -> Text:
        return (Untrusted(self.job.workflow.path), ", job ", Untrusted(self.job.id))

    @cached_property
    def check_name(self) -> str | None:
        """What GitHub calls its check; None where it depends on the run."""
        told = [job.body.get("name") or job.id for job in self.chain]
        fixed = all(isinstance(name, str) and "${{" not in name for name in told)
        return (
            " / ".join(told)
            if fixed and not any("matrix" in mapping(j.body.get("strategy")) for j in self.chain)
            else None
        )

    @property
    def gates(self) -> bool:
        """Whether it judges pull requests."""
        return any(step.gates for step in self.job.steps) and self.on(ON_PULL_REQUESTS)

    @property
    def remembers(self) -> bool:
        """Whether it evaluates main with ci-eval."""
        return any(step.uses_ci_eval for step in self.job.steps) and self.on(ON_MAIN)

    def on(self, events: Sequence[str]) -> bool:
        """Whether one of these events may start it."""
        return any(self.runs(event) is not False for event in events if event in self.events)

    def runs(self, event: str, fork: bool | None = None) -> bool | None:
        """Whether an event that starts its workflow lets it run; None: perhaps. `fork`: as for a condition."""
        asked = [(job.body.get("if"), bool(job.body.get("needs"))) for job in self.chain]
        each = [runs(condition, event, after_others=needs, fork=fork) for condition, needs in asked]
        return False if False in each else None if None in each else True


@dataclass(frozen=True)
class Workflows:
    """All that stands in the folder."""

    readable: tuple[Workflow, ...]
    unreadable: tuple[InputError, ...]
    snapshot: Snapshot

    @classmethod
    def read(cls, snapshot: Snapshot) -> Workflows:
        readable, unreadable = [], []
        for path in sorted({path for end in ("yml", "yaml") for path in snapshot.glob(f"{FOLDER}/*.{end}")}):
            try:
                readable.append(Workflow(path, read_yaml(snapshot.read(path), path)))
            except InputError as error:
                unreadable.append(error)
        return cls(tuple(readable), tuple(unreadable), snapshot)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(
            Job(workflow, name, mapping(body), tuple(islice(self._steps(workflow, name, mapping(body)), _MOST_STEPS)))
            for workflow in self.readable
            for name, body in mapping(workflow.body.get("jobs")).items()
        )

    @cached_property
    def starts(self) -> tuple[Start, ...]:
        """Every job in every way that an event starts it."""
        return tuple(islice((start for job in self.jobs for start in self._starts(job, ())), _MOST_STARTS))

    @cached_property
    def gates(self) -> tuple[Start, ...]:
        return tuple(start for start in self.starts if start.gates)

    def reporter(self, gate: Start) -> Start:
        """The job whose check tells what a gate found: a later one that looks at its result, or itself."""
        asked = f"needs.{gate.job.id.lower()}.result"
        later = [one for one in self.starts if one.callers == gate.callers and gate.job.id in one.job.needs]
        for start in later:
            seen = (name for step in start.job.steps for text in texts(step.body) for name in references(text))
            if start.job.workflow is gate.job.workflow and asked in seen:
                return start
        return gate

    @cached_property
    def by_check(self) -> Mapping[str, Sequence[Start]]:
        """What reports each check on a pull request."""
        found: dict[str, list[Start]] = {}
        for start in self.starts:
            if start.check_name and start.on(ON_PULL_REQUESTS):
                found.setdefault(start.check_name, []).append(start)
        return found

    def _starts(self, job: Job, callers: tuple[Job, ...]) -> Iterator[Start]:
        first = callers[0] if callers else job
        if first.workflow.events.keys() - {"workflow_call"}:
            yield Start(job, callers)
        if "workflow_call" in first.workflow.events and len(callers) < _MOST_CALLS:
            for caller in self._calling.get(first.workflow.path, ()):
                yield from self._starts(job, (caller, *callers))

    @cached_property
    def _calling(self) -> Mapping[str, list[Job]]:
        """The jobs that call a workflow of this repository, by its path."""
        found: dict[str, list[Job]] = {}
        for job in self.jobs:
            if job.uses.startswith("./"):
                found.setdefault(job.uses.removeprefix("./"), []).append(job)
        return found

    def _steps(self, workflow: Workflow, name: str, body: Mapping[str, Any]) -> Iterator[Step]:
        listed = body.get("steps")
        for index, step in enumerate(listed if isinstance(listed, list) else ()):
            line = workflow.document.line(("jobs", name, "steps", index))
            yield from self._expanded(mapping(step), workflow.path, line, 0)

    def _expanded(self, body: Mapping[str, Any], file: str, line: int, depth: int) -> Iterator[Step]:
        """A step, and those of the composite action of this repository that it uses."""
        uses = _word(body.get("uses"))
        own = self._own_action(uses) if uses.startswith("./") else None
        is_ours = _ACTION.fullmatch(uses) if own is None else own.value.get("name") == "ci-eval"  # type: ignore[union-attr]
        yield Step(body, file, line, bool(is_ours))
        inner = mapping(mapping(own.value).get("runs")).get("steps") if own else None
        if own and isinstance(inner, list) and depth < _MOST_ACTIONS:
            for index, step in enumerate(inner):
                yield from self._expanded(mapping(step), own.file, own.line(("runs", "steps", index)), depth + 1)

    def _own_action(self, uses: str) -> Document | None:
        if uses not in self._actions:
            self._actions[uses] = self._read_action(uses)
        return self._actions[uses]

    @cached_property
    def _actions(self) -> dict[str, Document | None]:
        """The repository's own actions, each read once."""
        return {}

    def _read_action(self, uses: str) -> Document | None:
        folder = uses.removeprefix("./").strip("/")
        for name in ("action.yml", "action.yaml"):
            path = f"{folder}/{name}" if folder else name
            try:
                document = read_yaml(self.snapshot.read(path), path)
            except InputError:
                continue
            if isinstance(document.value, dict):
                return document
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping as it is; anything else, which GitHub would refuse there, as an empty one."""
    return value if isinstance(value, dict) else {}


def expressions(text: str) -> Iterator[str]:
    """What stands in each `${{ }}` of a text, without blanks around, and `['x']` written as `.x`."""
    at = 0
    while (start := text.find("${{", at)) >= 0 and (end := text.find("}}", start)) >= 0:
        yield _BRACKETS.sub(r".\1", text[start + 3 : end]).strip()
        at = end + 2


def references(text: str) -> Iterator[str]:
    """Every name in the expressions of a text, in lower case and with all its parts, as in `github.event.number`."""
    for expression in expressions(text):
        yield from (name.lower() for name in _DOTTED.findall(expression))


def texts(value: object) -> Iterator[str]:
    """Every text in a part of a workflow."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
