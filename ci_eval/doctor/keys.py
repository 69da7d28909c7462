"""Where the keys of a job that uses ci-eval are: in the environment of its one step, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ci_eval.doctor.findings import Check, Finding, names
from ci_eval.doctor.workflows import Start, Step, Workflows, mapping, references, texts

KEYS = Check(
    "keys-in-one-step", "workflows", "every other step and action of the job can read the keys, and send them away"
)
READERS = Check(
    "who-reads-keys", "workflows", "everyone who may push a branch can read a repository's secrets by a workflow"
)
HANDED = Check("keys-handed-over", "workflows", "nothing can be asked in that job: it ends inconclusive")

_WORKFLOW_TOKEN = "GITHUB_TOKEN"  # noqa: S105 - the name of a variable
_EVERY = "all of them"
_EXPORTS = re.compile(r"GITHUB_ENV\b|exportVariable")


def check_keys(workflows: Workflows, variables: Collection[str]) -> Iterator[Finding]:
    """`variables`: the names of the environment variables that the policy reads keys from."""
    for start in workflows.starts:
        if start.gates or start.remembers:
            yield _keys(start, variables)
            yield from _handed_over(start, variables)
            yield from _readers(start)


def _keys(start: Start, variables: Collection[str]) -> Finding:
    written = sorted({name for env in _environments(start) for name in variables if _is_written_out(env.get(name))})
    if written:
        remedy = "change that key now, keep the new one as a secret, and write ${{ secrets.NAME }}"
        return KEYS.problem(start.about, "a key itself stands in the workflow, in ", *names(written), remedy=remedy)
    wide = sorted({name for env in _wide(start) for name in secrets_in(env)})
    if wide:
        fact = "the env of the whole job or workflow holds secrets: "
        return KEYS.problem(
            start.about, fact, *names(wide), remedy="move them into the env of the step that uses ci-eval"
        )
    loose = sorted({name for step in start.job.steps for name in _loose(step)})
    if loose:
        fact = "a script has secrets pasted into it, or hands them to later steps: "
        return KEYS.problem(
            start.about, fact, *names(loose), remedy="pass them in the env of the one step that needs them"
        )
    return _shared(start)


def _shared(start: Start) -> Finding:
    ours = {name for step in start.job.steps if step.uses_ci_eval for name in secrets_in(step.body)}
    others = {name for step in start.job.steps if not step.uses_ci_eval for name in secrets_in(step.body)}
    if _EVERY in ours | others or ours & others:
        what = names(sorted(ours & others or {_EVERY}))
        return KEYS.problem(
            start.about, "other steps get the same secrets: ", *what, remedy="give them to one step only"
        )
    if any(job.body.get("secrets") == "inherit" for job in start.callers):
        remedy = "name the secrets that the called workflow needs"
        return KEYS.warning(start.about, "the caller hands on every secret (secrets: inherit)", remedy=remedy)
    return KEYS.ok(start.about, *_told(ours))


def _handed_over(start: Start, variables: Collection[str]) -> Iterator[Finding]:
    """A variable that a script sets for later steps is not seen here."""
    if any(_EXPORTS.search(step.script) for step in start.job.steps):
        return
    ours = [mapping(step.body.get("env")) for step in start.job.steps if step.uses_ci_eval]
    given = {name for env in (*_wide(start), *ours) for name in env}
    lacking = sorted(set(variables) - given)
    if lacking:
        remedy = f"write {lacking[0]}: ${{{{ secrets.{lacking[0]} }}}} in its env"
        yield HANDED.warning(start.about, "the step that uses ci-eval is not given ", *names(lacking), remedy=remedy)


def _told(ours: set[str]) -> tuple[Any, ...]:
    return ("only the step that uses ci-eval gets ", *names(sorted(ours))) if ours else ("the job gets no secrets",)


def _readers(start: Start) -> Iterator[Finding]:
    """Only an environment can keep a secret from those who may push."""
    takes = any(name for step in start.job.steps if step.uses_ci_eval for name in secrets_in(step.body))
    if "environment" in start.job.body:
        return
    if start.on(("pull_request_target",)):
        remedy = "name an environment: with required reviewers in the job"
        yield READERS.problem(start.about, "pull_request_target starts it for strangers, unasked", remedy=remedy)
    elif takes:
        remedy = "use a key of its own with a spending limit; or keep it in an environment with required reviewers"
        yield READERS.warning(start.about, "its keys are secrets of the repository", remedy=remedy)


def secrets_in(value: object) -> set[str]:
    """The names of the secrets that a part of a workflow asks for, but for the workflow's own token."""
    found = {name for text in texts(value) for name in references(text) if name.partition(".")[0] == "secrets"}
    return {name.partition(".")[2].strip("*").upper() or _EVERY for name in found} - {_WORKFLOW_TOKEN}


def _loose(step: Step) -> set[str]:
    """Secrets that leave the environment of their step."""
    pasted = secrets_in(step.script)
    return pasted | (secrets_in(step.body) if _EXPORTS.search(step.script) else set())


def _wide(start: Start) -> Iterator[Mapping[str, Any]]:
    for job in start.chain:
        for body in (job.workflow.body, job.body, mapping(job.body.get("container"))):
            yield mapping(body.get("env"))


def _environments(start: Start) -> Iterator[Mapping[str, Any]]:
    yield from _wide(start)
    yield from (mapping(step.body.get("env")) for step in start.job.steps)


def _is_written_out(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and "${{" not in value
