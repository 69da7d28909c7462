"""Connects a target to who answers its requests: a provider, the user's own service, or their code."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ci_eval import targets
from ci_eval.config import Config, Subject, TargetPolicy
from ci_eval.deadline import Deadline
from ci_eval.errors import InputError, MissingKey
from ci_eval.prices import cost_of
from ci_eval.providers.base import Provider, ProviderError, Usage
from ci_eval.providers.endpoint import Endpoint
from ci_eval.providers.registry import connect
from ci_eval.reader import write_file
from ci_eval.runner.readiness import PATIENCE, refuse_unready
from ci_eval.scorers.base import Ask, Program
from ci_eval.secrets import Secret
from ci_eval.snapshot import Snapshot
from ci_eval.targets import own
from ci_eval.targets.base import Target
from ci_eval.targets.own import OwnTarget, code_files
from ci_eval.text import JSON

if TYPE_CHECKING:
    from ci_eval.child import Child
    from ci_eval.providers.pipe import OnEnd, OnLine, Pipe

_RUNNER = Path(targets.__file__).with_name("python_runner.py")


@dataclass(frozen=True)
class Answerer:
    """A provider that is ready to be asked, and how many requests it takes at once."""

    provider: Provider
    concurrency: int
    cost: Callable[[Usage], Decimal | None] = lambda _: None
    """What an answer cost, in USD; None where nobody knows, as of what is the user's own."""
    refuse_unready: Callable[[Deadline], None] = lambda _: None
    """Starts a program; raises InputError where it cannot be started or imported, Inconclusive where nobody knows."""


def connect_target(main: Config, suite: str, target: Target, keys: Mapping[str, Secret]) -> Answerer:
    """Raises Inconclusive when a key is not there."""
    if isinstance(target, OwnTarget):
        return _own(main.policy.suites[suite].target, target, keys)
    policy = main.policy.providers[target.lane]
    # The local model computes: more threads than cores would only wait for each other, and be timed waiting.
    most = min(policy.max_concurrency, os.cpu_count() or 1) if policy.api == "local" else policy.max_concurrency
    cost = partial(cost_of, model=target.model_name, provider=policy)
    return Answerer(connect(Endpoint.of(policy), keys), most, cost)


def _own(policy: TargetPolicy, target: OwnTarget, keys: Mapping[str, Secret]) -> Answerer:
    seconds = float(policy.timeout_seconds)
    if policy.kind == "http":
        from ci_eval.providers.own_http import HttpProvider  # noqa: PLC0415 - requests only where it is used

        most = policy.max_concurrency or 16
        key = _key(policy.key_env, keys) if policy.key_env else None
        return Answerer(HttpProvider(target.runs, key, concurrency=most, timeout_seconds=seconds), most)
    from ci_eval.providers.pipe import Pipe, PipeProvider  # noqa: PLC0415 - what it stands on is not on every system

    most = policy.max_concurrency or 1
    environment = dict(_key(name, keys).variable(name) for name in policy.env)
    pipe = Pipe(_Program(policy, target, environment, most).start, seconds)
    check = partial(_refuse_unready, pipe, policy.python, target.code, seconds)
    return Answerer(PipeProvider(pipe), most, refuse_unready=check)


def _refuse_unready(
    pipe: Pipe, function: str | None, code: Collection[str], seconds: float, deadline: Deadline
) -> None:
    """A command is started, and no more: what it would make of a question that is no case, nobody knows."""
    if function is not None:
        patient = deadline.sooner(max(seconds, PATIENCE))
        refuse_unready(function, code, lambda: pipe.ready(patient))
        return
    try:
        pipe.start()
    except ProviderError as error:
        raise InputError(str(error), remedy="correct target.command, or install what it starts") from None


def _key(name: str, keys: Mapping[str, Secret]) -> Secret:
    if name not in keys:
        raise MissingKey(name, "the target cannot be asked")
    return keys[name]


@dataclass(frozen=True)
class OwnScorer:
    """A scorer's function; one question at a time."""

    ask: Ask
    refuse_unready: Callable[[Deadline], None]


def connect_scorer(program: Program, snapshot: Snapshot) -> OwnScorer:
    """A scorer's function, of the commit that policy is read from, without keys. Nothing is started yet.

    Raises InputError where its files are not there, or hold no such function.
    """
    from ci_eval.providers.pipe import Pipe  # noqa: PLC0415 - what it stands on is not on every system

    if not code_files(snapshot, list(program.files)):
        patterns = ", ".join(program.files)
        problem = f"no file of the scorer {program.function} is there: {patterns}"
        raise InputError(problem, remedy="correct its files:, or add them")
    policy = TargetPolicy(python=program.function, files=list(program.files))
    target = own.load(snapshot, Subject(None, None, None, ()), policy)
    pipe = Pipe(_Program(policy, target, {}, 1, "scorer").start, program.timeout_seconds, "the scorer")
    one_at_a_time = threading.Lock()  # so that no case waits for another within its own time

    def ask(question: Mapping[str, JSON]) -> Mapping[str, JSON]:
        with one_at_a_time:
            return pipe.ask(question, Deadline.after(program.timeout_seconds))

    return OwnScorer(ask, partial(_refuse_unready, pipe, program.function, target.code, program.timeout_seconds))


@dataclass(frozen=True)
class _Program:
    """One side's code, which is written to a folder of its own when it is first started."""

    policy: TargetPolicy
    target: OwnTarget
    environment: Mapping[str, str] = field(repr=False)
    threads: int
    kind: Literal["target", "scorer"] = "target"

    def start(self, on_line: OnLine, on_end: OnEnd) -> Child:
        """Raises ChildError."""
        from ci_eval.child import Child  # noqa: PLC0415 - not on every system

        return Child(self._command(), self._folder, self.environment, on_line, on_end)

    def _command(self) -> list[str]:
        if self.policy.command is not None:
            return self.policy.command
        # Isolated: neither the folder it starts in nor a variable decides what its own imports find.
        function = self.policy.python or ""
        return [sys.executable, "-I", str(_RUNNER), function, str(self._folder), str(self.threads), self.kind]

    @cached_property
    def _folder(self) -> Path:
        """Out of git's objects, by us: no checkout, so no hook, filter or link of the repository has a say."""
        from ci_eval.child import at_end  # noqa: PLC0415 - not on every system

        folder = Path(tempfile.mkdtemp(prefix="ci-eval-target-"))
        remove = partial(shutil.rmtree, folder, ignore_errors=True)
        weakref.finalize(self, remove)
        at_end(remove)
        for path, executable, content in self.target.contents():
            write_file(folder / path, content)
            if executable:
                (folder / path).chmod(0o700)
        return folder
